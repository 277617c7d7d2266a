"""Slices of files and arrays that hold voxels one behind the other, as NIfTI and its like do."""

import gzip
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spinekit import _core, _engine

#: Bytes behind the last slice that are read to check a gzip file's checksum.
_MOST_TRAILING = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


class Voxels(Protocol):
    """Stored values of one slice after the other."""

    forward: bool

    def read(self, index: int) -> npt.NDArray[Any]:
        """Return a slice, shape (rows, columns)."""

    def finish(self) -> str:
        """Return what is found wrong once the last slice was read, or nothing."""

    def close(self) -> None:
        """Give files back."""


class FileVoxels:
    """Slices that lie in a file one behind the other, columns fastest. Thread-safe."""

    def __init__(self, path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, int, int]) -> None:
        self._path = path
        self._offset = offset
        self._dtype = dtype
        self._columns, self._rows, self._count = shape
        self._bytes = self._columns * self._rows * dtype.itemsize
        self._lock = threading.Lock()
        self._file: Any = None
        self._broken: tuple[int, _core.SpinekitError] | None = None
        with open_plain(path) as file:
            self.forward = isinstance(file, gzip.GzipFile)

    def read(self, index: int) -> npt.NDArray[Any]:
        """Return a slice as `Voxels.read` does."""
        with self._lock:
            # Looking behind a damaged place once more would inflate everything before it again.
            if self._broken is not None and index >= self._broken[0]:
                raise self._broken[1]
            try:
                data = self._bytes_at(index)
            except _core.SpinekitError as failure:
                if self.forward:
                    self._broken = index, failure
                raise
        return np.frombuffer(data, self._dtype).reshape(self._rows, self._columns)

    def _bytes_at(self, index: int) -> bytes:
        try:
            if self._file is None:
                self._file = open_plain(self._path)
            self._file.seek(self._offset + index * self._bytes)
            data: bytes = self._file.read(self._bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as failure:
            raise _core.MalformedDataError(
                f"'{self._path}' is truncated or damaged at slice {index} of {self._count}: {failure}"
            ) from failure
        except OSError as failure:
            raise _engine.os_error(self._path, "cannot be read", failure) from failure
        if len(data) < self._bytes:
            raise _core.MalformedDataError(
                f"'{self._path}' ends within slice {index} of {self._count}: "
                f"{len(data)} of its {self._bytes} bytes are there"
            )
        return data

    def finish(self) -> str:
        """Return what is wrong with a gzip file's checksum, or nothing."""
        if not self.forward or self._broken is not None:
            return ""
        try:
            with self._lock:
                self._file.read(_MOST_TRAILING)
        except (EOFError, zlib.error, OSError) as failure:
            return f"its voxels may be wrong: {failure}"
        return ""

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


class ArrayVoxels:
    """Slices of an array, or of whatever nibabel can slice. Thread-safe."""

    forward = False

    def __init__(self, data: Any, dimensions: int) -> None:
        self._data = data
        self._dimensions = dimensions
        self._lock = threading.Lock()

    def read(self, index: int) -> npt.NDArray[Any]:
        """Return a slice as `Voxels.read` does."""
        place = (slice(None), slice(None), index, *[0] * (self._dimensions - 3))[: self._dimensions]
        try:
            with self._lock:
                return np.asarray(self._data[place]).T
        except (EOFError, zlib.error, ValueError, OSError) as failure:
            raise _core.MalformedDataError(f"slice {index} cannot be read: {failure}") from failure

    def finish(self) -> str:
        """Return nothing: arrays have no checksum."""
        return ""

    def close(self) -> None:
        """Do nothing: the array is not ours."""


def open_plain(path: Path) -> Any:
    """Open a file, inflated where it is a gzip file, whatever its name says."""
    try:
        file = path.open("rb")
        compressed = file.read(2) == _GZIP_MAGIC
        if compressed:
            file.close()
            return gzip.open(path, "rb")
        file.seek(0)
        return file
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure


@dataclass(frozen=True)
class Rescale:
    """From stored values to those of the volume."""

    slope: float
    intercept: float
    dtype: np.dtype[Any]

    @property
    def identity(self) -> bool:
        """Whether stored values are the volume's."""
        return self.slope == 1 and self.intercept == 0

    def __call__(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of the volume, C-contiguous; integers only where they are exact."""
        if stored.dtype.names:
            stored = np.ascontiguousarray(stored).view(np.uint8).reshape(*stored.shape, -1)[..., :3]
        values = stored
        if not self.identity:
            values = stored.astype(np.float64) * self.slope + self.intercept
        if values.dtype == self.dtype or self.dtype.kind == "f":
            wide = values.dtype.kind in "iu" and values.dtype.itemsize == 8
            found = values.astype(self.dtype, copy=False)
            if wide and self.dtype.itemsize == 8 and (found.astype(values.dtype) != values).any():
                raise self._does_not_fit()
            return np.ascontiguousarray(found)
        limits = np.iinfo(self.dtype)
        if values.dtype.kind == "f" and not (np.isfinite(values).all() and (np.rint(values) == values).all()):
            raise self._does_not_fit()
        if values.size and not limits.min <= int(values.min()) <= int(values.max()) <= limits.max:
            raise self._does_not_fit()
        return np.ascontiguousarray(values.astype(self.dtype))

    def _does_not_fit(self) -> _core.UnsupportedError:
        remedy = "; open it with dtype='float64'" if self.dtype.kind in "iu" else ""
        return _core.UnsupportedError(f"values do not fit the volume's {self.dtype} without loss{remedy}")
