"""Masks and key points of films as segmentation tools write them."""

import collections
import contextlib
import gzip
import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, ResourceError, SpinekitError
from spinekit.measurement.landmarks import BONES, VERTEBRAE, Landmarks
from spinekit.radiograph import checked_spacing
from spinekit.radiographs.picture_files import opened_picture
from spinekit.volumes.nifti import require_nibabel

Masks = NDArray[Any]

_PICTURES = (".png", ".tif", ".tiff", ".bmp")
_PAGES = (".tif", ".tiff")
_NIFTI = (".nii.gz", ".nii")
#: What holds a case by itself.
FILES = (".npy", ".npz", ".json", *_PAGES, *_NIFTI)
#: Beside the pictures of a film's bones, where `spinekit.segment_files` wrote them: the film's spacing.
NOTE_NAME = "segmentation.json"
#: In a NIfTI file's intent, where its spacing is the detector's.
ON_DETECTOR = b"detector"
#: Bytes, which begins every NIfTI-1 file.
_NIFTI_HEADER = 348
#: Of eight masks together, pixels: films of 8192 x 8192, some times those of the largest detectors.
_MOST_PIXELS = 1 << 29
#: Bytes; NumPy takes four for a letter.
_MOST_OF_A_LABEL = 256


@dataclass(eq=False)
class Case:
    """What one film's measurement starts from: masks, key points, or both.

    Attributes
    ----------
    masks : shape (8, rows, columns), or None
    landmarks : or None
    spacing : (row, column), mm, where the file says it, else None
    film : path of the picture, where the file names one that is there, else None
    on_detector : whether the spacing is the detector's, where everything is enlarged
    """

    masks: Masks | None = None
    landmarks: Landmarks | None = None
    spacing: tuple[float, float] | None = None
    film: Path | None = None
    on_detector: bool = False


def read_masks(path: str | os.PathLike[str]) -> Masks:
    """Read the eight masks of a film, ready for `measure`.

    Parameters
    ----------
    path : one of

        - ``.npy``, or ``.npz`` with one array or one called "masks": shape (8, rows, columns) in the order
          of `spinekit.measurement.BONES`, or of an array "labels" beside them in the ``.npz``; bool, uint8,
          other whole numbers that are 0 and 1, or probabilities in float16, float32 or float64
        - ``.json`` of labelme: polygons, and circles of the heads; see `spinekit.annotations.read_labelme`
        - ``.tif``, ``.tiff`` with eight pages in the order of `BONES`
        - ``.nii.gz``, ``.nii`` as `spinekit.segment_files` writes it: shape (columns, rows, 1, 8), with
          labels in its description, else in the order of `BONES`. Needs ``spinekit[nifti]``
        - a folder with a picture for each bone, named like it: ``L1.png`` ... ``L5.png``, ``sacrum.png`` (or
          ``S1.png``), ``FH1.png``, ``FH2.png``, in any case; also ``.tif``, ``.bmp``. A bone without picture
          has an empty mask. What `spinekit.segment_files` noted beside them is for `measure_files`.

    Returns
    -------
    masks : shape (8, rows, columns), C-contiguous; bool or uint8 as stored, else float32. Pictures of 16 bits
        become float32 of 65535ths.

    Raises
    ------
    ArgumentError
        If the name is none of these, or the file has no masks but only key points.
    MalformedDataError
        If the file holds something else; the message says what was expected.
    ResourceError
        If it cannot be read, or is larger than any film.

    Examples
    --------
    >>> import spinekit as sk
    >>> par = sk.measure(sk.read_masks("masks/film-1/"), spacing=(0.2, 0.2))  # doctest: +SKIP
    """
    case = read_case(_engine.path_of(path))
    if case.masks is None:
        raise ArgumentError(f"'{path}' has key points and no masks: use sk.measure_points")
    return case.masks


def read_case(path: Path) -> Case:
    """Read what `measure` or `measure_points` need; for errors see `read_masks`."""
    try:
        if path.is_dir():
            masks = _from_folder(path)
            spacing, on_detector = _noted(path / NOTE_NAME)
            return Case(masks, spacing=spacing, on_detector=on_detector)
        if not path.exists():
            raise ResourceError(f"'{path}' cannot be read: no such file or folder; check the path")
        suffix = _ending(path).lower()
        if suffix in _NIFTI:
            return _from_nifti(path)
        if suffix == ".npy":
            return _from_npy(path)
        if suffix == ".npz":
            return _from_archive(path)
        if suffix == ".json":
            return _from_labelme(path)
        if suffix in _PAGES:
            return Case(_from_pages(path))
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    except MemoryError as failure:
        raise ResourceError(f"'{path}': not enough memory for its masks") from failure
    raise ArgumentError(
        f"'{path}': expected {', '.join(FILES)}, or a folder with pictures called {', '.join(BONES)}"
    )


def find_cases(folder: Path) -> dict[str, Path]:
    """Return what a folder holds cases in: files by `FILES`, folders of bones; sorted, by their names.

    A name is the path below the folder without ending, with it where two would be called the same. TIFFs
    of one page are films and no cases, and NIfTI files of other axes are volumes.
    """
    found = []
    for path in _walk(folder):
        inner = path.relative_to(folder)
        bare = inner.name if path.is_dir() else inner.name.removesuffix(_ending(inner))
        found.append((inner, inner.with_name(bare)))
    count = collections.Counter(name for _, name in found)
    return {(name if count[name] == 1 else inner).as_posix(): folder / inner for inner, name in found}


def is_case(path: Path) -> bool:
    """Return whether a path is one case, and no folder of them."""
    return not path.is_dir() or bool(_bone_pictures(path))


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            try:
                if _bone_pictures(path):
                    yield path
                elif not path.is_symlink():  # links may lead round in circles
                    yield from _walk(path)
            except OSError:
                yield path  # reading it tells why not
        elif _ending(path).lower() in FILES and not _is_film(path):
            yield path


def _ending(path: Path) -> str:
    """Return a file's ending as it is written; of ``.nii.gz`` both parts."""
    length = next((len(end) for end in _NIFTI if path.name.lower().endswith(end)), len(path.suffix))
    return path.name[len(path.name) - length :]


def _is_film(path: Path) -> bool:
    if _ending(path).lower() in _NIFTI:
        return not _holds_masks(path)
    if path.suffix.lower() not in _PAGES:
        return False
    with contextlib.suppress(SpinekitError), opened_picture(path) as opened:
        return getattr(opened, "n_frames", 1) == 1
    return False


# ---- NIfTI


def _holds_masks(path: Path) -> bool:
    """Return whether a NIfTI file has the axes of masks; one that cannot be asked is taken for masks."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            head = file.read(56)
    except (OSError, EOFError, zlib.error):
        return True  # reading it tells why not
    # dim[0] to dim[4] of NIfTI-1, in either byte order
    return any(
        struct.unpack_from(f"{order}i", head)[0] == _NIFTI_HEADER
        and struct.unpack_from(f"{order}h4x2h", head, 40) == (4, 1, len(BONES))
        for order in "<>"
        if len(head) == 56
    )


def _from_nifti(path: Path) -> Case:
    nibabel = require_nibabel(f"'{path.name}'")
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        if len(image.shape) != 4 or image.shape[2] != 1:
            raise MalformedDataError(
                f"'{path}': shape {image.shape}, expected (columns, rows, 1, {len(BONES)}), as "
                "sk.segment_files writes it"
            )
        columns, rows, _, bones = image.shape
        _check_shape((bones, rows, columns), path)
        # The shortest numbers that single precision stores so: .2 and not .2000000030.
        column, row = (float(str(np.float32(side))) for side in (image.affine[0, 0], -image.affine[1, 1]))
        if not (0 < column < math.inf and 0 < row < math.inf):
            raise MalformedDataError(f"'{path}': turned or mirrored, expected columns along x, rows along -y")
        masks = np.asanyarray(image.dataobj)[:, :, 0].transpose(2, 1, 0)
        description = image.header["descrip"].item().decode("ascii", "replace")
        unit = image.header.get_xyzt_units()[0]
        detector = image.header["intent_name"].item() == ON_DETECTOR
    except (SpinekitError, OSError, MemoryError):
        raise
    except Exception as failure:  # nibabel's errors share no base
        raise MalformedDataError(f"'{path}': no NIfTI file of masks: {failure}") from failure
    labels = description.split(",")
    if len(labels) == len(BONES):
        masks = masks[_bone_order(labels, path)]
    spacing = checked_spacing((row, column)) if unit == "mm" else None
    return Case(_array(masks, path), spacing=spacing, on_detector=detector and spacing is not None)


# ---- arrays


def _from_npy(path: Path) -> Case:
    try:
        # Mapped: what is too large is seen before it is read.
        return Case(_array(np.load(path, mmap_mode="r", allow_pickle=False), path))
    except (ValueError, EOFError) as failure:
        if isinstance(failure, MalformedDataError):
            raise
        raise MalformedDataError(f"'{path}': no array of NumPy: {failure}") from failure


def _from_archive(path: Path) -> Case:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            names = [name for name in entries if name not in ("spacing", "on_detector", "labels")]
            if "masks" not in names and len(names) != 1:
                raise MalformedDataError(f"'{path}' holds {names}, expected an array called 'masks'")
            order = _order(archive, entries["labels"], path) if "labels" in entries else None
            masks = _unpacked(archive, entries["masks" if "masks" in names else names[0]], path)
            spacing = _unpacked(archive, entries["spacing"], path, (2,)) if "spacing" in entries else None
            detector = "on_detector" in entries and _unpacked(archive, entries["on_detector"], path, ())
    # RuntimeError: encrypted. NotImplementedError: packed in a way that Python does not know.
    except (
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as failure:
        if isinstance(failure, SpinekitError):
            raise
        raise MalformedDataError(f"'{path}': no archive of NumPy: {failure}") from failure
    if order is not None and order != sorted(order):
        masks = masks[order]
    if spacing is None:
        return Case(_array(masks, path))
    if spacing.dtype.kind not in "iuf" or not ((spacing > 0) & (spacing < math.inf)).all():
        raise MalformedDataError(f"'{path}': spacing is {spacing}, expected (row, column) in mm, both > 0")
    row, column = spacing.tolist()
    return Case(_array(masks, path), spacing=(float(row), float(column)), on_detector=bool(detector))


def _order(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> list[int]:
    """Return where each bone is among masks, by the labels that were stored with them."""
    labels = [str(label) for label in _unpacked(archive, entry, path, (len(BONES),), _MOST_OF_A_LABEL)]
    return _bone_order(labels, path)


def _bone_order(labels: list[str], path: Path) -> list[int]:
    from spinekit.annotations.reading import bone_of  # noqa: PLC0415 - imports this package's landmarks

    bones = [bone_of(label, {}) for label in labels]
    if sorted(filter(None, bones)) != sorted(BONES):
        raise MalformedDataError(f"'{path}': labels {labels}, expected each of {', '.join(BONES)} once")
    return [bones.index(bone) for bone in BONES]


def _unpacked(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    path: Path,
    expected: tuple[int, ...] | None = None,
    most: int = 8,
) -> Any:
    """Return an array of an archive, of which little may be much: its header is judged first."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise MalformedDataError(f"'{path}': {entry.filename} is of version {version}, expected numbers")
        shape, _, dtype = read(file)
    if expected is None:
        _check_shape(shape, path)
    elif shape != expected:
        raise MalformedDataError(f"'{path}': {entry.filename} of shape {shape}, expected {expected}")
    if dtype.itemsize > most:
        raise MalformedDataError(
            f"'{path}': {entry.filename} of {dtype}, expected values of {most} bytes at most"
        )
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_shape(shape: tuple[int, ...], path: Path) -> None:
    if len(shape) != 3 or shape[0] != len(BONES) or 0 in shape:
        raise MalformedDataError(
            f"'{path}': shape {shape}, expected ({len(BONES)}, rows, columns): {', '.join(BONES)}"
        )
    if math.prod(shape) > _MOST_PIXELS:
        raise ResourceError(
            f"'{path}': shape {shape}, expected at most 2^29 values, as of 8192 x 8192 pixels"
        )


def _array(found: Any, path: Path) -> Masks:
    """Return an array as `measure` takes it."""
    _check_shape(found.shape, path)
    if found.dtype in (np.bool_, np.uint8):
        return np.array(found, order="C")
    if found.dtype.kind == "f":
        masks = np.array(found, np.float32, order="C")
        if not (masks.min() >= 0 and masks.max() <= 1):  # NaN is neither
            raise MalformedDataError(
                f"'{path}': values {masks.min():g} to {masks.max():g}, expected probabilities in [0, 1]"
            )
        return masks
    if found.dtype.kind in "iu":
        low, high = int(found.min()), int(found.max())
        if low < 0 or high > 1:
            raise MalformedDataError(
                f"'{path}': {found.dtype} with values {low} to {high}, expected 0 and 1, or uint8 up to 255"
            )
        return np.array(found, np.uint8, order="C")
    raise MalformedDataError(f"'{path}': {found.dtype}, expected bool, whole numbers or probabilities")


# ---- pictures


def _bone_pictures(folder: Path) -> list[tuple[str, Path]]:
    """Return the pictures in a folder that are named like bones."""
    from spinekit.annotations.reading import bone_of  # noqa: PLC0415 - imports this package's landmarks

    inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    named = [(bone_of(path.stem, {}), path) for path in inside]
    return [(bone, path) for bone, path in named if bone is not None]


def _from_folder(folder: Path) -> Masks:
    pictures: dict[str, Path] = {}
    for bone, path in _bone_pictures(folder):
        if bone in pictures:
            raise MalformedDataError(f"'{folder}': {pictures[bone].name} and {path.name} are both {bone}")
        pictures[bone] = path
    if not pictures:
        raise ArgumentError(f"'{folder}': expected pictures called {', '.join(BONES)} (.png, .tif, .bmp)")
    bones = [bone for bone in BONES if bone in pictures]
    pages = {bone: _pages(pictures[bone], 1)[0] for bone in bones}
    return _stacked([pages.get(bone) for bone in BONES], [pictures[bone].name for bone in bones], folder)


def _noted(path: Path) -> tuple[tuple[float, float] | None, bool]:
    """Return the spacing that was noted beside pictures, and whether it is the detector's."""
    try:
        note = json.loads(path.read_bytes())
        spacing = note["spacing"]
        return None if spacing is None else checked_spacing(spacing), note.get("plane") == "detector"
    except FileNotFoundError:
        return None, False
    except (ValueError, TypeError, KeyError, RecursionError) as failure:
        raise MalformedDataError(f"'{path}': no note on a film's masks: {failure}") from failure


def _from_pages(path: Path) -> Masks:
    pages = _pages(path, len(BONES))
    return _stacked(pages, [f"page {k}" for k in range(1, len(pages) + 1)], path)


def _pages(path: Path, count: int) -> list[Masks]:
    from PIL import ImageSequence  # noqa: PLC0415 - slow to import

    with opened_picture(path) as opened:
        held = getattr(opened, "n_frames", 1)
        if held != count:
            raise MalformedDataError(f"'{path}': {held} pages, expected {count}")
        pages = []
        for page in ImageSequence.Iterator(opened):  # each may have a size of its own
            _check_shape((len(BONES), page.height, page.width), path)
            pages.append(_grey(page, path))
        return pages


def _grey(page: Any, path: Path) -> Masks:
    """Return one mask: bool, uint8, or float32 of 65535ths."""
    if page.mode == "1":
        return np.asarray(page)
    if page.mode in ("L", "P"):
        return np.array(page if page.mode == "L" else page.convert("L"))
    if page.mode in ("RGB", "RGBA", "LA"):
        return np.array(page.convert("RGB").convert("L"))
    values = np.asarray(page)
    if page.mode.startswith("I"):
        if values.min() < 0 or values.max() > 65535:
            raise MalformedDataError(f"'{path}': values beyond 16 bits")
        return np.asarray(values / np.float32(65535), np.float32)
    if page.mode == "F":
        return np.asarray(values, np.float32)
    raise MalformedDataError(f"'{path}': a picture of mode {page.mode}, expected grey levels")


def _stacked(pages: Sequence[Masks | None], names: list[str], where: Path) -> Masks:
    """Return masks of what is there, called `names`; None is empty."""
    there = [page for page in pages if page is not None]
    for page, name in zip(there, names, strict=True):
        if page.shape != there[0].shape:
            raise MalformedDataError(f"'{where}': {name} is of {page.shape}, {names[0]} of {there[0].shape}")
    alike = len({page.dtype for page in there}) == 1
    masks = np.zeros((len(BONES), *there[0].shape), there[0].dtype if alike else np.float32)
    bones = [k for k, page in enumerate(pages) if page is not None]
    for k, page in zip(bones, there, strict=True):
        masks[k] = page if alike else _share(page)
    return _array(masks, where)


def _share(page: Masks) -> NDArray[np.float32]:
    share = np.asarray(page, np.float32)
    return share / np.float32(255) if page.dtype == np.uint8 and page.max() > 1 else share


# ---- labelme


def _from_labelme(path: Path) -> Case:
    from spinekit.annotations.labelme import read_labelme  # noqa: PLC0415 - imports this package's landmarks

    found = read_labelme(path)
    image = found.image if found.image is not None and found.image.is_file() else None
    points = found.landmarks
    has_points = not (np.isnan(points.vertebrae).all() and np.isnan(points.sacrum).all())
    # Heads that are circles are outlines too, beside a spine that is only points.
    has_outlines = any(bone in found.polygons for bone in (*VERTEBRAE, "sacrum"))
    if not (has_points or found.polygons) and np.isnan(points.heads).all():
        raise MalformedDataError(f"'{path.name}': no shape is called like a bone or a corner of one")
    if has_outlines or not has_points:
        if found.shape is None:
            raise MalformedDataError(
                f"'{path.name}': it does not say how large its picture is (imageHeight, imageWidth), and the "
                "picture is not there"
            )
        return Case(found.masks(), points if has_points else None, film=image)
    return Case(None, points, film=image)
