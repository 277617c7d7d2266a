"""Temporary files for what cannot be read where it lies."""

import errno
import os
import tempfile

from spinekit import _core


class NamelessFile:
    """A temporary file that is gone with this object, however the process ends.

    `wanted_by` is for messages: the source that needs it.
    """

    def __init__(self, wanted_by: str) -> None:
        self._wanted_by = wanted_by
        self._file = -1
        try:
            with tempfile.TemporaryFile(dir=_folder()) as file:
                self._file = os.dup(file.fileno())
        except OSError as failure:
            raise self._error("made", failure) from failure
        #: By which it can be opened again.
        self.path = f"/proc/self/fd/{self._file}"

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as failure:
            raise self._error("written", failure) from failure

    def read_into(self, view: memoryview, start: int) -> None:
        """Fill a view of bytes with what begins at `start`, which is there."""
        try:
            while view:
                count = os.preadv(self._file, [view], start)
                if count == 0:
                    raise OSError(errno.EIO, "cut off")
                view, start = view[count:], start + count
        except OSError as failure:
            raise self._error("read", failure) from failure

    def _error(self, what: str, failure: OSError) -> _core.ResourceError:
        return _core.ResourceError(
            f"'{self._wanted_by}': the temporary file cannot be {what}: {failure.strerror}; "
            "free some space, or set TMPDIR to another folder"
        )

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


def _folder() -> str | None:
    """Return where large files go; None for the system's choice, which may be memory, as /tmp often is."""
    chosen = any(name in os.environ for name in ("TMPDIR", "TEMP", "TMP")) or tempfile.tempdir is not None
    large = "/var/tmp"
    return large if not chosen and os.access(large, os.W_OK | os.X_OK) else None
