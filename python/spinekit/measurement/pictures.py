"""Pictures of a measurement: film, outlines, and the angles as a surgeon constructs them."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit._figures import new_figure
from spinekit.measurement.drawing import Sheet, across, meeting, unit
from spinekit.measurement.landmarks import BONES, VERTEBRAE, Landmarks
from spinekit.measurement.legend import number, write_beside, write_within
from spinekit.radiograph import Radiograph, checked_spacing

Point = NDArray[np.float64]

#: Of the constructions; told apart by those who see few colours, and on black, grey and white.
COLOURS = {"SS": "#56c7ff", "PT": "#ffd23f", "PI": "#ff8fb1", "LL": "#7ee081"}
_BONE, _PLATE, _HEAD, _DISC = "#8fb3c9", "#ffffff", "#ffb38a", "#dccfff"
#: Width of the picture within its figure, and of the table beside it, inches.
_WIDEST, _TALLEST, _BESIDE = 6.5, 8.0, 3.1


class Measured(Protocol):
    """What a picture needs of a measurement; angles in degrees, NaN where unknown."""

    @property
    def pi(self) -> float: ...  # noqa: D102
    @property
    def pt(self) -> float: ...  # noqa: D102
    @property
    def ss(self) -> float: ...  # noqa: D102
    @property
    def ll(self) -> float: ...  # noqa: D102
    @property
    def pi_minus_ll(self) -> float: ...  # noqa: D102
    @property
    def l1pa(self) -> float: ...  # noqa: D102
    @property
    def l4_s1(self) -> float: ...  # noqa: D102
    @property
    def disc_heights(self) -> Mapping[str, Mapping[str, float]]: ...  # noqa: D102
    @property
    def intervals(self) -> Mapping[str, tuple[float, float]]: ...  # noqa: D102
    @property
    def reasons(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def warnings(self) -> list[str]: ...  # noqa: D102
    @property
    def landmarks(self) -> Landmarks: ...  # noqa: D102
    @property
    def facing(self) -> str | None: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102


def plot(
    measurement: Measured,
    film: Radiograph | NDArray[Any] | None = None,
    masks: NDArray[Any] | None = None,
    axes: Any = None,
    *,
    spacing: tuple[float, float] | None = None,
    angles: tuple[str, ...] = ("SS", "PT", "PI", "LL"),
    discs: bool = True,
) -> Any:
    """Draw a measurement; see `Measurement.plot`, which this is.

    Notes
    -----
    SS is drawn at the posterior end of the S1 endplate, against the horizontal of the film; PT at the hip
    axis, against its vertical; PI at the middle of the endplate, against its normal; LL between the
    perpendiculars of the endplates of L1 and S1, behind the spine.
    """
    pixels = film.pixels if isinstance(film, Radiograph) else None if film is None else np.asarray(film)
    masks = None if masks is None else np.asarray(masks)
    shape = _shape(pixels, masks)
    unknown = set(angles) - set(COLOURS)
    if unknown:
        raise ArgumentError(f"angles: {sorted(unknown)}, expected some of {tuple(COLOURS)}")
    if spacing is None:
        spacing = getattr(measurement, "spacing", None)
    if spacing is None and isinstance(film, Radiograph):
        spacing = film.spacing
    row, column = (1.0, 1.0) if spacing is None else checked_spacing(spacing)
    scale = np.array([column, row]) / row  # of a point, to square units of a row's height
    points = _in_units(measurement.landmarks, scale)
    extent = _extent(shape, points, scale)
    beside = None
    if axes is None:
        high, wide = (extent[1, k] - extent[0, k] for k in (1, 0))
        inches = min(_TALLEST / high, _WIDEST / wide)
        figure = new_figure("plot", (wide * inches + _BESIDE, high * inches))
        axes, beside = figure.subplots(1, 2, width_ratios=(wide * inches, _BESIDE))
    sheet = Sheet(axes, scale, measurement.facing == "right", _length(points), extent)
    sheet.prepare(pixels)
    if masks is not None:
        _outlines(sheet, masks)
    _bones(sheet, points)
    if discs:
        _discs(sheet, points, measurement)
    constructions = {"SS": _sacral_slope, "PT": _pelvic_tilt, "PI": _pelvic_incidence, "LL": _lordosis}
    for name in angles:
        value = getattr(measurement, name.lower())
        if not math.isnan(value):
            constructions[name](sheet, points, f"{name} {number(value)}°")
    if beside is not None:
        write_beside(beside, measurement, COLOURS, angles, discs)
    else:
        write_within(axes, measurement, COLOURS, angles)
    return axes.figure


def _shape(pixels: NDArray[Any] | None, masks: NDArray[Any] | None) -> tuple[int, ...] | None:
    if pixels is not None and pixels.ndim != 2:
        raise ArgumentError(f"film: shape {pixels.shape}, expected (rows, columns)")
    if masks is None:
        return None if pixels is None else pixels.shape
    if masks.ndim != 3 or len(masks) != len(BONES):
        raise ArgumentError(f"masks: shape {masks.shape}, expected ({len(BONES)}, rows, columns)")
    if pixels is not None and masks.shape[1:] != pixels.shape:
        raise ArgumentError(f"masks are of {masks.shape[1:]}, the film of {pixels.shape}")
    return masks.shape[1:]


def _in_units(landmarks: Landmarks, scale: Point) -> Landmarks:
    return Landmarks(
        vertebrae=landmarks.vertebrae * scale,
        sacrum=landmarks.sacrum * scale,
        heads=landmarks.heads * scale,
        radii=landmarks.radii,
    )


def _extent(shape: tuple[int, ...] | None, points: Landmarks, scale: Point) -> Point:
    """Return the corners of what is shown, in units: the film, or all points with room around."""
    if shape is not None:
        rows, columns = shape
        return np.array([[-0.5, -0.5], [columns - 0.5, rows - 0.5]]) * scale
    known = np.concatenate([points.vertebrae.reshape(-1, 2), points.sacrum, points.heads])
    known = known[~np.isnan(known).any(axis=1)]
    if not len(known):
        return np.array([[0.0, 0.0], [1.0, 1.0]])
    room = 1.5 * _length(points)
    return np.stack([known.min(axis=0) - room, known.max(axis=0) + room])


def _length(points: Landmarks) -> float:
    """Return the length of an endplate, which all that is drawn is in proportion to."""
    plates = [points.sacrum, *(points.vertebrae[k, s : s + 2] for k in range(5) for s in (0, 2))]
    lengths = [float(np.hypot(*(a - b))) for a, b in plates]
    known = [one for one in lengths if not math.isnan(one)]
    if known:
        return float(np.median(known))
    radii = points.radii[~np.isnan(points.radii)]
    return float(1.5 * radii.mean()) if len(radii) else 40.0


def _outlines(sheet: Sheet, masks: NDArray[Any]) -> None:
    from spinekit.annotations.contours import outlines  # noqa: PLC0415 - imports this package's landmarks

    for bone, mask in zip(BONES, masks, strict=True):
        for outline in outlines(mask):
            closed = np.concatenate([outline, outline[:1]]) * sheet.scale
            colour = _HEAD if bone.startswith("FH") else _BONE
            sheet.line(closed, colour, 0.9, name=f"outline {bone}", alpha=0.85)


def _bones(sheet: Sheet, points: Landmarks) -> None:
    for k, vertebra in enumerate(VERTEBRAE):
        for side, first in (("superior", 0), ("inferior", 2)):
            plate = points.vertebrae[k, first : first + 2]
            if not np.isnan(plate).any():
                sheet.line(plate, _PLATE, 1.5, name=f"endplate {vertebra} {side}", ends=True)
        if not np.isnan(points.vertebrae[k]).any():
            sheet.text(points.vertebrae[k].mean(axis=0), vertebra, _PLATE, size=9)
    if not np.isnan(points.sacrum).any():
        sheet.line(points.sacrum, _PLATE, 2.0, name="endplate S1 superior", ends=True)
    turn = np.linspace(0, 2 * math.pi, 121)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for k, (head, radius) in enumerate(zip(points.heads, points.radii, strict=True)):
        if np.isnan(head).any():
            continue
        sheet.dot(head, _HEAD, 3.5)
        if not math.isnan(radius):
            sheet.line(head + radius * circle, _HEAD, 1.2, name=f"circle FH{k + 1}")
    if not np.isnan(points.heads).any():
        sheet.line(points.heads, _HEAD, 1.0)
        sheet.dot(points.heads.mean(axis=0), _HEAD, 5.5)


def _discs(sheet: Sheet, points: Landmarks, measurement: Measured) -> None:
    below = [*(points.vertebrae[k, :2] for k in range(1, 5)), points.sacrum]
    names = [*VERTEBRAE, "S1"]
    for k, lower in enumerate(below):
        upper = points.vertebrae[k, 2:]
        level = f"{names[k]}-{names[k + 1]}"
        if np.isnan(upper).any() or np.isnan(lower).any():
            continue
        for share in (0.0, 0.5, 1.0):
            ends = np.stack([plate[0] + share * (plate[1] - plate[0]) for plate in (upper, lower)])
            sheet.line(ends, _DISC, 1.0, name=f"disc {level}")
        height = measurement.disc_heights.get(level, {}).get("mean", math.nan)
        if not math.isnan(height):
            _disc_label(sheet, upper, lower, f"{height:.1f} {measurement.unit}", sacral=level == "L5-S1")


def _disc_label(sheet: Sheet, upper: Point, lower: Point, label: str, *, sacral: bool) -> None:
    """Write a disc's height in front of it; of the last one behind, where the sacral slope is not drawn."""
    ends = (upper + lower) / 2
    ahead = unit(ends[0] - ends[1])
    if not sacral:
        sheet.text(ends[0] + 0.14 * sheet.length * ahead, label, _DISC, size=8, away=ahead, boxed=True)
        return
    place = lower[1] - 0.3 * sheet.length * ahead + np.array([0.0, 0.3 * sheet.length])
    sheet.line(np.stack([ends[1], place]), _DISC, 0.7)
    sheet.text(place, label, _DISC, size=8, away=-ahead, boxed=True)


def _sacral_slope(sheet: Sheet, points: Landmarks, label: str) -> None:
    """Draw the horizontal and the endplate, from its posterior end towards anterior."""
    front, back = points.sacrum
    if np.isnan(points.sacrum).any():
        return
    length = float(np.hypot(*(front - back)))
    along, level = unit(front - back), np.array([sheet.forward, 0.0])
    reach = length + 0.95 * sheet.length
    sheet.line(np.stack([back, back + reach * level]), COLOURS["SS"], 1.3, style="--", name="horizontal")
    sheet.line(np.stack([front, back + reach * along]), COLOURS["SS"], 1.3, style="--")
    sheet.arc(back, (level, along), length + 0.6 * sheet.length, label, COLOURS["SS"], name="SS")


def _pelvic_tilt(sheet: Sheet, points: Landmarks, label: str) -> None:
    """Draw the vertical at the hip axis, and the line from there to the middle of S1."""
    hip, middle = points.heads.mean(axis=0), points.sacrum.mean(axis=0)
    if np.isnan(hip + middle).any():
        return
    distance = float(np.hypot(*(middle - hip)))
    up = np.array([0.0, -1.0])
    sheet.line(np.stack([hip, hip + 1.05 * distance * up]), COLOURS["PT"], 1.3, style="--", name="vertical")
    sheet.line(np.stack([hip, middle]), COLOURS["PT"], 1.5, name="hip axis to S1")
    # The wedge is narrow: its value stands in front of it, away from that of the incidence.
    side = np.array([sheet.forward, 0.0])
    ways = up, unit(middle - hip)
    sheet.arc(hip, ways, 0.62 * distance, label, COLOURS["PT"], name="PT", beside=side)


def _pelvic_incidence(sheet: Sheet, points: Landmarks, label: str) -> None:
    """Draw the normal of the S1 endplate at its middle, and the line from there to the hip axis."""
    hip, middle = points.heads.mean(axis=0), points.sacrum.mean(axis=0)
    if np.isnan(hip + middle).any():
        return
    distance = float(np.hypot(*(middle - hip)))
    normal = across(points.sacrum[0] - points.sacrum[1])
    if normal @ (hip - middle) < 0:
        normal = -normal
    sheet.line(
        np.stack([middle, middle + 0.95 * distance * normal]),
        COLOURS["PI"],
        1.3,
        style="--",
        name="normal of S1",
    )
    sheet.line(np.stack([middle, hip]), COLOURS["PI"], 1.0, style=(0, (1, 3)))
    sheet.square(middle, normal, unit(points.sacrum[1] - points.sacrum[0]), COLOURS["PI"])
    ways = normal, unit(hip - middle)
    sheet.arc(middle, ways, 0.45 * distance, label, COLOURS["PI"], name="PI")


def _lordosis(sheet: Sheet, points: Landmarks, label: str) -> None:
    """Draw Cobb's lines behind the spine, and their perpendiculars where they meet."""
    upper, lower = points.vertebrae[0, :2], points.sacrum
    if np.isnan(upper).any() or np.isnan(lower).any():
        return
    backward = [unit(plate[1] - plate[0]) for plate in (upper, lower)]
    # The lower line is the longer one: the perpendiculars then meet well above its end.
    starts = [
        plate[1] + min(max(0.8 * sheet.room(plate[1], way), 0.2 * sheet.length), most * sheet.length) * way
        for plate, way, most in zip((upper, lower), backward, (0.45, 1.35), strict=True)
    ]
    for plate, start in zip((upper, lower), starts, strict=True):
        sheet.line(np.stack([plate[1], start]), COLOURS["LL"], 1.3, style="--", name="Cobb line")
    between = lower.mean(axis=0) - upper.mean(axis=0)
    down, up = (across(way) for way in backward)
    down = down if down @ between > 0 else -down
    up = up if up @ between < 0 else -up
    met = meeting(starts[0], down, starts[1], up)
    span = float(np.hypot(*between))
    if met is not None and all(0.05 * span < share < 1.6 * span for share in met):
        point = starts[0] + met[0] * down
        radius = min(0.9 * sheet.length, 0.8 * met[1])
        sheet.line(np.stack([starts[0], point + 1.15 * radius * down]), COLOURS["LL"], 1.3)
        sheet.line(np.stack([starts[1], point + 0.35 * sheet.length * up]), COLOURS["LL"], 1.3)
        for start, way, turn in zip(starts, (down, up), backward, strict=True):
            sheet.square(start, way, -turn, COLOURS["LL"])
        sheet.arc(point, (down, -up), radius, label, COLOURS["LL"], name="LL")
        return
    # The perpendiculars hardly meet: the lower line once more, through the end of the upper one.
    ahead = -backward[0], -backward[1]
    sheet.line(
        np.stack([starts[0], starts[0] + 2.2 * sheet.length * ahead[1]]), COLOURS["LL"], 1.3, style=":"
    )
    sheet.arc(starts[0], ahead, 1.6 * sheet.length, label, COLOURS["LL"], name="LL")
