"""Films among files, and what each is called."""

import collections
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from spinekit import _engine
from spinekit._core import ArgumentError, ResourceError
from spinekit.measurement.films import SUFFIXES, without_ending
from spinekit.measurement.reading import NOTE_NAME

#: In every folder that `spinekit.segment_files` writes to.
JOURNAL_NAME = "spinekit-segment.jsonl"
OVERLAY_SUFFIX = ".overlay.png"


def find_films(source: Sequence[Path], beside: Path) -> dict[str, Path]:
    """Return the films of files and folders, in order, by their names.

    Parameters
    ----------
    source : files, and folders that are searched at any depth for what looks like a film; results of
        `spinekit.segment_files` are passed over
    beside : a folder that is passed over, where results go

    Returns
    -------
    films : the name is the path below the folder, or below the folder that all files share, without ending;
        with it where two would be called the same. What an earlier run called a film it keeps

    Raises
    ------
    ArgumentError
        If there are none, or two cannot be told apart, or results would go among films.
    ResourceError
        If a path is not there, or cannot be read.
    """
    files = [path for path in source if not path.is_dir()]
    for path in files:
        if not path.exists():
            raise ResourceError(f"'{path}' cannot be read: no such file or folder; check the path")
    _check_apart(source, beside)
    shared = Path(os.path.commonpath([path.absolute().parent for path in files])) if files else Path()
    found: list[tuple[Path, Path]] = []
    try:
        for path in source:
            if path.is_dir():
                found += [(one.relative_to(path), one) for one in _walk(path, beside.absolute())]
            else:
                found.append((path.absolute().relative_to(shared), path))
    except OSError as failure:
        raise _engine.os_error(Path(failure.filename or "."), "cannot be read", failure) from failure
    if not found:
        raise ArgumentError(
            f"no films in {', '.join(map(repr, map(str, source)))}; expected DICOM or pictures, outside of "
            "folders with results of sk.segment_files"
        )
    count = collections.Counter(without_ending(inner) for inner, _ in found)
    given = _given_names(beside)
    # Where an earlier run called one of several so, that one stays, and the newcomers get longer names.
    kept = {inner: given[inner] for inner, _ in found if inner in given}
    films: dict[str, Path] = {}
    for inner, path in found:
        bare = without_ending(inner)
        name = kept.get(inner, bare if count[bare] == 1 else inner).as_posix()
        if name in films and films[name] != path:
            raise ArgumentError(
                f"'{films[name]}' and '{path}' would both be called {name}; segment them into two --out "
                "folders"
            )
        films[name] = path
    return films


def _check_apart(source: Sequence[Path], beside: Path) -> None:
    """Raise an ArgumentError where results would go among films."""
    target = beside.resolve()
    for path in source:
        folder = path if path.is_dir() else path.parent
        if folder.resolve() == target:
            raise ArgumentError(
                f"'{beside}' holds the films; name another folder for the masks, such as '{folder / 'masks'}'"
            )
        if path.is_dir() and path.resolve() in target.parents and beside.is_dir():
            within = next(_walk(beside, Path()), None)
            if within is not None:
                raise ArgumentError(
                    f"'{beside}' holds films of '{path}', such as '{within.name}'; name another folder for "
                    "the masks"
                )


def _given_names(folder: Path) -> dict[Path, Path]:
    """Return what earlier runs into a folder called films, by their paths below the folder of films."""
    names: dict[Path, Path] = {}
    try:
        lines = (folder / JOURNAL_NAME).read_bytes().splitlines()
    except OSError:
        return {}  # none yet; what else is wrong is told where it is written to
    for line in lines:
        try:
            values = json.loads(line)
            name, inner = Path(values["film"]), Path(values["film"]).parent / values["of"][0]
        except (ValueError, KeyError, TypeError, IndexError):
            continue  # the start of a film, or what a crash cut off
        if name in (inner, without_ending(inner)) and names.get(inner) != without_ending(inner):
            names[inner] = name
    return names


def _walk(folder: Path, beside: Path) -> Iterator[Path]:
    if any((folder / name).exists() for name in (JOURNAL_NAME, NOTE_NAME)):
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink() and path.absolute() != beside:  # links may lead round in circles
                yield from _walk(path, beside)
        elif not _is_overlay(path) and (path.suffix.lower() in SUFFIXES or _is_dicom(path)):
            yield path


def _is_overlay(path: Path) -> bool:
    """Return whether a picture lies beside the masks that it shows, as when they were moved together."""
    if not path.name.endswith(OVERLAY_SUFFIX):
        return False
    masks = path.with_name(path.name.removesuffix(OVERLAY_SUFFIX))
    files = (masks / NOTE_NAME, *(path.with_name(masks.name + end) for end in (".npz", ".nii.gz")))
    return any(file.exists() for file in files)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
