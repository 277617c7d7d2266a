"""What bodies are made of: how tissues look in CT and how they weaken a beam."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit.phantom.meshes import Surface

#: Of water at 60 keV, about the effective energy of a lateral lumbar exposure, 1/mm (NIST XCOM).
WATER = 0.0206
#: Calcium weakens the beam of a film more than a CT's numbers at a higher energy say.
BONE_FACTOR = 1.6


@dataclass(frozen=True)
class Material:
    """A tissue, by its mean CT number in HU."""

    name: str
    hu: float

    @functools.cached_property
    def attenuation(self) -> float:
        """Linear attenuation coefficient at a film's effective energy, 1/mm."""
        return float(attenuation_of(self.hu))


def attenuation_of(hu: ArrayLike) -> NDArray[np.float64]:
    """Return attenuation coefficients at a film's effective energy, 1/mm, of CT numbers in HU."""
    values = np.maximum(np.asarray(hu, np.float64), -1000.0)
    return WATER * (1 + np.where(values > 100, 0.1 + BONE_FACTOR * (values - 100) / 1000, values / 1000))


AIR = Material("air", -1000)
FAT = Material("fat", -100)
SOFT = Material("soft tissue", 45)
DISC = Material("disc", 80)
SPONGIOSA = Material("spongiosa", 210)
CORTEX = Material("cortex", 1150)
TITANIUM = Material("titanium", 8000)
COBALT = Material("cobalt chromium", 16000)


@dataclass(eq=False)
class Tissue:
    """A piece of the patient, in patient coordinates; later ones take the place of earlier ones.

    Attributes
    ----------
    name : such as "L3", "L3 posterior elements", "ilium left", "screw L4 left", "gas"
    surface : closed
    material : of its inside
    within : what it takes the place of, where films add up differences
    cortex : thickness of its shell of cortical bone, mm; 0 for none
    """

    name: str
    surface: Surface
    material: Material
    within: Material = SOFT
    cortex: float = 0.0

    @functools.cached_property
    def layers(self) -> list[tuple[Surface, Material, Material]]:
        """(Surface, material inside, material that it takes the place of), outermost first."""
        if self.cortex <= 0:
            return [(self.surface, self.material, self.within)]
        inner = self.surface.inset(self.cortex)
        return [(self.surface, CORTEX, self.within), (inner, self.material, CORTEX)]
