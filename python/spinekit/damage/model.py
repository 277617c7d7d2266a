"""Classes of colours, and the pictures that they divide."""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.annotations.reading import read_json
from spinekit.damage import model_files, model_page
from spinekit.damage.fitting import ColorComponent, fitted
from spinekit.damage.scans import DECODING, Image, Scan, opened_scan

#: Label of pixels that are too far from every class.
REJECTED = 255

FOREGROUND, BACKGROUND = "foreground", "background"

Boxes = Sequence[Sequence[int]] | NDArray[np.integer[Any]]


class ColorModel:
    """Classes of colours: each pixel is of the class whose colours it is most like.

    Made by `fit` from boxes on a picture, or by `load`. Does not change; safe to use from many threads.

    Parameters
    ----------
    components : a Gaussian for each box; every class has at least one
    classes : names in the order of their labels
    damage : names of the classes that are damage; may be empty
    rule, reject : see `fit`

    Raises
    ------
    ArgumentError
        If a component or an option cannot be.
    """

    def __init__(
        self,
        components: Sequence[ColorComponent],
        *,
        classes: Sequence[str],
        damage: Sequence[str] = (),
        rule: Literal["mahalanobis", "qda"] = "mahalanobis",
        reject: float | None = None,
    ) -> None:
        names = tuple(classes)
        if rule not in model_files.RULES:
            raise ArgumentError(f"rule: {rule!r}, expected 'mahalanobis' or 'qda'")
        if reject is not None and (isinstance(reject, bool | str) or not 0 < reject < float("inf")):
            raise ArgumentError(f"reject: {reject!r}, expected a squared distance above 0, or None")
        if len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
            raise ArgumentError(f"classes: {list(names)}, expected names that differ")
        for name in {one.name for one in components} | set(damage):
            if name not in names:
                raise ArgumentError(f"{name!r}: no such class, expected one of {', '.join(names)}")
        self._classes = names
        self._damage = tuple(name for name in names if name in damage)
        self._rule, self._reject = rule, None if reject is None else float(reject)
        # In the order of the labels, which is also the engine's.
        self._components = tuple(sorted(components, key=lambda one: names.index(one.name)))
        missing = [name for name in names if not any(one.name == name for one in components)]
        if missing:
            raise ArgumentError(f"{missing[0]}: no box, expected at least one (x, y, width, height)")
        self._model = model_files.engine_model(self._components, names, rule, self._reject)
        self._lock = threading.Lock()
        self._classifiers: dict[tuple[str, int, bool], _core.ColourLabels | _core.DamageMask] = {}

    @classmethod
    def fit(
        cls,
        image: Image,
        background: Boxes | None = None,
        foreground: Boxes | None = None,
        *,
        classes: Mapping[str, Boxes] | None = None,
        damage: str | Sequence[str] | None = None,
        rule: Literal["mahalanobis", "qda"] = "mahalanobis",
        reject: float | None = None,
        memory_limit: int | str = DECODING,
    ) -> "ColorModel":
        """Learn classes of colours from boxes that were marked on a picture.

        Parameters
        ----------
        image : shape (rows, columns, 3) RGB or (rows, columns) grey, uint8 or uint16; or the path of a TIFF,
            BigTIFF, PNG or JPEG of any size, which is read by rows
        background : boxes (x, y, width, height) in pixels on what is damage: what shines through holes
        foreground : boxes on the work itself
        classes : instead of both: boxes of each class by its name, at most 255 classes
        damage : names of the ``classes`` that are damage
        rule : "mahalanobis" takes the least distance; "qda" adds the log-determinant of the covariance and
            takes off twice the logarithm of the prior, a box's share of all pixels
        reject : pixels whose least squared distance to any box's colours is greater are of no class. Of
            colours that the boxes stand for, one of 1000 is beyond 18.5 (chi-squared, 4 degrees of freedom)
        memory_limit : bytes, or "64 MB", that decoding a file may hold

        Returns
        -------
        model : one Gaussian for each box

        Raises
        ------
        ArgumentError
            If the picture, a box or an option cannot be; the message names the box and the picture's size.
        UnsupportedError
            If the file cannot be read by rows, as CMYK and interlaced PNG; the message tells the remedy.
        MalformedDataError
            If the file is cut off or damaged.
        ResourceError
            If the file cannot be read.

        Warns
        -----
        UserWarning
            If a box is of one colour.

        Notes
        -----
        Features are (L, a, b, S) as OpenCV has them for 8 bits, 0 to 255, in float64; of 16 bits, its
        formulas for float scaled to the same range, not rounded. Grey is RGB of three equal samples. A box
        gives its mean, and its covariance (ddof=1) with 1e-4 added to each variance, so that boxes of one
        colour or one pixel work too; they reach hardly beyond that colour.

        Examples
        --------
        >>> paper = np.random.default_rng(0).integers(150, 200, (60, 80, 3), np.uint8)
        >>> paper[20:30, 30:50] = np.random.default_rng(1).integers(235, 255, (10, 20, 3))
        >>> model = ColorModel.fit(paper, background=[(32, 22, 10, 5)], foreground=[(0, 0, 80, 15)])
        >>> int(model.classify(paper).sum())
        200
        """
        if classes is None:
            if damage is not None:
                raise ArgumentError("damage: only with classes=; otherwise the background is the damage")
            chosen: Mapping[str, Boxes] = {
                FOREGROUND: () if foreground is None else foreground,
                BACKGROUND: () if background is None else background,
            }
            damage = (BACKGROUND,)
        else:
            if background is not None or foreground is not None:
                raise ArgumentError("classes: expected without background= and foreground=")
            if not isinstance(classes, Mapping) or not classes:
                raise ArgumentError(f"classes: {classes!r}, expected boxes of each class by its name")
            chosen = classes
            damage = (damage,) if isinstance(damage, str) else tuple(damage or ())
        components = fitted(opened_scan(image, memory_limit=memory_limit), chosen)
        return cls(components, classes=tuple(chosen), damage=damage, rule=rule, reject=reject)

    @property
    def components(self) -> tuple[ColorComponent, ...]:
        """The Gaussian of each box: ``name`` of its class, ``mean``, ``covariance``, ``weight``."""
        return self._components

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; their places are their labels."""
        return self._classes

    @property
    def damage(self) -> tuple[str, ...]:
        """Names of the classes that are damage."""
        return self._damage

    @property
    def rule(self) -> str:
        """How a class is chosen: "mahalanobis" or "qda"."""
        return self._rule

    @property
    def reject(self) -> float | None:
        """Squared distance beyond which pixels are of no class."""
        return self._reject

    def classify(
        self,
        image: Image,
        *,
        out: NDArray[Any] | None = None,
        workers: int | None = None,
        memory_limit: int | str = DECODING,
    ) -> NDArray[Any]:
        """Return where a picture is damaged, or, if no class is damage, the labels of its pixels.

        Parameters
        ----------
        image : see `fit`; may be of any size
        out : shape (rows, columns), bool (uint8 for labels), C-contiguous: where the result goes, such as a
            `numpy.lib.format.open_memmap` of a mask that is larger than memory
        workers : threads; all cores by default
        memory_limit : bytes, or "64 MB", that decoding a file may hold

        Returns
        -------
        mask : shape (rows, columns), bool; True is damage. Rejected pixels are False. Else `labels`.

        Raises
        ------
        ArgumentError
            If the picture or `out` cannot be.
        UnsupportedError, MalformedDataError, ResourceError
            As `fit`.

        Notes
        -----
        Of d2 = (x - mean)^T inverse (x - mean) and least d2 to each class, damage is where that to the
        foreground is greater than that to the background; a tie is foreground. In float64 for 8 bits, by a
        table of all colours that is made at first use; for 16 bits with the same results as float64. Takes
        no memory beside the table's 2 MiB and the mask, of files some megabytes of rows too. The same for any
        number of workers.
        """
        if not self._damage:
            return self.labels(image, out=out, workers=workers, memory_limit=memory_limit)
        means = _means(image, workers, memory_limit)
        return self._classified(means, "mask", np.dtype(bool), out)

    def labels(
        self,
        image: Image,
        *,
        out: NDArray[np.uint8] | None = None,
        workers: int | None = None,
        memory_limit: int | str = DECODING,
    ) -> NDArray[np.uint8]:
        """Return the label of each pixel: the place of its class in `classes`, 255 for rejected ones.

        Parameters
        ----------
        image, out, workers, memory_limit : see `classify`

        Returns
        -------
        labels : shape (rows, columns), uint8; of equal scores, the first class
        """
        means = _means(image, workers, memory_limit)
        return self._classified(means, "labels", np.dtype(np.uint8), out)

    def confidence(
        self, image: Image, *, workers: int | None = None, memory_limit: int | str = DECODING
    ) -> NDArray[np.float32]:
        """Return how clear the choice of each pixel's class is.

        Parameters
        ----------
        image, workers, memory_limit : see `classify`

        Returns
        -------
        confidence : shape (rows, columns), float32, 0 (a tie, or rejected) to 1: (second - least) /
            (second + least) of the least d2 to the best and the second best class; for "qda" p - (1 - p),
            where p is the better one's posterior among these two. 1 where there is one class.
        """
        means = _means(image, workers, memory_limit)
        found: NDArray[np.float32] = self._in_strips(means, np.float32, (), _core.colour_confidence)
        return found

    def distances(
        self, image: Image, *, workers: int | None = None, memory_limit: int | str = DECODING
    ) -> NDArray[np.float64]:
        """Return the least squared Mahalanobis distance of each pixel to each class.

        Parameters
        ----------
        image, workers, memory_limit : see `classify`; the result takes 8 bytes for each pixel and class

        Returns
        -------
        distances : shape (rows, columns, classes), float64; whatever the rule
        """
        means = _means(image, workers, memory_limit)
        classes = (len(self._classes),)
        found: NDArray[np.float64] = self._in_strips(means, np.float64, classes, _core.colour_distances)
        return found

    def _classified(
        self, means: "_Means", kind: str, dtype: np.dtype[Any], out: NDArray[Any] | None
    ) -> NDArray[Any]:
        scan, executor = means
        shape = scan.rows, scan.columns
        if out is None:
            out = np.empty(shape, dtype)
        elif not isinstance(out, np.ndarray) or not out.flags.writeable:
            raise ArgumentError(f"out: expected an array of {dtype} that can be written to")
        elif out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
            raise ArgumentError(f"out: {out.dtype} of shape {out.shape}, expected {dtype} of shape {shape}, "
                                "C-contiguous")  # fmt: skip
        found = out

        def work(cancel: _core.CancelToken) -> None:
            classifier = self._classifier(kind, scan, executor, cancel)
            for start, strip in scan.strips():
                classifier.picture(strip, found[start : start + len(strip)], executor, cancel)

        _engine.interruptible(work)
        return found

    def _classifier(
        self, kind: str, scan: Scan, executor: _core.Executor, cancel: _core.CancelToken
    ) -> "_core.ColourLabels | _core.DamageMask":
        key = kind, scan.bits, scan.colour
        with self._lock:
            if key not in self._classifiers:
                if kind == "labels":
                    self._classifiers[key] = _core.ColourLabels(
                        self._model, scan.bits, scan.colour, executor, cancel
                    )
                else:
                    flags = [name in self._damage for name in self._classes]
                    self._classifiers[key] = _core.DamageMask(
                        self._model, flags, scan.bits, scan.colour, executor, cancel
                    )
            return self._classifiers[key]

    def _in_strips(
        self, means: "_Means", dtype: Any, more: tuple[int, ...], make: Callable[..., NDArray[Any]]
    ) -> NDArray[Any]:
        scan, executor = means
        found = np.empty((scan.rows, scan.columns, *more), dtype)

        def work(cancel: _core.CancelToken) -> None:
            for start, strip in scan.strips(bounded=True):
                found[start : start + len(strip)] = make(strip, self._model, executor, cancel)

        _engine.interruptible(work)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON can hold it, exactly."""
        return model_files.written(self._rule, self._reject, self._classes, self._damage, self._components)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "ColorModel":
        """Return the model that `to_dict` gave.

        Raises
        ------
        MalformedDataError
            If it is none; the message names the key.
        """
        arguments = model_files.read(found)
        try:
            return cls(arguments.pop("components"), **arguments)
        except ArgumentError as failure:
            raise MalformedDataError(f"classes: {failure}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as JSON; the file appears whole or not at all.

        Raises
        ------
        ResourceError
            If it cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
        _engine.write_file(_engine.path_of(path), text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "ColorModel":
        """Read a model that `save` wrote.

        Raises
        ------
        MalformedDataError
            If it is none; the message names the file and the key.
        ResourceError
            If it cannot be read.
        """
        place = _engine.path_of(path)
        found = read_json(place)
        try:
            return cls.from_dict(found)
        except MalformedDataError as failure:
            raise MalformedDataError(f"'{place.name}': {failure}") from None

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, ColorModel) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return ColorModel.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        boxes = [sum(one.name == name for one in self._components) for name in self._classes]
        classes = ", ".join(
            f"{name} {count} box{'' if count == 1 else 'es'}"
            for name, count in zip(self._classes, boxes, strict=True)
        )
        reject = "" if self._reject is None else f", reject={self._reject:g}"
        return f"<ColorModel: {classes}; {self._rule}{reject}>"

    def _repr_html_(self) -> str:
        return model_page.table(self)


_Means = tuple[Scan, _core.Executor]


def _means(image: Image, workers: int | None, memory_limit: int | str) -> _Means:
    executor = _engine.executor(_engine.worker_count(workers))
    return opened_scan(image, executor, memory_limit), executor


def damage_mask(
    model: ColorModel, scan: Scan, executor: _core.Executor, cancel: _core.CancelToken
) -> _core.DamageMask:
    """Return what tells the damage among the pixels of a scan."""
    classifier = model._classifier("mask", scan, executor, cancel)
    assert isinstance(classifier, _core.DamageMask)
    return classifier
