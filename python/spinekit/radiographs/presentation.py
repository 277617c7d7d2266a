"""DICOM's grey scale, from stored values to what is shown, on a table instead of a film.

A film of 16 bits has at most 65536 different values: each step of the pipeline is taken once for each
of them, in float64, and the film is looked up at the end.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError, MalformedDataError
from spinekit.radiographs.header import Header, code_of

Table = NDArray[np.float64]
#: Pixels that are looked up at a time: an index takes eight bytes.
_STRIP = 1 << 22


@dataclass
class Scale:
    """Grey levels of every stored value, ordered as the stored values seen as unsigned numbers.

    Attributes
    ----------
    values : shape (256,) or (65536,)
    low, high : the range that they can have
    """

    values: Table
    low: float
    high: float

    def invert(self) -> None:
        """Make bright what was dark, within the range."""
        self.values = self.low + self.high - self.values

    def levels(self) -> NDArray[Any]:
        """Return the values in the smallest dtype of a radiograph that holds them all."""
        if self.low >= 0 and self.high <= 65535 and bool((self.values == np.rint(self.values)).all()):
            return self.values.astype(np.uint8 if self.high <= 255 else np.uint16)
        return self.values.astype(np.float32)


@dataclass(frozen=True)
class Choice:
    """One of the ways that a file offers to show itself: a VOI LUT or a window.

    Attributes
    ----------
    name : its explanation in the file, may be empty; free text, that is told only if it is like a code
    lut : item of a VOI LUT Sequence, or None
    centre, width, function : of a window
    """

    name: str
    lut: Any = None
    centre: float = 0.0
    width: float = 0.0
    function: str = "LINEAR"

    @property
    def only_clips(self) -> bool:
        """Whether it leaves proportions between its limits as they are."""
        return self.lut is None and self.function != "SIGMOID"

    @property
    def limits(self) -> tuple[float, float]:
        """Values that are shown black and white, of a linear window; PS3.3 C.11.2.1.2."""
        centre, width = self.centre, self.width
        if self.function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        return centre - width / 2, centre + width / 2

    def __str__(self) -> str:
        words = (
            "VOI LUT" if self.lut is not None else f"window {self.centre:g} / {self.width:g} {self.function}"
        )
        name = code_of(self.name)
        return f"{words} '{name}'" if name else words


def modality_scale(stored: NDArray[Any], bits: int, header: Header, notes: dict[str, Any]) -> Scale:
    """Return the output of the Modality LUT, or of the rescale; PS3.3 C.11.1.

    Parameters
    ----------
    stored : every stored value
    bits : that are used of each
    header : of the film
    notes : "applied" and "remarks" are appended to
    """
    values = stored.astype(np.float64)
    low, high = (
        (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if stored.dtype.kind == "i" else (0.0, 2.0**bits - 1)
    )
    for item in header.items("ModalityLUTSequence")[:1]:
        notes["applied"].append("modality LUT")
        return _looked_up(item, values, header.name, signed=stored.dtype.kind == "i")
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    if slope is None or intercept is None or (slope, intercept) == (1, 0):
        return Scale(np.clip(values, low, high), low, high)
    if not (math.isfinite(slope) and math.isfinite(intercept) and slope):
        notes["remarks"].append(
            f"rescale slope {slope:g} and intercept {intercept:g} make no sense: not applied"
        )
        return Scale(np.clip(values, low, high), low, high)
    notes["applied"].append(f"rescale: slope {slope:g}, intercept {intercept:g}")
    low, high = sorted((low * slope + intercept, high * slope + intercept))
    return Scale(np.clip(values * slope + intercept, low, high), low, high)


def choices(header: Header, notes: dict[str, Any]) -> list[Choice]:
    """Return the VOI LUTs and then the windows of a film; PS3.3 C.11.2."""
    found = [Choice(_words(item.get("LUTExplanation")), item) for item in header.items("VOILUTSequence")]
    function = header.code("VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        notes["remarks"].append("its VOI LUT Function is unknown: taken for LINEAR")
        function = "LINEAR"
    names = header.get("WindowCenterWidthExplanation") or ()
    names = [names] if isinstance(names, str) else list(names)
    pairs = zip(header.numbers("WindowCenter"), header.numbers("WindowWidth"), strict=False)
    for k, (centre, width) in enumerate(pairs):
        fits = width >= 1 if function == "LINEAR" else width > 0
        if not (fits and math.isfinite(centre) and math.isfinite(width)):
            notes["remarks"].append(f"window {centre:g} / {width:g} shows nothing: left out")
            continue
        found.append(Choice(_words(names[k]) if k < len(names) else "", None, centre, width, function))
    return found


def chosen(offered: list[Choice], voi: str | int, name: str) -> Choice | None:
    """Return what a user means by `voi`, None for nothing; see `read_radiograph`."""
    if voi == "none" or (voi == "auto" and not offered):
        return None
    if voi == "auto":
        return offered[0]
    listed = ", ".join(f"{k}: {choice}" for k, choice in enumerate(offered)) or "none"
    if isinstance(voi, str):
        for choice in offered:
            if choice.name.casefold() == voi.strip().casefold():
                return choice
    elif 0 <= voi < len(offered):
        return offered[voi]
    raise ArgumentError(f"voi: {voi!r}, expected 'auto', 'none', or one that '{name}' has ({listed})")


def shown(scale: Scale, choice: Choice, bits: int, name: str) -> Scale:
    """Return what a VOI LUT or a window makes of values; a window's range is that of the stored bits."""
    if choice.lut is not None:
        return _looked_up(choice.lut, scale.values, name, signed=scale.low < 0)
    from pydicom.dataset import Dataset  # noqa: PLC0415 - slow to import
    from pydicom.pixels.processing import apply_windowing  # noqa: PLC0415

    # Of the film's own header, pydicom would take a rescale for the range of the output: upside down
    # where its slope is negative.
    window = Dataset()
    window.PhotometricInterpretation, window.BitsStored, window.PixelRepresentation = "MONOCHROME2", bits, 0
    window.WindowCenter, window.WindowWidth = f"{choice.centre:.9g}", f"{choice.width:.9g}"
    window.VOILUTFunction = choice.function
    with np.errstate(over="ignore"):  # far below a sigmoid's window: the limit, 0, is right
        return Scale(np.asarray(apply_windowing(scale.values, window)), 0.0, 2.0**bits - 1)


def looked_up(table: NDArray[Any], stored: NDArray[Any]) -> NDArray[Any]:
    """Return a film's values out of a table of every stored value."""
    index = stored.view(f"u{stored.dtype.itemsize}")
    made = np.empty(stored.shape, table.dtype)
    step = max(1, _STRIP // stored.shape[1])
    for row in range(0, stored.shape[0], step):
        # Every index is in the table; "clip" only spares NumPy a second copy of the strip.
        np.take(table, index[row : row + step], out=made[row : row + step], mode="clip")
    return made


def counted(stored: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each stored value occurs, ordered as in a `Scale`."""
    index = np.ascontiguousarray(stored).view(f"u{stored.dtype.itemsize}").reshape(-1)
    count = np.zeros(1 << (8 * stored.dtype.itemsize), np.int64)
    for start in range(0, index.size, _STRIP):
        count += np.bincount(index[start : start + _STRIP], minlength=count.size)
    return count


def _words(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _looked_up(item: Any, values: Table, name: str, *, signed: bool) -> Scale:
    """Apply a Modality or VOI LUT; PS3.3 C.11.1.1 and C.11.2.1.1.

    pydicom's `apply_voi` wraps indices at 256 where entries have 8 bits, and its functions wrap negative
    first values in unsigned arrays; hence this one.
    """
    try:
        entries, first, bits = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
        if isinstance(data, bytes):
            little = item.original_encoding[1] if hasattr(item, "original_encoding") else True
            table = np.frombuffer(data, "<u2" if little is not False else ">u2").astype(np.int64)
        else:
            table = np.asarray(data, np.int64).reshape(-1) & 0xFFFF
    except Exception as failure:  # what pydicom raises depends on the value
        raise MalformedDataError(f"'{name}': a LUT cannot be read: {failure}") from failure
    entries = (entries & 0xFFFF) or 1 << 16
    # Values below 0 were written, where the VR of the descriptor did not say so.
    if signed and first > 0x7FFF:
        first -= 1 << 16
    elif not signed and first < 0:
        first += 1 << 16
    if bits <= 8 and table.size == (entries + 1) // 2 and entries > 1:
        table = table.astype("<u2").view(np.uint8).astype(np.int64)  # two entries of 8 bits in a word
    if table.size < entries or not 1 <= bits <= 16:
        raise MalformedDataError(
            f"'{name}': a LUT has {table.size} entries of {bits} bits, expected {entries} of 8 to 16"
        )
    table = table[:entries]
    place = np.clip(np.rint(values) - first, 0, entries - 1).astype(np.int64)
    return Scale(table[place].astype(np.float64), 0.0, float(max(2**bits - 1, int(table.max()))))
