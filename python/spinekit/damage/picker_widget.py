"""The widget of `pick_boxes`, and the pictures that it is sent.

Its JavaScript lies in ``picker/``. anywidget takes one module, whose relative imports would lead nowhere in a
notebook: the parts are joined here, and only the last one exports.
"""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FOLDER = Path(__file__).parent / "picker"
_SCRIPTS = ("geometry.js", "drawing.js", "panel.js", "widget.js")
_STYLES = "picker.css"

#: Colours in full resolution, hardly a level off: a tenth of a PNG, which notebooks keep when they are saved.
_JPEG = {"quality": 92, "subsampling": 0}


def script() -> str:
    """Return the widget's JavaScript module."""
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def styles() -> str:
    """Return the widget's style sheet."""
    return (_FOLDER / _STYLES).read_text(encoding="utf-8")


@functools.cache
def _widget_class() -> Any:
    import anywidget  # noqa: PLC0415 - an extra, slow to import
    import traitlets  # noqa: PLC0415

    class PickerWidget(anywidget.AnyWidget):
        """What the front-end and the kernel share; boxes are [class, x, y, width, height]."""

        _esm = script()
        _css = styles()
        title = traitlets.Unicode().tag(sync=True)
        classes: Any = traitlets.List().tag(sync=True)
        colours: Any = traitlets.List().tag(sync=True)
        size: Any = traitlets.List().tag(sync=True)
        step = traitlets.Int(1).tag(sync=True)
        preview = traitlets.Bytes().tag(sync=True)
        # Not a List: the front-end's are checked one by one, and what is wrong is told, not raised.
        boxes = traitlets.Any().tag(sync=True)
        mask = traitlets.Bytes().tag(sync=True)
        legend = traitlets.Unicode().tag(sync=True)
        message = traitlets.Unicode().tag(sync=True)
        busy = traitlets.Bool().tag(sync=True)

    return PickerWidget


def made(**state: Any) -> Any:
    """Return a widget with that state."""
    return _widget_class()(**state)


def picture(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels as the bytes of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **_JPEG)
    return file.getvalue()


def tints(places: NDArray[np.uint8], colours: Sequence[str]) -> bytes:
    """Return a PNG that is transparent where places are 0 and of colours[k - 1] where they are k."""
    image = Image.fromarray(places)
    image.putpalette([0, 0, 0] + [int(colour[k : k + 2], 16) for colour in colours for k in (1, 3, 5)])
    file = io.BytesIO()
    image.save(file, "PNG", transparency=0)
    return file.getvalue()
