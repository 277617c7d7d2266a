"""Filters of a film's grey levels: single ones, and the ensemble that networks see as channels."""

from spinekit.filters.filtering import clahe, pen, pen_batch, sharpen, stretch
from spinekit.filters.settings import VERSIONS, PenSettings
from spinekit.filters.transforms import PENd

__all__ = ["VERSIONS", "PENd", "PenSettings", "clahe", "pen", "pen_batch", "sharpen", "stretch"]
