"""Films out of DICOM files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError
from spinekit.pixels import read_bytes_with_depth
from spinekit.radiographs.greys import luma, note_colour
from spinekit.radiographs.header import Header
from spinekit.radiographs.presentation import (
    Scale,
    choices,
    chosen,
    counted,
    looked_up,
    modality_scale,
    shown,
)
from spinekit.radiographs.spacings import header_aspect, header_spacing
from spinekit.radiographs.wishes import AS_ASKED, Found, Wishes

#: Of a film as such; none of them says who is on it.
_CODES = {
    "modality": "Modality",
    "intent": "PresentationIntentType",
    "view": "ViewPosition",
    "laterality": "ImageLaterality",
    "body_part": "BodyPartExamined",
    "detector": "DetectorType",
}
_SECTIONS = ("CT", "MR", "PT", "NM", "US")


def read_dicom_film(path: Path, wishes: Wishes) -> Found:
    """Read one frame of a DICOM file; for what happens to it see `read_radiograph`."""
    data = _engine.read_file(path)
    header = Header(data, str(path))
    rows, columns, frames = _extent(header, path, wishes.max_pixels)
    frame = wishes.frame_of(frames, str(path))
    header.choose(frame)
    notes: dict[str, Any] = {"format": f"DICOM, {getattr(header.syntax, 'name', 'unknown transfer syntax')}"}
    notes |= {name: code for name, keyword in _CODES.items() if (code := header.code(keyword))}
    voltage = header.number("KVP")
    if voltage is not None and voltage > 0:
        notes["kvp"] = voltage
    notes |= {"applied": [], "remarks": []}
    _remark(header, notes)
    stored, bits, warnings = read_bytes_with_depth(data, str(path), wishes.workers)
    del data
    notes["remarks"] += [str(warning) for warning in warnings]
    if frames > 1:
        # A copy, for the others need not stay in memory with it.
        stored, notes["frame"] = stored[frame].copy(), frame
    stored = np.reshape(
        stored, (rows, columns, -1) if header.number("SamplesPerPixel") == 3 else (rows, columns)
    )
    pixels, inverted = _grey(stored, bits, header, wishes, notes)
    spacing, spacing_from = header_spacing(header, notes)
    kept = header.kept(wishes.keep)
    if kept:
        notes["kept"] = kept
    aspect = spacing[0] / spacing[1] if spacing else header_aspect(header)
    return Found(pixels, notes, spacing, spacing_from, aspect, inverted)


def _extent(header: Header, path: Path, most: int) -> tuple[int, int, int]:
    """Return rows, columns and frames, if this is an image that may be decoded."""
    rows, columns = (int(header.number(keyword) or 0) for keyword in ("Rows", "Columns"))
    frames = max(1, int(header.number("NumberOfFrames") or 1))
    if not rows or not columns:
        kind = getattr(header.get("SOPClassUID"), "name", "")
        if "Storage" in kind and "Image" not in kind:
            raise ArgumentError(f"'{path}' holds no image but is of {kind}; expected a film")
        raise MalformedDataError(f"'{path}' is DICOM without Rows and Columns: no film")
    if rows * columns * frames > most:
        raise ResourceError(
            f"'{path}': {frames} x {rows} x {columns} pixels, expected at most {most}; "
            "max_pixels= allows more"
        )
    return rows, columns, frames


def _remark(header: Header, notes: dict[str, Any]) -> None:
    remarks = notes["remarks"]
    if header.code("BurnedInAnnotation") == "YES":
        remarks.append("text is burnt into it (BurnedInAnnotation): it may name the patient")
    if header.code("LossyImageCompression") == "01":
        remarks.append("it was compressed with loss")
    if notes.get("modality") in _SECTIONS and "LOCALIZER" not in header.codes("ImageType"):
        remarks.append(f"it is of modality {notes['modality']}: a section rather than a projection")
    if notes.get("intent") == "FOR PROCESSING":
        remarks.append("it is meant for processing: a viewer would show the film made from it")


def _grey(
    stored: NDArray[Any], bits: int, header: Header, wishes: Wishes, notes: dict[str, Any]
) -> tuple[NDArray[Any], bool]:
    """Return a frame's grey levels, bone bright, and whether they were inverted where that was asked for."""
    photometric = header.code("PhotometricInterpretation") or "MONOCHROME2"
    if stored.ndim == 3 or photometric == "PALETTE COLOR":
        return _from_colours(stored, photometric, bits, header, notes), False
    every = np.arange(1 << (8 * stored.itemsize), dtype=f"u{stored.itemsize}").view(stored.dtype)
    low, high = (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if stored.dtype.kind == "i" else (0, (1 << bits) - 1)
    )
    if int(stored.min()) < low or int(stored.max()) > high:
        notes["remarks"].append(f"it has values beyond its {bits} bits (BitsStored)")
        bits = 8 * stored.itemsize
    scale = modality_scale(every, bits, header, notes)
    scale = _through_voi(scale, bits, header, wishes, notes)
    if photometric == "MONOCHROME1":
        notes["applied"].append("inverted: MONOCHROME1")
    if wishes.invert:
        notes["applied"].append(AS_ASKED)
    if (photometric == "MONOCHROME1") != wishes.invert:
        scale.invert()
        if "window" in notes:
            dark, bright = notes["window"]
            notes["window"] = (scale.low + scale.high - bright, scale.low + scale.high - dark)
    notes["range"] = (scale.low, scale.high)
    _compare_senses(photometric, header, notes)
    _darken_padding(scale, every, stored, header, notes)
    levels = scale.levels()
    same = levels.dtype == stored.dtype and np.array_equal(levels, every)
    return stored if same else looked_up(levels, stored), True


def _darken_padding(
    scale: Scale, every: NDArray[Any], stored: NDArray[Any], header: Header, notes: dict[str, Any]
) -> None:
    padding = _padding(every, header)
    if not padding.any():
        return
    count = counted(stored)
    share = count[padding].sum() / stored.size
    if 0 < share < 1:
        scale.values[padding] = scale.values[~padding & (count > 0)].min()
        notes["applied"].append(f"padding, {100 * share:.3g} % of the pixels, made as dark as the darkest")


def _through_voi(scale: Scale, bits: int, header: Header, wishes: Wishes, notes: dict[str, Any]) -> Scale:
    offered = choices(header, notes)
    if offered:
        notes["voi"] = [str(choice) for choice in offered]
    choice = chosen(offered, wishes.voi, header.name)
    if choice is None:
        return scale
    if wishes.voi == "auto" and choice.only_clips:
        notes["window"] = choice.limits
        return scale
    notes["applied"].append(str(choice))
    return shown(scale, choice, bits, header.name)


def _compare_senses(photometric: str, header: Header, notes: dict[str, Any]) -> None:
    """Remark where other attributes contradict the photometric interpretation.

    PS3.3 C.8.11.3 has Presentation LUT Shape say INVERSE with MONOCHROME1 and IDENTITY with MONOCHROME2:
    the same once more, not another inversion. Files that contradict themselves had a wrong shape.
    """
    shape = header.code("PresentationLUTShape")
    expected = "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY"
    if shape and shape != expected:
        notes["remarks"].append(
            f"it is {photometric} with PresentationLUTShape {shape}: the former counts; "
            "invert=True turns it round"
        )
    sign = header.number("PixelIntensityRelationshipSign")
    if sign in (-1, 1) and (sign == 1) != (photometric == "MONOCHROME1"):
        notes["remarks"].append(
            f"by PixelIntensityRelationshipSign {sign:g}, bone is dark in it; invert=True turns it round"
        )


def _padding(every: NDArray[Any], header: Header) -> NDArray[np.bool_]:
    """Return which stored values are padding; PS3.3 C.7.5.1.1.2."""
    value = header.number("PixelPaddingValue")
    if value is None:
        return np.zeros(every.size, np.bool_)
    limit = header.number("PixelPaddingRangeLimit")
    ends = {int(value), int(value if limit is None else limit)}
    # The VR does not always say whether the number is signed: that of the pixels does.
    size = 8 * every.itemsize
    ends = {end - (1 << size) if every.dtype.kind == "i" and end >= 1 << (size - 1) else end for end in ends}
    ends = {end + (1 << size) if every.dtype.kind == "u" and end < 0 else end for end in ends}
    numbers = every.astype(np.int64)
    return (numbers >= min(ends)) & (numbers <= max(ends))


def _from_colours(
    stored: NDArray[Any], photometric: str, bits: int, header: Header, notes: dict[str, Any]
) -> NDArray[Any]:
    notes["range"] = (0.0, 2.0**bits - 1)
    if photometric == "PALETTE COLOR":
        return _from_palette(stored, header, notes)
    if photometric.startswith(("YBR_FULL", "YBR_PARTIAL")):
        # Y is that luma.
        grey = np.ascontiguousarray(stored[..., 0])
        coloured = float((stored[..., 1:] != 1 << (bits - 1)).any(axis=2).mean())
    else:
        grey, coloured = luma(stored)
    note_colour(coloured, notes)
    return grey


def _from_palette(stored: NDArray[Any], header: Header, notes: dict[str, Any]) -> NDArray[Any]:
    from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415 - slow to import

    every = np.arange(1 << (8 * stored.itemsize), dtype=f"u{stored.itemsize}")
    try:
        colours = apply_color_lut(every, header.dataset)
    except Exception as failure:  # what pydicom raises depends on the palette
        raise MalformedDataError(f"'{header.name}': its palette cannot be read: {failure}") from failure
    notes["range"] = (0.0, float(np.iinfo(colours.dtype).max))
    grey, _ = luma(colours[None])
    differs = (colours != colours[:, :1]).any(axis=1)
    note_colour(counted(stored)[differs].sum() / stored.size, notes)
    notes["applied"].append("palette")
    return looked_up(grey[0], stored)
