"""Spinopelvic measurement: from masks or key points to angles, heights and grades."""

from spinekit.measurement.batch import MeasuredFilms, measure_files
from spinekit.measurement.landmarks import BONES, CORNERS, VERTEBRAE, Landmarks
from spinekit.measurement.measuring import measure, measure_points
from spinekit.measurement.reading import read_masks
from spinekit.measurement.result import Measurement

__all__ = [
    "BONES",
    "CORNERS",
    "VERTEBRAE",
    "Landmarks",
    "MeasuredFilms",
    "Measurement",
    "measure",
    "measure_files",
    "measure_points",
    "read_masks",
]
