"""Temporary files for what cannot be read where it lies."""

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
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
        except OSError as failure:
            raise self._error("made", failure) from failure
        #: By which it can be opened again.
        self.path = f"/proc/self/fd/{self._file}"

    def write(self, data: bytes) -> None:
        """Append `data`."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as failure:
            raise self._error("written", failure) from failure

    def _error(self, what: str, failure: OSError) -> _core.ResourceError:
        return _core.ResourceError(
            f"'{self._wanted_by}': the temporary file cannot be {what}: {failure.strerror}; "
            "free some space, or set TMPDIR to another folder"
        )

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)
