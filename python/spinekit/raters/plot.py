"""Bland-Altman's picture beside the scatter, one row for each parameter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinekit._figures import new_figure
from spinekit.raters.reliability import Estimate

if TYPE_CHECKING:
    from spinekit.raters.result import ParameterAgreement

_POINT, _LINE, _LIMIT = "#1f5f7a", "#23313a", "#b5532a"


def draw(
    records: "Sequence[ParameterAgreement]", values: dict[str, NDArray[np.float64]], raters: tuple[str, ...]
) -> Any:
    """Return the figure of `Agreement.plot`; every record has two films or more."""
    figure = new_figure("agreement(...).plot", (9.6, 3.7 * len(records)))
    axes = figure.subplots(len(records), 2, squeeze=False, width_ratios=(1.45, 1))
    for record, (left, right) in zip(records, axes, strict=True):
        both = values[record.parameter][:, :2]
        both = both[~np.isnan(both).any(axis=1)]
        _bland_altman(left, record, both, raters)
        _scatter(right, record, both, raters)
        for one in (left, right):
            one.spines[["top", "right"]].set_visible(False)
            one.tick_params(labelsize=9)
    return figure


def _bland_altman(
    axes: Any, record: "ParameterAgreement", both: NDArray[np.float64], raters: tuple[str, ...]
) -> None:
    axes.axhline(0, color="#c4ccd0", linewidth=0.8, zorder=1)
    for estimate, colour, style, name in (
        (record.upper_limit, _LIMIT, "--", "+1.96 SD"),
        (record.bias, _LINE, "-", "bias"),
        (record.lower_limit, _LIMIT, "--", "\N{MINUS SIGN}1.96 SD"),
    ):
        _level(axes, estimate, colour, style, name)
    axes.scatter(
        both.mean(axis=1), both[:, 0] - both[:, 1], s=18, color=_POINT, alpha=0.75, linewidths=0, zorder=4
    )
    axes.set_title(record.parameter, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(f"mean of {raters[0]} and {raters[1]}", fontsize=9)
    axes.set_ylabel(f"{raters[0]} \N{MINUS SIGN} {raters[1]}", fontsize=9)
    axes.margins(x=0.05, y=0.12)


def _level(axes: Any, estimate: Estimate, colour: str, style: str, name: str) -> None:
    axes.axhspan(estimate.low, estimate.high, color=colour, alpha=0.10, linewidth=0, zorder=0)
    axes.axhline(estimate.value, color=colour, linestyle=style, linewidth=1.2, zorder=2)
    axes.annotate(
        f"{name}\n{estimate.value:.2f}",
        (1, estimate.value),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=colour,
        annotation_clip=False,
    )


def _scatter(
    axes: Any, record: "ParameterAgreement", both: NDArray[np.float64], raters: tuple[str, ...]
) -> None:
    low, high = float(both.min()), float(both.max())
    room = 0.06 * (high - low) or 1.0
    ends = (low - room, high + room)
    axes.plot(ends, ends, color="#9aa7ae", linewidth=0.9, zorder=1)
    axes.scatter(both[:, 1], both[:, 0], s=18, color=_POINT, alpha=0.75, linewidths=0, zorder=3)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(raters[1], fontsize=9)
    axes.set_ylabel(raters[0], fontsize=9)
    lines = [
        f"n = {record.n}",
        _line("r", record.pearson),
        _line("ICC(2,1)", record.icc_2_1),
        f"MAE = {record.mae:.2f} ± {record.mae_sd:.2f}",
    ]
    axes.text(
        0.03,
        0.98,
        "\n".join(line for line in lines if line),
        transform=axes.transAxes,
        va="top",
        fontsize=8,
        linespacing=1.35,
        zorder=5,
        bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5},
    )


def _line(name: str, estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return ""
    if np.isnan(estimate.low):
        return f"{name} = {estimate.value:.3f}"
    return f"{name} = {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
