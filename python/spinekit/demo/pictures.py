"""Pictures of the page: windowed grey values, amplified differences, crops and strips, as PNG files."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

import spinekit as sk

_Bytes = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.floating[Any]]

#: No picture is wider or higher; larger ones are reduced by a whole factor.
_LARGEST = 1024
#: Smaller pictures are enlarged by a whole factor, pixel by pixel.
_SMALLEST = 384
#: Ends of a difference scale, in stored values.
_LIMITS = (
    1,
    2,
    3,
    5,
    8,
    10,
    15,
    20,
    30,
    50,
    80,
    100,
    150,
    200,
    300,
    500,
    800,
    1000,
    2000,
    5000,
    10000,
    65535,
)
#: Darker than the original (blue), equal (white), brighter (red): colour-blind safe.
_BLUE, _WHITE, _RED = (33, 84, 166), (255, 255, 255), (178, 34, 42)


@dataclasses.dataclass(frozen=True)
class Frame:
    """The first frame of an image as stored, with what its display needs.

    Attributes
    ----------
    stored : shape (rows, columns) or (rows, columns, 3)
    header : the file's elements without pixel data
    """

    stored: npt.NDArray[np.integer[Any]]
    header: pydicom.Dataset

    @property
    def colour(self) -> bool:
        """Whether the image has three samples."""
        return self.stored.ndim == 3


def read_frame(path: Path, workers: int | None) -> Frame:
    """Return the first frame of a file."""
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    stored = sk.read_pixels(path, workers=workers)
    colour = int(header.get("SamplesPerPixel", 1)) == 3
    return Frame(stored[0] if stored.ndim == (4 if colour else 3) else stored, header)


@dataclasses.dataclass(frozen=True)
class Window:
    """How grey values become a picture.

    Attributes
    ----------
    low, high : output values (HU for CT) that are shown black and white
    origin : where it comes from, in words
    """

    low: float
    high: float
    origin: str

    def __str__(self) -> str:
        centre, width = (self.low + self.high) / 2, self.high - self.low
        return f"window {width:.4g}, level {centre:.4g}, {self.origin}"


def rescale_of(header: pydicom.Dataset) -> tuple[float, float]:
    """Return slope and intercept, 1 and 0 where the file has none."""
    try:
        return float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))
    except (TypeError, ValueError):
        return 1.0, 0.0


def window_of(frame: Frame) -> Window | None:
    """Return the file's own window, else the 1st to 99th percentile; None for colour and palettes."""
    header = frame.header
    if frame.colour or header.get("PhotometricInterpretation") == "PALETTE COLOR":
        return None
    slope, intercept = rescale_of(header)

    def first(keyword: str) -> float:
        value = header.get(keyword)
        try:
            return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)
        except (TypeError, ValueError, IndexError):
            return math.nan

    centre, width = first("WindowCenter"), first("WindowWidth")
    if math.isfinite(centre) and width >= 1:
        return Window(centre - width / 2, centre + width / 2, "from the file")
    values = frame.stored.astype(np.float32)
    padding = header.get("PixelPaddingValue")
    if isinstance(padding, int) and (values != padding).any():
        values = values[values != padding]
    low, high = sorted(slope * v + intercept for v in np.percentile(values, (1, 99)).tolist())
    return Window(low, max(high, low + 1), "1st to 99th percentile")


def displayed(frame: Frame, window: Window | None) -> _Bytes:
    """Return a picture of a frame: uint8, (rows, columns) or (rows, columns, 3) RGB.

    References
    ----------
    DICOM PS3.3 C.7.6.3.1.2 (YBR_FULL to RGB) and C.11.2 (windows; the half grey value that the
    standard's formula shifts by is left out).
    """
    kind = str(frame.header.get("PhotometricInterpretation", ""))
    if frame.colour:
        bits = int(frame.header.get("BitsStored", 8))
        values = frame.stored.astype(np.float32) * (255 / (2**bits - 1))
        # A J2K codestream's own transform (YBR_RCT, YBR_ICT) is undone already.
        return _to_bytes(_ybr_full_to_rgb(values) if kind in ("YBR_FULL", "YBR_FULL_422") else values)
    if window is None:
        colours = apply_color_lut(frame.stored, frame.header)
        whole = np.float32(1 if colours.dtype == np.uint8 else 257)
        return _to_bytes(colours.astype(np.float32) / whole)
    slope, intercept = rescale_of(frame.header)
    output = frame.stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    picture = _to_bytes((output - window.low) * (255 / (window.high - window.low)))
    return 255 - picture if kind == "MONOCHROME1" else picture


def _ybr_full_to_rgb(values: _Floats) -> _Floats:
    y, cb, cr = values[..., 0], values[..., 1] - 128, values[..., 2] - 128
    return np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)


def _to_bytes(values: _Floats) -> _Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Difference:
    """Target - source of one frame.

    Attributes
    ----------
    values : shape (rows, columns), stored values; of colour images the component that differs most
    limit : the difference that gets the full colour, 0 when nothing differs
    """

    values: npt.NDArray[np.int32]
    limit: int

    def amplification(self, window: Window | None, slope: float) -> float:
        """Return by how much the colours exaggerate, compared with the grey picture."""
        span = (window.high - window.low) / abs(slope or 1) if window else 255
        return span / (2 * self.limit) if self.limit else math.nan


def difference_of(before: Frame, after: Frame) -> Difference:
    """Return what differs; the scale ends at the 99.9th percentile, rounded up."""
    values = after.stored.astype(np.int32) - before.stored.astype(np.int32)
    if values.ndim == 3:
        most = np.abs(values).argmax(axis=-1)
        values = np.take_along_axis(values, most[..., None], axis=-1)[..., 0]
    if not values.any():
        return Difference(values, 0)
    reach = max(1.0, float(np.percentile(np.abs(values), 99.9)))
    return Difference(values, next((limit for limit in _LIMITS if limit >= reach), _LIMITS[-1]))


def coloured(difference: Difference) -> _Bytes:
    """Return the difference as colours: uint8, (rows, columns, 3)."""
    part = np.clip(difference.values / max(difference.limit, 1), -1, 1)[..., None].astype(np.float32)
    white, blue, red = (np.array(c, np.float32) for c in (_WHITE, _BLUE, _RED))
    return _to_bytes(white + np.where(part < 0, -part * (blue - white), part * (red - white)))


def legend_css() -> str:
    """Return the colours of `coloured` as a CSS gradient."""
    return "linear-gradient(90deg," + ",".join(f"rgb{c}" for c in (_BLUE, _WHITE, _RED)) + ")"


def centre_crop(values: _Bytes, down: float = 0.0) -> _Bytes:
    """Return the middle third of a picture, shifted down by a share of its height."""
    rows, columns = values.shape[:2]
    side = max(1, min(rows, columns) // 3)
    top = min(max(0, (rows - side) // 2 + round(down * rows)), rows - side)
    left = (columns - side) // 2
    return values[top : top + side, left : left + side]


def fitted(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return differences reduced as `write_png` reduces pictures, keeping the largest of each block."""
    factor = -(-max(values.shape[:2]) // _LARGEST)
    if factor == 1:
        return values
    blocks = _blocks(values, factor)
    most = np.abs(blocks).argmax(axis=1)
    return np.take_along_axis(blocks, most[:, None], axis=1)[:, 0].reshape(
        values.shape[0] // factor, values.shape[1] // factor
    )


def _blocks(values: npt.NDArray[np.int32], factor: int) -> npt.NDArray[np.int32]:
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    cut = values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return cut.swapaxes(1, 2).reshape(rows * columns, factor * factor)


def write_png(path: Path, picture: _Bytes) -> None:
    """Write a picture, reduced or enlarged by a whole factor to a size that a page can show."""
    image = Image.fromarray(picture)
    longest = max(image.size)
    if longest > _LARGEST:
        image = image.reduce(-(-longest // _LARGEST))
    elif longest < _SMALLEST:
        factor = -(-_SMALLEST // longest)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.save(path, optimize=False, compress_level=6)


def thumbnail(picture: _Bytes, side: int = 224) -> _Bytes:
    """Return a small copy of a picture for a strip: uint8, (rows, columns, 3)."""
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)
