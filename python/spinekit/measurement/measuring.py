"""From masks or key points of a lateral film to its spinopelvic parameters."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit.measurement.landmarks import BONES, Landmarks
from spinekit.measurement.result import Measurement
from spinekit.radiograph import checked_spacing

#: Behind the intervals: their own standard error is then 5 % of their width.
REPLICATES = 200

#: The engine's spacing where none is known.
_IN_PIXELS = (1.0, 1.0)
_PARAMETERS = _core.measured_parameters()
_HEADS = BONES.index("FH1")
METHODS = ("robust", "report")
_FACING = {_core.Facing.LEFT: "left", _core.Facing.RIGHT: "right", _core.Facing.UNKNOWN: None}

#: What is not seen in people, deformed ones included: (lowest, highest), degrees.
_PLAUSIBLE = {"pi": (10.0, 110.0), "pt": (-30.0, 65.0), "ss": (-25.0, 90.0), "ll": (-50.0, 120.0)}


def measure(
    masks: NDArray[Any],
    spacing: Sequence[float] | None = None,
    *,
    method: str = "robust",
    intervals: bool = True,
    workers: int | None = None,
) -> Measurement:
    """Measure the spinopelvic parameters of a lateral film from the masks of its bones.

    Parameters
    ----------
    masks : shape (8, rows, columns), C-contiguous (not copied): L1 L2 L3 L4 L5 sacrum FH1 FH2, which
        may overlap. float32: probabilities, a bone is where they reach 0.5, and its border is found
        between pixels. bool or uint8: 0 and 1; uint8 with any value above 1 is read as 255ths, so
        masks of 0 and 255 will do, and grey levels between count.
    spacing : (row, column), mm, > 0; None: pixels are taken as square and lengths are in pixels
    method : "robust", or "report": the report's algorithms 1 to 3 as written, for comparison. They
        work on whole pixels, give no intervals, and know one facing direction: left ends of the
        endplates are anterior, the patient looks to the left of the film.
    intervals : whether each number gets its 95 % interval
    workers : threads, None for one on each core; the result is the same for any number

    Returns
    -------
    measurement : see `Measurement`; what cannot be told is NaN and has a reason

    Raises
    ------
    ArgumentError
        If shape, dtype, layout, spacing or method are another, or probabilities lie outside 0 ... 1.

    Notes
    -----
    Each body's border, at sub-pixel resolution and in mm, is fitted with four curved sides whose
    weights leave out osteophytes, leaks, bites and lost corners; key points are where the sides
    meet. S1 is the straight run of the sacrum's border that faces the lumbar spine, between two
    corners; heads are circles. Which side is anterior follows from the places of hips, sacrum and
    vertebrae, so a mirrored film gives the same numbers. Masks that are no such bone, or out of
    order, give a reason instead of numbers.

    Where a border is poor, its angle leans towards what is usual between the sides of a body, across
    a disc, and at the sacrum (Been et al. 2010, doi 10.1007/s11999-009-1153-7; Baker 2022, doi
    10.31616/asj.2020.0442), with wide spreads and long tails. Sharp borders are not moved: an
    L1 broken to a wedge of 22 degrees is read to 0.2 degrees from its exact mask, 4 degrees too small on
    average from masks at Dice 0.93 (`benchmarks/quality/measurement.py`).

    Intervals come from 200 Bayesian block-bootstrap replicates of the borders with a fixed seed,
    widened by a factor that was set on phantoms; they hold what a border can show, not whether a
    segmentation took the wrong bone.

    O(pixels) to find the bones, then O(borders). Thread-safe, deterministic.

    Examples
    --------
    >>> import numpy as np
    >>> import spinekit as sk
    >>> par = sk.measure(np.zeros((8, 64, 64), np.uint8))
    >>> par.pi, par.reasons["ss"]
    (nan, 'sacrum: the mask is empty')
    """
    if method not in METHODS:
        raise _core.ArgumentError(f"method is {method!r}, expected 'robust' or 'report'")
    array = np.asanyarray(masks)
    if array.ndim == 0:
        raise _core.ArgumentError(
            f"masks: {type(masks).__name__}, expected an array (8, rows, columns); "
            "sk.read_masks reads files, sk.measure_files measures them"
        )
    if array.dtype == np.float64:
        raise _core.ArgumentError("masks: float64, expected float32, uint8 or bool: masks.astype(np.float32)")
    known = None if spacing is None else checked_spacing(spacing)
    found = _core.measure_masks(
        array,
        known or _IN_PIXELS,
        method == "report",
        REPLICATES if intervals and method == "robust" else 0,
        _engine.executor(_engine.worker_count(workers)),
        _core.CancelToken(),
    )
    points = found.points
    missing = [problem or found.facing_problem for problem in found.missing]
    missing[_HEADS:] = found.missing[_HEADS:]
    return _measurement(
        found.values,
        missing,
        intervals=found.intervals,
        warnings=list(found.warnings),
        landmarks=Landmarks(points.vertebrae, points.sacrum, points.heads, points.radii),
        facing=found.facing,
        spacing=known,
        method=method,
    )


def measure_points(landmarks: Landmarks, spacing: Sequence[float] | None = None) -> Measurement:
    """Measure the spinopelvic parameters from key points alone, as after correction by hand.

    Parameters
    ----------
    landmarks : key points in pixels, NaN where unknown; anterior is what they call anterior
    spacing : (row, column), mm, > 0; None: pixels are taken as square and lengths are in pixels

    Returns
    -------
    measurement : see `Measurement`; without intervals

    Raises
    ------
    ArgumentError
        If the spacing is not positive.

    Examples
    --------
    >>> import spinekit as sk
    >>> points = sk.Landmarks(sacrum=[[60, 50], [20, 20]], heads=[[70, 150], [80, 160]])
    >>> round(sk.measure_points(points).ss, 3)
    36.87
    """
    points = _core.KeyPoints(landmarks.vertebrae, landmarks.sacrum, landmarks.heads, landmarks.radii)
    known = None if spacing is None else checked_spacing(spacing)
    values, facing = _core.measure_key_points(points, known or _IN_PIXELS)
    groups = [*landmarks.vertebrae, landmarks.sacrum, *landmarks.heads]
    missing = ["key points are missing" if np.isnan(group).any() else "" for group in groups]
    return _measurement(
        values,
        missing,
        landmarks=landmarks,
        facing=facing,
        spacing=known,
        method="points",
        warnings=[],
        intervals=[],
    )


def _measurement(
    numbers: Sequence[float],
    missing: Sequence[str],
    *,
    intervals: Sequence[tuple[float, float]],
    warnings: list[str],
    landmarks: Landmarks,
    facing: _core.Facing,
    spacing: tuple[float, float] | None,
    method: str,
) -> Measurement:
    names = [info.name for info in _PARAMETERS]
    values = dict(zip(names, numbers, strict=True))
    reasons = {
        info.name: _reason(info, missing)
        for info, value in zip(_PARAMETERS, numbers, strict=True)
        if math.isnan(value)
    }
    heads = sum(not problem for problem in missing[_HEADS:])
    if heads == 1:
        warnings.append("only one femoral head: its centre stands for the hip axis")
    if method != "report":
        _leave_out_the_impossible(values, reasons)
    return Measurement(
        values=values,
        intervals={
            name: span for name, span in zip(names, intervals, strict=False) if not math.isnan(values[name])
        },
        reasons=reasons,
        warnings=warnings,
        landmarks=landmarks,
        facing=_FACING[facing],
        unit="px" if spacing is None else "mm",
        method=method,
        spacing=spacing,
    )


def _leave_out_the_impossible(values: dict[str, float], reasons: dict[str, str]) -> None:
    """Make NaN what is not seen in people, and all that rests on the same bones."""
    for name, value in values.items():
        if name.startswith("disc_heights.") and value < 0:
            values[name] = math.nan
            reasons[name] = "the outlines of the bones above and below overlap"
    bones = {info.name: info.bones for info in _PARAMETERS}
    for name, (low, high) in _PLAUSIBLE.items():
        if math.isnan(values[name]) or low <= values[name] <= high:
            continue
        reason = (
            f"{name.upper()} would be {values[name]:.0f} degrees, which is not seen in people: "
            "are the bones in order, and the film upright?"
        )
        resting = [other for other, used in bones.items() if bones[name] & ~used == 0]
        reasons |= {other: reason for other in resting if not math.isnan(values[other])}
        values |= dict.fromkeys(resting, math.nan)


def _reason(info: _core.ParameterInfo, missing: Sequence[str]) -> str:
    for bone in range(_HEADS):
        if info.bones >> bone & 1 and missing[bone]:
            return f"{BONES[bone]}: {missing[bone]}"
    if info.bones >> _HEADS & 1 and all(missing[_HEADS:]):
        return f"FH1: {missing[_HEADS]}; FH2: {missing[_HEADS + 1]}"
    return "LL is below 5 degrees" if info.name == "l4_s1_share" else "the key points coincide"
