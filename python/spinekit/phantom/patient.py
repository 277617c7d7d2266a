"""The skeleton that a person has: measured bones with their truth, in patient coordinates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit.phantom.meshes import Surface, ellipsoid
from spinekit.phantom.population import Person
from spinekit.phantom.spinal_column import (
    Body,
    BodyShape,
    Placement,
    Sacrum,
    Sagittal,
    placements,
    sacral_bodies,
    vertebral_body,
)

Points = NDArray[np.float64]


@dataclass(eq=False)
class Patient:
    """Bones whose places are known exactly.

    Surfaces and points are LPS, mm; the middle of the S1 endplate is near the origin.

    Attributes
    ----------
    plane : the midsagittal plane that it was built in
    places : of L1 to L5
    bodies : L1 to L5
    sacrum : its five bodies
    heads : femoral heads, left and right
    head_centres : shape (2, 3)
    """

    person: Person
    plane: Sagittal
    places: list[Placement]
    bodies: list[Body]
    sacrum: Sacrum
    heads: list[Surface]
    head_centres: Points

    @classmethod
    def of(cls, person: Person) -> "Patient":
        """Build a person's bones."""
        plane = Sagittal.of(person)
        places = placements(person, plane)
        patient = cls(person, plane, places, [], sacral_bodies(person, plane), [], np.zeros((2, 3)))
        for level in range(5):
            body = vertebral_body(BodyShape.of(person, plane, level), places[level])
            patient.bodies.append(Body(patient.stand(body.surface), patient.points(body.rims)))
        sacrum = patient.sacrum
        patient.sacrum = Sacrum(patient.stand(sacrum.surface), patient.points(sacrum.rim), sacrum.way)
        half = person.hips_apart / 2
        centres = np.array([[plane.hip[0], side * half, plane.hip[1]] for side in (1, -1)])
        patient.head_centres = patient.points(centres)
        patient.heads = [
            ellipsoid(centre, person.head_radius * np.eye(3), around=56, along=28)
            for centre in patient.head_centres
        ]
        return patient

    def points(self, points: ArrayLike) -> Points:
        """Return model points (anterior, left, superior) as they stand in the room, LPS."""
        p = np.asarray(points, np.float64)
        forward, left, upward = p[..., 0], p[..., 1], p[..., 2]
        c, s = np.cos(np.radians(self.person.rotation)), np.sin(np.radians(self.person.rotation))
        forward, left = c * forward - s * left, s * forward + c * left
        c, s = np.cos(np.radians(self.person.obliquity)), np.sin(np.radians(self.person.obliquity))
        left, upward = c * left - s * upward, s * left + c * upward
        return np.stack([left, -forward, upward], -1)

    def stand(self, surface: Surface) -> Surface:
        """Return a surface of the model as it stands in the room."""
        return surface.moved(self.points(surface.vertices))

    def measured(self) -> list[Surface]:
        """Return the eight bones that are measured, in the order of `spinekit.measurement.BONES`."""
        return [*(body.surface for body in self.bodies), self.sacrum.surface, *self.heads]
