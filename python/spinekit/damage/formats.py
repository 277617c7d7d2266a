"""Forms in which pieces are written, and what they are called."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.damage.dxf import require_ezdxf

FORMATS = ("svg", "csv", "json", "geojson", "dxf", "overlay")
OVERLAY_NAME = "overlay.png"
#: Pixels at most along an overlay's longer side.
OVERLAY_SIDE = 2000
#: Of compression; pictures of scans gain little from more.
_EFFORT = 3


def check_formats(formats: Sequence[str]) -> None:
    """Raise an ArgumentError unless all are `FORMATS`."""
    unknown = [formats] if isinstance(formats, str) else [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        shown = repr(unknown[0]) if unknown else "none"
        raise ArgumentError(f"formats: {shown}, expected a list of {', '.join(FORMATS)}")
    if "dxf" in formats:
        require_ezdxf()


def png_of(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture as a PNG file."""
    from PIL import Image  # noqa: PLC0415 - slow to import

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=_EFFORT)
    return buffer.getvalue()
