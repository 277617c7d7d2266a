"""Reading radiographs, from whatever they are kept in."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError
from spinekit.radiograph import Radiograph, checked_spacing
from spinekit.radiographs.dicom_films import read_dicom_film
from spinekit.radiographs.greys import grey_film, inverted_levels, level_range, luma, note_colour
from spinekit.radiographs.picture_files import picture_format
from spinekit.radiographs.picture_films import read_picture_film
from spinekit.radiographs.spacings import KnownLength, Spacing, spacing_from_length
from spinekit.radiographs.wishes import AS_ASKED, MAX_PIXELS, Found, Wishes

_HEAD = 512
#: First bytes of what people take for films, and what to do with it.
_OTHERS = (
    (b"PK\3\4", "a ZIP archive: unpack it, or see sk.open_volume"),
    (b"\x1f\x8b", "packed with gzip: unpack it, or see sk.open_volume"),
    (b"%PDF", "a PDF: export the film as DICOM or PNG"),
    (b"\x93NUMPY", "an array of NumPy: hand over np.load(...)"),
    (b"RIFF", "a WebP or a video: convert it to PNG"),
)


def read_radiograph(
    source: str | os.PathLike[str] | NDArray[Any] | Radiograph,
    *,
    spacing: Sequence[float] | None = None,
    known_length: KnownLength | None = None,
    frame: int | None = None,
    voi: str | int = "auto",
    invert: bool = False,
    keep: Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
) -> Radiograph:
    """Read a film: DICOM or a picture, dense bone bright, with the spacing that is known.

    Parameters
    ----------
    source : a file, told by its content and not by its name: DICOM (CR, DX, MG, RF, XA, secondary capture,
        a CT's scout) in every transfer syntax of `read_pixels`; PNG, TIFF, JPEG, JPEG 2000, BMP, PGM, GIF.
        Or an array of shape (rows, columns) or (rows, columns, 3), not copied where its dtype is a film's;
        or a `Radiograph`, which is returned as it is but for what is asked here.
    spacing : (row, column), mm, instead of what the file says
    known_length : ((x, y), (x, y), mm): two points in pixels of the film and how far they are from each
        other, as on a ruler in the plane of interest. Gives the spacing; pixels are taken for square unless
        the file says otherwise.
    frame : of a file with several frames or pages, from 0
    voi : what of the file's grey-scale transformations (VOI) is applied. "auto": its first one if that is a
        VOI LUT or a sigmoid, which shape the contrast; a linear window, which only cuts off what is outside
        it, is noted and not applied. "none": none. A number or a name: that one, as ``notes["voi"]`` lists
        them, LUTs before windows.
    invert : whether bright and dark are exchanged in the end, for a film whose file is wrong about them
    keep : DICOM keywords, such as "PatientID", whose values go to ``notes["kept"]``; patient data stay out
        of the result otherwise
    max_pixels : of all frames together; a header that announces more is refused
    workers : threads for the frames of a DICOM file; None uses every core

    Returns
    -------
    film : its `pixels` are uint8 or uint16 as long as every step is exact in whole numbers, else float32

        - rescale, VOI, MONOCHROME1 and TIFF's MinIsWhite, EXIF orientation and palettes are applied; colours
          become Rec. 601 luma; what is transparent is on black. ``notes["applied"]`` has the steps,
          ``notes["range"]`` the values that pixels can have.
        - Padding gets the value of the darkest pixel that is none.
        - `spacing` is the first that is positive of PixelSpacing, ImagerPixelSpacing, and
          NominalScannedPixelSpacing; `spacing_from` is its name, "given", or "known length".
          ``notes["plane"]`` is where lengths are true: "patient" (calibrated), "detector", "film" (a
          digitised sheet), or "unknown", as without a spacing and with a given one. No
          magnification factor is applied: ``notes["magnification"]`` has it. Dots per inch of pictures are
          those of scanners and screens, and no spacing.
        - ``notes["window"]`` has the values that the file would show as black and white, where its window is
          not applied; ``notes["remarks"]`` what is worth knowing; further keys tell of format, view and
          detector. None of it is about the patient. `source` is the file's name.

    Raises
    ------
    ArgumentError
        If a file has several frames and none is chosen, or holds no image, or an option makes no sense.
    MalformedDataError
        If it is no film, or damaged.
    UnsupportedError
        If it is coded in a way that is not decoded.
    ResourceError
        If it cannot be read, or is too large.

    Notes
    -----
    Bright is what Photometric Interpretation says is shown bright, PS3.3 C.7.6.3.1.2. Presentation LUT Shape
    repeats that in radiographs (INVERSE with MONOCHROME1); where it contradicts, it is remarked on and not
    followed, and so is Pixel Intensity Relationship Sign. Peak memory: the file, its pixels, and the result.
    Thread-safe.

    References
    ----------
    DICOM PS3.3 C.7.6.3, C.11.1, C.11.2 (grey scale), 10.7 (spacing). Of pydicom, windows; LUTs are read here.

    Examples
    --------
    >>> import pydicom.data
    >>> import spinekit as sk
    >>> film = sk.read_radiograph(pydicom.data.get_testdata_file("RG1_UNCI.dcm"))  # doctest: +SKIP
    >>> film.spacing_from, film.notes["applied"]  # doctest: +SKIP
    ('', ['inverted: MONOCHROME1'])

    From pixels, with a ruler of 100 mm on them:

    >>> import numpy as np
    >>> sk.read_radiograph(np.eye(300), known_length=((10, 20), (10, 220), 100.0))
    <Radiograph 300 x 300 float32, 0.5 x 0.5 mm, no source>
    """
    if spacing is not None and known_length is not None:
        raise ArgumentError("spacing and known_length are both given, expected one of them")
    given = None if spacing is None else checked_spacing(spacing)
    if max_pixels < 1:
        raise ArgumentError(f"max_pixels: {max_pixels}, expected at least 1")
    if isinstance(voi, bool) or not isinstance(voi, (str, int)):
        raise ArgumentError(f"voi: {voi!r}, expected 'auto', 'none', a number or a name")
    if isinstance(keep, str):
        keep = (keep,)
    wishes = Wishes(frame, voi, invert, tuple(keep), max_pixels, workers)
    if isinstance(source, Radiograph):
        return _changed(source, given, known_length, invert=invert)
    if isinstance(source, (str, os.PathLike)):
        path = _engine.path_of(source)
        found, name = _from_file(path, wishes), path.name
    else:
        found, name = _from_array(source), ""
    found.notes.setdefault("plane", "unknown")
    film = Radiograph(found.pixels, found.spacing, found.spacing_from, name, found.notes)
    return _changed(film, given, known_length, invert=invert and not found.inverted, aspect=found.aspect)


def _from_file(path: Path, wishes: Wishes) -> Found:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        kind = picture_format(head)
        if head[128:132] == b"DICM" or (not kind and _begins_like_dicom(head)):
            return read_dicom_film(path, wishes)
        if kind:
            return read_picture_film(path, wishes)
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    except MemoryError as failure:
        raise ResourceError(f"'{path}': not enough memory for its pixels") from failure
    if not head:
        raise MalformedDataError(f"'{path}' is empty; copy it again")
    what = next((words for magic, words in _OTHERS if head.startswith(magic)), "")
    if not what and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        what = "text"
    raise MalformedDataError(
        f"'{path}' is no film: neither DICOM nor PNG, JPEG, TIFF, JPEG 2000, BMP, PGM or GIF"
        + (f", but {what}" if what else "")
    )


def _begins_like_dicom(head: bytes) -> bool:
    """Return whether a file without preamble begins with an element of group 2 or 8."""
    return head[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") and len(head) >= 16


def _from_array(source: Any) -> Found:
    values = np.asarray(source)
    if values.dtype.kind not in "buif" or values.size == 0 or values.ndim not in (2, 3):
        raise ArgumentError(
            f"an array of {values.dtype} and shape {values.shape}, expected numbers (rows, columns)"
        )
    notes: dict[str, Any] = {"applied": [], "remarks": []}
    if values.ndim == 3:
        if values.shape[2] != 3:
            raise ArgumentError(
                f"an array of shape {values.shape}, expected (rows, columns) or (rows, columns, 3)"
            )
        values, coloured = luma(values)
        note_colour(coloured, notes)
    return Found(grey_film(values, notes), notes)


def _changed(
    film: Radiograph,
    spacing: Spacing | None,
    known_length: KnownLength | None,
    *,
    invert: bool,
    aspect: float | None = None,
) -> Radiograph:
    """Return a film with what was asked for, the same one if that is nothing."""
    if spacing is None and known_length is None and not invert:
        return film
    notes = {**film.notes}
    if aspect is None:
        aspect = film.spacing[0] / film.spacing[1] if film.spacing else 1.0
    changes: dict[str, Any] = {"notes": notes}
    if spacing is not None:
        changes |= {"spacing": spacing, "spacing_from": "given"}
    elif known_length is not None:
        spacing = spacing_from_length(known_length, aspect, film.shape)
        changes |= {"spacing": spacing, "spacing_from": "known length"}
    if spacing is not None:
        if film.spacing is not None:
            row, column = film.spacing
            told = f"{film.spacing_from or 'its own spacing'}, {row:g} x {column:g} mm, is not used"
            notes["remarks"] = [*notes.get("remarks", ()), told]
        if "plane" in notes:
            notes["plane"] = "unknown"
    if invert:
        notes.setdefault("range", level_range(film.pixels))
        changes["pixels"] = inverted_levels(film.pixels, notes)
        notes["applied"] = [*notes.get("applied", ()), AS_ASKED]
    return dataclasses.replace(film, **changes)
