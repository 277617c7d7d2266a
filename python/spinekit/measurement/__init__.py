"""Spinopelvic measurement: from masks or key points to angles, heights and grades."""

from spinekit.measurement.landmarks import BONES, CORNERS, VERTEBRAE, Landmarks
from spinekit.measurement.measuring import measure, measure_points
from spinekit.measurement.result import Measurement

__all__ = ["BONES", "CORNERS", "VERTEBRAE", "Landmarks", "Measurement", "measure", "measure_points"]
