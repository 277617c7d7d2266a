"""Boxes that are drawn on the preview of a scan, for models of its colours."""

import operator
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spinekit import _core
from spinekit._core import ArgumentError
from spinekit.damage.fitting import boxes_of
from spinekit.damage.model import BACKGROUND, FOREGROUND, REJECTED, Boxes, ColorModel
from spinekit.damage.scans import DECODING, Box, Image, Scan, checked_box, opened_scan, preview_step

#: Each has a key.
_MOST_CLASSES = 9
#: Beyond what anyone draws: a model tries the Gaussian of every box on every colour.
_MOST_BOXES = 1000
#: Side of a preview: to see something, and to send it at once.
_LEAST_SIDE, _MOST_SIDE = 100, 4096


# M. Okabe, K. Ito, Color universal design, 2008: told apart with any kind of colour vision. White for the
# ninth; the front-end draws every line with dark edges.
_PALETTE = (
    "#56b4e9", "#d55e00", "#f0e442", "#009e73", "#cc79a7", "#0072b2", "#e69f00", "#000000", "#ffffff",
)  # fmt: skip


def pick_boxes(
    scan: Image,
    *,
    classes: Sequence[str] = (FOREGROUND, BACKGROUND),
    damage: str | Sequence[str] | None = None,
    boxes: Mapping[str, Boxes] | None = None,
    side: int = 1200,
    memory_limit: int | str = DECODING,
) -> "BoxPicker":
    """Return a preview of a scan for Jupyter, on which boxes are drawn with the mouse.

    Parameters
    ----------
    scan : shape (rows, columns, 3) RGB or (rows, columns) grey, uint8 or uint16; or the path of a TIFF,
        BigTIFF, PNG or JPEG of any size
    classes : names, at most 9; by default what `ColorModel.fit` takes: "foreground", the work itself, and
        "background", its damage
    damage : names of the classes that are damage; None takes "background" if it is among them
    boxes : to start with: boxes (x, y, width, height) of classes by their names, in pixels of the scan
    side : of the preview at most, 100 to 4096 pixels
    memory_limit : bytes, or "64 MB", that decoding a file may hold

    Returns
    -------
    picker : shown by Jupyter as the last value of a cell, or by ``display(picker)``. Anywhere else it holds
        boxes that are set from code.

    Raises
    ------
    ArgumentError
        If the scan, a name, a box or the side cannot be.
    UnsupportedError
        If the file is a picture of another kind, or anywidget is not installed.

    Notes
    -----
    The scan is read once, in bounded memory. A pixel of the preview is the mean of n x n of the scan's, n
    the least with which it fits `side`; boxes that are drawn grow to whole pixels of the scan, not beyond
    it, and none is drawn that is narrower than a pixel of the preview. Shown wherever anywidget is:
    JupyterLab, Jupyter Notebook 7, VS Code, Colab.

    Examples
    --------
    >>> picker = sk.pick_boxes("scan.tif")  # doctest: +SKIP
    >>> picker  # drag boxes  # doctest: +SKIP
    >>> model = picker.fit()  # doctest: +SKIP
    """
    try:
        import anywidget  # noqa: F401, PLC0415 - an extra, slow to import
    except ImportError as failure:
        raise _core.UnsupportedError(
            "pick_boxes needs anywidget: pip install 'spinekit[jupyter]'"
        ) from failure
    names, given = _checked_classes(classes), {} if boxes is None else boxes
    return BoxPicker(
        scan, names, _checked_damage(damage, names), given, _checked_side(side), memory_limit=memory_limit
    )


class BoxPicker:
    """Boxes on a scan, drawn in Jupyter or set from code; made by `pick_boxes`.

    Boxes are (x, y, width, height) in pixels of the scan itself, not of its preview.

    Attributes
    ----------
    widget : anywidget.AnyWidget, for layouts of one's own
    classes : names of the classes
    damage : names of those that are damage
    preview : shape (rows // n, columns // n, 3), uint8, RGB; what is shown
    model : ColorModel that `fit`, or the button, made last; None before
    """

    def __init__(
        self,
        image: Image,
        classes: tuple[str, ...],
        damage: tuple[str, ...],
        boxes: Mapping[str, Boxes],
        side: int,
        *,
        memory_limit: int | str,
    ) -> None:
        from spinekit.damage import picker_widget  # noqa: PLC0415 - imports Pillow

        self.classes, self.damage = classes, damage
        self.model: ColorModel | None = None
        self._image = image
        self._memory_limit = memory_limit
        self._scan = opened_scan(image, memory_limit=memory_limit)
        self._options: dict[str, Any] = {}
        rows, columns = self._scan.rows, self._scan.columns
        step = preview_step(rows, columns, side)
        if max(rows, columns) > step * side:
            raise ArgumentError(
                f"side: {side}, but of {columns} x {rows} pixels (width x height) a preview of that size has "
                f"nothing to show, expected at least {-(-max(rows, columns) // min(rows, columns))}"
            )
        checked = self._checked(boxes)
        self.preview: NDArray[np.uint8] = self._scan.preview(side)
        self.preview.setflags(write=False)
        self._boxes = checked
        self._pictures = picker_widget
        self.widget: Any = picker_widget.made(
            title=self._scan.name or "",
            classes=list(classes),
            colours=list(_PALETTE[: len(classes)]),
            size=[columns, rows],
            step=step,
            preview=picker_widget.picture(self.preview),
            boxes=_sent(checked),
        )
        self.widget.observe(self._received, "boxes")
        self.widget.on_msg(self._told)

    @property
    def boxes(self) -> Mapping[str, tuple[Box, ...]]:
        """Boxes of each class by its name, read-only; set to replace all, those of classes not named too."""
        found: dict[str, list[Box]] = {name: [] for name in self.classes}
        for label, box in self._boxes:
            found[self.classes[label]].append(box)
        return types.MappingProxyType({name: tuple(of_class) for name, of_class in found.items()})

    @boxes.setter
    def boxes(self, boxes: Mapping[str, Boxes]) -> None:
        self._set(self._checked(boxes))

    @property
    def background(self) -> tuple[Box, ...]:
        """Boxes on damage, for `ColorModel.fit`; can be set."""
        return self.boxes[self._class(BACKGROUND)]

    @background.setter
    def background(self, boxes: Boxes) -> None:
        self.boxes = {**self.boxes, self._class(BACKGROUND): boxes}

    @property
    def foreground(self) -> tuple[Box, ...]:
        """Boxes on the work itself, for `ColorModel.fit`; can be set."""
        return self.boxes[self._class(FOREGROUND)]

    @foreground.setter
    def foreground(self, boxes: Boxes) -> None:
        self.boxes = {**self.boxes, self._class(FOREGROUND): boxes}

    def fit(
        self,
        *,
        rule: Literal["mahalanobis", "qda"] = "mahalanobis",
        reject: float | None = None,
    ) -> ColorModel:
        """Learn the colours in the boxes, from the scan itself.

        Parameters
        ----------
        rule, reject : as of `ColorModel.fit`; "Classify preview" takes those of the last call

        Returns
        -------
        model : of these classes

        Raises
        ------
        ArgumentError
            If a class has no box, or an option cannot be.
        """
        self._options = {"rule": rule, "reject": reject}
        self.model = ColorModel.fit(
            self._image,
            classes=self.boxes,
            damage=self.damage,
            rule=rule,
            reject=reject,
            memory_limit=self._memory_limit,
        )
        return self.model

    def show_mask(self, model: ColorModel | None = None) -> None:
        """Tint what a model calls damage on the preview; the classes, if none of the model's is damage.

        Parameters
        ----------
        model : any; None takes that which `fit` made last

        Raises
        ------
        ArgumentError
            If there is no model.

        Notes
        -----
        Classifies the preview, whose pixels are means: cracks narrower than its pixels are in the scan's own
        mask only.
        """
        model = self.model if model is None else model
        if model is None:
            raise ArgumentError("model: none was fitted yet; call fit first, or give one")
        if not isinstance(model, ColorModel):
            raise ArgumentError(f"model: {type(model).__name__}, expected a ColorModel")
        if model.damage:
            places = model.classify(self.preview).astype(np.uint8)
            names: Sequence[str] = ("damage",)
            colours = [self._colour(model.damage[0])]
        else:
            labels = model.labels(self.preview)
            places = np.where(labels == REJECTED, 0, labels + 1).astype(np.uint8)
            names = model.classes
            colours = [self._colour(name, k) for k, name in enumerate(names)]
        shares = np.bincount(places.ravel(), minlength=len(names) + 1)[1:] / places.size
        legend = ", ".join(f"{name} {100 * share:.1f} %" for name, share in zip(names, shares, strict=True))
        with self.widget.hold_sync():
            self.widget.mask = self._pictures.tints(places, colours)
            self.widget.legend = f"{legend} of the preview"

    def hide_mask(self) -> None:
        """Take off what `show_mask` tinted."""
        with self.widget.hold_sync():
            self.widget.mask, self.widget.legend = b"", ""

    def _colour(self, name: str, label: int = 1) -> str:
        return _PALETTE[(self.classes.index(name) if name in self.classes else label) % len(_PALETTE)]

    def _class(self, name: str) -> str:
        if name not in self.classes:
            raise ArgumentError(
                f"{name}: no such class, the classes are {', '.join(self.classes)}; see boxes for theirs"
            )
        return name

    # ---- boxes, from code and from the front-end

    def _checked(self, boxes: Any) -> list[tuple[int, Box]]:
        if not isinstance(boxes, Mapping):
            raise ArgumentError(f"boxes: {type(boxes).__name__}, expected boxes of each class by its name")
        for name in boxes:
            self._class(name)
        checked = [
            (label, box)
            for label, name in enumerate(self.classes)
            for box in _boxes_of(boxes.get(name, ()), self._scan, name)
        ]
        if len(checked) > _MOST_BOXES:
            raise ArgumentError(f"boxes: {len(checked)}, expected at most {_MOST_BOXES}")
        return checked

    def _set(self, checked: list[tuple[int, Box]]) -> None:
        self._boxes = checked
        self.widget.message = ""
        self.widget.boxes = _sent(checked)

    def _received(self, change: Any) -> None:
        """Take what the front-end sent, without what cannot be: it is told of that, and never trusted."""
        sent = change["new"]
        kept, refused = self._sound(sent)
        self._boxes = kept
        self.widget.message = refused
        if sent != _sent(kept):
            self.widget.boxes = _sent(kept)
            self.widget.message = refused

    def _sound(self, sent: Any) -> tuple[list[tuple[int, Box]], str]:
        if not isinstance(sent, list):
            return self._boxes, "These boxes cannot be read: the last ones are kept."
        kept: list[tuple[int, Box]] = []
        failures = []
        for entry in sent[:_MOST_BOXES]:
            try:
                label = operator.index(entry[0])
                self.classes[label if label >= 0 else _MOST_CLASSES]
                kept.append((label, checked_box(entry[1:], self._scan, "box")))
            # Also what Python says of whole numbers of thousands of digits.
            except (ValueError, TypeError, LookupError) as failure:
                failures.append(str(failure) if isinstance(failure, ArgumentError) else "box of no class")
        if len(sent) > _MOST_BOXES:
            failures.append(f"more than {_MOST_BOXES} boxes")
        count = len(sent) - len(kept)
        return kept, f"{count} left out: {failures[0][:200]}" if failures else ""

    def _told(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "classify":
            return
        told = ""
        if "boxes" in content:
            self._boxes, told = self._sound(content["boxes"])
        self.widget.busy, self.widget.message = True, ""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                self.show_mask(self.fit(**self._options))
            told = " ".join([told, *(str(warning.message) for warning in caught)]).strip()
        except _core.SpinekitError as failure:
            told = str(failure)
        finally:
            self.widget.message, self.widget.busy = told, False

    # ---- in notebooks and out of them

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = self.widget._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = repr(self)
        return bundle

    def __repr__(self) -> str:
        name = f"'{self._scan.name}', " if self._scan.name else ""
        counts = ", ".join(
            f"{name} {len(found)} box{'' if len(found) == 1 else 'es'}" for name, found in self.boxes.items()
        )
        size = f"{self._scan.columns} x {self._scan.rows} pixels"
        remedy = f"or set boxes = {{'{self.classes[-1]}': [(x, y, width, height), ...], ...}}"
        return f"<BoxPicker: {name}{size}; {counts}; show it in Jupyter to draw boxes, {remedy}>"


def _sent(boxes: list[tuple[int, Box]]) -> list[list[int]]:
    return [[label, *box] for label, box in boxes]


def _boxes_of(boxes: Any, scan: Scan, name: str) -> list[Box]:
    count = len(boxes) if isinstance(boxes, Sequence | np.ndarray) and not isinstance(boxes, str) else None
    if count == 0:
        return []
    if count is not None and count > _MOST_BOXES:
        raise ArgumentError(f"{name}: {count} boxes, expected at most {_MOST_BOXES}")
    return boxes_of(boxes, scan, name)


def _checked_classes(classes: Any) -> tuple[str, ...]:
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ArgumentError(f"classes: {classes!r}, expected a list of names")
    names = tuple(classes)
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ArgumentError(f"classes: {list(names)}, expected names that differ")
    if not 1 <= len(names) <= _MOST_CLASSES:
        raise ArgumentError(f"classes: {len(names)}, expected 1 to {_MOST_CLASSES}: each has a key")
    return names


def _checked_damage(damage: Any, classes: tuple[str, ...]) -> tuple[str, ...]:
    if damage is None:
        return (BACKGROUND,) if BACKGROUND in classes else ()
    if not isinstance(damage, Sequence):
        raise ArgumentError(f"damage: {damage!r}, expected names among {', '.join(classes)}")
    names = (damage,) if isinstance(damage, str) else tuple(damage)
    for name in names:
        if name not in classes:
            raise ArgumentError(f"damage: {name!r}, expected names among {', '.join(classes)}")
    return names


def _checked_side(side: Any) -> int:
    try:
        found = operator.index(side)
    except TypeError:
        found = 0
    if not _LEAST_SIDE <= found <= _MOST_SIDE:
        raise ArgumentError(f"side: {side!r}, expected {_LEAST_SIDE} to {_MOST_SIDE} pixels")
    return found
