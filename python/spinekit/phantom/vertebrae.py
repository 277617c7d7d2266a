"""What vertebrae have behind their bodies, the discs between them, and the thoracic ones above."""

import functools

import numpy as np
from numpy.typing import NDArray

from spinekit.phantom.frames import Frame
from spinekit.phantom.meshes import Surface, ellipsoid, joined, loft, tube
from spinekit.phantom.patient import Patient
from spinekit.phantom.spinal_column import BodyShape, Placement, along, up, vertebral_body
from spinekit.phantom.tissues import DISC, SPONGIOSA, Tissue

Points = NDArray[np.float64]


@functools.lru_cache(maxsize=1)
def _arch() -> Surface:
    """Return pedicles, joints, laminae, transverse and spinous processes, (forward, left, up) mm.

    Of a vertebra whose body is 27 mm high; forward from the body's posterior wall.
    """

    def half(forward: float, left: float, upward: float, lean: float) -> Points:
        c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
        return np.array([[c * forward, 0, -s * forward], [0, left, 0], [s * upward, 0, c * upward]])

    parts = []
    for side in (1.0, -1.0):
        pars = np.array([[-13, side * 17, 9], [-18, side * 14, -3], [-21, side * 13, -15]])
        parts += [
            tube([[5, side * 12, 5.5], [-10, side * 14, 5]], 4.6),
            ellipsoid([-13, side * 17, 13], half(4.2, 5.5, 9.5, -12)),
            tube(pars, [4.0, 4.6, 4.2]),
            ellipsoid([-21, side * 13, -17], half(4.0, 5.5, 9.0, -12)),
            tube([[-18.0, side * 14, -3.0], [-27.0, 0.0, -8.0]], [4.5, 3.5]),
            tube([[-8, side * 15, 3], [-12, side * 40, 4]], [4.2, 2.8]),
        ]
    parts.append(ellipsoid([-37, 0, -11], half(19, 3.4, 10.5, 10)))
    return joined(parts)


def _arch_of(frame: Frame, size: float) -> Surface:
    arch = _arch()
    return arch.moved(frame(size * arch.vertices - [frame.depth / 2, 0, 0]))


def _above(corners: Points, count: int, size: float) -> list[BodyShape]:
    """Return the shapes of `count` thoracic bodies above a body, the lowest first."""
    shapes = []
    for number in range(count):
        way = corners[0] - corners[1]
        slope = float(np.degrees(np.arctan2(-way[1], way[0]))) + 1.5
        depth = (32.0 - 1.2 * number) * size
        bottom = corners[:2].mean(0) + (6.0 - 0.8 * number) * size * up(slope)
        top_slope = slope + 2.5
        inferior = bottom + depth / 2 * np.stack([along(slope), -along(slope)])
        posterior = inferior[1] + (23.0 - 1.0 * number) * size * up((slope + top_slope) / 2)
        corners = np.stack([posterior + 0.97 * depth * along(top_slope), posterior, *inferior])
        shapes.append(
            BodyShape(corners, np.array([38.0, 40.0]) * size, np.array([0.3, 0.6]), np.zeros((2, 2)), 0.07)
        )
    return shapes


def vertebral_tissues(patient: Patient) -> list[Tissue]:
    """Return arches and discs of L1 to S1, and T11 and T12 with theirs."""
    person, plane = patient.person, patient.plane
    size = float(person.posterior_heights.mean() / 25)
    found = []
    for level in range(5):
        above = patient.bodies[level].rims[1]
        below = patient.bodies[level + 1].rims[0] if level < 4 else patient.sacrum.rim
        rings = [ring.mean(0) + 0.96 * (ring - ring.mean(0)) for ring in (above, (above + below) / 2, below)]
        found.append(Tissue(f"disc below L{level + 1}", loft(rings), DISC))
    for level in range(5):
        frame = Frame(plane.corners[level], patient.places[level])
        arch = patient.stand(_arch_of(frame, size))
        found.append(Tissue(f"L{level + 1} arch", arch, SPONGIOSA, cortex=0.8))
    for number, shape in enumerate(_above(plane.corners[0], 2, size)):
        place = Placement(shape.corners.mean(0), left=patient.places[0].left)
        body = patient.stand(vertebral_body(shape, place).surface)
        name = f"T{12 - number}"
        found.append(Tissue(name, body, SPONGIOSA, cortex=0.7))
        frame = Frame(shape.corners, place)
        arch = patient.stand(_arch_of(frame, 0.85 * size))
        found.append(Tissue(f"{name} arch", arch, SPONGIOSA, cortex=0.8))
        ribs = patient.stand(joined(_ribs(frame, number)))
        found.append(Tissue(f"ribs {12 - number}", ribs, SPONGIOSA, cortex=1.0))
    return found


def _ribs(frame: Frame, number: int) -> list[Surface]:
    """Return the ribs of T12 (number 0) or T11: around the trunk and down."""
    back = -frame.depth / 2
    reach = 1.0 if number == 0 else 1.45
    turn = np.linspace(0, 1, 14)
    forward = back - 8 - 22 * np.sin(np.pi * np.minimum(turn * 1.3, 1)) + 95 * (reach - 0.35) * turn**2
    left = 22 + (92 * reach**0.3) * np.sin(np.minimum(turn * reach * 1.25, 1.5))
    down = 2 - 70 * reach * turn**1.15
    return [
        tube(frame(np.stack([forward, side * left, down], 1)), np.linspace(4.5, 3.2, len(turn)))
        for side in (1.0, -1.0)
    ]
