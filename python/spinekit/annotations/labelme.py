"""labelme's JSON: polygons, points and circles, read and written."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.annotations.annotation import Annotation, Points
from spinekit.annotations.contours import area, outlines, simplified
from spinekit.annotations.reading import bone_of, point_names, point_of, read_json, set_point, shape_of
from spinekit.measurement.landmarks import BONES, Landmarks

#: labelme counts from the corner of the first pixel, we from its centre.
_CORNER = 0.5
_VERSION = "5.5.0"
_LEAST = {"polygon": 3, "point": 1, "circle": 2, "rectangle": 2}


def read_labelme(path: str | os.PathLike[str], *, names: Mapping[str, str] | None = None) -> Annotation:
    """Read a labelme file: outlines of bones, key points, femoral heads.

    Parameters
    ----------
    path : of the JSON file
    names : labels of the file to ours, where they differ: ``{"Sakrum": "sacrum", "S1 va": "S1 anterior"}``

    Returns
    -------
    annotation : polygons and rectangles called L1 to L5, sacrum (or S1), FH1, FH2; points called such as
        "L1 superior anterior" ("L1_sup_ant" will do), "S1 anterior", "FH1"; circles called FH1, FH2 are a
        head's centre and radius, and its outline if it has no polygon. Labels in any case. What is called
        otherwise is in ``notes["other labels"]``.

    Raises
    ------
    MalformedDataError
        If it is no such file; the message names the shape, counted from 1, and what was expected.
    ResourceError
        If it cannot be read.

    Notes
    -----
    labelme's coordinates start at the corner of the first pixel: half a pixel is taken off. A polygon with
    the flag "hole" is taken out of the bone of its name, as `write_labelme` writes it. ``imageData`` is not
    read.

    References
    ----------
    labelme, https://github.com/wkentaro/labelme, labelme/label_file.py and examples.
    """
    path = _engine.path_of(path)
    found = read_json(path)
    shapes = found.get("shapes")
    if not isinstance(shapes, list):
        raise MalformedDataError(f"'{path.name}': no list 'shapes', expected a file of labelme")
    made = Annotation(source=path.name, image=_image(path, found), notes={})
    made.shape = _shape(path, found) or shape_of(made.image)
    other = []
    circles: dict[str, Points] = {}
    for number, shape in enumerate(shapes, 1):
        where = f"'{path.name}', shape {number}"
        label, kind, points = _parts(shape, where)
        where = f"{where} ({label!r})"
        if kind == "point" and (place := point_of(label, names or {})):
            set_point(made.landmarks, place, points[0], where)
        elif kind in ("polygon", "rectangle") and (bone := bone_of(label, names or {})):
            if kind == "rectangle":
                (x0, y0), (x1, y1) = points
                points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
            flags = shape.get("flags")
            within = made.holes if isinstance(flags, dict) and flags.get("hole") else made.polygons
            within.setdefault(bone, []).append(points)
        elif kind == "circle" and (bone := bone_of(label, names or {})) in ("FH1", "FH2"):
            radius = float(np.hypot(*(points[1] - points[0])))
            if not radius > 0:
                raise MalformedDataError(f"{where}: a circle of radius 0")
            head = int(bone[2]) - 1
            set_point(made.landmarks, ("heads", head), points[0], where)
            made.landmarks.radii[head] = radius
            turn = np.linspace(0, 2 * math.pi, 180, endpoint=False)
            circles[bone] = points[0] + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        else:
            other.append(label)
    for bone, circle in circles.items():
        made.polygons.setdefault(bone, [circle])
    if other:
        made.notes["other labels"] = other
    return made


def _parts(shape: Any, where: str) -> tuple[str, str, Points]:
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        raise MalformedDataError(f"{where}: no text 'label', expected a shape of labelme")
    label: str = shape["label"]
    # Files before version 4 have polygons without saying so.
    kind = shape.get("shape_type") or "polygon"
    least = _LEAST.get(str(kind), 0)
    try:
        points = np.array(shape.get("points"), np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least or not np.isfinite(points).all():
        raise MalformedDataError(
            f"{where} ({label!r}): 'points' are no list of at least {max(least, 1)} pairs of numbers"
        )
    if kind in ("point", "circle", "rectangle") and len(points) != least:
        raise MalformedDataError(f"{where} ({label!r}): {len(points)} points, expected {least} of a {kind}")
    return label, str(kind), points - _CORNER


def _image(path: Path, found: dict[str, Any]) -> Path | None:
    name = found.get("imagePath")
    if not isinstance(name, str) or not name:
        return None
    # Written on Windows it has backslashes, which PureWindowsPath reads beside slashes.
    return path.parent / Path(*PureWindowsPath(name).parts)


def _shape(path: Path, found: dict[str, Any]) -> tuple[int, int] | None:
    sides = found.get("imageHeight"), found.get("imageWidth")
    if sides == (None, None):
        return None
    for name, side in zip(("imageHeight", "imageWidth"), sides, strict=True):
        if not isinstance(side, int) or isinstance(side, bool) or side <= 0:
            raise MalformedDataError(f"'{path.name}': {name} is {side!r}, expected a whole number > 0")
    rows, columns = sides
    return rows, columns  # type: ignore[return-value]


def write_labelme(
    path: str | os.PathLike[str],
    *,
    landmarks: Landmarks | None = None,
    masks: NDArray[Any] | None = None,
    image: str | os.PathLike[str] | None = None,
    shape: tuple[int, int] | None = None,
    tolerance: float = 0.1,
) -> None:
    """Write landmarks and masks as a labelme file, to look at and to correct there.

    Parameters
    ----------
    path : of the JSON file; an older one is replaced when the new one is whole
    landmarks : points that are NaN are left out; heads with a radius become circles
    masks : shape (8, rows, columns), bool or probabilities, in the order of `spinekit.measurement.BONES`;
        their outlines at 0.5 become polygons, holes polygons with the flag "hole"
    image : path of the picture, written relative to the file
    shape : rows and columns of the picture, None for those of the masks
    tolerance : pixels by which polygons may leave the outline to have fewer points

    Raises
    ------
    ArgumentError
        If there is neither shape nor masks, or masks have another shape.
    ResourceError
        If it cannot be written.

    Notes
    -----
    `read_labelme` gives the same back: points to rounding, masks to the tolerance.
    """
    path = _engine.path_of(path)
    shapes: list[dict[str, Any]] = []
    if masks is not None:
        masks = np.asarray(masks)
        if masks.ndim != 3 or len(masks) != len(BONES):
            raise ArgumentError(f"masks: shape {masks.shape}, expected ({len(BONES)}, rows, columns)")
        if shape is not None and tuple(shape) != masks.shape[1:]:
            raise ArgumentError(f"shape is {shape}, but the masks are of {masks.shape[1:]}")
        shape = masks.shape[1], masks.shape[2]
        for bone, mask in zip(BONES, masks, strict=True):
            shapes += _polygons(bone, mask, tolerance)
    if shape is None:
        raise ArgumentError("write_labelme needs the shape of the picture, or masks")
    if landmarks is not None:
        shapes += _points(landmarks)
    written: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": "" if image is None else Path(os.path.relpath(image, path.parent)).as_posix(),
        "imageData": None,
        "imageHeight": int(shape[0]),
        "imageWidth": int(shape[1]),
    }
    _engine.write_file(path, (json.dumps(written, indent=1) + "\n").encode())


def _record(label: str, kind: str, points: Points, *, hole: bool = False) -> dict[str, Any]:
    return {
        "label": label,
        "points": np.round(points + _CORNER, 4).tolist(),
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {"hole": True} if hole else {},
        "mask": None,
    }


def _polygons(bone: str, mask: NDArray[Any], tolerance: float) -> list[dict[str, Any]]:
    found = []
    for outline in outlines(mask):
        fewer = simplified(outline, tolerance)
        if len(fewer) >= 3:
            found.append(_record(bone, "polygon", fewer, hole=area(outline) < 0))
    return found


def _points(landmarks: Landmarks) -> list[dict[str, Any]]:
    found = []
    for name, (field, place) in point_names().items():
        point = getattr(landmarks, field).reshape(-1, 2)[place]
        if np.isnan(point).any():
            continue
        if field == "heads" and landmarks.radii[place] > 0:
            edge = point + np.array([0, landmarks.radii[place]])
            found.append(_record(name, "circle", np.stack([point, edge])))
        else:
            found.append(_record(name, "point", point[None]))
    return found
