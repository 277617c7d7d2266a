"""COCO's key points, and its polygons where they are of bones."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _engine
from spinekit._core import MalformedDataError
from spinekit.annotations.annotation import Annotation
from spinekit.annotations.reading import bone_of, known_points, point_of, read_json, set_point, shape_of

#: Polygons count from the corner of the first pixel, we from its centre.
_CORNER = 0.5


def read_coco(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Annotation]:
    """Read a COCO file of key points.

    Parameters
    ----------
    path : of the JSON file
    images : folder of the pictures, None for that of the file
    names : names of key points and categories of the file to ours, where they differ

    Returns
    -------
    annotations : one for each picture, in the file's order; all annotations of a picture together. Key points
        are called such as "L1 superior anterior" or "L1_sup_ant", "S1 anterior", "FH1"; or, in a category
        called L1, only "superior anterior". Points of visibility 0 are not there. Polygons of categories
        called L1 to L5, sacrum, FH1, FH2 become `polygons`. What was not understood is in
        ``notes["not read"]``.

    Raises
    ------
    MalformedDataError
        If it is no such file, a point is there twice, or no key point has a name that is known; the message
        names the annotation by its id.
    ResourceError
        If it cannot be read.

    Notes
    -----
    Key points name pixels and are taken as they are; polygons count from the corner of the first pixel, so
    half a pixel is taken off.

    References
    ----------
    COCO, https://cocodataset.org/#format-data, section 2, keypoint detection. On the half pixel: pycocotools
    (rleFrPoly), where a picture of w x h is the polygon (0, 0) to (w, h).
    """
    path = _engine.path_of(path)
    found = read_json(path)
    categories = {_id(c, "id"): c for c in _dicts(path, found, "categories")}
    folder = path.parent if images is None else _engine.path_of(images)
    made: dict[Any, Annotation] = {}
    for image in _dicts(path, found, "images"):
        if _id(image, "id") is None or not isinstance(image.get("file_name"), str):
            raise MalformedDataError(f"'{path.name}': an image without id or file_name: {_brief(image)}")
        if _id(image, "id") in made:
            raise MalformedDataError(f"'{path.name}': two images have the id {image['id']!r}")
        file = folder / image["file_name"]
        sides = image.get("height"), image.get("width")
        shape = sides if all(isinstance(s, int) and s > 0 for s in sides) else shape_of(file)
        made[_id(image, "id")] = Annotation(image=file, shape=shape, source=path.name)  # type: ignore[arg-type]
    understood = 0
    there = False
    for one in _dicts(path, found, "annotations"):
        where = f"'{path.name}', annotation {one.get('id')}"
        if _id(one, "image_id") not in made:
            raise MalformedDataError(f"{where}: image_id {one.get('image_id')!r} is none of the images")
        category = categories.get(_id(one, "category_id"))
        if category is None:
            raise MalformedDataError(
                f"{where}: category_id {one.get('category_id')!r} is none of the categories"
            )
        annotation = made[_id(one, "image_id")]
        if one.get("keypoints"):
            there = True
            understood += _key_points(annotation, one, category, names or {}, where)
        if one.get("segmentation"):
            _outline(annotation, one, category, names or {}, where)
    if there and not understood:
        called = [name for c in categories.values() for name in c.get("keypoints") or []][:6]
        raise MalformedDataError(
            f"'{path.name}': no key point has a name that is known: {called}, expected names "
            f"{known_points()}; names= can say which is which"
        )
    return list(made.values())


def _dicts(path: Path, found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = found.get(name)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise MalformedDataError(f"'{path.name}': no list of objects '{name}', expected a COCO file")
    return listed


def _id(one: dict[str, Any], name: str) -> int | str | None:
    """Return an id, None if it is nothing that identifies."""
    value = one.get(name)
    return value if isinstance(value, (int, str)) else None


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def _key_points(
    annotation: Annotation,
    one: dict[str, Any],
    category: dict[str, Any],
    names: Mapping[str, str],
    where: str,
) -> int:
    labels = category.get("keypoints")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise MalformedDataError(f"{where}: its category has no list of names 'keypoints'")
    try:
        points = np.array(one["keypoints"], np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != (3 * len(labels),) or not np.isfinite(points).all():
        raise MalformedDataError(
            f"{where}: {points.size} numbers in 'keypoints', expected {3 * len(labels)}: "
            f"x, y, visibility of {len(labels)} points"
        )
    bone = str(category.get("name", ""))
    understood = 0
    for label, (x, y, visible) in zip(labels, points.reshape(-1, 3).tolist(), strict=True):
        place = point_of(label, names) or point_of(f"{names.get(bone, bone)} {names.get(label, label)}", {})
        if place is None:
            annotation.notes.setdefault("not read", []).append(label)
            continue
        understood += 1
        if visible > 0:
            set_point(annotation.landmarks, place, np.array([x, y]), f"{where}, key point {label!r}")
    return understood


def _outline(
    annotation: Annotation,
    one: dict[str, Any],
    category: dict[str, Any],
    names: Mapping[str, str],
    where: str,
) -> None:
    bone = bone_of(str(category.get("name", "")), names)
    if bone is None or isinstance(one["segmentation"], dict):
        what = "run-length mask" if isinstance(one["segmentation"], dict) else "outline"
        annotation.notes.setdefault("not read", []).append(f"{what} of {category.get('name')!r}")
        return
    parts = one["segmentation"]
    for part in parts if isinstance(parts, list) else [parts]:
        try:
            numbers = np.array(part, np.float64)
        except (TypeError, ValueError):
            numbers = np.empty(0)
        if numbers.ndim != 1 or len(numbers) < 6 or len(numbers) % 2 or not np.isfinite(numbers).all():
            raise MalformedDataError(f"{where}: a polygon that is no list of at least 3 pairs of numbers")
        annotation.polygons.setdefault(bone, []).append(numbers.reshape(-1, 2) - _CORNER)
