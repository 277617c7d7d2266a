"""Films in a network's input of fixed size, and what the network says back on the film."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.filters.filtering import film_pixels
from spinekit.filters.settings import pair
from spinekit.radiograph import Radiograph, checked_spacing

_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True)
class Letterbox:
    """Where a film lies in a network's input: its aspect kept, as large as it fits, in the middle.

    Attributes
    ----------
    film : (rows, columns) of the film
    input : (rows, columns) of the network's input
    spacing : (row, column) of the film's pixels; only the ratio matters, and makes pixels of the input
        square. None: the film's are

    Raises
    ------
    ArgumentError
        If a size is not within 1 to 32768, or a spacing not positive.

    Notes
    -----
    Both grids share their edges: a point at x on the film, in pixels with centres at integers, is at
    ``(x + 0.5) * scale - 0.5 + left`` in the input.

    Examples
    --------
    >>> box = Letterbox((2000, 1000), (224, 224))
    >>> box.fitted, box.top, box.left
    ((224, 112), 0, 56)
    >>> film = np.zeros((2000, 1000), np.uint16)
    >>> box.fit(film).shape, box.pad(np.zeros((6, 224, 112), np.float32)).shape
    ((224, 112), (6, 224, 224))
    >>> box.unfit(np.zeros((8, 224, 224), np.float32), logits=True).shape
    (8, 2000, 1000)
    """

    film: tuple[int, int]
    input: tuple[int, int]
    spacing: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        # Tuples, so that equal ones are equal whatever they came as.
        object.__setattr__(self, "film", pair("film", self.film, operator.index))
        object.__setattr__(self, "input", pair("input", self.input, operator.index))
        if self.spacing is not None:
            object.__setattr__(self, "spacing", checked_spacing(self.spacing))
        _ = self._box

    @functools.cached_property
    def _box(self) -> _core.Letterbox:
        return _core.Letterbox(self.film, self.input, self.spacing or (1.0, 1.0))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_box"}

    @property
    def fitted(self) -> tuple[int, int]:
        """Rows and columns of the film in the input."""
        return self._box.fitted

    @property
    def top(self) -> int:
        """Rows of padding above the film; what is odd goes below."""
        return self._box.top

    @property
    def left(self) -> int:
        """Columns of padding left of the film; what is odd goes right."""
        return self._box.left

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the input to one of the film, (down, across)."""
        return self._box.scale

    def fit(self, film: Radiograph | NDArray[Any], *, workers: int | None = None) -> NDArray[Any]:
        """Return the film at its fitted size, without padding: filters come first.

        Parameters
        ----------
        film : shape `film`, uint8, uint16 or float32
        workers : threads; by default as many as there are cores

        Returns
        -------
        fitted : shape `fitted`, dtype of the film. Where an axis shrinks, exact means over areas; where it
            grows, linear between the two nearest pixels; integers are rounded, halves to even. NaN and
            infinities spread to the pixels that they are part of
        """
        pixels = film_pixels(film)
        return self._run(
            lambda executor, cancel: _core.letterbox_fit(pixels, self._box, executor, cancel), workers
        )

    def pad(self, stack: NDArray[np.float32], value: float = 0.0) -> NDArray[np.float32]:
        """Return channels of `fitted` size amid the network's input.

        Parameters
        ----------
        stack : shape (channels, *fitted), float32
        value : of what is around

        Returns
        -------
        padded : shape (channels, *input), float32
        """
        return _core.letterbox_pad(_floats("stack", stack), self._box, value)

    def unfit(
        self, maps: NDArray[np.float32], *, logits: bool = False, workers: int | None = None
    ) -> NDArray[np.float32]:
        """Return a network's maps on the film.

        Parameters
        ----------
        maps : shape (maps, *input), float32
        logits : apply the logistic function to the result, to within 1e-6
        workers : threads; by default as many as there are cores

        Returns
        -------
        on_film : shape (maps, *film), float32; linear between the four nearest pixels of the input, and
            clamped to the film's share of it
        """
        values = _floats("maps", maps)
        return self._run(
            lambda executor, cancel: _core.letterbox_unfit(values, self._box, logits, executor, cancel),
            workers,
        )

    def to_input(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return where points (x, y) of the film are in the input, shape (..., 2)."""
        scale = self.scale[::-1]
        moved: NDArray[np.float64] = (_points(points) + 0.5) * scale - 0.5 + (self.left, self.top)
        return moved

    def to_film(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return where points (x, y) of the input are on the film, shape (..., 2)."""
        scale = self.scale[::-1]
        moved: NDArray[np.float64] = (_points(points) + 0.5 - (self.left, self.top)) / scale - 0.5
        return moved

    @staticmethod
    def _run(work: Callable[[_core.Executor, _core.CancelToken], _Result], workers: int | None) -> _Result:
        executor = _engine.executor(_engine.worker_count(workers))
        return _engine.interruptible(lambda cancel: work(executor, cancel))


def _points(points: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(points, np.float64)
    if found.ndim == 0 or found.shape[-1] != 2:
        raise ArgumentError(f"points: shape {found.shape}, expected (..., 2)")
    return found


def _floats(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 3:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ArgumentError(f"{name}: {found}, expected float32 (channels, rows, columns)")
    return np.ascontiguousarray(array)
