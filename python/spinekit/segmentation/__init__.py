"""Finding bones on lateral films: networks that run in the engine, and how films are prepared for them."""

from spinekit.segmentation.batch import SegmentedFilms, segment_files
from spinekit.segmentation.preparing import prepare
from spinekit.segmentation.segmenter import Segmenter

__all__ = ["SegmentedFilms", "Segmenter", "prepare", "segment_files"]
