"""Figures of matplotlib, which is an extra: made without pyplot, so without global state or leaks."""

import functools
import io
from pathlib import Path
from typing import Any

from spinekit import _engine
from spinekit._core import UnsupportedError


@functools.cache
def _figure_class() -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    class Picture(Figure):
        """A figure that notebooks show once, whether pyplot was set up there or not."""

        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png", bbox_inches="tight")
            return out.getvalue()

    def make(**options: Any) -> Any:
        figure = Picture(**options)
        FigureCanvasAgg(figure)
        return figure

    return make


def new_figure(what: str, size: tuple[float, float]) -> Any:
    """Return an empty matplotlib figure.

    Parameters
    ----------
    what : the name of the call that draws, for the message
    size : (width, height), inches

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed.
    """
    try:
        make = _figure_class()
    except ImportError as failure:
        raise UnsupportedError(f"{what} needs matplotlib: pip install 'spinekit[jupyter]'") from failure
    return make(figsize=size, layout="constrained")


def write_figure(figure: Any, path: Path, **options: Any) -> None:
    """Write a figure in the format that its name ends in; it appears whole or not at all."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:].lower(), **options)
    _engine.write_file(path, drawn.getvalue())
