"""Pictures opened with Pillow: known by their first bytes, and no larger than is allowed."""

import contextlib
import importlib
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from spinekit import _engine
from spinekit._core import MalformedDataError, ResourceError, SpinekitError, UnsupportedError
from spinekit.radiographs.wishes import MAX_PIXELS

# First bytes, Pillow's format, and the module that has it. Not all that Pillow reads: some formats start
# other programs.
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "PNG", "PngImagePlugin"),
    (b"\xff\xd8\xff", "JPEG", "JpegImagePlugin"),
    (b"II*\0", "TIFF", "TiffImagePlugin"),
    (b"MM\0*", "TIFF", "TiffImagePlugin"),
    (b"II+\0", "TIFF", "TiffImagePlugin"),
    (b"MM\0+", "TIFF", "TiffImagePlugin"),
    (b"BM", "BMP", "BmpImagePlugin"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000", "Jpeg2KImagePlugin"),
    (b"\xff\x4f\xff\x51", "JPEG2000", "Jpeg2KImagePlugin"),
    (b"GIF8", "GIF", "GifImagePlugin"),
    (b"P5", "PPM", "PpmImagePlugin"),
    (b"P6", "PPM", "PpmImagePlugin"),
)
_limit = threading.RLock()
#: What the readers of Pillow raise for damaged files, beside OSError.
_DAMAGE = (
    SyntaxError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    ZeroDivisionError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def picture_format(head: bytes) -> str:
    """Return Pillow's name of the format that begins like this, or nothing."""
    return next((name for magic, name, _ in _KINDS if head.startswith(magic)), "")


@contextlib.contextmanager
def opened_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Any]:
    """Open a picture with Pillow; what fails in the block becomes an error that names the file.

    Parameters
    ----------
    path : PNG, JPEG, TIFF, BMP, JPEG 2000, GIF or PGM, whatever its name ends in
    max_pixels : that its header may announce. Pillow's own limit is one for the whole process, and less
        than a film of 20000 x 20000.
    """
    from PIL import Image  # noqa: PLC0415 - slow to import

    try:
        with path.open("rb") as file:
            opened = _open(file, path, max_pixels)
            with _room_for(opened.width * opened.height):
                yield opened
    except SpinekitError:
        raise
    except Image.DecompressionBombError as failure:
        raise ResourceError(f"'{path}': {failure}") from failure
    except MemoryError as failure:
        raise ResourceError(f"'{path}': not enough memory for its pixels") from failure
    except OSError as failure:
        if failure.errno is not None:
            raise _engine.os_error(path, "cannot be read", failure) from failure
        # Pillow's word for pixels that are cut off or damaged.
        raise MalformedDataError(f"'{path}': its pixels cannot be read: {failure}") from failure
    except _DAMAGE as failure:
        raise MalformedDataError(f"'{path}': no picture: {failure}") from failure


@contextlib.contextmanager
def _room_for(pixels: int) -> Iterator[None]:
    """Raise Pillow's limit, which TIFFs are held to when they are loaded, for one large picture at a time."""
    from PIL import Image  # noqa: PLC0415 - slow to import

    if Image.MAX_IMAGE_PIXELS is None or pixels <= Image.MAX_IMAGE_PIXELS:
        yield
        return
    with _limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _open(file: IO[bytes], path: Path, max_pixels: int) -> Any:
    from PIL import Image  # noqa: PLC0415 - slow to import

    head = file.read(16)
    kind, module = next(
        ((name, module) for magic, name, module in _KINDS if head.startswith(magic)), ("", "")
    )
    if not kind:
        raise MalformedDataError(f"'{path}': no picture: it begins like none")
    if kind == "JPEG":
        depth = _jpeg_depth(file)
        if depth not in (0, 8):
            raise UnsupportedError(
                f"'{path}': a JPEG of {depth} bits, of which only those within DICOM are decoded; "
                "convert it to a PNG or TIFF of 16 bits"
            )
    importlib.import_module(f"PIL.{module}")
    file.seek(0)
    # Without its name, for named files are mapped into memory, and TIFFs that lie on a side then scrambled.
    opened = Image.OPEN[kind][0](file, "")
    if opened.width * opened.height > max_pixels:
        raise ResourceError(
            f"'{path}': {opened.height} x {opened.width} pixels, expected at most {max_pixels}; "
            "max_pixels= allows more where films are read"
        )
    return opened


def _jpeg_depth(file: IO[bytes]) -> int:
    """Return the bits of a JPEG's samples, 0 where its frame header is not found."""
    file.seek(2)
    while True:
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            return 0
        while marker[1] == 0xFF:  # fill bytes
            follows = file.read(1)
            if not follows:
                return 0
            marker = b"\xff" + follows
        length = file.read(2)
        if len(length) < 2:
            return 0
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            return next(iter(file.read(1)), 0)
        file.seek(max(0, int.from_bytes(length, "big") - 2), 1)
