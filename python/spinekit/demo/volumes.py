"""What is seen of a volume while it fills, and how long that takes."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import spinekit as sk
from spinekit.volumes import pictures
from spinekit.volumes.order import Order

_WIDTH = 400
_GAP = 4
#: No cut is drawn higher, in parts of its width: very long series become flat.
_TALLEST = 1.6


@dataclasses.dataclass(frozen=True)
class Stage:
    """The volume when `slices` have arrived, after `seconds`, looks like `picture`."""

    slices: int
    seconds: float
    picture: str


@dataclasses.dataclass(frozen=True)
class Loading:
    """One way to load the series: seconds from opening on, and the slices that came first."""

    title: str
    known: float
    first: float
    tenth: float
    complete: float
    began_with: list[int]


@dataclasses.dataclass
class Opened:
    """A case as a volume.

    Attributes
    ----------
    shape, dtype, size : of the voxels; size in bytes
    spacing : (slice, row, column) in words
    window : of the pictures, in words
    planes : names of the cuts in a picture, from the top
    failed : files and slices that could not be had
    """

    shape: tuple[int, ...]
    dtype: str
    size: int
    spacing: str
    window: str
    planes: list[str]
    warnings: list[str]
    failed: int
    loadings: list[Loading] = dataclasses.field(default_factory=list)
    stages: list[Stage] = dataclasses.field(default_factory=list)


def open_case(
    source: Path, bundle: Path | None, folder: Path, key: str, workers: int | None, *, draw: bool
) -> Opened | None:
    """Load a series in every order and draw what was there when; None for a single slice.

    Parameters
    ----------
    source : folder of the case
    bundle : ZIP of the same series, if there is one
    folder, key : of the pictures, and how their names begin
    draw : False for pixels that must not be shown
    """
    orders: tuple[Order, ...] = ("middle-out", "sequential", "interleaved")
    ways: list[tuple[str, Path, Order]] = [(order, source, order) for order in orders]
    if bundle is not None:
        ways.append(("middle-out, from the bundle (JPEG 2000)", bundle, "middle-out"))
    opened = None
    for title, where, order in ways:
        with sk.open_volume(where, order=order, workers=workers, progress=False) as volume:
            if len(volume) < 2:
                return None
            volume.wait()
            if opened is None:
                opened = _opened(volume)
                if draw and volume.arrivals:
                    opened.stages = _stages(source, folder, key)
            arrivals = volume.arrivals
            if arrivals:
                seconds = [time for _, time in arrivals]
                opened.loadings.append(
                    Loading(
                        title,
                        volume.timing["initialized"],
                        seconds[0],
                        seconds[math.ceil(len(seconds) / 10) - 1],
                        seconds[-1],
                        volume.order[:9],
                    )
                )
    return opened


def _opened(volume: sk.Volume) -> Opened:
    spacing = " x ".join("?" if s is None else f"{s:.4g}" for s in volume.geometry.spacing)
    window, level = pictures.default_window(volume)
    colour = len(volume.shape) == 4
    return Opened(
        volume.shape,
        str(volume.dtype),
        volume.array.nbytes,
        "spacing not known" if spacing == "? x ? x ?" else f"spacing {spacing} mm (slice, row, column)",
        "Colours as they are" if colour else f"Window {window:.4g}, level {level:.4g}",
        [plane.name for plane in pictures.planes_of(volume.geometry, volume.shape)],
        list(volume.geometry.findings),
        len(volume.errors),
    )


def _stages(source: Path, folder: Path, key: str) -> list[Stage]:
    """Draw the volume after one slice, a tenth, and all.

    One worker loads it: two finish neighbours in either order, and the page is to be the same each time.
    """
    with sk.open_volume(source, workers=1, progress=False) as volume:
        volume.wait()
        arrivals = volume.arrivals
        there = np.full_like(volume.array, -1000 if volume.modality == "CT" else 0)
        states = np.zeros(len(volume), np.uint8)
        stages = []
        for count in dict.fromkeys((1, math.ceil(len(arrivals) / 10), len(arrivals))):
            came = [index for index, _ in arrivals[:count]]
            there[came] = volume.array[came]
            states[came] = sk.SliceState.FULL
            name = f"{key}-volume-{count}.png"
            _drawing(volume, there, states).save(folder / name, compress_level=6)
            stages.append(Stage(count, arrivals[count - 1][1], name))
        return stages


def _drawing(volume: sk.Volume, array: npt.NDArray[np.generic], states: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the middle cut of each plane and the strip of slices, one below the other."""
    window, level = pictures.default_window(volume)
    parts = []
    for plane in pictures.planes_of(volume.geometry, volume.shape):
        cut = plane.oriented(np.moveaxis(array, plane.axis, 0)[plane.count // 2])
        tall = cut.shape[0] * plane.spacing[0] / (cut.shape[1] * plane.spacing[1])
        side = round(_WIDTH * max(1.0, tall))
        inverted = volume.photometric == "MONOCHROME1"
        part = pictures.picture(cut, plane, window, level, side=side, inverted=inverted).convert("RGB")
        if tall > _TALLEST:
            part = part.resize((_WIDTH, round(_WIDTH * _TALLEST)), Image.Resampling.LANCZOS)
        parts.append(part)
    parts.append(pictures.strip(states, width=_WIDTH, height=14))
    sheet = Image.new("RGB", (_WIDTH, sum(part.height + _GAP for part in parts) - _GAP), (255, 255, 255))
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height + _GAP
    return sheet
