"""Films with their masks drawn on them, to look through many quickly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit.letterbox import Letterbox
from spinekit.radiograph import Radiograph

#: Of the longer side: a screen's height.
_SIDE = 1200
_TINT = 0.25
#: Neighbours differ, for those who see few colours too; they repeat where there are more classes.
_COLOURS = ("#56c7ff", "#ffd23f", "#7ee081", "#ff8fb1", "#dccfff", "#ffffff", "#ffb38a", "#ff5a4f")


def overlay(film: Radiograph, masks: NDArray[np.bool_], labels: Sequence[str]) -> Any:
    """Return a picture of PIL: the film in true proportions, masks tinted, outlined and named.

    Parameters
    ----------
    masks : shape (classes, rows, columns) of the film
    """
    from PIL import Image, ImageDraw  # noqa: PLC0415 - slow to import
    from scipy import ndimage  # noqa: PLC0415 - slow to import

    side = min(_SIDE, max(film.shape))
    rows, columns = Letterbox(film.shape, (side, side), film.spacing).fitted
    box = Letterbox(film.shape, (rows, columns), film.spacing)
    grey = box.fit(film).astype(np.float32)
    known = grey[np.isfinite(grey)]
    dark, bright = np.percentile(known, (0.5, 99.7)) if known.size else (0.0, 1.0)
    shown = np.nan_to_num((grey - dark) / max(float(bright - dark), 1e-6))
    picture = np.repeat(np.clip(shown, 0, 1)[..., np.newaxis], 3, axis=2)
    at = [
        np.minimum((np.arange(n) + 0.5) * (m / n), m - 1).astype(np.int64)
        for n, m in zip(grey.shape, film.shape, strict=True)
    ]
    names = []
    for k, label in enumerate(labels):
        mask = masks[k][np.ix_(*at)]
        if not mask.any():
            continue
        colour = np.array([int(_COLOURS[k % len(_COLOURS)][i : i + 2], 16) for i in (1, 3, 5)]) / 255
        picture[mask] += _TINT * (colour - picture[mask])
        picture[mask & ~ndimage.binary_erosion(mask)] = colour
        y, x = ndimage.center_of_mass(mask)
        names.append((x, y, label, _COLOURS[k % len(_COLOURS)]))
    image = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for x, y, label, colour_name in names:
        text = label.encode("ascii", "replace").decode()  # PIL's own font has no other letters
        draw.text((x, y), text, fill=colour_name, anchor="mm", stroke_width=2, stroke_fill="#0b0f12")
    return image
