"""The report of a batch while it grows: one JSON line a file, so that nothing done is ever lost."""

import contextlib
import dataclasses
import fcntl
import json
import logging
import os
from pathlib import Path
from typing import Any

from spinekit import _core, _engine
from spinekit._sources import JOURNAL_NAME
from spinekit.report import Record

_log = logging.getLogger(__name__)


class Journal:
    """The journal of one target folder; while it is open, no second run writes there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_NAME
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as failure:
            raise _engine.os_error(self.path, "cannot be written", failure) from failure
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            self._file.close()
            raise _core.ResourceError(
                f"'{self.path}': another run is writing to this folder; wait for it"
            ) from failure
        except OSError:
            _log.info("'%s': this file system has no locks", self.path)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def begin(self, settings: dict[str, Any]) -> None:
        """Forget what is there and begin anew."""
        self._file.truncate(0)
        self._line({"spinekit": _core.__version__, "settings": settings})

    def go_on(self) -> None:
        """Drop a last line that a crash cut off, so that the next one does not join it."""
        text = self.path.read_bytes()
        self._file.truncate(text.rfind(b"\n") + 1)

    def start(self, name: str) -> None:
        """Note that a target which is not there yet is about to be made, and is this run's own."""
        self._line({"started": name})

    def add(self, record: Record, modified: int) -> None:
        """Append one record; `modified` tells a later run whether the source is the same."""
        self._line(record.to_dict() | {"source_modified": modified})

    def _line(self, values: dict[str, Any]) -> None:
        line = (json.dumps(values, ensure_ascii=False) + "\n").encode()
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as failure:
            raise _engine.os_error(self.path, "cannot be written", failure) from failure


@dataclasses.dataclass
class Earlier:
    """What a folder's journal tells of earlier runs, by source."""

    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    records: dict[str, Record] = dataclasses.field(default_factory=dict)
    modified: dict[str, int] = dataclasses.field(default_factory=dict)
    started: set[str] = dataclasses.field(default_factory=set)

    def owns(self, name: str) -> bool:
        """Return whether a target that stands there was made by an earlier run."""
        return name in self.started or name in self.records


def read_journal(folder: Path) -> Earlier | None:
    """Return what the folder's journal tells, or None if it has none.

    A last line that a crash cut off is passed over.
    """
    path = folder / JOURNAL_NAME
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as failure:
        raise _core.MalformedDataError(f"'{path}': cannot be read: {failure}") from failure
    if not lines:
        return None
    earlier = Earlier()
    for number, line in enumerate(lines):
        try:
            values = json.loads(line)
            if number == 0:
                earlier.settings = values["settings"]
            elif "started" in values:
                earlier.started.add(values["started"])
            else:
                modified = values.pop("source_modified", 0)
                record = Record.from_dict(values)
                earlier.records[record.source] = record
                earlier.modified[record.source] = modified
        except (ValueError, KeyError, TypeError) as failure:
            if number == len(lines) - 1:
                break
            raise _core.MalformedDataError(
                f"'{path}', line {number + 1}: not a spinekit report: {failure}"
            ) from failure
    return earlier


def sync_folder(folder: Path) -> None:
    """Ask the system to bring everything that was written to the disk itself."""
    # One flush for the whole batch costs less than one for each file, and says the same.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    os.sync()
