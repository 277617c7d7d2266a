"""What measuring a film gave: numbers, how sure they are, and why some are missing."""

import csv
import html
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit.measurement import grades, pictures
from spinekit.measurement.landmarks import VERTEBRAE, Landmarks
from spinekit.radiograph import Radiograph
from spinekit.report import plain_values

#: Units of what the engine measures, by dotted name.
_UNITS = {info.name: info.unit for info in _core.measured_parameters()}

_TITLES = {
    "pi": "Pelvic incidence (PI)",
    "pt": "Pelvic tilt (PT)",
    "ss": "Sacral slope (SS)",
    "ll": "Lumbar lordosis (LL)",
    "pi_minus_ll": "PI - LL",
    "l1pa": "L1 pelvic angle (L1PA)",
    "l4_s1": "L4-S1 lordosis",
    "l4_s1_share": "L4-S1 share of LL",
}


@dataclass(eq=False)
class Measurement:
    """Spinopelvic parameters of one film; NaN, with a reason, where something could not be told.

    Attributes
    ----------
    values : every number by its dotted name, such as ``"pi"``, ``"segmental.L4-L5"``,
        ``"disc_heights.L5-S1.anterior"``
    intervals : (low, high) of each, 95 %, of a bootstrap over the bones' borders; empty when not
        asked for, and for key points
    reasons : why a value is NaN, by its name
    warnings : what is worth a look before the numbers are used
    landmarks : the key points that the numbers come from
    facing : the side of the film that the patient looks to, "left" or "right"; None when unknown
    unit : of lengths: "mm", or "px" when no spacing was given
    method : "robust", "report", or "points"
    spacing : (row, column), mm, as given; None when it was not

    Notes
    -----
    Angles are degrees and signed. A slope is the rise of an endplate towards anterior. ``ss`` is that
    of S1, positive when it falls towards anterior; ``pt`` is positive when the hip axis lies in front
    of the middle of S1; ``pi`` is their sum, exactly; lordosis is positive in `ll`, `l4_s1`,
    `segmental` and `disc_angles`.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    landmarks: Landmarks = field(default_factory=Landmarks)
    facing: str | None = None
    unit: str = "mm"
    method: str = "robust"
    spacing: tuple[float, float] | None = None

    @property
    def pi(self) -> float:
        """Pelvic incidence: between the normal of S1's endplate and the line from its middle to the hips."""
        return self.values["pi"]

    @property
    def pt(self) -> float:
        """Pelvic tilt: between the vertical and the line from the hips to the middle of S1's endplate."""
        return self.values["pt"]

    @property
    def ss(self) -> float:
        """Sacral slope: between the S1 endplate and the horizontal."""
        return self.values["ss"]

    @property
    def ll(self) -> float:
        """Lumbar lordosis: between the superior endplates of L1 and S1."""
        return self.values["ll"]

    @property
    def pi_minus_ll(self) -> float:
        """PI - LL."""
        return self.values["pi_minus_ll"]

    @property
    def l1pa(self) -> float:
        """L1 pelvic angle: at the hip axis, between the middles of the S1 endplate and of L1."""
        return self.values["l1pa"]

    @property
    def l4_s1(self) -> float:
        """Lordosis between the superior endplates of L4 and S1."""
        return self.values["l4_s1"]

    @property
    def l4_s1_share(self) -> float:
        """L4-S1 lordosis, % of LL; NaN when LL is below 5 degrees."""
        return self.values["l4_s1_share"]

    @property
    def segmental(self) -> dict[str, float]:
        """Lordosis of each level, superior to superior endplate: "L1-L2" ... "L5-S1" add up to LL."""
        return self._group("segmental")

    @property
    def disc_angles(self) -> dict[str, float]:
        """Lordosis of each disc, between the endplates that face it."""
        return self._group("disc_angles")

    @property
    def slopes(self) -> dict[str, dict[str, float]]:
        """Rise towards anterior of every endplate, by vertebra and side ("superior", "inferior")."""
        return self._groups("slopes")

    @property
    def disc_heights(self) -> dict[str, dict[str, float]]:
        """Of each disc: anterior, middle, posterior, their mean, and the index.

        Heights are those of the lines through the endplates' corners, across the disc's mid-plane
        (Frobin et al. 1997, doi 10.1016/s0268-0033(96)00067-8). The index is the mean height by that
        of the neighbouring bodies (above S1: of L5).
        """
        return self._groups("disc_heights")

    @property
    def vertebral_heights(self) -> dict[str, dict[str, float]]:
        """Of each body: anterior, posterior and mean height, and its depth (mean of both endplates)."""
        return self._groups("vertebral_heights")

    @property
    def wedge(self) -> dict[str, float]:
        """Anterior by posterior height of each body."""
        return self._group("wedge")

    @property
    def wedge_grades(self) -> dict[str, int | None]:
        """Genant's grades of the wedges, 0 to 3; None where unknown. See `grades.genant`."""
        return {name: grades.genant(ratio) for name, ratio in self.wedge.items()}

    @property
    def slip(self) -> dict[str, dict[str, float]]:
        """Of each level: distance and percent (of the lower endplate's length), forwards positive."""
        return self._groups("slip")

    @property
    def slip_grades(self) -> dict[str, int | None]:
        """Meyerding's grades of the slips, 0 to 5; None where unknown. See `grades.meyerding`."""
        return {name: grades.meyerding(slip["percent"]) for name, slip in self.slip.items()}

    @property
    def schwab(self) -> dict[str, str]:
        """SRS-Schwab sagittal modifiers of PI-LL and PT: "0", "+", "++"; empty where unknown."""
        return {
            "pi_minus_ll": grades.schwab_pi_minus_ll(self.pi_minus_ll),
            "pt": grades.schwab_pt(self.pt),
        }

    def angle(self, upper: str, lower: str) -> float:
        """Return the signed angle between any two endplates, lordosis positive.

        Parameters
        ----------
        upper, lower : "L1" to "L5" or "S1" for superior endplates; "L4 inferior" for inferior ones

        Returns
        -------
        angle : degrees, -180 ... 180; NaN when an endplate is unknown

        Examples
        --------
        >>> import spinekit as sk
        >>> sk.measure_points(sk.Landmarks()).angle("L1", "L5 inferior")
        nan
        """
        return math.remainder(self._slope(upper) - self._slope(lower), 360.0)

    def plot(
        self,
        film: Radiograph | NDArray[Any] | None = None,
        masks: NDArray[Any] | None = None,
        axes: Any = None,
        *,
        spacing: tuple[float, float] | None = None,
        angles: tuple[str, ...] = ("SS", "PT", "PI", "LL"),
        discs: bool = True,
    ) -> Any:
        """Draw endplates, heads and discs, and how SS, PT, PI and LL come about, as surgeons draw them.

        Parameters
        ----------
        film : what it was measured on, dense bone bright: a Radiograph, or pixels of shape (rows, columns);
            None draws on a dark sheet
        masks : shape (8, rows, columns), bool or probabilities; their outlines at 0.5 are drawn
        axes : of matplotlib, to draw into; None makes a figure, with a table of all values beside the
            picture
        spacing : (row, column), mm, for true proportions; None takes that of the measurement, else of the
            film, else square pixels
        angles : which constructions are drawn, some of "SS", "PT", "PI", "LL"
        discs : draw the heights of the discs

        Returns
        -------
        figure : matplotlib's. ``figure.savefig("angles.png", dpi=200)`` and ``figure.savefig("angles.svg")``
            write it, the latter with lines and text that stay sharp and can be edited.

        Raises
        ------
        ArgumentError
            If film and masks have different shapes, an angle is unknown, or the spacing is not positive.
        UnsupportedError
            If matplotlib is not installed.

        Notes
        -----
        Arcs carry the values of this measurement; nothing is measured again. What is NaN is not drawn, and
        the table says why. Axes are in pixels of the film. About 0.3 s without saving.

        Examples
        --------
        >>> import spinekit as sk
        >>> spine = sk.phantom.Spine.random(seed=7)
        >>> film = spine.radiograph(rows=256)
        >>> masks = spine.masks(film)
        >>> figure = sk.measure(masks, spacing=film.spacing).plot(film, masks)  # doctest: +SKIP
        >>> figure.savefig("angles.png", dpi=200)  # doctest: +SKIP
        >>> figure.savefig("angles.svg")  # doctest: +SKIP
        """
        return pictures.plot(self, film, masks, axes, spacing=spacing, angles=angles, discs=discs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, None for what is unknown."""
        points = self.landmarks
        plain: dict[str, Any] = plain_values(
            {
                "method": self.method,
                "facing": self.facing,
                "unit": self.unit,
                "spacing": self.spacing,
                "values": self.values,
                "intervals": self.intervals,
                "reasons": self.reasons,
                "warnings": self.warnings,
                "schwab": self.schwab,
                "slip_grades": self.slip_grades,
                "wedge_grades": self.wedge_grades,
                "landmarks": {
                    "vertebrae": dict(zip(VERTEBRAE, points.vertebrae.tolist(), strict=True)),
                    "sacrum": points.sacrum.tolist(),
                    "heads": points.heads.tolist(),
                    "radii": points.radii.tolist(),
                },
            }
        )
        return plain

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each number: name, value, low, high, unit, reason; unknown stays empty."""

        def cell(value: float) -> str:
            return "" if math.isnan(value) else repr(value)

        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["name", "value", "low", "high", "unit", "reason"])
        for name, value in self.values.items():
            low, high = self.intervals.get(name, (math.nan, math.nan))
            reason = self.reasons.get(name, "")
            writer.writerow([name, cell(value), cell(low), cell(high), self._unit(name), reason])
        _engine.write_file(_engine.path_of(path), text.getvalue().encode())

    def __str__(self) -> str:
        lines = [f"{title:<{_WIDTH}} {value:>9} {note}".rstrip() for title, value, note in self._rows()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def __repr__(self) -> str:
        angles = ", ".join(f"{name.upper()} {self.values[name]:.1f}" for name in ("pi", "pt", "ss", "ll"))
        return f"<Measurement: {angles} degrees; {self.method}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(title)}</th>"
            f"<td style='text-align:right'>{html.escape(value)}</td>"
            f"<td style='text-align:left'>{html.escape(note)}</td></tr>"
            for title, value, note in self._rows()
        )
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        modifiers = {name: f"SRS-Schwab {value}" for name, value in self.schwab.items() if value}
        for name, title in _TITLES.items():
            yield title, self._text(name), self._note(name, modifiers.get(name, ""))
        for level in self.segmental:
            slip, heights = self.slip[level], self.disc_heights[level]
            notes = []
            if not math.isnan(heights["mean"]):
                notes.append(f"disc {heights['mean']:.1f} {self.unit}")
            if self.slip_grades[level]:
                notes.append(f"slip {slip['percent']:.0f} %, Meyerding {self.slip_grades[level]}")
            name = f"segmental.{level}"
            yield level, self._text(name), self._note(name, ", ".join(notes))
        for vertebra, grade in self.wedge_grades.items():
            if grade:
                name = f"wedge.{vertebra}"
                yield f"{vertebra} wedge", self._text(name), self._note(name, f"Genant {grade}")

    def _text(self, name: str) -> str:
        value = self.values[name]
        if math.isnan(value):
            return "-"
        unit = self._unit(name)
        return f"{value:.1f}{unit}" if unit == "°" else f"{value:.2f} {unit}".strip()

    def _note(self, name: str, more: str) -> str:
        if name in self.reasons:
            return self.reasons[name]
        low, high = self.intervals.get(name, (math.nan, math.nan))
        span = "" if math.isnan(low) else f"{low:.1f} to {high:.1f}"
        return "  ".join(part for part in (span, more) if part)

    def _unit(self, name: str) -> str:
        kind = _UNITS[name]
        if kind == _core.ParameterUnit.DEGREE:
            return "°"
        if kind == _core.ParameterUnit.LENGTH:
            return self.unit
        return "%" if kind == _core.ParameterUnit.PERCENT else ""

    def _slope(self, endplate: str) -> float:
        vertebra, _, side = endplate.partition(" ")
        name = f"slopes.{vertebra}.{side or 'superior'}"
        if name not in self.values:
            raise _core.ArgumentError(
                f"endplate {endplate!r}: expected 'L1' to 'L5' or 'S1', and 'L1 inferior' to 'L5 inferior'"
            )
        return self.values[name]

    def _group(self, group: str) -> dict[str, float]:
        start = group + "."
        return {name[len(start) :]: value for name, value in self.values.items() if name.startswith(start)}

    def _groups(self, group: str) -> dict[str, dict[str, float]]:
        nested: dict[str, dict[str, float]] = {}
        for name, value in self._group(group).items():
            outer, inner = name.split(".")
            nested.setdefault(outer, {})[inner] = value
        return nested


_WIDTH = max(map(len, _TITLES.values()))
