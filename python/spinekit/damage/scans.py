"""Scans as users give them: arrays, or paths of pictures of any size; their rows, and what boxes cover."""

import operator
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.damage.settings import bytes_of

Box = tuple[int, int, int, int]
Image = NDArray[Any] | str | os.PathLike[str]

#: What decoding a path may hold, unless it is told.
DECODING = "64 MB"

#: Pixels that are copied or converted at a time, where an array's rows cannot be used as they lie.
_STRIP = 1 << 20
#: Bytes of the rows of a file that are decoded at a time.
_ROWS = 4 << 20


class Scan(ABC):
    """A scan whose rows are handed out as the engine takes them.

    Attributes
    ----------
    name : of its file; None of an array
    rows, columns : its size
    bits : of a sample: 8 or 16
    colour : whether it is RGB, not grey
    mm_per_pixel : (x, y), where the file says it
    notes : what was done to the stored picture, as that transparency was laid over white
    dear : whether it takes long to read again
    """

    name: str | None = None
    rows: int
    columns: int
    bits: int
    colour: bool
    mm_per_pixel: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    dear = False

    @abstractmethod
    def strips(self, bounded: bool = False) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield first rows and rows that the engine takes, from the top.

        Parameters
        ----------
        bounded : whether strips of arrays are small too; those of files always are

        Notes
        -----
        A strip of a file is overwritten when the next but one is asked for.
        """

    @abstractmethod
    def box_strips(self, boxes: Sequence[Box]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield what each box covers, some rows at a time, with the box's place in the list.

        Notes
        -----
        The rows of a box are divided alike for arrays and files. A file is read once for all boxes.
        """

    def preview(self, side: int) -> NDArray[np.uint8]:
        """Return the scan with `side` pixels at most along its longer side; see `Preview`."""
        return self.previewed(side).pixels

    def previewed(self, side: int) -> "Preview":
        """Return the same with its step."""
        found = Preview(self, side)
        for _, strip in self.strips(bounded=True):
            found.add(strip)
        return found


class Preview:
    """A scan made smaller, of rows that come from the top.

    Parameters
    ----------
    scan : whose rows come
    side : pixels at most along the longer side

    Attributes
    ----------
    pixels : shape (rows // step, columns // step, 3), uint8, RGB; each the mean of step x step pixels,
        rounded. What is left over at the right and below is not shown
    step : see `preview_step`
    """

    def __init__(self, scan: Scan, side: int) -> None:
        self.step = preview_step(scan.rows, scan.columns, side)
        self.pixels = np.empty((scan.rows // self.step, scan.columns // self.step, 3), np.uint8)
        self._bits = scan.bits
        self._sums = np.zeros((scan.columns, 3), np.uint32)
        self._rows = 0

    def add(self, strip: NDArray[Any]) -> None:
        """Take the next rows."""
        for row in strip:
            place, last = divmod(self._rows, self.step)
            if place == len(self.pixels):
                return
            self._sums += row if row.ndim == 2 else row[:, None]
            if last == self.step - 1:
                self.pixels[place] = _means(self._sums, self.pixels.shape[1], self.step, self._bits)
                self._sums[:] = 0
            self._rows += 1


def preview_step(rows: int, columns: int, side: int) -> int:
    """Return how many pixels of a scan make one of its preview, along each axis."""
    # Of a thin scan, one pixel across has to be left.
    return max(1, min(-(-max(rows, columns) // side), rows, columns))


def _means(sums: NDArray[np.uint32], columns: int, step: int, bits: int) -> NDArray[np.uint8]:
    total = sums[: columns * step].reshape(columns, step, 3).sum(axis=1, dtype=np.uint64)
    whole = step * step * (257 if bits == 16 else 1)
    means: NDArray[np.uint8] = ((total + whole // 2) // whole).astype(np.uint8)
    return means


def opened_scan(
    image: Image,
    executor: _core.Executor | None = None,
    memory_limit: int | str = DECODING,
    share: float = 1.0,
) -> Scan:
    """Return the scan of an array or a path.

    Parameters
    ----------
    image : shape (rows, columns, 3) or (rows, columns), uint8 or uint16; or a TIFF, BigTIFF, PNG or JPEG
    executor : decodes what can be decoded side by side
    memory_limit : of the caller, bytes or "64 MB"
    share : of it that decoding a path may hold
    """
    limit = bytes_of(memory_limit)
    if isinstance(image, np.ndarray):
        return _ArrayScan(image)
    if not isinstance(image, str | os.PathLike):
        raise ArgumentError(f"image: {type(image).__name__}, expected an array or a path")
    return _FileScan(_engine.path_of(image), executor, limit, share)


class _ArrayScan(Scan):
    def __init__(self, pixels: NDArray[Any]) -> None:
        shape, dtype = pixels.shape, pixels.dtype
        if len(shape) == 3 and shape[2] == 4:
            raise ArgumentError(
                f"image: shape {shape}, expected 3 samples of RGB; take alpha off with image[..., :3]"
            )
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3):
            raise ArgumentError(f"image: shape {shape}, expected (rows, columns, 3) or (rows, columns)")
        if not all(shape[:2]):
            raise ArgumentError(f"image: shape {shape}, expected at least one pixel")
        if dtype.kind != "u" or dtype.itemsize > 2:
            raise ArgumentError(f"image: {dtype}, expected uint8 or uint16")
        self._pixels = pixels
        self.rows, self.columns = int(shape[0]), int(shape[1])
        self.bits = 8 * int(dtype.itemsize)
        self.colour = pixels.ndim == 3

    def strips(self, bounded: bool = False) -> Iterator[tuple[int, NDArray[Any]]]:
        yield from _strips(self._pixels, bounded)

    def box_strips(self, boxes: Sequence[Box]) -> Iterator[tuple[int, NDArray[Any]]]:
        for k, (x, y, width, height) in enumerate(boxes):
            for _, strip in _strips(self._pixels[y : y + height, x : x + width], True):
                yield k, strip


class _FileScan(Scan):
    colour = True

    def __init__(self, path: Path, executor: _core.Executor | None, limit: int, share: float) -> None:
        self._reader = _core.ScanReader(path, int(limit * share), executor, share)
        info = self._reader.info
        self.name = path.name
        self.rows, self.columns, self.bits = info.height, info.width, info.bits
        self.mm_per_pixel = info.mm_per_pixel
        self.notes = tuple(info.notes)
        self.dear = info.compression != "none"

    def strips(self, bounded: bool = False) -> Iterator[tuple[int, NDArray[Any]]]:
        yield from self._strips_above(self.rows)

    def box_strips(self, boxes: Sequence[Box]) -> Iterator[tuple[int, NDArray[Any]]]:
        waiting: dict[int, NDArray[Any]] = {}
        for start, strip in self._strips_above(max((y + height for _, y, _, height in boxes), default=0)):
            for k, (x, y, width, height) in enumerate(boxes):
                step = _rows_at_once(width)
                row = max(y, start)
                while row < min(y + height, start + len(strip)):
                    # The box's own division, so that its moments are those of an array to the last bit.
                    first = y + (row - y) // step * step
                    end = min(first + step, y + height)
                    stop = min(end, start + len(strip))
                    if k not in waiting:
                        waiting[k] = np.empty((end - first, width, 3), strip.dtype)
                    waiting[k][row - first : stop - first] = strip[row - start : stop - start, x : x + width]
                    if stop == end:
                        yield k, waiting.pop(k)
                    row = stop

    def _strips_above(self, bottom: int) -> Iterator[tuple[int, NDArray[Any]]]:
        if self._reader.next_row > 0:
            self._reader.rewind()
        step = max(1, min(_ROWS // (self.columns * 3 * self.bits // 8), bottom))
        buffers = [np.empty((step, self.columns, 3), f"u{self.bits // 8}") for _ in range(2)]
        for k, start in enumerate(range(0, bottom, step)):
            strip = buffers[k % 2][: min(step, bottom - start)]
            self._reader.read_into(strip)
            yield start, strip


def _rows_at_once(columns: int) -> int:
    return max(1, _STRIP // columns)


def _strips(pixels: NDArray[Any], bounded: bool) -> Iterator[tuple[int, NDArray[Any]]]:
    rows, columns = pixels.shape[:2]
    native = pixels.dtype.newbyteorder("=")
    usable = pixels[0].flags.c_contiguous and pixels.flags.aligned and pixels.dtype == native
    step = _rows_at_once(columns) if bounded or not usable else rows
    for start in range(0, rows, step):
        strip = pixels[start : start + step]
        yield start, strip if usable else np.ascontiguousarray(strip, native)


def checked_box(box: Any, scan: Scan, what: str) -> Box:
    """Return a box (x, y, width, height) of whole numbers that lies within the scan.

    Parameters
    ----------
    box : of the user
    scan : that it is in
    what : it is, for messages
    """
    size = f"the picture has {scan.columns} x {scan.rows} pixels (width x height)"
    try:
        x, y, width, height = (operator.index(value) for value in box)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{what}: {box!r}, expected four whole numbers (x, y, width, height); {size}"
        ) from None
    if width < 1 or height < 1:
        raise ArgumentError(f"{what}: {(x, y, width, height)} is empty, expected a width and height of at "
                            f"least 1; {size}")  # fmt: skip
    if x < 0 or y < 0 or x + width > scan.columns or y + height > scan.rows:
        raise ArgumentError(f"{what}: {(x, y, width, height)} (x, y, width, height) reaches outside; {size}")
    return x, y, width, height
