"""Films for pictures of measurements, and the spacing that their DICOM header has."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError
from spinekit.radiograph import Radiograph

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
SUFFIXES = (*_PICTURES, ".dcm", ".dicom")


def find_film(films: Path, name: str) -> Path:
    """Return the film of a case.

    Parameters
    ----------
    films : a film, or a folder of films called as the cases are
    name : of the case, with folders

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if not films.is_dir():
        return films
    last = name.rsplit("/", 1)[-1]
    for stem in dict.fromkeys((name, last)):
        for suffix in SUFFIXES:
            for written in (suffix, suffix.upper()):
                path = films / f"{stem}{written}"
                if path.is_file():
                    return path
    raise ArgumentError(f"'{films}' has no film called {last} ({', '.join(SUFFIXES)})")


def read_film(path: Path) -> Radiograph:
    """Read a film to draw on: DICOM, or a picture; dense bone bright if the file says what is."""
    if not path.is_file():
        raise ResourceError(f"'{path}' cannot be read: no such file; check the path")
    return _from_picture(path) if path.suffix.lower() in _PICTURES else _from_dicom(path)


@contextlib.contextmanager
def opened_picture(path: Path) -> Iterator[Any]:
    """Open a picture with Pillow; what fails in the block becomes an error that names the file."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow to import

    try:
        with Image.open(path) as opened:
            yield opened
    except (UnidentifiedImageError, SyntaxError, EOFError) as failure:
        raise MalformedDataError(f"'{path}': no picture: {failure}") from failure
    except Image.DecompressionBombError as failure:
        raise ResourceError(f"'{path}': {failure}") from failure
    except OSError as failure:
        if failure.errno is not None:
            raise _engine.os_error(path, "cannot be read", failure) from failure
        # Pillow's word for pixels that are cut off or damaged.
        raise MalformedDataError(f"'{path}': its pixels cannot be read: {failure}") from failure


def _from_picture(path: Path) -> Radiograph:
    with opened_picture(path) as opened:
        pixels = np.array(opened if opened.mode.startswith(("I", "F")) else opened.convert("L"))
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = pixels.astype(np.float32)
    return Radiograph(pixels, source=path.name)


def _from_dicom(path: Path) -> Radiograph:
    import pydicom  # noqa: PLC0415 - slow to import

    from spinekit.pixels import read_pixels  # noqa: PLC0415 - only for DICOM

    pixels: Any = read_pixels(path)
    if pixels.ndim != 2:
        raise ArgumentError(f"'{path}': pixels of shape {pixels.shape}, expected one grey film")
    header = pydicom.dcmread(path, stop_before_pixels=True)
    pixels = pixels.astype(np.float32)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() - pixels
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            row, column = (float(value) for value in header.get(name) or ())
        except (TypeError, ValueError):
            continue
        if 0 < row < math.inf and 0 < column < math.inf:
            return Radiograph(pixels, (row, column), name, path.name)
    return Radiograph(pixels, source=path.name)
