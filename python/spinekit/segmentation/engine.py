"""Networks of the engine out of weights files."""

import contextlib
import importlib.metadata
import importlib.util
import json
import operator
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit import _engine
from spinekit._core import (
    ArgumentError,
    MalformedDataError,
    ResourceError,
    SpinekitError,
    UnsupportedError,
)

_REMEDY = "pip install 'spinekit[models]'"
#: Isolated, a build sees no torch, and leaves the engine's part out that links it.
_BUILD = (
    "script/setup, or 'pip install torch==2.13.0' and then \"pip install --no-build-isolation '.[models]'\""
)
#: Of one film's input and maps: 1 GiB, as of 4096 x 4096 pixels in 6 channels and 8 classes.
_MOST_VALUES = 1 << 28
#: Of the description in a TorchScript file; more than any has.
_MOST_BYTES = 1 << 20
#: The architecture of files that do not say theirs.
_FOREIGN = "torchscript"


@dataclass(frozen=True)
class NetworkOptions:
    """How a network runs, and what a foreign file does not say of itself."""

    precision: str
    threads: int
    device: str
    size: tuple[int, int] | None
    channels: int | None
    classes: int | None


@dataclass(frozen=True, eq=False)
class Opened:
    """A network that runs, and what its file says of it.

    Attributes
    ----------
    network : of the engine
    description : architecture, channels, classes, size and what else describes it; "labels" and "filters"
        where the file has them
    any_size : whether films of other sizes than `description` says can be given
    """

    network: Any
    description: dict[str, Any]
    any_size: bool


def engine() -> Any:
    """Return the module that links torch.

    Raises
    ------
    UnsupportedError
        If torch is missing or broken, or another one than it was built for, or this installation was built
        without; the message says what helps.
    """
    try:
        import torch  # noqa: PLC0415 - an extra, slow to import
    except Exception as failure:  # a library that does not load is an OSError, half an installation anything
        if isinstance(failure, ModuleNotFoundError) and failure.name == "torch":
            raise UnsupportedError(f"segmentation needs torch: {_REMEDY}") from failure
        raise UnsupportedError(
            f"torch is installed and cannot be imported: {type(failure).__name__}: {failure}; install it "
            f"again: {_REMEDY}"
        ) from failure
    version = str(torch.__version__)
    try:
        from spinekit import _infer  # noqa: PLC0415 - links torch
    except (ImportError, OSError) as failure:
        if importlib.util.find_spec("spinekit._infer") is None:
            raise UnsupportedError(
                "this installation of spinekit was built without torch, and cannot segment; install a wheel "
                f"that has it, or build from source where torch is there: {_BUILD}"
            ) from failure
        raise UnsupportedError(
            f"spinekit's engine does not load with torch {version}: {failure}; {_REMEDY} installs the torch "
            "that it was built for"
        ) from failure
    built = _infer.versions()["built for torch"]
    if _release(built) != _release(version):
        raise UnsupportedError(
            f"spinekit's engine was built for torch {built}, this is torch {version}; {_REMEDY} installs "
            "the one that it was built for"
        )
    # Reading weights is torch's work too, and would wait for threads that a fork left behind.
    _infer.settle_after_fork()
    return _infer


def ability() -> dict[str, Any]:
    """Return whether networks can run here, and on what; imports torch where it is installed."""
    try:
        installed: str | None = importlib.metadata.version("torch")
    except Exception:  # not installed, or half: its metadata may lie there damaged
        installed = None
    found: dict[str, Any] = {"ready": False, "torch": installed}
    try:
        found |= engine().versions() | {"ready": True}
    except Exception as failure:  # what is wrong with torch must not hide the rest of `spinekit.info`
        found["why not"] = str(failure)
    return found


def opened(path: Path, options: NetworkOptions) -> Opened:
    """Return the network of a weights file, ready to run; for errors see `spinekit.Segmenter`."""
    infer = engine()
    from spinekit import nn  # noqa: PLC0415 - imports torch
    from spinekit.nn.checkpoints import kind_of  # noqa: PLC0415
    from spinekit.nn.network import pair_of  # noqa: PLC0415
    from spinekit.nn.transunet import STEP  # noqa: PLC0415

    kind = kind_of(path)
    if kind == "an .npz":
        raise UnsupportedError(
            f"'{path}': an .npz holds pretrained weights to train from, no network that segments; load it "
            "into a network with spinekit.nn.load_checkpoint, train, and spinekit.nn.save that"
        )
    if kind == "a TorchScript file":
        described = _described(path)
        description = described | _told(path, described, options)
        return Opened(_scripted(infer, path, path, description, options), description, any_size=False)
    model = nn.load(path, size=options.size, mmap=True)  # the engine makes copies of its own
    description = model.description()
    for name in ("channels", "classes"):
        _agreed(path, name, getattr(options, name), description[name])
    if description["architecture"] == "transunet":
        weights = {
            name: tensor.float().contiguous().numpy()
            for name, tensor in model.state_dict().items()
            if tensor.is_floating_point()  # counters of batches are for training
        }
        with _named(path):
            network = infer.transunet(
                description, weights, options.precision, options.threads, device=options.device
            )
        if options.size is not None:
            # Two tokens a side are the least that the network takes.
            description["size"] = list(pair_of(options.size, STEP, 2 * STEP))
        return Opened(network, description, any_size=True)
    # The engine knows the others as TorchScript alone; a file in between is what it reads.
    description["size"] = list(options.size or description["size"])
    check_input(description["size"], description)  # tracing runs it once
    with tempfile.TemporaryDirectory(prefix="spinekit-") as folder:
        script = Path(folder) / "network.pt"
        nn.export_torchscript(model.float(), script, description["size"])
        network = _scripted(infer, script, path, description, options)
    return Opened(network, description, any_size=False)


def checked_size(size: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns), or an ArgumentError unless both are whole and positive."""
    try:
        rows, columns = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        rows = columns = 0
    if rows < 1 or columns < 1:
        raise ArgumentError(f"size: {size!r}, expected (rows, columns)")
    return rows, columns


def check_input(size: Sequence[int], description: dict[str, Any]) -> None:
    """Raise a ResourceError where a network's input and its maps would be larger than any that is used."""
    rows, columns = size
    channels, classes = description["channels"], description["classes"]
    values = rows * columns * (channels + classes)
    if values > _MOST_VALUES:
        raise ResourceError(
            f"size: {rows} x {columns} pixels in {channels} channels and {classes} classes would take "
            f"{4 * values / 1e9:.1f} GB for each film; choose a smaller one"
        )


def _scripted(
    infer: Any, script: Path, path: Path, description: dict[str, Any], options: NetworkOptions
) -> Any:
    with _named(path):
        return infer.torchscript(
            os.fspath(script),
            description["channels"],
            description["classes"],
            options.precision,
            options.threads,
            device=options.device,
        )


def _described(path: Path) -> dict[str, Any]:
    """Return what a TorchScript file carries of ours; nothing if it is a foreign one."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if one.filename.endswith("/extra/spinekit")]
            if not inside:
                return {}
            if inside[0].file_size > _MOST_BYTES:
                raise MalformedDataError(f"'{path}': its description is larger than any network's")
            described = json.loads(archive.read(inside[0]))
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    except (ValueError, zipfile.BadZipFile, RuntimeError, RecursionError) as failure:
        if isinstance(failure, SpinekitError):
            raise
        raise MalformedDataError(f"'{path}': its description cannot be read: {failure}") from failure
    if not isinstance(described, dict):
        raise MalformedDataError(f"'{path}': its description is no JSON object")
    return described


def _told(path: Path, described: dict[str, Any], options: NetworkOptions) -> dict[str, Any]:
    """Return architecture, channels, classes and size of a TorchScript file, whoever says them."""
    known = {name: value for name, value in vars(options).items() if value is not None} | described
    missing = [name for name in ("channels", "classes", "size") if name not in known]
    if missing:
        raise ArgumentError(
            f"'{path}': a TorchScript file that was not written by spinekit.nn.export_torchscript does not "
            f"say what it takes; give {', '.join(f'{name}=' for name in missing)}"
        )
    told: dict[str, Any] = {"architecture": described.get("architecture", _FOREIGN)}
    for name in ("channels", "classes"):
        wanted = getattr(options, name)
        number = described.get(name, wanted)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise MalformedDataError(f"'{path}': {name} is {number!r}, expected a whole number")
        _agreed(path, name, wanted, number)
        told[name] = number
    size = known["size"]
    try:
        size = checked_size(size)
    except ArgumentError as failure:
        raise MalformedDataError(f"'{path}': {failure}") from None
    if options.size not in (None, size):
        raise ArgumentError(
            f"'{path}' was exported for films of {size[0]} x {size[1]}, not {options.size[0]} x "
            f"{options.size[1]}; export it again for that size"
        )
    return told | {"size": list(size)}


def _agreed(path: Path, name: str, wanted: int | None, found: int) -> None:
    if wanted is not None and wanted != found:
        raise ArgumentError(f"'{path}' has {found} {name}, not {wanted}")


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have the engine's errors begin with the file's name."""
    try:
        yield
    except SpinekitError as failure:
        raise type(failure)(f"'{path}': {failure}") from failure


def _release(version: str) -> list[str]:
    # Patch releases of torch keep its binary interface.
    return version.split(".")[:2]
