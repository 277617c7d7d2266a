"""A flat lumbar spine whose corners, angles and masks are known in closed form."""

import dataclasses
import math

import numpy as np

import spinekit as sk

BONES = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")


@dataclasses.dataclass
class FlatSpine:
    """Outlines in mm (x to the right, y down), the patient looking to the right.

    Angles are degrees: `wedges` of the bodies and `discs` (lordotic positive) add up to the lordosis.
    """

    ss: float = 40.0
    pt: float = 12.0
    wedges: tuple[float, ...] = (-2.0, 0.0, 2.0, 4.0, 9.0)
    discs: tuple[float, ...] = (5.0, 7.0, 9.0, 11.0, 13.0)
    heights: tuple[float, ...] = (27.0, 27.5, 28.0, 28.0, 28.0)  # at mid body
    disc_heights: tuple[float, ...] = (8.0, 9.0, 10.0, 11.0, 10.0)  # at mid disc
    depth: float = 35.0
    sag: float = 1.0  # of endplates and walls, mm
    beak: float = 0.0  # size of osteophytes at every corner, mm
    radius: float = 24.0
    hips_apart: tuple[float, float] = (6.0, 4.0)  # mm between the heads' centres
    slips: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)  # of L1 ... L5 on what is below, anterior positive

    def __post_init__(self):
        self.bodies = np.zeros((5, 4, 2))
        self.plate = np.zeros((2, 2))
        mid = np.array([0.0, 0.0])
        slope = -self.ss  # rise towards anterior
        self.plate = self._ends(mid, slope, 36.0)
        for level in range(4, -1, -1):
            along, up = self._frame(slope + self.discs[level] / 2)
            mid = mid + self.disc_heights[level] * up + self.slips[level] * along
            slope += self.discs[level]
            lower = self._ends(mid, slope, self.depth)
            _, up = self._frame(slope + self.wedges[level] / 2)
            mid = mid + self.heights[level] * up
            slope += self.wedges[level]
            upper = self._ends(mid, slope, self.depth)
            self.bodies[level] = [*upper, *lower]
        self.ll = sum(self.wedges) + sum(self.discs)
        self.pi = self.pt + self.ss
        turn = math.radians(self.pt)
        axis = 100.0 * np.array([math.sin(turn), math.cos(turn)])
        apart = np.array(self.hips_apart) / 2
        self.heads = np.array([axis - apart, axis + apart])

    @staticmethod
    def _frame(slope):
        angle = math.radians(slope)
        return np.array([math.cos(angle), -math.sin(angle)]), np.array([-math.sin(angle), -math.cos(angle)])

    def _ends(self, mid, slope, length):
        along, _ = self._frame(slope)
        return np.array([mid + length / 2 * along, mid - length / 2 * along])  # anterior, posterior

    def outlines(self):
        """Return the eight polygons, shape (n, 2), mm."""
        return [
            *(self._body(corners) for corners in self.bodies),
            self._sacrum(),
            *(self._circle(centre) for centre in self.heads),
        ]

    def _side(self, a, b, sag):
        t = np.linspace(0, 1, 60, endpoint=False)[:, None]
        along = (b - a) / np.linalg.norm(b - a)
        inwards = np.array([-along[1], along[0]])  # clockwise on the film
        return a + t * (b - a) + 4 * t * (1 - t) * sag * inwards

    def _body(self, corners):
        sa, sp, ia, ip = corners
        sides = [(sp, sa), (sa, ia), (ia, ip), (ip, sp)]
        points = []
        for a, b in sides:
            side = self._side(a, b, self.sag)
            if self.beak and (a is sp or a is ia):
                # A lip at both ends of an endplate, outwards and along.
                along = (b - a) / np.linalg.norm(b - a)
                out = np.array([along[1], -along[0]])
                t = np.linspace(-1, 1, 60, endpoint=False)[:, None]
                lip = np.clip((np.abs(t) - 0.78) / 0.22, 0, 1) ** 2
                side = side + self.beak * lip * (0.5 * out + np.sign(t) * along)
            points.append(side)
        return np.concatenate(points)

    def _sacrum(self):
        anterior, posterior = self.plate
        along = (anterior - posterior) / np.linalg.norm(anterior - posterior)
        down = np.array([-along[1], along[0]])
        s = np.linspace(0, 1, 120)
        bend = np.radians(50 * s - 75 * s**2)  # backwards first, then forwards
        step = 105.0 / 119
        direction = np.cos(bend)[:, None] * down - np.sin(bend)[:, None] * along
        centre = (anterior + posterior) / 2 + np.concatenate([[[0, 0]], np.cumsum(direction[:-1] * step, 0)])
        across = np.cos(bend)[:, None] * along + np.sin(bend)[:, None] * down
        across[0] = along
        half = np.linalg.norm(anterior - posterior) / 2 * (1 - 0.85 * s**0.8)
        front = centre + half[:, None] * across
        back = centre - half[:, None] * across
        front[0], back[0] = anterior, posterior
        return np.concatenate([self._side(posterior, anterior, self.sag), front, back[:0:-1]])

    def _circle(self, centre):
        turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        return centre + self.radius * np.stack([np.cos(turn), np.sin(turn)], 1)

    def film(
        self, rows=1024, columns=None, spacing=None, *, mirrored=False, tilt=0.0, shift=(0.0, 0.0), scale=8
    ):
        """Return antialiased masks, spacing and landmarks on a film of about 330 mm height."""
        columns = columns or rows * 3 // 4
        spacing = spacing or (330.0 / rows, 330.0 / rows)
        turn = math.radians(tilt)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        middle = np.array([5.0, -40.0])
        centre = np.array([(columns - 1) * spacing[1], (rows - 1) * spacing[0]]) / 2 + shift

        def pixels(points):
            mm = (points - middle) @ rotation.T
            if mirrored:
                mm = mm * [-1, 1]
            return (mm + centre) / [spacing[1], spacing[0]]

        outlines = [pixels(outline) for outline in self.outlines()]
        if mirrored:
            outlines = [outline[::-1] for outline in outlines]
        masks = np.stack([coverage(outline, rows, columns, scale) for outline in outlines])
        landmarks = sk.Landmarks(
            pixels(self.bodies), pixels(self.plate), pixels(self.heads), np.full(2, self.radius / spacing[0])
        )
        return masks, spacing, landmarks


def coverage(polygon, rows, columns, scale):
    """Return the share of each pixel that the polygon covers: exact along x, `scale` lines a row."""
    lines = (np.arange(rows * scale) + 0.5) / scale - 0.5
    start, end = polygon, np.roll(polygon, -1, 0)
    crosses = (start[:, 1, None] <= lines) != (end[:, 1, None] <= lines)
    edge, line = np.nonzero(crosses)
    rise = end[edge, 1] - start[edge, 1]
    x = start[edge, 0] + (lines[line] - start[edge, 1]) / rise * (end[edge, 0] - start[edge, 0])
    # A polygon runs clockwise: it is entered where an edge goes up the film.
    sign = -np.sign(rise)
    x = np.clip(x + 0.5, 0, columns)
    pixel = np.floor(x).astype(int)
    rest = 1 - (x - pixel)
    steps = np.zeros((rows, columns + 2))
    np.add.at(steps, (line // scale, pixel), sign * rest / scale)
    np.add.at(steps, (line // scale, pixel + 1), sign * (1 - rest) / scale)
    return np.clip(np.cumsum(steps, 1)[:, :columns], 0, 1).astype(np.float32)
