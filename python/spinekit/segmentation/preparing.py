"""Films as networks see them: one path for training and for inference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core
from spinekit._core import ArgumentError
from spinekit.filters import PenSettings, pen
from spinekit.filters.settings import mapping
from spinekit.letterbox import Letterbox
from spinekit.radiograph import Radiograph

#: Channels that the ensemble makes; a network of 1 or 3 sees the film itself.
_ENSEMBLES = (5, 6)
_PLAIN = (1, 3)


def default_settings(channels: int) -> PenSettings:
    """Return what a film is filtered with where nobody said otherwise: its own levels, in 8 bits."""
    return PenSettings(channels=channels if channels in _ENSEMBLES else 6, levels="film", bits=8)


def prepare(
    film: Radiograph | NDArray[Any],
    size: tuple[int, int],
    settings: PenSettings | None = None,
    *,
    channels: int | None = None,
    spacing: Sequence[float] | None = None,
    workers: int | None = None,
) -> tuple[NDArray[np.float32], Letterbox]:
    """Return a film as a network's input, and where it lies in there: for training as for `Segmenter`.

    Parameters
    ----------
    film : shape (rows, columns), uint8, uint16 or float32
    size : (rows, columns) of the network's input
    settings : of the filters; None for ``PenSettings(levels="film", bits=8)``. Put ``settings.to_dict()``
        into `filters` of the network that is trained: `spinekit.nn.save` writes it, `Segmenter` reads it
    channels : of the network; None for as many as the settings make. 1 or 3: the film itself, which is the
        ensemble's "original", repeated
    spacing : (row, column), mm, instead of the film's: pixels of the input become square
    workers : threads; by default as many as there are cores

    Returns
    -------
    stack : shape (channels, *size), float32, in [0, 1]; 0 beside the film
    box : brings masks and points of the film into the input, and maps back

    Raises
    ------
    ArgumentError
        If the film, the size or the number of channels cannot be.

    Notes
    -----
    The film shrinks first, then it is filtered, then padded: padding must not be equalised with it.

    Examples
    --------
    >>> film = np.random.default_rng(0).integers(0, 4096, (300, 200), np.uint16)
    >>> stack, box = prepare(film, (96, 64))
    >>> stack.shape, box.fitted
    ((6, 96, 64), (96, 64))
    """
    if spacing is None and isinstance(film, Radiograph):
        spacing = film.spacing
    pixels = film.pixels if isinstance(film, Radiograph) else film
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2:
        raise ArgumentError(
            f"film: {getattr(pixels, 'shape', type(pixels).__name__)}, expected (rows, columns)"
        )
    rows, columns = pixels.shape
    box = Letterbox((rows, columns), size, None if spacing is None else (spacing[0], spacing[1]))
    if settings is None:
        settings = default_settings(channels or 6)
    return prepared(pixels, box, settings, channels or settings.channels, workers=workers), box


def prepared(
    film: Radiograph | NDArray[Any],
    box: Letterbox,
    settings: PenSettings,
    channels: int,
    *,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Return a film in its place in a network's input; see `prepare`, of which this is the core."""
    check_channels(settings, channels)
    fitted = box.fit(film, workers=workers)
    if channels in _ENSEMBLES:
        return box.pad(pen(fitted, settings))
    levels = _core.map_levels(fitted, mapping(settings.levels, settings.bits))
    original = levels.astype(np.float32) / np.float32(np.iinfo(levels.dtype).max)
    return box.pad(np.repeat(original[np.newaxis], channels, axis=0))


def check_channels(settings: PenSettings, channels: int) -> None:
    """Raise an ArgumentError unless a network of so many channels can be fed by the settings."""
    if channels not in (*_PLAIN, *_ENSEMBLES):
        raise ArgumentError(
            f"channels: {channels}, expected 1 or 3, for the film itself, or 5 or 6, for its versions"
        )
    if channels in _ENSEMBLES and channels != settings.channels:
        raise ArgumentError(f"the filters make {settings.channels} channels, the network takes {channels}")
