"""Films as PNG, to look at and to hand on."""

from pathlib import Path

import numpy as np

from spinekit import _engine
from spinekit._png import png_bytes
from spinekit.radiograph import Radiograph


def write_png(film: Radiograph, path: Path) -> None:
    """Write a film's pixels: 8 and 16 bits as they are, float32 as 16 bits from its darkest to its brightest.

    The file appears whole or not at all.
    """
    pixels = film.pixels
    if pixels.dtype == np.float32:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = np.rint((pixels - low) * (65535 / ((high - low) or 1.0))).astype(np.uint16)
    _engine.write_file(path, png_bytes(pixels))
