"""The report of a batch while it grows: one JSON line a file, so that nothing done is ever lost."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from spinekit import _core, _engine
from spinekit._sources import JOURNAL_NAME, OLD_JOURNAL_NAME
from spinekit.report import DONE, Record

_log = logging.getLogger(__name__)


class JsonLines:
    """A file of JSON lines that grows; while it is open, no second run has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
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

    def close(self) -> None:
        """Let others have it."""
        self._file.close()

    def go_on(self) -> None:
        """Drop a last line that a crash cut off, so that the next one does not join it."""
        text = self.path.read_bytes()
        self._file.truncate(text.rfind(b"\n") + 1)

    def line(self, values: dict[str, Any]) -> None:
        """Append one line."""
        line = (json.dumps(values) + "\n").encode()
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as failure:
            raise _engine.os_error(self.path, "cannot be written", failure) from failure


class Journal(JsonLines):
    """The journal of one target folder; while it is open, no second run writes there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / JOURNAL_NAME)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def begin(self, settings: dict[str, Any], source: str) -> None:
        """Begin anew; what an earlier run noted is kept beside it, for the record."""
        if self._file.tell():
            self.path.with_name(OLD_JOURNAL_NAME).write_bytes(self.path.read_bytes())
        self._file.truncate(0)
        self.line({"spinekit": _core.__version__, "settings": settings, "source": source})

    def start(self, name: str) -> None:
        """Note that a target which is not there yet is about to be made, and is this run's own."""
        self.line({"started": name})

    def finish(self) -> None:
        """Seal what is there: a run that ends here went through all of its source."""
        self.line({"finished": hashlib.sha256(self.path.read_bytes()).hexdigest()})

    def add(self, record: Record, modified: int) -> None:
        """Append one record; `modified` tells a later run whether the source is the same."""
        self.line(record.to_dict() | {"source_modified": modified})


@dataclasses.dataclass
class Earlier:
    """What a folder's journal tells of earlier runs, by source.

    `started` are targets that were begun and never settled: a crash came between. `finished` says
    that the last run went through its whole source and that nothing was cut off the journal since.
    """

    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    source: str = ""
    records: dict[str, Record] = dataclasses.field(default_factory=dict)
    modified: dict[str, int] = dataclasses.field(default_factory=dict)
    started: set[str] = dataclasses.field(default_factory=set)
    finished: bool = False

    def made(self, name: str) -> Record | None:
        """Return the record of a target that was made, or None."""
        record = self.records.get(name)
        return record if record is not None and record.status in DONE else None


def read_journal(folder: Path) -> Earlier | None:
    """Return what the folder's journal tells, or None if it has none.

    A last line that a crash cut off is passed over.
    """
    path = folder / JOURNAL_NAME
    try:
        # Only line feeds end a line: JSON may hold other separators of Unicode.
        text = path.read_bytes()
        lines = text.split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    earlier = Earlier()
    seal, sealed, position = "", 0, 0
    for number, line in enumerate(lines):
        start, position = position, position + len(line) + 1
        if not line:
            continue
        try:
            values = json.loads(line)
            if number == 0:
                earlier.settings, earlier.source = values["settings"], values["source"]
            elif "finished" in values:
                seal, sealed = values["finished"], start
                continue
            elif "started" in values:
                earlier.started.add(values["started"])
            else:
                modified = values.pop("source_modified", 0)
                record = Record.from_dict(values)
                earlier.records[record.source] = record
                earlier.modified[record.source] = modified
                earlier.started.discard(record.source)
            seal = ""  # what follows a seal is not covered by it
        except (ValueError, KeyError, TypeError) as failure:
            if number == len(lines) - 1:
                break
            raise _core.MalformedDataError(
                f"'{path}', line {number + 1}: not a spinekit report: {failure}"
            ) from failure
    earlier.finished = bool(seal) and seal == hashlib.sha256(text[:sealed]).hexdigest()
    return earlier if earlier.settings else None


def sync_folder(folder: Path) -> None:
    """Bring the names of what was written to the disk, after the files themselves."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
