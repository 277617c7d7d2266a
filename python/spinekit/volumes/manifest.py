"""The manifest of a bundle, from which a stream's first bytes tell what will come."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit import _core
from spinekit.volumes.filling import SeriesInfo
from spinekit.volumes.geometry import Geometry

#: The manifest's name: always the first entry.
MANIFEST_NAME = "spinekit.json"

#: Of a manifest: some 50,000 slices.
MOST_BYTES = 4 << 20

_DTYPES = ("uint8", "int8", "uint16", "int16", "float32")
_MOST_SIDE = 65535
_MOST_SLICES = 1 << 20
#: A volume may hold so many voxels for each byte of its entries, beyond 64 Mi voxels.
_MOST_VOXELS_PER_BYTE = 1024
_ALWAYS_ALLOWED = 64 << 20


@dataclass(frozen=True)
class Entry:
    """One slice of a bundle: where it goes, and how large its file is."""

    name: str
    index: int
    size: int
    coarse: int | None = None  # first bytes that hold its picture at a quarter of the resolution


@dataclass(frozen=True)
class Manifest:
    """What a bundle's manifest says, checked."""

    entries: list[Entry]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    modality: str
    series_instance_uid: str
    geometry: Geometry
    photometric: str = ""

    @property
    def order(self) -> list[int]:
        """Slice indices in the order of the entries."""
        return [entry.index for entry in self.entries]

    @property
    def series(self) -> list[SeriesInfo]:
        """The one series of a bundle."""
        return [
            SeriesInfo(
                self.series_instance_uid,
                self.modality,
                self.shape[0],
                self.shape[1],
                self.shape[2],
                chosen=True,
            )
        ]


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Return the manifest in `data`; `name` is for messages.

    Raises
    ------
    MalformedDataError
        If it is no manifest, contradicts itself, or claims a volume that its entries cannot hold.
    UnsupportedError
        If a later version of spinekit has written it.
    """

    def wrong(what: str) -> _core.MalformedDataError:
        return _core.MalformedDataError(f"'{name}': its manifest {MANIFEST_NAME} is wrong: {what}")

    if len(data) > MOST_BYTES:
        raise wrong(f"{len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict) or "spinekit" not in fields:
            raise wrong("no manifest of spinekit")
        if fields.get("format") != 1:
            raise _core.UnsupportedError(
                f"'{name}': a bundle of format {fields.get('format')!r}; this spinekit knows 1, update it"
            )
        count = _integer(fields["count"], 1, _MOST_SLICES)
        shape = (count, *(_integer(fields[k], 1, _MOST_SIDE) for k in ("rows", "columns")))
        samples = _integer(fields.get("samples", 1), 1, 3)
        if fields["dtype"] not in _DTYPES:
            raise wrong(f"dtype {fields['dtype']!r}")
        entries = [
            Entry(
                str(entry["name"]),
                _integer(entry["index"], 0, count - 1),
                _integer(entry["size"], 0, 1 << 48),
                None if entry.get("coarse") is None else _integer(entry["coarse"], 1, 1 << 48),
            )
            for entry in fields["entries"]
        ]
        geometry = _geometry(fields.get("geometry"))
        modality, uid = str(fields.get("modality", "")), str(fields.get("series_instance_uid", ""))
        photometric = str(fields.get("photometric", ""))
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as failure:
        if isinstance(failure, _core.SpinekitError):
            raise
        raise wrong(f"{type(failure).__name__}: {failure}") from failure
    if sorted(entry.index for entry in entries) != list(range(count)):
        raise wrong(f"its entries are not the slices 0 ... {count - 1}, each once")
    if len({entry.name for entry in entries}) != count:
        raise wrong("two entries have one name")
    voxels, held = math.prod(shape) * samples, sum(entry.size for entry in entries)
    if voxels > _ALWAYS_ALLOWED and voxels // _MOST_VOXELS_PER_BYTE > held:
        raise wrong(f"{voxels} voxels from {held} bytes")
    if samples > 1:
        shape = (*shape, samples)
    return Manifest(entries, shape, np.dtype(fields["dtype"]), modality, uid, geometry, photometric)


def _integer(value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{value!r}, expected an integer from {least} to {most}")
    return value


def _numbers(values: Any, count: int) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{values!r}, expected {count} numbers")
    return numbers


def _geometry(fields: Any) -> Geometry:
    if fields is None:
        return Geometry((None, None, None), None, None)
    a, b, c = (None if s is None else _numbers([s], 1)[0] for s in fields["spacing"])
    if fields.get("origin") is None:
        return Geometry((a, b, c), None, None)
    x, y, z = _numbers(fields["origin"], 3)
    direction = np.array([_numbers(row, 3) for row in fields["direction"]])
    if direction.shape != (3, 3):
        raise ValueError("direction is no 3 x 3 matrix")
    return Geometry(
        (a, b, c),
        (x, y, z),
        direction,
        regular=fields.get("regular") is not False,
        tilt=float(fields.get("tilt", 0.0)),
        duplicates=int(fields.get("duplicates", 0)),
        gaps=tuple(int(k) for k in fields.get("gaps", ())),
        findings=tuple(str(text) for text in fields.get("findings", ())),
    )
