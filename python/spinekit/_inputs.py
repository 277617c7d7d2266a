"""Inputs of a batch among files and folders, and what each is called."""

import collections
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinekit import _engine
from spinekit._core import ArgumentError, ResourceError


@dataclass(frozen=True)
class Kind:
    """What a batch takes and what it makes.

    Attributes
    ----------
    inputs, results : what messages call them: "films", "masks"
    expected : what inputs are, for messages
    maker : the function that writes the results
    journal_name : in every folder that it writes to
    accepts : whether a file in a folder is such an input
    marks : names of files that only folders of results have, beside the journal
    without_ending : a path without the ending that tells its format
    """

    inputs: str
    results: str
    expected: str
    maker: str
    journal_name: str
    accepts: Callable[[Path], bool]
    marks: tuple[str, ...]
    without_ending: Callable[[Path], Path]


def find_inputs(source: Sequence[Path], beside: Path | None, kind: Kind) -> dict[str, Path]:
    """Return the inputs of files and folders, in order, by their names.

    Parameters
    ----------
    source : files, and folders that are searched at any depth; results of earlier runs are passed over
    beside : a folder that is passed over, where results go; None where there are none
    kind : what is sought

    Returns
    -------
    found : the name is the path below the folder, or below the folder that all files share, without ending;
        with it where two would be called the same. What an earlier run called an input it keeps

    Raises
    ------
    ArgumentError
        If there are none, or two cannot be told apart, or results would go among inputs.
    ResourceError
        If a path is not there, or cannot be read.
    """
    beside = Path(os.devnull) / "none" if beside is None else beside
    if beside.exists() and not beside.is_dir():
        raise ArgumentError(f"'{beside}' is a file; name a folder")
    files = [path for path in source if not path.is_dir()]
    for path in files:
        if not path.exists():
            raise ResourceError(f"'{path}' cannot be read: no such file or folder; check the path")
    _check_apart(source, beside, kind)
    # Without "..": names must not lead out of the folder of results.
    shared = Path(os.path.commonpath([_plain(path).parent for path in files])) if files else Path()
    found: list[tuple[Path, Path]] = []
    try:
        for path in source:
            if path.is_dir():
                found += [(one.relative_to(path), one) for one in _walk(path, beside.absolute(), kind)]
            else:
                found.append((_plain(path).relative_to(shared), path))
    except OSError as failure:
        raise _engine.os_error(Path(failure.filename or "."), "cannot be read", failure) from failure
    if not found:
        raise ArgumentError(
            f"no {kind.inputs} in {', '.join(map(repr, map(str, source)))}; expected {kind.expected}, "
            f"outside of folders with results of {kind.maker}"
        )
    count = collections.Counter(kind.without_ending(inner) for inner, _ in found)
    given = _given_names(beside, kind)
    # Where an earlier run called one of several so, that one stays, and the newcomers get longer names.
    kept = {inner: given[inner] for inner, _ in found if inner in given}
    named: dict[str, Path] = {}
    for inner, path in found:
        bare = kind.without_ending(inner)
        name = kept.get(inner, bare if count[bare] == 1 else inner).as_posix()
        if name in named and named[name] != path:
            raise ArgumentError(
                f"'{named[name]}' and '{path}' would both be called {name}; write them to two --out folders"
            )
        named[name] = path
    return named


def _plain(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _check_apart(source: Sequence[Path], beside: Path, kind: Kind) -> None:
    """Raise an ArgumentError where results would go among inputs."""
    target = beside.resolve()
    for path in source:
        folder = path if path.is_dir() else path.parent
        if folder.resolve() == target:
            raise ArgumentError(
                f"'{beside}' holds the {kind.inputs}; name another folder for the {kind.results}, such as "
                f"'{folder / kind.results}'"
            )
        if path.is_dir() and path.resolve() in target.parents and beside.is_dir():
            within = next(_walk(beside, Path(), kind), None)
            if within is not None:
                raise ArgumentError(
                    f"'{beside}' holds {kind.inputs} of '{path}', such as '{within.name}'; name another "
                    f"folder for the {kind.results}"
                )


def _given_names(folder: Path, kind: Kind) -> dict[Path, Path]:
    """Return what earlier runs into a folder called inputs, by their paths below the folder of these."""
    names: dict[Path, Path] = {}
    try:
        lines = (folder / kind.journal_name).read_bytes().splitlines()
    except OSError:
        return {}  # none yet; what else is wrong is told where it is written to
    for line in lines:
        try:
            values = json.loads(line)
            name, inner = Path(values["item"]), Path(values["item"]).parent / values["of"][0]
        except (ValueError, KeyError, TypeError, IndexError):
            continue  # the start of one, or what a crash cut off
        bare = kind.without_ending(inner)
        if name in (inner, bare) and names.get(inner) != bare:
            names[inner] = name
    return names


def _walk(folder: Path, beside: Path, kind: Kind) -> Iterator[Path]:
    if any((folder / name).exists() for name in (kind.journal_name, *kind.marks)):
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink() and path.absolute() != beside:  # links may lead round in circles
                yield from _walk(path, beside, kind)
        elif kind.accepts(path):
            yield path
