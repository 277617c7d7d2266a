"""The files of one phantom: which there are, and how each is written."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._png import png_bytes
from spinekit.measurement.landmarks import BONES, Landmarks
from spinekit.phantom.film import PhantomFilm
from spinekit.phantom.spine import Spine

#: Of masks.
FORMATS = ("png", "tiff", "npz")
#: Of films, whose PNGs have 16.
_BITS = 12

Row = dict[str, Any]


@dataclass(frozen=True)
class Wishes:
    """What is written of each phantom."""

    rows: int
    columns: int | None
    facing: str
    implants: float
    dicom: bool
    ct: bool
    mask_format: str


@dataclass(frozen=True, eq=False)
class Made:
    """A phantom, of which files are written."""

    spine: Spine
    film: PhantomFilm
    masks: NDArray[np.float32]
    threads: int


Writer = Callable[[Path, Made], None]


def files_of(target: Path, name: str, wishes: Wishes, *, operated: bool) -> dict[Path, Writer]:
    """Return the files of a phantom, and what writes each; `operated` says whether it has implants."""
    found: dict[Path, Writer] = {target / "images" / f"{name}.png": _write_film}
    masks = target / "masks"
    if wishes.mask_format == "png":
        for place, bone in enumerate(BONES):
            found[masks / name / f"{bone}.png"] = functools.partial(_write_mask, place=place)
    elif wishes.mask_format == "tiff":
        found[masks / f"{name}.tif"] = _write_pages
    else:
        found[masks / f"{name}.npz"] = _write_arrays
    found[target / "labelme" / f"{name}.json"] = _write_labelme
    if wishes.dicom:
        found[target / "dicom" / f"{name}.dcm"] = _write_dicom
    if operated:
        found[target / "implants" / f"{name}.png"] = _write_metal
        found[target / "without_implants" / f"{name}.png"] = _write_plain
    if wishes.ct:
        found[target / "ct" / name] = _write_ct
    return found


def row_of(name: str, spine: Spine, film: PhantomFilm) -> Row:
    """Return what is true of a film, by column."""
    view = film.view
    row: Row = {
        "film": name,
        "seed": spine.seed,
        "sex": spine.person.sex,
        "age": round(spine.person.age, 1),
        "rows": film.shape[0],
        "columns": film.shape[1],
        "row spacing mm": view.spacing[0],
        "column spacing mm": view.spacing[1],
        "magnification": view.magnification,
        "facing": view.facing,
        "implants": int(film.implant_mask is not None),
    }
    row |= {key: round(value, 4) for key, value in spine.parameters_on(film).to_dict().items()}
    row |= {f"own {key}": round(value, 4) for key, value in spine.parameters.to_dict().items()}
    return row | _point_columns(spine.landmarks(film))


def _point_columns(landmarks: Landmarks) -> Row:
    from spinekit.annotations.reading import point_names  # noqa: PLC0415 - only where it is needed

    row: Row = {}
    for name, (where, place) in point_names().items():
        x, y = getattr(landmarks, where).reshape(-1, 2)[place]
        row[f"{name} x"], row[f"{name} y"] = round(float(x), 4), round(float(y), 4)
        if where == "heads":
            row[f"{name} radius"] = round(float(landmarks.radii[place]), 4)
    return row


def _eight_bits(mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * mask), np.uint8)


def _write_picture(pixels: NDArray[Any], path: Path, bits: int | None = None) -> None:
    from PIL import PngImagePlugin  # noqa: PLC0415 - slow to import

    chunks = PngImagePlugin.PngInfo()
    if bits is not None:
        chunks.add(b"sBIT", bytes([bits]))
    _engine.write_file(path, png_bytes(pixels, pnginfo=chunks))


def _write_film(path: Path, made: Made) -> None:
    _write_pixels(path, made.film)


def _write_pixels(path: Path, film: PhantomFilm) -> None:
    # Viewers and labelme show 16 bits of which 12 are used as black; the PNG specification (12.4) fills
    # the low bits with the high ones, and sBIT tells how many are true.
    pixels = film.pixels.astype(np.uint16)
    _write_picture(pixels << (16 - _BITS) | pixels >> (2 * _BITS - 16), path, _BITS)


def _write_mask(path: Path, made: Made, place: int) -> None:
    _write_picture(_eight_bits(made.masks[place]), path)


def _write_pages(path: Path, made: Made) -> None:
    from PIL import Image  # noqa: PLC0415 - slow to import

    first, *others = [Image.fromarray(page) for page in _eight_bits(made.masks)]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", compression="tiff_adobe_deflate", save_all=True, append_images=others)
    _engine.write_file(path, buffer.getvalue())


def _write_arrays(path: Path, made: Made) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, masks=made.masks.astype(np.float16))
    _engine.write_file(path, buffer.getvalue())


def _write_labelme(path: Path, made: Made) -> None:
    from spinekit.annotations import write_labelme  # noqa: PLC0415 - only where it is needed

    image = path.parent.parent / "images" / f"{path.stem}.png"
    write_labelme(path, landmarks=made.spine.landmarks(made.film), masks=made.masks, image=image)


def _write_dicom(path: Path, made: Made) -> None:
    from spinekit.phantom.dicom import write_film  # noqa: PLC0415 - imports pydicom

    write_film(made.film, path, seed=made.spine.seed, person=made.spine.person, overwrite=True)


def _write_metal(path: Path, made: Made) -> None:
    if made.film.implant_mask is not None:
        _write_picture(_eight_bits(made.film.implant_mask), path)


def _write_plain(path: Path, made: Made) -> None:
    if made.film.without_implants is not None:
        _write_pixels(path, made.film.without_implants)


def _write_ct(path: Path, made: Made) -> None:
    operated = made.film.implant_mask is not None
    ct = made.spine.ct(implants=operated, metal_artefacts=operated, workers=made.threads)
    # Under another name first: a folder that is there is whole.
    part = path.with_name(f"{path.name}{_engine.PART_SUFFIX}")
    ct.write(part, overwrite=True, progress=False)
    if path.is_dir():
        for written in part.iterdir():
            written.replace(path / written.name)
        part.rmdir()
    else:
        part.rename(path)
