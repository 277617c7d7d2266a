"""Spine imaging from the archive to the angles.

DICOM compression that hits its target exactly and proves what was lost:

>>> import spinekit as sk
>>> report = sk.compress("CT/", "out/", ratio=10.0)  # doctest: +SKIP
>>> report.to_csv("report.csv")  # doctest: +SKIP

See the project's README for the whole picture, and ``spinekit --help`` for the command line.
"""

import logging as _logging

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
from spinekit.bundling import Bundle, bundle, slice_order
from spinekit.comparison import Comparison, compare
from spinekit.compression import compress, decompress
from spinekit.info import info
from spinekit.pixels import read_pixels
from spinekit.report import Record, Report

_logging.getLogger(__name__).addHandler(_logging.NullHandler())

__all__ = [
    "ArgumentError",
    "Audit",
    "AuditRecord",
    "Bundle",
    "CancelledError",
    "Comparison",
    "MalformedDataError",
    "Record",
    "Report",
    "ResourceError",
    "SpinekitError",
    "UnsupportedError",
    "__version__",
    "bundle",
    "compare",
    "compress",
    "decompress",
    "info",
    "read_pixels",
    "slice_order",
    "verify",
]
