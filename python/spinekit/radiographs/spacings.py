"""How large a film's pixels are, which of a file's answers is taken, and what it holds for."""

import math
from collections.abc import Sequence
from typing import Any

from spinekit._core import ArgumentError
from spinekit.radiograph import checked_spacing
from spinekit.radiographs.header import Header

Spacing = tuple[float, float]
#: Two points (x, y) in pixels, and the millimetres between them.
KnownLength = tuple[Sequence[float], Sequence[float], float]
_NAMES = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
#: Relative; headers have few digits.
_SAME = 1e-4
#: More than any monitor or scanner had.
_MOST_ASPECT = 8.0


def header_spacing(header: Header, notes: dict[str, Any]) -> tuple[Spacing | None, str]:
    """Return a DICOM film's spacing, and the attribute that has it; PS3.3 10.7.

    Parameters
    ----------
    header : of the film
    notes : gets "plane", may get "magnification"; "remarks" are appended to
    """
    known: dict[str, Spacing] = {}
    remarks = notes["remarks"]
    for name in _NAMES:
        if header.get(name) is None:
            continue
        values = header.numbers(name)
        if len(values) == 2 and all(0 < value < math.inf for value in values):
            known[name] = (values[0], values[1])
        else:
            told = " x ".join(f"{value:g}" for value in values) or "no number"
            remarks.append(f"{name} is {told}, expected two positive numbers: not used")
    name = next(iter(known), "")
    if not name:
        return None, ""
    notes["plane"] = _plane(header, known, remarks)
    spacing = known[name]
    if name == "PixelSpacing" and "ImagerPixelSpacing" in known:
        detector = known["ImagerPixelSpacing"]
        if not _same(spacing, detector):
            remarks.append(
                f"PixelSpacing {_told(spacing)} is used, ImagerPixelSpacing is {_told(detector)}: "
                f"enlarged {detector[0] / spacing[0]:.3g} times"
            )
    factor = header.number("EstimatedRadiographicMagnificationFactor")
    if factor is not None and 0 < factor < math.inf:
        notes["magnification"] = factor
        if notes["plane"] == "detector" and factor > 1:
            inside = (spacing[0] / factor, spacing[1] / factor)
            remarks.append(
                f"lengths are those on the detector; by EstimatedRadiographicMagnificationFactor {factor:g}, "
                f"which is not applied, the patient's would have spacing=({inside[0]:.6g}, {inside[1]:.6g})"
            )
    return spacing, name


def _plane(header: Header, known: dict[str, Spacing], remarks: list[str]) -> str:
    """Return where lengths are true: "patient", "detector", "film" (paper or sheet), or "unknown"."""
    if "PixelSpacing" not in known:
        return "detector" if "ImagerPixelSpacing" in known else "film"
    how = header.code("PixelSpacingCalibrationType")
    if how:
        remarks.append(f"PixelSpacing is calibrated: {how}")
        return "patient"
    for other, plane in (("ImagerPixelSpacing", "detector"), ("NominalScannedPixelSpacing", "film")):
        if other in known:
            return plane if _same(known["PixelSpacing"], known[other]) else "patient"
    if header.code("Modality") != "CT":
        remarks.append("whether PixelSpacing is corrected for magnification is not said")
    return "unknown"


def header_aspect(header: Header) -> float:
    """Return how many times as high as wide pixels are, by PixelAspectRatio; 1 where nothing is said."""
    ratio = header.numbers("PixelAspectRatio")
    return checked_aspect(ratio[0], ratio[1]) if len(ratio) == 2 else 1.0


def checked_aspect(high: float, wide: float) -> float:
    """Return high / wide, 1 if that cannot be."""
    if not (0 < high < math.inf and 0 < wide < math.inf) or not 1 / _MOST_ASPECT < high / wide < _MOST_ASPECT:
        return 1.0
    return 1.0 if abs(high / wide - 1) < 1e-3 else high / wide


def spacing_from_length(known: KnownLength, aspect: float, shape: tuple[int, int]) -> Spacing:
    """Return the spacing in which two points are as far from each other as is known.

    Parameters
    ----------
    known : ((x, y), (x, y), mm)
    aspect : height over width of the pixels
    shape : rows, columns

    Raises
    ------
    ArgumentError
        If that is no length between two points on the film.
    """
    try:
        (x1, y1), (x2, y2), length = known
        numbers = [float(value) for value in (x1, y1, x2, y2, length)]
    except (TypeError, ValueError):
        numbers = [math.nan]
    if not all(math.isfinite(number) for number in numbers) or numbers[-1] <= 0:
        raise ArgumentError(f"known_length: {known!r}, expected ((x, y), (x, y), mm) with mm > 0")
    rows, columns = shape
    for x, y in (numbers[:2], numbers[2:4]):
        if not (-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5):
            raise ArgumentError(
                f"known_length: ({x:g}, {y:g}) is not on the film of {rows} rows and {columns} columns"
            )
    across = math.hypot(numbers[2] - numbers[0], aspect * (numbers[3] - numbers[1]))
    if across == 0:
        raise ArgumentError(f"known_length: both points are ({numbers[0]:g}, {numbers[1]:g})")
    column = numbers[4] / across
    return checked_spacing((aspect * column, column))


def _same(one: Spacing, other: Spacing) -> bool:
    return all(math.isclose(a, b, rel_tol=_SAME) for a, b in zip(one, other, strict=True))


def _told(spacing: Spacing) -> str:
    return f"{spacing[0]:g} x {spacing[1]:g}"
