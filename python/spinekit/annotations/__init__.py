"""Films that others annotated: labelme, COCO key points, BUU-LSPINE, AASCE 2019.

>>> import spinekit as sk
>>> film = sk.annotations.read_labelme("film.json")  # doctest: +SKIP
>>> film.landmarks.endplate("S1", "superior"), film.masks()  # doctest: +SKIP
"""

from spinekit.annotations.aasce import AntePosterior, read_aasce
from spinekit.annotations.annotation import Annotation
from spinekit.annotations.buu import read_buu
from spinekit.annotations.coco import read_coco
from spinekit.annotations.labelme import read_labelme, write_labelme

__all__ = [
    "Annotation",
    "AntePosterior",
    "read_aasce",
    "read_buu",
    "read_coco",
    "read_labelme",
    "write_labelme",
]
