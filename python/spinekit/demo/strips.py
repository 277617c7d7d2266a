"""What is seen of a bundle while it arrives."""

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image

import spinekit as sk
from spinekit.demo import pictures

_STEPS = (1, 3, 9)


@dataclasses.dataclass(frozen=True)
class Stage:
    """The first `slices` of a bundle take `size` bytes and look like `picture`."""

    slices: int
    size: int
    picture: str


def write_stages(bundle: sk.Bundle, folder: Path, key: str, workers: int | None) -> list[Stage]:
    """Read the ZIP's entries in their order, as a viewer does that has only its beginning."""
    entries = bundle.manifest["entries"][: max(_STEPS)]
    places = sorted(entry["index"] for entry in entries)
    tiles: dict[int, npt.NDArray[np.uint8]] = {}
    window: pictures.Window | None = None
    stages = []
    with zipfile.ZipFile(bundle.path) as archive:
        for count, entry in enumerate(entries, 1):
            data = archive.read(entry["name"])
            one = bundle.path.with_name("arrived.dcm")
            one.write_bytes(data)
            header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
            frame = pictures.Frame(sk.read_pixels(one, workers=workers), header)
            window = window or pictures.window_of(frame)
            tiles[entry["index"]] = pictures.thumbnail(pictures.displayed(frame, window))
            if count in _STEPS:
                info = archive.getinfo(entry["name"])
                end = info.header_offset + 30 + len(info.filename.encode()) + info.file_size
                name = f"{key}-bundle-{count}.png"
                Image.fromarray(_row([tiles.get(k) for k in places])).save(folder / name)
                stages.append(Stage(count, end, name))
    return stages


def _row(tiles: list[npt.NDArray[np.uint8] | None]) -> npt.NDArray[np.uint8]:
    """Put tiles side by side; what has not arrived is a pale frame."""
    like = next(tile for tile in tiles if tile is not None)
    rows, columns = like.shape[:2]
    empty = np.full((rows, columns, 3), 214, np.uint8)
    empty[2:-2, 2:-2] = 243
    gap = np.full((rows, 6, 3), 255, np.uint8)
    parts = []
    for tile in tiles:
        parts += [empty if tile is None or tile.shape != like.shape else tile, gap]
    return np.hstack(parts[:-1])
