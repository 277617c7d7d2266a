"""Masks of damage, and their pieces as the engine gives them."""

import cv2
import numpy as np

from spinekit import _core
from spinekit.damage.pieces import DamagedPieces

WIDTH, HEIGHT = 300, 200
#: Of `mask_of_shapes`, in its order; the dot and the stroke cannot be cut.
RECTANGLE, RING, STROKE, DOT, BLOB = 1, 2, 3, 4, 5


def mask_of_shapes():
    """A rectangle, a ring, a diagonal stroke one pixel wide, a dot, and something round."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, 20:40] = 255
    cv2.circle(mask, (90, 40), 22, 255, 7)
    cv2.line(mask, (150, 60), (170, 80), 255, 1)
    mask[100, 200] = 255
    cv2.ellipse(mask, (100, 150), (60, 25), 20, 0, 360, 255, -1)
    return mask


def pieces_of(mask, **known):
    """Pieces without cleaning, from the top down."""
    options = _core.PieceOptions()
    options.cleaning = _core.CleaningOptions(closing=0, smooth=False, opening=0)
    options.numbering = _core.Numbering.SIMPLE
    options.min_area = 0
    options.keep_contours = known.pop("keep_contours", False)
    height, width = mask.shape
    about = {
        "source": "scan.tif",
        "mm_per_pixel": None,
        "boundary": None,
        "settings": {"kernel": 3, "boundary": "none", "max_area": None},
    }
    found = _core.mask_pieces(mask, options)
    return DamagedPieces(found, width=width, height=height, **(about | known))
