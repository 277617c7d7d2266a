"""The filters as functions of films."""

import operator
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.filters.settings import Levels, PenSettings, changed, mapping, pair
from spinekit.radiograph import Radiograph

#: Sides that the engine takes; asked before anything is copied.
_MOST = 32768


def film_pixels(film: Radiograph | NDArray[Any]) -> NDArray[Any]:
    """Return a film's pixels as the engine takes them; copied only if they are not C-contiguous.

    Raises
    ------
    ArgumentError
        If it is no array (rows, columns) of uint8, uint16 or float32, or has no pixels, or more than 32768
        in a row or column.
    """
    pixels = film.pixels if isinstance(film, Radiograph) else film
    if not isinstance(pixels, np.ndarray):
        raise ArgumentError(f"film: {type(film).__name__}, expected a Radiograph or an array (rows, columns)")
    if pixels.ndim != 2 or not all(1 <= side <= _MOST for side in pixels.shape):
        raise ArgumentError(
            f"film: shape {pixels.shape}, expected (rows, columns), 1 to {_MOST} of each; "
            "colour and stacks are not filtered"
        )
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ArgumentError(f"film: {pixels.dtype}, expected uint8, uint16 or float32")
    return np.ascontiguousarray(pixels)


def _levels(film: Radiograph | NDArray[Any], levels: Levels, bits: int | None) -> NDArray[Any]:
    return _core.map_levels(film_pixels(film), mapping(levels, bits))


def clahe(
    film: Radiograph | NDArray[Any],
    clip_limit: float = 2.0,
    tiles: tuple[int, int] = (8, 8),
    *,
    levels: Levels = None,
    bits: int | None = None,
) -> NDArray[Any]:
    """Equalise a film's histogram place by place, without enhancing noise too much (CLAHE).

    Parameters
    ----------
    film : shape (rows, columns), uint8, uint16 or float32
    clip_limit, tiles, levels, bits : see `PenSettings`

    Returns
    -------
    equalised : shape (rows, columns), uint8 or uint16; what OpenCV gives, bit for bit

    Raises
    ------
    ArgumentError
        If the film or a setting cannot be.

    Notes
    -----
    Films smaller than their tiles are mirrored to at least a pixel for each. Thread-safe.

    References
    ----------
    K. Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV, 1994, 474-485.

    Examples
    --------
    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16) // 4 + 90
    >>> int(np.ptp(ramp)), int(np.ptp(clahe(ramp, tiles=(1, 1), clip_limit=0)))
    (63, 251)
    """
    return _core.clahe(_levels(film, levels, bits), clip_limit, pair("tiles", tiles, operator.index))


def sharpen(
    film: Radiograph | NDArray[Any],
    amount: float = 1.0,
    *,
    levels: Levels = None,
    bits: int | None = None,
) -> NDArray[Any]:
    """Sharpen a film.

    Parameters
    ----------
    film : shape (rows, columns), uint8, uint16 or float32
    amount : see `PenSettings.sharpening`
    levels, bits : see `PenSettings`

    Returns
    -------
    sharpened : shape (rows, columns), uint8 or uint16; rounded, halves to even, and clamped. The film is
        taken as mirrored about its outermost pixels

    Raises
    ------
    ArgumentError
        If the film or a setting cannot be.

    Examples
    --------
    >>> sharpen(np.array([[10, 10, 20, 20]], np.uint8))
    array([[10,  0, 30, 20]], dtype=uint8)
    """
    return _core.sharpen(_levels(film, levels, bits), amount)


def stretch(
    film: Radiograph | NDArray[Any],
    percentiles: tuple[float, float] = (2.0, 98.0),
    *,
    levels: Levels = None,
    bits: int | None = None,
) -> NDArray[Any]:
    """Stretch a film's contrast between two percentiles of its grey levels.

    Parameters
    ----------
    film : shape (rows, columns), uint8, uint16 or float32
    percentiles, levels, bits : see `PenSettings`

    Returns
    -------
    stretched : shape (rows, columns), uint8 or uint16; all 0 where both percentiles are the same level

    Raises
    ------
    ArgumentError
        If the film or a setting cannot be.

    Notes
    -----
    Percentiles are those of `numpy.percentile`.

    Examples
    --------
    >>> stretch(np.array([[40, 50, 60, 80]], np.uint8), (0, 100))
    array([[  0,  64, 128, 255]], dtype=uint8)
    """
    return _core.stretch(_levels(film, levels, bits), pair("percentiles", percentiles, float))


def pen(
    film: Radiograph | NDArray[Any],
    settings: PenSettings | None = None,
    *,
    dtype: Literal["float32", "same"] = "float32",
    **changes: Any,
) -> NDArray[Any]:
    """Return the versions of a film that the preprocessing ensemble shows a network.

    Parameters
    ----------
    film : shape (rows, columns), uint8, uint16 or float32
    settings : by default ``PenSettings()``
    dtype : ``"float32"`` gives values in [0, 1], ``"same"`` the integers that the filters work on
    changes : settings by their names, such as ``channels=5, clip_limit=3.0``; see `PenSettings`

    Returns
    -------
    versions : shape (channels, rows, columns), float32, uint8 or uint16: the original; CLAHE; CLAHE twice;
        sharpened, then CLAHE; sharpened, then CLAHE twice; stretched

    Raises
    ------
    ArgumentError
        If the film or a setting cannot be.

    Notes
    -----
    Plain ``pen(film)`` keeps integer levels. Networks and `spinekit.Segmenter` use
    ``PenSettings(levels="film", bits=8)``: for training use that, or `spinekit.segmentation.prepare`.

    Floats that are not finite count as the lowest level, and as none when levels are sought. A film whose
    levels are sought and are all the same becomes 0 throughout. Works in the thread that calls it, without
    the GIL; from many at once, and after ``fork``. For padded inputs of networks, filter first: padding
    would be equalised with the film.

    Examples
    --------
    >>> film = np.random.default_rng(0).integers(0, 4096, (96, 64), np.uint16)
    >>> pen(film).shape, pen(film, channels=5, leave_out="original").shape
    ((6, 96, 64), (5, 96, 64))
    >>> pen(film, levels="film", bits=8, dtype="same").dtype
    dtype('uint8')
    """
    if dtype not in ("float32", "same"):
        raise ArgumentError(f"dtype: {dtype!r}, expected 'float32' or 'same'")
    options = changed(settings, changes).options()
    return (_core.pen if dtype == "float32" else _core.pen_levels)(film_pixels(film), options)


def pen_batch(
    films: Iterable[Radiograph | NDArray[Any]],
    settings: PenSettings | None = None,
    *,
    workers: int | None = None,
    **changes: Any,
) -> list[NDArray[np.float32]]:
    """Return `pen` of each film, several at a time.

    Parameters
    ----------
    films : each of shape (rows, columns), uint8, uint16 or float32; sizes and dtypes may differ
    settings, changes : as of `pen`, the same for all
    workers : threads; by default as many as there are cores

    Returns
    -------
    versions : for each film, in order, shape (channels, rows, columns), float32 in [0, 1]; the same for
        any number of workers

    Raises
    ------
    ArgumentError
        If a film or a setting cannot be.

    Examples
    --------
    >>> [one.shape for one in pen_batch([np.zeros((9, 9), np.uint8), np.zeros((4, 5), np.uint16)])]
    [(6, 9, 9), (6, 4, 5)]
    """
    options = changed(settings, changes).options()
    pixels = [film_pixels(film) for film in films]
    executor = _engine.executor(_engine.worker_count(workers))
    return _engine.interruptible(lambda cancel: _core.pen_batch(pixels, options, executor, cancel))
