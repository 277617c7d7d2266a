"""The numbers beside a picture: values, intervals, and why some are missing."""

import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinekit.measurement.pictures import Measured

_ANGLES = (
    ("PI", "pelvic incidence", "pi"),
    ("PT", "pelvic tilt", "pt"),
    ("SS", "sacral slope", "ss"),
    ("LL", "lumbar lordosis", "ll"),
    ("PI\N{MINUS SIGN}LL", "mismatch", "pi_minus_ll"),
    ("L1PA", "L1 pelvic angle", "l1pa"),
    ("L4\N{EN DASH}S1", "lower lordosis", "l4_s1"),
)
_INK, _FAINT, _MISSING = "#1d272d", "#6b7880", "#a9461f"
_LINE, _WRAP, _LONGEST = 14.5, 40, 30


def number(value: float, digits: int = 1) -> str:
    """Return a value with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _interval(measurement: "Measured", name: str) -> str:
    low, high = measurement.intervals.get(name, (math.nan, math.nan))
    return "" if math.isnan(low + high) else f"{number(low)} to {number(high)}"


def _missing(measurement: "Measured", names: Mapping[str, str]) -> Iterator[str]:
    """Yield why values are missing, each reason once with all that it explains."""
    reasons: dict[str, list[str]] = {}
    for name, short in names.items():
        reasons.setdefault(measurement.reasons.get(name, "not measured"), []).append(short)
    for reason, shorts in reasons.items():
        yield f"{', '.join(shorts)}: {reason}"


def _levels(measurement: "Measured") -> Iterator[tuple[str, float, str]]:
    for level, heights in measurement.disc_heights.items():
        yield level, heights.get("mean", math.nan), f"disc_heights.{level}.mean"


class _Column:
    """Axes written on from the top, in points."""

    def __init__(self, axes: Any) -> None:
        axes.set_axis_off()
        self.axes = axes
        self.y = 0.0

    def write(self, *cells: tuple[float, str, dict[str, Any]], high: float = _LINE) -> None:
        self.y -= high
        for x, text, style in cells:
            self.axes.annotate(
                text,
                (0, 1),
                xycoords="axes fraction",
                xytext=(x, self.y),
                textcoords="offset points",
                va="baseline",
                annotation_clip=False,
                **{"fontsize": 9, "color": _INK} | style,
            )

    def heading(self, unit: str, intervals: bool) -> None:
        """Write what stands in the columns; key points have no intervals."""
        style = {"color": _FAINT, "fontsize": 7.5}
        over = [(108.0, "95 % interval", style)] if intervals else []
        self.write((96, unit, style | {"ha": "right"}), *over, high=13)

    def paragraph(self, text: str, colour: str) -> None:
        for line in textwrap.wrap(text, _WRAP, subsequent_indent="  "):
            self.write((0, line, {"fontsize": 8, "color": colour}), high=11.5)


def write_beside(
    axes: Any, measurement: "Measured", colours: Mapping[str, str], drawn: tuple[str, ...], discs: bool
) -> None:
    """Write the table of a figure of its own."""
    column = _Column(axes)
    column.write((0, "Spinopelvic parameters", {"fontweight": "bold", "fontsize": 10}))
    if any(not math.isnan(getattr(measurement, name)) for _, _, name in _ANGLES):
        column.heading("degrees", any(_interval(measurement, name) for _, _, name in _ANGLES))
    missing = {}
    for short, _, name in _ANGLES:
        value = getattr(measurement, name)
        if math.isnan(value):
            missing[name] = short
            continue
        mark = {"color": colours[short]} if short in drawn and short in colours else {"color": "none"}
        column.write(
            (0, "\N{BLACK SQUARE}", mark | {"fontsize": 11}),
            (14, short, {"fontweight": "bold" if short in colours else "normal"}),
            (96, number(value), {"ha": "right"}),
            (108, _interval(measurement, name), {"color": _FAINT}),
        )
    heights = [(level, value, name) for level, value, name in _levels(measurement) if discs]
    if any(not math.isnan(value) for _, value, _ in heights):
        column.write((0, "Disc heights", {"fontweight": "bold", "fontsize": 10}), high=24)
        column.heading(f"mean, {measurement.unit}", any(_interval(measurement, name) for *_, name in heights))
    for level, value, name in heights:
        if math.isnan(value):
            missing[name] = f"disc {level}"
            continue
        column.write(
            (14, level.replace("-", "\N{EN DASH}"), {}),
            (96, number(value), {"ha": "right"}),
            (108, _interval(measurement, name), {"color": _FAINT}),
        )
    notes = [*_missing(measurement, missing)]
    if notes:
        column.write((0, "Not measured", {"fontweight": "bold", "fontsize": 10, "color": _MISSING}), high=24)
        for note in notes:
            column.paragraph(note, _MISSING)
    if measurement.warnings:
        column.write((0, "Warnings", {"fontweight": "bold", "fontsize": 10}), high=24)
        for warning in measurement.warnings:
            column.paragraph(warning, _INK)


def write_within(
    axes: Any, measurement: "Measured", colours: Mapping[str, str], drawn: tuple[str, ...]
) -> None:
    """Write what is missing, and the intervals of what is drawn, into the picture's corner."""
    lines = []
    for short, _, name in _ANGLES:
        value = getattr(measurement, name)
        if short in drawn and not math.isnan(value):
            interval = _interval(measurement, name)
            lines.append(
                (f"{short} {number(value)}°" + (f"  ({interval})" if interval else ""), colours[short])
            )
    missing = {name: s for s, _, name in _ANGLES if s in drawn and math.isnan(getattr(measurement, name))}
    lines += [
        (line, "#ffb199") for note in _missing(measurement, missing) for line in textwrap.wrap(note, _LONGEST)
    ]
    x, side = (0.985, "right") if measurement.facing == "left" else (0.015, "left")
    for k, (line, colour) in enumerate(lines):
        axes.annotate(
            line,
            (x, 1),
            xycoords="axes fraction",
            xytext=(0, -6 - 11 * k),
            textcoords="offset points",
            color=colour,
            fontsize=8,
            ha=side,
            va="top",
            bbox={"facecolor": "#0b0f12", "alpha": 0.55, "linewidth": 0, "pad": 1.2},
        )
