"""Folders that batches write results to: what is there, what it was made from, and with what."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinekit import _core, _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError, SpinekitError
from spinekit._journal import JsonLines

#: Of an option that differs, before and now.
_MOST_LETTERS = 60


@dataclass(eq=False)
class Results:
    """What a batch has written.

    Attributes
    ----------
    folder : of everything
    kept : names of inputs whose results were there
    failures : why an input has no results, by its name
    names : of all inputs, in order
    seconds : wall time
    """

    folder: Path
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every input has its results; that these are empty is no failure."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "spinekit": _core.__version__,
            "folder": str(self.folder),
            "seconds": self.seconds,
            "kept": list(self.kept),
            "failures": dict(self.failures),
        }

    @contextlib.contextmanager
    def noting_failure(self, name: str) -> Iterator[None]:
        """Note what fails with one input, which must not take the others along."""
        try:
            yield
        except SpinekitError as failure:
            self.failures[name] = str(failure)
        except Exception as failure:
            self.failures[name] = f"{type(failure).__name__}: {failure}"

    def failed_lines(self) -> list[str]:
        """Return what failed and why, in lines for people."""
        lines = [f"{len(self.failures)} FAILED:"] if self.failures else []
        return lines + [f"  {name}: {problem}" for name, problem in self.failures.items()]


class ResultFolder:
    """A folder of results and its journal; while it is open, no second run writes there.

    Digests of an item's files are noted before the first one is written: what is not by these, whenever a
    run was cut off, is somebody's own.

    Parameters
    ----------
    folder : made if it is not there
    journal_name : of the file in it that tells what was made
    made_with : plain values; results of others are not kept
    overwrite : whether everything is made again, and replaces what is there
    """

    def __init__(
        self, folder: Path, journal_name: str, made_with: dict[str, Any], *, overwrite: bool
    ) -> None:
        self._folder, self._made_with, self._overwrite = folder, made_with, overwrite
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise _engine.os_error(folder, "cannot be created", failure) from failure
        self._journal = JsonLines(folder / journal_name)
        self._journal.go_on()
        self._states: dict[str, list[Any]] = {}
        self._written: dict[str, dict[str, set[str]]] = {}
        self._made: dict[str, dict[str, Any]] = {}
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others write to the folder."""
        self._journal.close()

    def _read(self) -> None:
        for number, line in enumerate(self._journal.path.read_bytes().splitlines(), 1):
            try:
                values = json.loads(line)
                if "begun" in values:
                    self._begin(values["begun"], dict(values.get("files", {})))
                else:
                    self._made[values["item"]] = {**values, "files": list(values["files"])}
            except (ValueError, KeyError, TypeError) as failure:
                raise MalformedDataError(
                    f"'{self._journal.path}', line {number}: not a journal of results: {failure}"
                ) from failure

    def _begin(self, name: str, digests: dict[str, str]) -> None:
        self._made.pop(name, None)  # from here on its files are the new ones
        written = self._written.setdefault(name, {})
        for file, digest in digests.items():
            if not Path(file).is_absolute() and ".." not in Path(file).parts:
                written.setdefault(file, set()).add(digest)

    def kept(self, name: str, path: Path, files: list[str]) -> Any | None:
        """Return the result of an item that need not be made again, None where it has to be made.

        Parameters
        ----------
        name : of the item
        path : that it is made from
        files : some that it will have, below the folder

        Raises
        ------
        ArgumentError
            If there are files that must not be replaced.
        """
        self._states[name] = _state(path)
        if self._overwrite:
            return None
        before, written = self._made.get(name), self._written.get(name, {})
        known = dict.fromkeys([*written, *files, *(before["files"] if before else ())])
        there = [file for file in known if (self._folder / file).exists()]
        if before is not None and before["made with"] == self._made_with and before["of"] == _state(path):
            if set(before["files"]) <= set(there):
                return before["result"]
        elif before is not None and there:
            differs = _differences(before["made with"], self._made_with)
            if before["of"] != _state(path):
                differs.insert(0, "of another file, or an older one")
            raise ArgumentError(
                f"'{self._folder / there[0]}' was made {' and '.join(differs)}; choose another folder, or "
                "replace it with overwrite (--overwrite)"
            )
        self._check_ours(name, there)
        return None

    def _check_ours(self, name: str, files: Iterable[str]) -> None:
        """Raise an ArgumentError where a file is there that no earlier run wrote as it is."""
        for file in files:
            if (self._folder / file).exists() and not self._ours(name, file):
                raise ArgumentError(
                    f"'{self._folder / file}' is there and not of an earlier run, or was changed since; move "
                    "it away, or replace it with overwrite (--overwrite)"
                )

    def _ours(self, name: str, file: str) -> bool:
        digests = self._written.get(name, {}).get(file, ())
        return bool(digests) and sha256_of(self._folder / file) in digests

    def write(self, name: str, path: Path, contents: Mapping[str, bytes], result: Any) -> None:
        """Write an item's files in place of those of earlier runs.

        Parameters
        ----------
        name : of the item
        path : that it was made from
        contents : of its files, by their paths below the folder
        result : plain values that `kept` gives back; not None

        Raises
        ------
        ArgumentError
            If a file is in the way that must not be replaced.
        ResourceError
            If what it was made from is no longer what it was when `kept` was asked, or a file cannot be
            written; what was there before is there still.
        """
        if not self._overwrite:
            self._check_ours(name, contents)
        if _state(path) != self._states.pop(name, _state(path)):
            raise ResourceError(f"'{path}' was changed while it was read; run again when it is whole")
        earlier = [file for file in self._written.get(name, {}) if file not in contents]
        replaced = [
            file
            for file in earlier
            if (self._folder / file).exists() and (self._overwrite or self._ours(name, file))
        ]
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
        self._journal.line({"begun": name, "files": digests})
        self._begin(name, digests)
        _engine.write_files(self._folder, contents)
        for file in replaced:
            with contextlib.suppress(OSError):
                (self._folder / file).unlink()
        self._journal.line(
            {
                "item": name,
                "of": _state(path),
                "made with": self._made_with,
                "files": list(contents),
                "result": result,
            }
        )


def _differences(before: Any, now: dict[str, Any]) -> list[str]:
    """Return which options of an earlier run were others, with their values where these are short."""
    if not isinstance(before, dict):
        return ["with other options"]
    old_values, new_values = _flat(before), _flat(now)
    told = []
    for name in dict.fromkeys([*new_values, *old_values]):
        old, new = old_values.get(name), new_values.get(name)
        if old == new:
            continue
        values = f"{name} {old}, now {new}"
        short = len(values) <= _MOST_LETTERS
        told.append(values if short else f"other {name}")
    return [f"with {', '.join(told)}"] if told else []


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Return options with those of groups of settings beside them."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= value if name == "settings" and isinstance(value, dict) else {name: value}
    return flat


def _state(path: Path) -> list[Any]:
    """Return what tells whether a file is still the same."""
    try:
        known = path.stat()
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    return [path.name, known.st_size, known.st_mtime_ns]


def sha256_of(path: Path) -> str:
    """Return the digest of a file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    return digest.hexdigest()
