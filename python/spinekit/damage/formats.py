"""Forms in which pieces are written, and what they are called."""

from collections.abc import Sequence

from spinekit._core import ArgumentError
from spinekit.damage.dxf import require_ezdxf

FORMATS = ("svg", "csv", "json", "geojson", "dxf", "overlay")
OVERLAY_NAME = "overlay.png"
#: Pixels at most along an overlay's longer side.
OVERLAY_SIDE = 2000


def check_formats(formats: Sequence[str]) -> None:
    """Raise an ArgumentError unless all are `FORMATS`."""
    unknown = [formats] if isinstance(formats, str) else [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        shown = repr(unknown[0]) if unknown else "none"
        raise ArgumentError(f"formats: {shown}, expected a list of {', '.join(FORMATS)}")
    if "dxf" in formats:
        require_ezdxf()
