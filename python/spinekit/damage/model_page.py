"""Classes of colours as notebooks show them."""

import html
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spinekit.damage.model import ColorModel


def table(model: "ColorModel") -> str:
    """Return a table of the model's boxes, with their mean colours."""
    rows = "".join(
        f"<tr><td style='background:{_css_color(one.mean)};width:3em'></td>"
        f"<th style='text-align:left'>{html.escape(one.name)}</th>"
        f"<td>{'damage' if one.name in model.damage else ''}</td>"
        f"<td style='text-align:right'>{one.weight:,.0f}</td>"
        f"<td>{', '.join(f'{value:.1f}' for value in one.mean)}</td></tr>"
        for one in model.components
    )
    titles = ("", "class", "", "pixels", "mean L, a, b, S")
    head = "<tr>" + "".join(f"<th>{title}</th>" for title in titles) + "</tr>"
    return f"<table>{head}{rows}</table><p>{html.escape(repr(model))}</p>"


def _css_color(mean: NDArray[np.float64]) -> str:
    """Return the sRGB colour of mean (L, a, b, S), for style sheets."""
    y = (mean[0] / 2.55 + 16) / 116
    curve = np.array([y + (mean[1] - 128) / 500, y, y - (mean[2] - 128) / 200])
    xyz = np.where(curve > 6 / 29, curve**3, (curve - 16 / 116) / 7.787) * (0.950456, 1, 1.088754)
    to_rgb = [
        [3.240479, -1.53715, -0.498535],
        [-0.969256, 1.875991, 0.041556],
        [0.055648, -0.204043, 1.057311],
    ]
    linear = np.clip(to_rgb @ xyz, 0, 1)
    rgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)
