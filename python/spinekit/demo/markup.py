"""Pieces of HTML that the page is made of."""

import html
import math
from collections.abc import Sequence

DASH = "&ndash;"


def text(value: object) -> str:
    """Return a value as HTML text."""
    return html.escape(str(value))


def number(value: float, form: str, unit: str = "") -> str:
    """Return a number, a dash for NaN."""
    if math.isnan(value):
        return DASH
    return "∞" if math.isinf(value) else f"{value:{form}}{unit}"


def size(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML, the first of a row is its heading."""
    top = "".join(f"<th scope='col'>{cell}</th>" for cell in head)
    top = f"<thead><tr>{top}</tr></thead>\n" if head else ""
    body = "".join(
        f"<tr><th scope='row'>{row[0]}</th>" + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>\n"
        for row in rows
    )
    return f"<div class='scroll'><table>{top}<tbody>{body}</tbody></table></div>"


def code(lines: Sequence[str]) -> str:
    """Return lines to type."""
    return "<pre>" + text("\n".join(lines)) + "</pre>"


def messages(kind: str, title: str, lines: Sequence[str]) -> str:
    """Return a box with messages."""
    shown = "".join(f"<br>{text(m)}" for m in lines[:8])
    more = f"<br>… and {len(lines) - 8} more" if len(lines) > 8 else ""
    return f"<div class='{kind}'><b>{text(title)}</b>{shown}{more}</div>"
