"""The engine as the package uses it: shared executors, and files read into memory."""

import concurrent.futures
import contextlib
import errno
import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from spinekit import _core

#: What ends up in DerivationDescription and in reports.
SOFTWARE = f"spinekit {_core.__version__}"

#: How names of files end that are not whole yet.
PART_SUFFIX = ".spinekit-part"

#: From so many files on, one call for the whole disk is quicker than one for each.
_MANY = 100

_TICK = 0.1  # s

_Result = TypeVar("_Result")

_REMEDIES = {
    errno.EACCES: "; ask for permission",
    errno.EPERM: "; ask for permission",
    errno.EISDIR: "; expected a file, got a folder",
    errno.ENOENT: "; check the path",
    errno.ENOSPC: "; free some space or choose another folder",
}


def worker_count(workers: int | None) -> int:
    """Return the number of workers asked for, or one for each core that this process may use."""
    if workers is None:
        return len(os.sched_getaffinity(0))
    if workers < 1:
        raise _core.ArgumentError(f"workers: {workers}, expected at least 1, or None for all cores")
    return workers


@functools.lru_cache(maxsize=4)
def executor(workers: int) -> _core.Executor:
    """Return the executor of that many workers, shared by all calls."""
    return _core.Executor(workers)


def path_of(path: str | os.PathLike[str]) -> Path:
    """Return a path as users mean it, ``~`` included."""
    return Path(path).expanduser()


def interruptible(
    work: Callable[[_core.CancelToken], _Result], tick: Callable[[], None] | None = None
) -> _Result:
    """Run `work` in a thread of its own, so that Ctrl-C reaches us and stops it.

    Parameters
    ----------
    work : gets the token that stops it
    tick : is called here, in the caller's thread, some times a second, and once at the end
    """
    cancel = _core.CancelToken()
    with concurrent.futures.ThreadPoolExecutor(1, "spinekit") as pool:
        future = pool.submit(work, cancel)
        try:
            while tick is not None and not concurrent.futures.wait([future], _TICK).done:
                tick()
            result = future.result()
            if tick is not None:
                tick()
        except BaseException:
            cancel.cancel()
            raise
        return result


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; failures name the file and what helps."""
    try:
        return path.read_bytes()
    except OSError as failure:
        raise os_error(path, "cannot be read", failure) from failure


@contextlib.contextmanager
def appearing_whole(path: Path, ending: str = "") -> Iterator[Path]:
    """Have a file written beside its place, so that it appears whole or not at all.

    Parameters
    ----------
    path : where it appears at the end of the block, in the place of what is there
    ending : of the name that is written to, for those who go by it
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{PART_SUFFIX}{ending}")
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write bytes and have the system bring them to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_file(path: Path, data: bytes) -> None:
    """Write the bytes of a file, which appears whole or not at all."""
    try:
        with appearing_whole(path) as part:
            write_synced(part, data)
    except OSError as failure:
        raise os_error(path, "cannot be written", failure) from failure


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder; none appears before all are on the disk.

    Parameters
    ----------
    folder : that is there
    files : contents by path below the folder
    """
    stage = folder / f".{os.getpid()}-{threading.get_ident()}{PART_SUFFIX}"
    try:
        stage.mkdir()
        many = len(files) > _MANY
        for place, data in enumerate(files.values()):
            part = stage / str(place)
            if many:
                part.write_bytes(data)
            else:
                write_synced(part, data)
        if many:
            os.sync()
        for parent in {(folder / name).parent for name in files}:
            parent.mkdir(parents=True, exist_ok=True)
        for place, name in enumerate(files):
            (stage / str(place)).replace(folder / name)
    except OSError as failure:
        raise os_error(folder, "cannot be written to", failure) from failure
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def os_error(path: Path, action: str, failure: OSError) -> _core.ResourceError:
    """Turn a failure of the operating system into an error that names the file."""
    reason = failure.strerror or str(failure)
    return _core.ResourceError(f"'{path}' {action}: {reason}{_REMEDIES.get(failure.errno or 0, '')}")
