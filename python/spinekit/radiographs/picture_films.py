"""Films out of pictures: PNG, JPEG, TIFF and their like."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError, ResourceError, UnsupportedError
from spinekit.radiographs.greys import grey_film, inverted_levels, luma, note_colour
from spinekit.radiographs.picture_files import opened_picture
from spinekit.radiographs.spacings import checked_aspect
from spinekit.radiographs.wishes import Found, Wishes

_PHOTOMETRIC, _BITS, _ORIENTATION = 262, 258, 274
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def read_picture_film(path: Path, wishes: Wishes) -> Found:
    """Read a picture as a film; for what happens to it see `read_radiograph`."""
    if wishes.voi not in ("auto", "none"):
        raise ArgumentError(f"voi: {wishes.voi!r}, expected 'auto' or 'none': '{path}' is a picture")
    if wishes.keep:
        raise ArgumentError(f"keep: '{path}' is a picture, and has no attributes of DICOM")
    with opened_picture(path, wishes.max_pixels) as opened:
        # Of photographs, what follows are previews.
        frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
        frame = wishes.frame_of(frames, str(path), "pages")
        notes: dict[str, Any] = {"format": opened.format, "applied": [], "remarks": []}
        if frames > 1:
            opened.seek(frame)
            notes["frame"] = frame
            if opened.width * opened.height > wishes.max_pixels:
                raise ResourceError(
                    f"'{path}': page {frame} has {opened.height} x {opened.width} pixels, expected at most "
                    f"{wishes.max_pixels}; max_pixels= allows more"
                )
        aspect = _aspect(opened, notes)
        pixels = _pixels(opened, path, notes)
    return Found(pixels, notes, None, "", aspect)


def _aspect(opened: Any, notes: dict[str, Any]) -> float:
    """Return the height over the width of a picture's pixels, and note its resolution."""
    known = opened.info
    density = known.get("dpi") or known.get("aspect")
    if density is None and known.get("jfif_unit") == 0:
        density = known.get("jfif_density")
    density = density or known.get("resolution")
    try:
        across, down = (float(value) for value in density or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    if known.get("dpi") and 0 < across < math.inf and 0 < down < math.inf:
        notes["dpi"] = (down, across)
        notes["remarks"].append(
            f"its {down:.4g} x {across:.4g} dots per inch are those of a scanner or screen: "
            "not used as spacing"
        )
    aspect = checked_aspect(across, down)
    # Turned by a right angle, what was wide is high.
    return 1 / aspect if opened.getexif().get(_ORIENTATION, 1) >= 5 else aspect


def _pixels(opened: Any, path: Path, notes: dict[str, Any]) -> NDArray[Any]:
    from PIL import ImageOps  # noqa: PLC0415 - slow to import

    tags = getattr(opened, "tag_v2", {})
    inverted = tags.get(_PHOTOMETRIC) == 0
    bits = int(next(iter(tags.get(_BITS) or (16,))))
    halved = any(";16" in str(tile) for tile in opened.tile)
    if opened.getexif().get(_ORIENTATION, 1) in range(2, 9):
        notes["applied"].append("turned as its orientation says (EXIF)")
    upright = ImageOps.exif_transpose(opened)  # loads; TIFFs turn themselves then
    if upright.mode.startswith(("I", "F")):
        try:
            pixels = grey_film(np.asarray(upright), notes)
        except ArgumentError as failure:
            raise ArgumentError(f"'{path}': {failure}") from None
        if pixels.dtype == np.uint16 and bits < 16:
            notes["range"] = (0.0, 2.0**bits - 1)
        # Of 8 bits, Pillow does this.
        if inverted:
            notes["applied"].append("inverted: MinIsWhite")
            pixels = inverted_levels(pixels, notes)
        return pixels
    if halved:
        notes["remarks"].append("of the 16 bits of its colours, 8 are kept")
    if inverted:
        notes["applied"].append("inverted: MinIsWhite")
    notes["range"] = (0.0, 255.0)
    return _eight_bits(upright, path, notes)


def _eight_bits(picture: Any, path: Path, notes: dict[str, Any]) -> NDArray[Any]:
    from PIL import Image  # noqa: PLC0415 - slow to import

    if "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB"):
        picture = picture.convert("RGBA")
    if picture.mode in _ALPHA:
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] < 255:
            notes["applied"].append("transparent parts put on black")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    if picture.mode in ("1", "L"):
        return np.array(picture.convert("L"))
    if picture.mode not in ("P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"):
        raise UnsupportedError(f"'{path}': a picture of mode {picture.mode}, expected grey levels or RGB")
    grey, coloured = luma(np.asarray(picture.convert("RGB")))
    note_colour(coloured, notes)
    return grey
