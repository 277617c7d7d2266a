"""What constructions are drawn with: lines, arcs and labels on a film, in square units."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float64]

_BACKGROUND = "#12181c"


def unit(vector: Point) -> Point:
    """Return a vector of length 1 in a direction; zero stays zero."""
    length = math.hypot(*vector)
    return vector / length if length else vector


def across(vector: Point) -> Point:
    """Return a vector of length 1 at right angles to another."""
    return unit(np.array([-vector[1], vector[0]]))


def angle_between(first: Point, second: Point) -> float:
    """Return by how much to turn from one direction to another, radians, -pi to pi, clockwise on a screen."""
    turn = math.atan2(second[1], second[0]) - math.atan2(first[1], first[0])
    return math.remainder(turn, 2 * math.pi)


def meeting(first: Point, way: Point, second: Point, other: Point) -> tuple[float, float] | None:
    """Return how far along two lines they meet, None if they are parallel."""
    determinant = way[1] * other[0] - way[0] * other[1]
    if abs(determinant) < 1e-9:
        return None
    x, y = second - first
    return float((y * other[0] - x * other[1]) / determinant), float((y * way[0] - x * way[1]) / determinant)


@dataclass
class Sheet:
    """Axes in pixels of the film, drawn on in units of a row's height.

    Attributes
    ----------
    axes : of matplotlib
    scale : of a point (x, y) in pixels, to units
    right : whether anterior is to the right
    length : of an endplate, units
    extent : corners of what is shown, units
    """

    axes: Any
    scale: Point
    right: bool
    length: float
    extent: Point

    @property
    def forward(self) -> float:
        """Direction of anterior along x."""
        return 1.0 if self.right else -1.0

    def prepare(self, pixels: NDArray[Any] | None) -> None:
        """Show the film, or a dark sheet, in true proportions."""
        from matplotlib import patheffects  # noqa: PLC0415 - an extra, slow to import

        self._halo = [patheffects.withStroke(linewidth=2.0, foreground="#0b0f12cc")]
        low, high = self.extent / self.scale
        if pixels is not None:
            step = max(1, math.isqrt(pixels.size) // 512)
            dark, bright = np.percentile(pixels[::step, ::step], (0.5, 99.7))
            self.axes.imshow(
                pixels, cmap="gray", vmin=dark, vmax=max(bright, dark + 1e-6), interpolation="bilinear"
            )
        self.axes.set_facecolor(_BACKGROUND)
        self.axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), xticks=[], yticks=[])
        self.axes.set_aspect(self.scale[1] / self.scale[0])
        for spine in self.axes.spines.values():
            spine.set_visible(False)

    def room(self, point: Point, way: Point) -> float:
        """Return how far it is from a point to the edge in a direction, at least 0."""
        far = math.inf
        for k in range(2):
            if way[k]:
                edge = self.extent[1 if way[k] > 0 else 0, k]
                far = min(far, (edge - point[k]) / way[k])
        return max(0.0, float(far))

    def line(
        self,
        points: Point,
        colour: str,
        width: float,
        *,
        style: Any = "-",
        name: str = "",
        ends: bool = False,
        alpha: float = 1.0,
    ) -> None:
        """Draw through points, shape (n, 2), units; `ends` marks them."""
        x, y = (points / self.scale).T
        marks = {"marker": "o", "markersize": 2.4} if ends else {}
        (drawn,) = self.axes.plot(x, y, color=colour, linewidth=width, linestyle=style, alpha=alpha, **marks)
        drawn.set_gid(name or None)
        drawn.set_clip_on(True)

    def dot(self, point: Point, colour: str, size: float) -> None:
        """Mark a point."""
        x, y = point / self.scale
        self.axes.plot(
            [x], [y], marker="o", color=colour, markersize=size, markeredgewidth=0, linestyle="none"
        )

    def square(self, corner: Point, first: Point, second: Point, colour: str) -> None:
        """Mark a right angle."""
        side = 0.13 * self.length
        points = [corner + side * first, corner + side * (first + second), corner + side * second]
        self.line(np.stack(points), colour, 1.0)

    def arc(
        self,
        centre: Point,
        ways: tuple[Point, Point],
        radius: float,
        label: str,
        colour: str,
        *,
        name: str,
        beside: Point | None = None,
    ) -> None:
        """Draw the arc from one direction to another, and its value outside of its middle.

        Parameters
        ----------
        centre, radius : units
        ways : directions of length 1, from and to
        label : the value
        name : of the angle
        beside : direction from the arc in which the value is written; None for away from the centre
        """
        turn = angle_between(*ways)
        first = math.atan2(ways[0][1], ways[0][0])
        at = first + turn * np.linspace(0, 1, max(8, round(abs(math.degrees(turn))) + 2))
        points = centre + radius * np.stack([np.cos(at), np.sin(at)], axis=1)
        self.line(points, colour, 2.0, name=f"arc {name}")
        middle = first + turn / 2
        away = np.array([math.cos(middle), math.sin(middle)])
        place = centre + (radius + 0.12 * self.length) * away
        if beside is not None:
            ahead = max(points[0], points[-1], key=lambda point: float(point @ beside))
            away, place = beside, ahead + 0.12 * self.length * beside
        self.text(place, label, colour, size=10.5, away=away, bold=True, boxed=True)

    def text(
        self,
        point: Point,
        label: str,
        colour: str,
        *,
        size: float,
        away: Point | None = None,
        bold: bool = False,
        boxed: bool = False,
    ) -> None:
        """Write at a point, centred there or to the side that `away` points to; within the picture."""
        inside = self.extent[0] + 0.02 * self.length, self.extent[1] - 0.02 * self.length
        x, y = np.clip(point, *inside) / self.scale
        across_ = "center" if away is None or abs(away[0]) < 0.35 else "left" if away[0] > 0 else "right"
        down = "center" if away is None or abs(away[1]) < 0.5 else "top" if away[1] > 0 else "bottom"
        self.axes.text(
            x,
            y,
            label,
            color=colour,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            ha=across_,
            va=down,
            path_effects=None if boxed else self._halo,
            bbox={"facecolor": "#0b0f12", "alpha": 0.6, "linewidth": 0, "pad": 1.6} if boxed else None,
            clip_on=True,
        )
