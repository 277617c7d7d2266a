"""What this installation consists of."""

import platform
import sys
from typing import Any

import numpy as np

from spinekit import _core, _engine
from spinekit.segmentation.engine import ability

#: What can be read and what can be written, by the words of PS3.6 table A-1.
CODECS = {
    "read": [
        "Implicit VR Little Endian",
        "Explicit VR Little Endian",
        "Explicit VR Big Endian",
        "Deflated Explicit VR Little Endian",
        "RLE Lossless",
        "JPEG Baseline, Extended, Lossless",
        "JPEG-LS Lossless, Near-Lossless",
        "JPEG 2000 Lossless, JPEG 2000",
        "HTJ2K Lossless, Lossless RPCL, HTJ2K",
    ],
    "write": [
        "Explicit VR Little Endian",
        "JPEG 2000 Lossless, JPEG 2000",
        "JPEG-LS Lossless",
        "HTJ2K Lossless RPCL",
    ],
}


def info() -> dict[str, Any]:
    """Return versions of the package, the engine's libraries and the platform, the codecs, and what segments.

    Returns
    -------
    info : keys ``spinekit``, ``libraries`` (name to version), ``codecs`` (``read`` and ``write``),
        ``python``, ``numpy``, ``platform``, ``workers`` (the default number of threads), ``segmentation``
        (``ready``, ``torch``, and either what it runs on or ``why not``), ``not_yet`` (capabilities of the
        project's plan that this version does not have)

    Notes
    -----
    Imports torch where it is installed, a second or two: only then is it known whether it fits.
    """
    return {
        "spinekit": _core.__version__,
        "libraries": dict(_core.codec_versions() + _core.dicom_versions() + _core.filter_versions()),
        "codecs": CODECS,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": platform.platform(),
        "workers": _engine.worker_count(None),
        "segmentation": ability() | {"weights": "none are shipped"},
        "not_yet": [
            "trained weights for segmentation",
            "restoration of films",
        ],
    }
