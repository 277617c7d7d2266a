"""Pictures as PNG files in memory."""

import io
from typing import Any

#: The noise of films hardly compresses: more effort takes twice the time for 2 % of the bytes.
_EFFORT = 3


def png_bytes(picture: Any, **options: Any) -> bytes:
    """Return a PNG file.

    Parameters
    ----------
    picture : a Pillow image, or an array that it can be made of
    options : of Pillow's writer
    """
    from PIL import Image  # noqa: PLC0415 - slow to import

    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=_EFFORT, **options)
    return written.getvalue()
