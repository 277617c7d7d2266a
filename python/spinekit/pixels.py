"""Stored pixel values of a DICOM file."""

import logging
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from spinekit import _core, _engine

_log = logging.getLogger(__name__)

#: An array of stored values: uint8, int8, uint16 or int16.
PixelArray = npt.NDArray[np.integer[Any]]


def read_pixels(path: str | os.PathLike[str], *, workers: int | None = None) -> PixelArray:
    """Return the stored values of a DICOM image.

    Parameters
    ----------
    path : a DICOM file: uncompressed (also big endian and deflated), RLE, JPEG (baseline, extended,
        lossless), JPEG-LS, JPEG 2000 or HTJ2K
    workers : threads for the frames of a multiframe file; None uses every core

    Returns
    -------
    pixels : shape ([frames,] rows, columns[, 3]), uint8, int8, uint16 or int16 as BitsAllocated and
        PixelRepresentation say. Neither rescale nor palette nor colour conversion is applied:
        YBR_FULL stays YBR_FULL, subsampled chroma is brought to full size, planes are interleaved.
        What a J2K codestream transforms itself (YBR_RCT, YBR_ICT) comes out as RGB.

    Raises
    ------
    MalformedDataError
        If the file is cut off or contradicts itself.
    UnsupportedError
        If BitsAllocated is neither 8 nor 16, or the transfer syntax is not decoded.
    ResourceError
        If the file cannot be read.

    Notes
    -----
    Thread-safe; memory is the file plus the returned array. What a decoder warns of goes to
    ``logging`` (logger ``spinekit.pixels``).

    References
    ----------
    DICOM PS3.3 C.7.6.3 (Image Pixel module), PS3.5 section 8 and annexes A and G.

    Examples
    --------
    >>> import pydicom.data
    >>> import spinekit as sk
    >>> sk.read_pixels(pydicom.data.get_testdata_file("CT_small.dcm")).shape
    (128, 128)
    """
    pixels, _, warnings = read_with_depth(path, workers)
    for warning in warnings:
        _log.warning("%s: %s", path, warning)
    return pixels


def read_with_depth(
    path: str | os.PathLike[str], workers: int | None = None
) -> tuple[PixelArray, int, list[str]]:
    """Return stored values, BitsStored and the decoder's warnings."""
    source = _engine.path_of(path)
    return read_bytes_with_depth(_engine.read_file(source), str(source), workers)


def read_bytes_with_depth(
    data: bytes, name: str, workers: int | None = None
) -> tuple[PixelArray, int, list[str]]:
    """Do the same for a file that is already in memory; `name` is for messages."""
    executor = _engine.executor(_engine.worker_count(workers))
    label = os.fsencode(name)
    return _engine.interruptible(lambda cancel: _core.read_pixels(data, label, executor, cancel))
