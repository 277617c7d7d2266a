"""Outlines as GeoJSON, in pixels."""

import json
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.svg import Points

_AXES = {
    "image": "x to the right, y down; centres of pixels at whole numbers, the first one's at (0, 0)",
    "map": "x to the right, y up; the upper left corner of the scan at (0, 0), so that y is below 0",
}


def geojson_text(pieces: Iterable[DamagedPiece], head: dict[str, Any], axes: Literal["image", "map"]) -> str:
    """Return a FeatureCollection, a line for each piece.

    Parameters
    ----------
    pieces : in order
    head : what is told of the scan
    axes : see `DamagedPieces.to_geojson`
    """
    if axes not in _AXES:
        raise ArgumentError(f"axes: {axes!r}, expected 'image' or 'map'")
    features = ",\n".join(json.dumps(_feature(piece, axes), ensure_ascii=False) for piece in pieces)
    told = json.dumps(head | {"coordinates": _AXES[axes]}, ensure_ascii=False)
    # Without crs, readers take degrees of WGS 84; null is the word of 2008's GeoJSON for none.
    return f'{{"type": "FeatureCollection",\n"crs": null,\n"scan": {told},\n"features": [\n{features}\n]}}\n'


def _feature(piece: DamagedPiece, axes: str) -> dict[str, Any]:
    properties = piece.to_dict()
    del properties["outline"]
    ring = closed_ring(piece.outline, axes)
    return {
        "type": "Feature",
        "id": piece.number,
        "properties": properties,
        "geometry": None if ring is None else {"type": "Polygon", "coordinates": [ring.tolist()]},
    }


def closed_ring(outline: Points, axes: str) -> NDArray[Any] | None:
    """Return a closed ring, counter-clockwise where y goes up; None of fewer than three points."""
    if len(outline) < 3:
        return None
    points: NDArray[Any] = outline.astype(np.int64)
    if axes == "map":
        points = (points + 0.5) * (1, -1)
    x, y = points.T
    if x @ np.roll(y, -1) < y @ np.roll(x, -1):
        points = points[::-1]
    return np.concatenate([points, points[:1]])
