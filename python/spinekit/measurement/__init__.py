"""Spinopelvic measurement: from masks or key points to angles, heights and grades."""

from spinekit.measurement.landmarks import BONES, CORNERS, VERTEBRAE, Landmarks

__all__ = ["BONES", "CORNERS", "VERTEBRAE", "Landmarks"]
