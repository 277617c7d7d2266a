"""Pictures of volumes: cuts along their axes, windowed, right way up, in true proportions."""

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from spinekit._core import SliceState
from spinekit.volumes.geometry import Geometry
from spinekit.volumes.volume import Volume

Bytes = npt.NDArray[np.uint8]

#: Window and level of CT, HU.
SOFT_TISSUE = (400.0, 40.0)
BONE = (2000.0, 500.0)

#: From and to of the patient's axes x, y, z (LPS).
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
#: By the patient's axis that a plane is fixed along: name, then axis and sense of its picture's rows
#: (downwards) and columns (rightwards): the patient's right is left, anterior or superior is up.
_VIEWS = (
    ("sagittal", (2, -1), (1, 1)),
    ("coronal", (2, -1), (0, 1)),
    ("axial", (1, 1), (0, 1)),
)
_EMPTY, _COARSE, _FULL, _BROKEN = (226, 231, 235), (226, 170, 60), (31, 95, 122), (178, 34, 42)
#: Of the states of slices, as CSS.
STATE_COLOURS = {
    "not here": f"rgb{_EMPTY}",
    "coarse": f"rgb{_COARSE}",
    "here": f"rgb{_FULL}",
    "broken": f"rgb{_BROKEN}",
}


@dataclass(frozen=True)
class Plane:
    """A direction in which a volume is cut.

    Attributes
    ----------
    name : axial, coronal or sagittal; "slices" where the geometry is not known
    axis : of the volume along which the cuts lie one behind the other
    count : of cuts
    transposed, flipped : how an array of a cut becomes a picture; `flipped` for its rows and columns
    spacing : (row, column) of the picture, mm
    edges : what is to the left, right, top and bottom: R L A P I S, or nothing
    """

    name: str
    axis: int
    count: int
    transposed: bool
    flipped: tuple[bool, bool]
    spacing: tuple[float, float]
    edges: tuple[str, str, str, str]

    def oriented(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a cut as its picture lies: shape (rows, columns[, 3])."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.flipped[0] else 1, :: -1 if self.flipped[1] else 1]


def planes_of(geometry: Geometry, shape: tuple[int, ...]) -> list[Plane]:
    """Return the planes in which a volume can be cut, that of its slices first.

    Parameters
    ----------
    geometry, shape : of the volume; planes are named after the patient's axis next to each of its own
    """
    spacing = [1.0 if s is None else s for s in geometry.spacing]
    if geometry.direction is None:
        upright = Plane(
            "slices", 0, shape[0], False, (False, False), (spacing[1], spacing[2]), ("", "", "", "")
        )
        return [upright]
    direction = geometry.direction  # [patient's axis, volume's axis]
    patients = max(
        itertools.permutations(range(3)),
        key=lambda p: sum(abs(direction[p[axis], axis]) for axis in range(3)),
    )
    planes = []
    for axis in range(3 if shape[0] > 1 else 1):
        name, rows, columns = _VIEWS[patients[axis]]
        down, across = patients.index(rows[0]), patients.index(columns[0])
        flip_rows = direction[rows[0], down] * rows[1] < 0
        flip_columns = direction[columns[0], across] * columns[1] < 0
        left, right = _LETTERS[columns[0]][:: columns[1]]
        top, bottom = _LETTERS[rows[0]][:: rows[1]]
        planes.append(
            Plane(
                name,
                axis,
                shape[axis],
                down > across,
                (bool(flip_rows), bool(flip_columns)),
                (spacing[down], spacing[across]),
                (left, right, top, bottom),
            )
        )
    return planes


def cut(volume: Volume, plane: Plane, index: int) -> npt.NDArray[Any]:
    """Return one cut, oriented; of a volume on demand, and of slices only, decoded for this.

    Returns
    -------
    pixels : shape (rows, columns[, 3]), the volume's dtype; a view where there is memory
    """
    if volume.on_demand:
        return plane.oriented(volume.read_slice(index))
    return plane.oriented(np.moveaxis(volume.array, plane.axis, 0)[index])


def default_window(volume: Volume) -> tuple[float, float]:
    """Return window and level: soft tissue for CT, else the 1st to 99th percentile of what is there."""
    if volume.modality == "CT":
        return SOFT_TISSUE
    samples = list(_samples(volume))
    if not samples:
        return 1.0, 0.5
    low, high = np.percentile(np.concatenate(samples), (1, 99)).tolist()
    return max(high - low, 1e-6), (low + high) / 2


def _samples(volume: Volume, most: int = 8) -> Iterator[npt.NDArray[Any]]:
    """Yield some finite values of some slices that are there."""
    if volume.on_demand:
        there = [len(volume) // 2]
    else:
        loaded = np.flatnonzero(volume.loaded)
        there = loaded[:: max(1, math.ceil(len(loaded) / most))].tolist()
    for index in there:
        pixels = volume.read_slice(index)
        step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1]) // 64)
        values = pixels[::step, ::step].ravel()
        yield values[np.isfinite(values)]


def grey(pixels: npt.NDArray[Any], window: float, level: float) -> Bytes:
    """Return values as bytes: level - window / 2 and below is 0, level + window / 2 and above 255.

    Colours of 8 bits stay as they are.
    """
    if pixels.ndim == 3 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    scaled = (pixels.astype(np.float32) - np.float32(level - window / 2)) * np.float32(255 / window)
    found: Bytes = np.clip(np.nan_to_num(scaled, copy=False), 0, 255).astype(np.uint8)
    return found


def picture(
    pixels: npt.NDArray[Any],
    plane: Plane,
    window: float,
    level: float,
    *,
    side: int = 512,
    letters: bool = True,
    inverted: bool = False,
) -> Image.Image:
    """Return a cut as picture in true proportions.

    Parameters
    ----------
    pixels : of `cut`
    window, level : in values of the volume
    side : pixels of the longer side
    letters : write at the edges where the patient's right, front and head are
    inverted : the least values are white, as those of MONOCHROME1
    """
    rows, columns = pixels.shape[:2]
    high, wide = rows * plane.spacing[0], columns * plane.spacing[1]
    scale = side / max(high, wide)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    shades = grey(pixels, window, level)
    image = Image.fromarray(255 - shades if inverted else shades)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    if letters and min(size) >= 64:
        _write_letters(image, plane.edges)
    return image


def _write_letters(image: Image.Image, edges: tuple[str, str, str, str]) -> None:
    draw = ImageDraw.Draw(image)
    wide, high = image.size
    places = ((8, high // 2), (wide - 8, high // 2), (wide // 2, 10), (wide // 2, high - 10))
    ink, shade = ((230, 190, 60), (0, 0, 0)) if image.mode == "RGB" else (220, 0)
    for letter, (x, y) in zip(edges, places, strict=True):
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            draw.text((x - 3 + dx, y - 6 + dy), letter, fill=shade)
        draw.text((x - 3, y - 6), letter, fill=ink)


def png(image: Image.Image, level: int = 1) -> bytes:
    """Return a picture as PNG, quickly rather than small unless `level` says otherwise."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=level)
    return out.getvalue()


def state_strip(volume: Volume, shown: int | None = None, *, width: int = 512) -> Image.Image:
    """Return the slices of a volume as cells, coloured by what is there, the shown one marked."""
    if volume.on_demand:
        return strip(np.full(len(volume), SliceState.FULL, np.uint8), width=width, shown=shown)
    broken = [k for k in volume.errors if isinstance(k, int)]
    return strip(np.asarray(volume.states), broken, width=width, shown=shown)


def strip(
    states: npt.NDArray[np.uint8],
    broken: Sequence[int] = (),
    *,
    width: int = 512,
    height: int = 12,
    shown: int | None = None,
) -> Image.Image:
    """Return `SliceState` numbers as a row of coloured cells; broken slices only where they are empty."""
    count = len(states)
    colours = np.full((count, 3), _EMPTY, np.uint8)
    colours[states == SliceState.COARSE] = _COARSE
    colours[states == SliceState.FULL] = _FULL
    colours[[k for k in broken if states[k] == SliceState.EMPTY]] = _BROKEN
    cells = (np.arange(width) * count) // width
    row = np.repeat(colours[cells][None], height, axis=0)
    if width >= 3 * count:
        row[:, np.flatnonzero(np.diff(cells)) + 1] = 255
    if shown is not None:
        here = np.flatnonzero(cells == shown)
        middle = int(here.mean()) if len(here) else shown * width // count
        row[: height // 3, max(0, middle - 2) : middle + 3] = 0
    return Image.fromarray(row)


def contact_sheet(volume: Volume, *, most: int = 20, side: int = 224) -> Image.Image:
    """Return evenly spaced slices of a volume, side by side.

    Parameters
    ----------
    volume : with all its slices, or what there is of them
    most : slices
    side : pixels of a slice's longer side
    """
    count = len(volume)
    plane = planes_of(volume.geometry, volume.shape)[0]
    window, level = default_window(volume)
    inverted = volume.photometric == "MONOCHROME1"
    chosen = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()
    tiles = [
        picture(
            cut(volume, plane, k), plane, window, level, side=side, letters=False, inverted=inverted
        ).convert("RGB")
        for k in chosen
    ]
    across = math.ceil(math.sqrt(len(tiles) * 1.25))
    wide, high = tiles[0].size
    sheet = Image.new("RGB", (across * (wide + 4) - 4, math.ceil(len(tiles) / across) * (high + 4) - 4))
    draw = ImageDraw.Draw(sheet)
    for number, (index, tile) in enumerate(zip(chosen, tiles, strict=True)):
        at = (number % across) * (wide + 4), (number // across) * (high + 4)
        sheet.paste(tile, at)
        draw.text((at[0] + 4, at[1] + 2), str(index), fill=(230, 190, 60))
    return sheet
