"""BUU-LSPINE: lateral films with the ends of eleven endplates."""

import os

import numpy as np

from spinekit import _engine
from spinekit._core import MalformedDataError
from spinekit.annotations.annotation import Annotation
from spinekit.annotations.reading import image_beside, read_numbers, shape_of
from spinekit.measurement.landmarks import VERTEBRAE, Landmarks

_ROWS = [f"{vertebra} {side}" for vertebra in VERTEBRAE for side in ("superior", "inferior")] + [
    "S1 superior"
]


def read_buu(path: str | os.PathLike[str]) -> Annotation:
    """Read the CSV file of a lateral film of BUU-LSPINE.

    Parameters
    ----------
    path : of the CSV file: no header, 11 rows from the superior endplate of L1 to that of S1, each
        ``x1,y1,x2,y2`` or ``x1,y1,x2,y2,class``, the anterior end first

    Returns
    -------
    annotation : landmarks without heads; `image` is the picture beside the file that has its name;
        ``notes["classes"]`` those of the rows by endplate, where there are any

    Raises
    ------
    MalformedDataError
        If rows or values are not so; the message names the row.
    ResourceError
        If it cannot be read.

    Notes
    -----
    Frontal films of the set have 10 rows, without S1: they are refused.

    References
    ----------
    Klinwichit et al., BUU-LSPINE: a Thai open lumbar spine dataset for spondylolisthesis detection, 2023,
    doi:10.3390/app13158646.
    """
    path = _engine.path_of(path)
    rows = read_numbers(path, (4, 5), "x1,y1,x2,y2[,class]")
    if len(rows) != len(_ROWS):
        frontal = ", as of a frontal film" if len(rows) == len(_ROWS) - 1 else ""
        raise MalformedDataError(
            f"'{path.name}': {len(rows)} rows{frontal}, expected {len(_ROWS)}: "
            "superior and inferior endplates of L1 to L5, then S1"
        )
    ends = np.array([row[:4] for row in rows]).reshape(-1, 2, 2)
    for number, (row, (first, second)) in enumerate(zip(_ROWS, ends, strict=True), 1):
        if (first == second).all():
            raise MalformedDataError(
                f"'{path.name}', row {number}: both ends of {row} at {first.tolist()}, expected two points"
            )
    image = image_beside(path)
    classes = {name: int(row[4]) for name, row in zip(_ROWS, rows, strict=True) if len(row) == 5}
    return Annotation(
        landmarks=Landmarks(vertebrae=ends[:10].reshape(5, 4, 2), sacrum=ends[10]),
        image=image,
        shape=shape_of(image),
        notes={"classes": classes} if classes else {},
        source=path.name,
    )
