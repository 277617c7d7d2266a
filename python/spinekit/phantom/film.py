"""Films of phantoms: rays through all tissues, then what a detector makes of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit.phantom.patient import Patient
from spinekit.phantom.view import View
from spinekit.radiograph import Radiograph


@dataclass(eq=False, kw_only=True, repr=False)
class PhantomFilm(Radiograph):
    """A film of a phantom.

    Attributes
    ----------
    view : how it was taken
    implant_mask : shape (rows, columns), float32; part of each pixel that metal covers, or None
    without_implants : the same film without them, or None
    """

    view: View
    implant_mask: NDArray[np.float32] | None = None
    without_implants: "PhantomFilm | None" = None


def expose(
    patient: Patient, view: View, *, seed: int, workers: int | None = None, **options: Any
) -> PhantomFilm:
    """Take a film."""
    executor = _engine.executor(_engine.worker_count(workers))
    meshes = [surface.engine() for surface in patient.measured()]
    sums = _core.ray_sums(meshes, [0] * len(meshes), [1.0] * len(meshes), 1, view.beam, executor)[0]
    pixels = (4095 * sums / max(float(sums.max()), 1e-6)).clip(0, 4095).astype(np.uint16)
    return PhantomFilm(pixels, view.spacing, "phantom", f"phantom, seed {seed}", view=view)
