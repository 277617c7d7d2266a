"""Outlines as DXF, by ezdxf, which is an extra."""

import io
from collections.abc import Sequence

from spinekit._core import UnsupportedError
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.svg import number_size, text_size


def require_ezdxf() -> None:
    """Raise an UnsupportedError with the remedy where ezdxf is missing."""
    try:
        import ezdxf  # noqa: F401, PLC0415 - an extra, slow to import
    except ImportError as failure:
        raise UnsupportedError("DXF needs ezdxf: pip install 'spinekit[dxf]'") from failure


def dxf_file(
    pieces: Sequence[DamagedPiece], size: tuple[int, int], mm_per_pixel: tuple[float, float] | None
) -> bytes:
    """Return a file of closed polylines on the layer PIECES and their numbers on NUMBERS.

    Parameters
    ----------
    pieces : with three points or more
    size : (width, height) of the scan, pixels
    mm_per_pixel : (x, y); None writes pixels

    Raises
    ------
    UnsupportedError
        If ezdxf is not installed.
    """
    require_ezdxf()
    from ezdxf.enums import TextEntityAlignment  # noqa: PLC0415 - an extra, slow to import
    from ezdxf.filemanagement import new  # noqa: PLC0415

    sx, sy = mm_per_pixel or (1.0, 1.0)
    width, height = size[0] * sx, size[1] * sy
    document = new("R2010", units=4 if mm_per_pixel else 0)
    document.header["$MEASUREMENT"] = 1
    document.header["$EXTMIN"], document.header["$EXTMAX"] = (0, 0, 0), (width, height, 0)
    document.layers.add("PIECES", color=7)
    document.layers.add("NUMBERS", color=5)
    space = document.modelspace()
    space.reset_extents((0, 0, 0), (width, height, 0))
    letters = text_size(width, height, len(pieces))
    for piece in pieces:
        points = (piece.outline + 0.5) * (sx, -sy) + (0.0, height)
        space.add_lwpolyline(points.tolist(), close=True, dxfattribs={"layer": "PIECES"})
        x, y = piece.centroid
        high = number_size(letters, piece.box[2] * sx, piece.box[3] * sy)
        text = space.add_text(str(piece.number), height=high, dxfattribs={"layer": "NUMBERS"})
        text.set_placement(((x + 0.5) * sx, height - (y + 0.5) * sy), align=TextEntityAlignment.MIDDLE_CENTER)
    written = io.StringIO()
    document.write(written)
    return written.getvalue().encode(document.output_encoding)
