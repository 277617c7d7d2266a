"""Spine imaging from the archive to the angles.

DICOM compression that hits its target exactly and proves what was lost:

>>> import spinekit as sk
>>> report = sk.compress("CT/", "out/", ratio=10.0)  # doctest: +SKIP
>>> report.to_csv("report.csv")  # doctest: +SKIP

Volumes that fill slice by slice while they are used:

>>> volume = sk.open_volume("series.zip")  # doctest: +SKIP
>>> for k in volume:  # doctest: +SKIP
...     print(k, volume.array[k].mean())

Bones on a lateral film, from a network's weights:

>>> seg = sk.Segmenter("spine.safetensors")  # doctest: +SKIP
>>> masks = seg.predict(sk.read_radiograph("film.dcm"))  # doctest: +SKIP

Angles and heights of the lumbar spine and the pelvis from masks of a lateral film:

>>> par = sk.measure(masks, spacing=(0.3, 0.3))  # doctest: +SKIP
>>> par.pi, par.intervals["pi"]  # doctest: +SKIP

See the project's README for the whole picture, and ``spinekit --help`` for the command line.
"""

import logging as _logging

from spinekit import annotations, filters, phantom, segmentation
from spinekit._core import (
    ArgumentError,
    CancelledError,
    MalformedDataError,
    ResourceError,
    SpinekitError,
    UnsupportedError,
    __version__,
)
from spinekit.audit import Audit, AuditRecord, verify
from spinekit.bundling import Bundle, bundle
from spinekit.comparison import Comparison, compare
from spinekit.compression import compress, decompress
from spinekit.damage import (
    ColorModel,
    DamagedPieces,
    DamagedScans,
    find_damage,
    find_damage_files,
    pick_boxes,
)
from spinekit.info import info
from spinekit.measurement import (
    Landmarks,
    MeasuredFilms,
    Measurement,
    measure,
    measure_files,
    measure_points,
    read_masks,
)
from spinekit.pixels import read_pixels
from spinekit.radiograph import Radiograph
from spinekit.radiographs import read_radiograph
from spinekit.raters import Agreement, agreement
from spinekit.report import Record, Report
from spinekit.segmentation import SegmentedFilms, Segmenter, segment_files
from spinekit.volumes import Frame, Geometry, SeriesInfo, SliceState, Volume, open_volume, show
from spinekit.volumes.order import slice_order

_logging.getLogger(__name__).addHandler(_logging.NullHandler())

__all__ = [
    "Agreement",
    "ArgumentError",
    "Audit",
    "AuditRecord",
    "Bundle",
    "CancelledError",
    "ColorModel",
    "Comparison",
    "DamagedPieces",
    "DamagedScans",
    "Frame",
    "Geometry",
    "Landmarks",
    "MalformedDataError",
    "MeasuredFilms",
    "Measurement",
    "Radiograph",
    "Record",
    "Report",
    "ResourceError",
    "SegmentedFilms",
    "Segmenter",
    "SeriesInfo",
    "SliceState",
    "SpinekitError",
    "UnsupportedError",
    "Volume",
    "__version__",
    "agreement",
    "annotations",
    "bundle",
    "compare",
    "compress",
    "decompress",
    "filters",
    "find_damage",
    "find_damage_files",
    "info",
    "measure",
    "measure_files",
    "measure_points",
    "open_volume",
    "phantom",
    "pick_boxes",
    "read_masks",
    "read_pixels",
    "read_radiograph",
    "segment_files",
    "segmentation",
    "show",
    "slice_order",
    "verify",
]
