"""The bones on a film: what users call."""

import copy
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError, UnsupportedError
from spinekit._progress import Progress
from spinekit.filters import PenSettings
from spinekit.letterbox import Letterbox
from spinekit.radiograph import Radiograph, checked_spacing
from spinekit.radiographs import read_radiograph
from spinekit.segmentation.engine import NetworkOptions, Opened, check_input, checked_size, opened
from spinekit.segmentation.preparing import check_channels, default_settings, prepared
from spinekit.segmentation.tilting import averaged, checked_tilts, single

Film = Radiograph | NDArray[Any] | str | os.PathLike[str]
Floats = NDArray[np.float32]

#: Eight maps of so many pixels are 2 GiB; 8192 x 8192, some times the largest detectors.
MAX_PIXELS = 1 << 26
_MAPS = 8
ACTIVATIONS = ("sigmoid", "softmax")
PRECISIONS = ("fp32", "bf16")


class Segmenter:
    """A network that finds bones on lateral films.

    Parameters
    ----------
    weights : a file, told by its content and not by its name:

        - ``.safetensors`` of `spinekit.nn.save`: any network of `spinekit.nn`
        - an official TransUNet ``.pth`` (a state dict); its configuration follows from its shapes. Such were
          trained with a softmax over classes, of which the first is the background
        - TorchScript of `spinekit.nn.export_torchscript`; foreign files too, with `channels`, `size`, and
          `classes` or `labels`. Such files are programs: open those that you trust
    precision : "fp32", or "bf16": faster where the processor has it. Logits of a TransUNet differ in the
        third digit, of a UNet by up to 0.7 % of the largest, of a SwinUNet by 3 % (Dice .997 of its masks)
    threads : of the network and of what prepares films; None: every core that the process may use
    device : "cpu", "cuda", "cuda:1"
    size : (rows, columns) of the network's input; None for what the file says. Needed for an official
        ``.pth`` of films that are no square: the size that it was trained for
    filters : how films are prepared; None for what the file says, else ``PenSettings(levels="film",
        bits=8)``. See `spinekit.segmentation.prepare`
    labels : what each class shows; None for what the file says, else "class 1", "class 2", ...
    channels, classes : of a foreign TorchScript file
    activation : how logits become probabilities: "sigmoid", where classes overlap, or "softmax", where each
        pixel is of one class; None for what the file says, else "softmax" of an official ``.pth`` and
        "sigmoid" of all others

    Attributes
    ----------
    path : of the weights
    labels : a name for each class
    configuration : plain values that describe the network
    size, channels : of its input
    filters : `PenSettings`
    activation : "sigmoid" or "softmax"
    precision, threads, device : as given

    Raises
    ------
    ArgumentError
        If an option makes no sense, or contradicts the file.
    MalformedDataError
        If the file is damaged, or its weights do not fit its description: names and both shapes are told.
    UnsupportedError
        If torch is missing or another one than the engine was built for, or the file holds no network that
        segments, or the device is not there.
    ResourceError
        If the file cannot be read.

    Notes
    -----
    torch is imported when the first one is made. Thread-safe: several threads may predict at once, each
    with its own `threads`. After ``fork`` it goes on with one thread for the network. Pickles as its path
    and options; the file is read again where it arrives.

    Trained weights are not shipped with spinekit.

    Examples
    --------
    >>> seg = sk.Segmenter("spine.safetensors", precision="bf16")  # doctest: +SKIP
    >>> masks = seg.predict(sk.read_radiograph("film.dcm"))  # doctest: +SKIP
    >>> sk.measure(masks, spacing=(0.2, 0.2)).pi  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        precision: str = "fp32",
        threads: int | None = None,
        device: str = "cpu",
        size: Sequence[int] | None = None,
        filters: PenSettings | None = None,
        labels: Sequence[str] | None = None,
        channels: int | None = None,
        classes: int | None = None,
        activation: str | None = None,
    ) -> None:
        if not isinstance(weights, str | os.PathLike):
            raise ArgumentError(f"weights: {type(weights).__name__}, expected the path of a weights file")
        if precision not in PRECISIONS:
            raise ArgumentError(f"precision: {precision!r}, expected {' or '.join(map(repr, PRECISIONS))}")
        if threads is not None and threads < 1:
            raise ArgumentError(f"threads: {threads}, expected at least 1, or None for all cores")
        if activation not in (None, *ACTIVATIONS):
            raise ArgumentError(f"activation: {activation!r}, expected {' or '.join(map(repr, ACTIVATIONS))}")
        if isinstance(labels, str):
            raise ArgumentError(f"labels: {labels!r}, expected a name for each class")
        if labels is not None and classes is None:
            classes = len(labels)
        self.path = _weights_path(weights)
        self.precision, self.device = precision, device
        self.threads = _engine.worker_count(threads)
        wanted = None if size is None else checked_size(size)
        self._options: dict[str, Any] = {
            "precision": precision,
            "threads": threads,
            "device": device,
            "size": wanted,
            "filters": filters,
            "labels": None if labels is None else list(labels),
            "channels": channels,
            "classes": classes,
            "activation": activation,
        }
        found = opened(self.path, NetworkOptions(precision, self.threads, device, wanted, channels, classes))
        self._network, self._any_size = found.network, found.any_size
        self._configuration = found.description
        self.size: tuple[int, int] = checked_size(found.description["size"])
        self.channels: int = found.description["channels"]
        self.labels = _labels(self.path, found, labels)
        self.activation = activation or _activation(self.path, found)
        if self.activation == "softmax" and len(self.labels) < 2:
            raise ArgumentError(f"'{self.path}': softmax of one class is 1 everywhere, expected two at least")
        self.filters = _settings(self.path, found) if filters is None else filters
        if self.channels in (1, 3, 5, 6):  # others are for `forward` alone
            try:
                check_channels(self.filters, self.channels)
            except ArgumentError as failure:
                raise ArgumentError(f"'{self.path}': {failure}") from None

    @property
    def configuration(self) -> dict[str, Any]:
        """What the network is made of, in plain values; "filters" are those that are used."""
        found = copy.deepcopy(self._configuration)
        return found | {
            "labels": list(self.labels),
            "filters": self.filters.to_dict(),
            "activation": self.activation,
        }

    def __repr__(self) -> str:
        rows, columns = self.size
        return (
            f"<Segmenter {self._configuration['architecture']} '{self.path.name}', {self.channels} channels "
            f"of {rows} x {columns}, {len(self.labels)} classes, {self.precision}, threads: {self.threads}, "
            f"{self.device}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (os.fspath(self.path.absolute()), self._options)

    def forward(self, films: ArrayLike) -> Floats:
        """Return what the network says of films that are prepared already.

        Parameters
        ----------
        films : shape (n, channels, rows, columns), floats; others than float32 are converted

        Returns
        -------
        logits : shape (n, classes, rows, columns), float32

        Raises
        ------
        ArgumentError
            If the shape or dtype is another, or a value is not finite.
        ResourceError
            If memory does not suffice.
        """
        values = np.asarray(films)
        if values.dtype.kind != "f":
            raise ArgumentError(f"films: {values.dtype}, expected float32; sk.segmentation.prepare makes it")
        values = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(values).all():
            raise ArgumentError("films: NaN or infinite values, expected finite ones")
        if values.ndim == 4:
            self._input_size(values.shape[2:])
        logits: Floats = self._network.forward(values)
        return logits

    # A str is a sequence of strings, of which mypy makes an overlap; it is a path.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        film: Film,
        *,
        size: Sequence[int] | None = ...,
        spacing: Sequence[float] | None = ...,
        tilts: Iterable[float] = ...,
        batch: int = ...,
        max_pixels: int = ...,
        progress: bool | None = ...,
    ) -> Floats: ...
    @overload
    def predict(
        self,
        film: Sequence[Film],
        *,
        size: Sequence[int] | None = ...,
        spacing: Sequence[float] | None = ...,
        tilts: Iterable[float] = ...,
        batch: int = ...,
        max_pixels: int = ...,
        progress: bool | None = ...,
    ) -> list[Floats]: ...
    def predict(
        self,
        film: Film | Sequence[Film],
        *,
        size: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        tilts: Iterable[float] = (),
        batch: int = 8,
        max_pixels: int = MAX_PIXELS,
        progress: bool | None = None,
    ) -> Floats | list[Floats]:
        """Return how probable each bone is at each pixel of a film.

        Parameters
        ----------
        film : a `Radiograph`; an array (rows, columns), bone bright; a path for `read_radiograph`; or a list
            of these, whose sizes may differ
        size : (rows, columns) of the network's input, instead of `self.size`
        spacing : (row, column), mm, instead of the film's own: only their ratio matters here
        tilts : degrees, such as (-5, 5): the film is also seen tilted, and probabilities are averaged. Each
            tilt takes as long as the upright view
        batch : films that go through the network at once
        max_pixels : of a film; a larger one is refused before anything is computed, and so is one whose maps
            would take more than eight of so many pixels
        progress : whether a bar is shown for a list; None where somebody looks

        Returns
        -------
        probabilities : shape (classes, rows, columns) of the film, float32, in [0, 1]: by "sigmoid" of each
            class for itself, as classes overlap, by "softmax" of all together. For a list, a list of these

        Raises
        ------
        ArgumentError
            If a film or an option cannot be.
        MalformedDataError
            If a file is no film; or the network gives NaN, as of damaged weights.
        ResourceError
            If a film is larger than `max_pixels`, `size` is beyond any use, or memory does not suffice.

        Notes
        -----
        The film is shrunk or enlarged into the network's input with its aspect kept, filtered, padded; the
        logits are brought back to its pixels, and the logistic function applied there. A softmax is taken in
        the network's input, and what goes back are logits of its probabilities, within +-16: between
        pixels they need not sum to 1. Values that are not
        finite count as the lowest level. Peak memory: the result, the film twice, and the network's maps.
        Ctrl-C is heard between batches. For many films see `spinekit.segment_files`, which keeps one result
        at a time.
        """
        input_size = self._input_size(size)
        angles = checked_tilts(tilts)
        given = None if spacing is None else checked_spacing(spacing)
        if batch < 1 or max_pixels < 1:
            raise ArgumentError(f"batch, max_pixels: {batch}, {max_pixels}, expected at least 1")
        check_channels(self.filters, self.channels)
        several = isinstance(film, Sequence) and not isinstance(film, str)
        films: list[Any] = list(film) if several else [film]  # type: ignore[arg-type]
        found: list[Floats] = []
        try:
            with Progress(len(films) if several else 0, progress, "films") as bar:
                for start in range(0, len(films), batch):
                    some = [self._film(one, max_pixels) for one in films[start : start + batch]]
                    for maps in self._predicted(some, input_size, given, angles):
                        found.append(maps)
                        bar.advance()
        except MemoryError as failure:
            raise ResourceError("not enough memory for the probabilities; predict fewer at once") from failure
        return found if several else found[0]

    def _predicted(
        self,
        films: list[Radiograph],
        size: tuple[int, int],
        spacing: tuple[float, float] | None,
        tilts: tuple[float, ...],
    ) -> Iterable[Floats]:
        boxes = [Letterbox(film.shape, size, spacing or film.spacing) for film in films]
        stack = np.stack(
            [
                prepared(film, box, self.filters, self.channels, workers=self.threads)
                for film, box in zip(films, boxes, strict=True)
            ]
        )
        logits = averaged(stack, tilts, self._checked)
        for maps, box in zip(logits, boxes, strict=True):
            yield box.unfit(maps, logits=True, workers=self.threads)

    def _checked(self, stack: Floats) -> Floats:
        """Return logits of each class for itself; an error where they are NaN: no mask must come of that."""
        logits: Floats = self._network.forward(stack)
        if not np.isfinite(logits).all():
            raise MalformedDataError(
                f"'{self.path}': the network gives NaN or infinite logits; its weights are damaged"
                + (", or need precision='fp32'" if self.precision == "bf16" else "")
            )
        return single(logits) if self.activation == "softmax" else logits

    def _input_size(self, size: Sequence[int] | None) -> tuple[int, int]:
        wanted = self.size if size is None else checked_size(size)
        if wanted != self.size and not self._any_size:
            raise ArgumentError(
                f"size: {wanted}, expected {self.size}: this network was prepared for that size alone; "
                "sk.Segmenter(path, size=...) and spinekit.nn.export_torchscript(..., size=...) make others"
            )
        check_input(wanted, self._configuration)
        return wanted

    def _film(self, source: Any, max_pixels: int) -> Radiograph:
        name = "film"
        if isinstance(source, str | os.PathLike):
            name = f"'{os.fspath(source)}'"
            source = read_radiograph(source, max_pixels=max_pixels, workers=self.threads)
        elif isinstance(source, Radiograph) and source.source:
            name = f"'{source.source}'"
        if not isinstance(source, Radiograph):
            if not isinstance(source, np.ndarray):
                raise ArgumentError(
                    f"film: {type(source).__name__}, expected a Radiograph, an array (rows, columns), a "
                    "path, or a list of these"
                )
            if source.ndim != 2 or source.size == 0:
                raise ArgumentError(
                    f"film: shape {source.shape}, expected (rows, columns); sk.read_radiograph makes colours "
                    "grey, and several films are given as a list"
                )
            self._check_pixels(name, source.shape, max_pixels)  # before a copy in another dtype is made
            source = read_radiograph(source)
        film: Radiograph = source
        self._check_pixels(name, film.shape, max_pixels)
        if film.pixels.dtype == np.float32 and not np.isfinite(film.pixels).any():
            raise ArgumentError(f"{name}: none of its pixels is a number")
        return film

    def _check_pixels(self, name: str, shape: tuple[int, ...], max_pixels: int) -> None:
        rows, columns = shape
        values = max(_MAPS, len(self.labels)) * rows * columns
        if values > _MAPS * max_pixels:
            size = 4 * len(self.labels) * rows * columns / 1e9
            raise ResourceError(
                f"{name}: {rows} x {columns} pixels, whose probabilities would take {size:.1f} GB; give it "
                "smaller, as array[::4, ::4] or, of a Radiograph, film.pixels[::4, ::4], whose pixels are 4 "
                f"times as large, or allow it with predict(..., max_pixels={-(-values // _MAPS)})"
            )


def _again(path: str, options: dict[str, Any]) -> Segmenter:
    return Segmenter(path, **options)


def _weights_path(weights: str | os.PathLike[str]) -> Path:
    path = _engine.path_of(weights)
    if path.parent == Path() and not path.suffix and not path.exists():
        raise UnsupportedError(
            f"'{weights}': no trained weights are shipped yet, and no file is called so; give a weights "
            "file, as spinekit.nn.save writes it"
        )
    return path


def _labels(path: Path, found: Opened, given: Sequence[str] | None) -> tuple[str, ...]:
    classes = found.description["classes"]
    labels = found.description.get("labels") if given is None else given
    if labels is None:
        return tuple(f"class {k}" for k in range(1, classes + 1))
    if (
        not isinstance(labels, Sequence)
        or len(labels) != classes
        or not all(isinstance(label, str) for label in labels)
    ):
        raise MalformedDataError(f"'{path}': labels are {labels!r}, expected {classes} names")
    return tuple(labels)


def _activation(path: Path, found: Opened) -> str:
    activation = found.description.get("activation", ACTIVATIONS[0])
    if activation not in ACTIVATIONS:
        raise MalformedDataError(
            f"'{path}': activation is {activation!r}, expected {' or '.join(map(repr, ACTIVATIONS))}"
        )
    return str(activation)


def _settings(path: Path, found: Opened) -> PenSettings:
    filters = found.description.get("filters")
    if filters is None:
        return default_settings(found.description["channels"])
    try:
        return PenSettings.from_dict(filters)
    except (ArgumentError, TypeError) as failure:
        raise MalformedDataError(
            f"'{path}': its filters are not those of PenSettings.to_dict(): {failure}; say with filters= how "
            "films were prepared for it"
        ) from failure
