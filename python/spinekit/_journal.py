"""The report of a batch while it grows: one JSON line a file, so that nothing done is ever lost."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from spinekit import _core, _engine
from spinekit.report import Record

#: The journal's name in the target folder.
JOURNAL_NAME = "spinekit-report.jsonl"


class Journal:
    """The journal of one target folder, locked against a second run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_NAME
        self._file: TextIO | None = None

    @contextlib.contextmanager
    def opened(self, settings: dict[str, Any], *, fresh: bool) -> Iterator["Journal"]:
        """Lock the journal and, if `fresh`, begin it anew with the settings as its first line."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as failure:
                    if failure.errno not in (11, 13):  # not locked: a file system without locks
                        pass
                    else:
                        raise _core.ResourceError(
                            f"'{self.path}': another run is writing to this folder; wait for it"
                        ) from failure
                self._file = file
                if fresh:
                    file.truncate(0)
                if file.tell() == 0 or fresh:
                    self._line({"spinekit": _core.__version__, "settings": settings})
                yield self
        except OSError as failure:
            raise _engine.os_error(self.path, "cannot be written", failure) from failure
        finally:
            self._file = None

    def add(self, record: Record, modified: int) -> None:
        """Append one record; `modified` tells a later run whether the source is the same."""
        self._line(record.to_dict() | {"source_modified": modified})

    def _line(self, values: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
        self._file.flush()


def read_journal(folder: Path) -> tuple[dict[str, Any], dict[str, tuple[Record, int]]] | None:
    """Return settings and, by source, the last record with the source's modification mark.

    A last line that a crash cut off is passed over. None if the folder has no journal.
    """
    path = folder / JOURNAL_NAME
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as failure:
        raise _core.MalformedDataError(f"'{path}': cannot be read: {failure}") from failure
    settings: dict[str, Any] = {}
    records: dict[str, tuple[Record, int]] = {}
    for number, line in enumerate(lines):
        try:
            values = json.loads(line)
            if number == 0:
                settings = values["settings"]
                continue
            modified = values.pop("source_modified", 0)
            record = Record.from_dict(values)
        except (ValueError, KeyError, TypeError) as failure:
            if number == len(lines) - 1:
                break
            raise _core.MalformedDataError(
                f"'{path}', line {number + 1}: not a spinekit report: {failure}"
            ) from failure
        records[record.source] = (record, modified)
    return settings, records


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
