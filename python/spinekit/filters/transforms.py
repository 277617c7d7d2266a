"""The ensemble as a step of training pipelines."""

import sys
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.filters.filtering import pen
from spinekit.filters.settings import PenSettings


class PENd:
    """Replace films in a dictionary by the versions that `spinekit.filters.pen` makes of them.

    Fits into ``monai.transforms.Compose`` and any other chain of callables; needs neither MONAI nor torch.

    Parameters
    ----------
    keys : of the films, one or several
    settings : by default ``PenSettings()``
    allow_missing_keys : films that a dictionary lacks are passed over

    Notes
    -----
    A film is an array or a tensor of shape (rows, columns) or (1, rows, columns), uint8, uint16 or
    float32, and becomes one of the same kind, float32, shape (channels, rows, columns). Tensors stay on
    their device, and MONAI's keep their metadata. Pickles, as the workers of data loaders need it.

    Examples
    --------
    >>> step = PENd("image", PenSettings(levels="film", bits=8))
    >>> made = step({"image": np.zeros((1, 32, 24), np.float32), "label": 3})
    >>> made["image"].shape, made["label"]
    ((6, 32, 24), 3)
    """

    def __init__(
        self,
        keys: Hashable | Iterable[Hashable],
        settings: PenSettings | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        several = isinstance(keys, Iterable) and not isinstance(keys, str)
        self.keys: tuple[Any, ...] = tuple(keys) if several else (keys,)  # type: ignore[arg-type]
        if not self.keys:
            raise ArgumentError("keys: none, expected at least one")
        self.settings = PenSettings() if settings is None else settings
        self.allow_missing_keys = allow_missing_keys

    def __repr__(self) -> str:
        return f"PENd({self.keys!r}, {self.settings!r}, allow_missing_keys={self.allow_missing_keys!r})"

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with its films replaced; what was given is not changed.

        Raises
        ------
        KeyError
            If a film is missing and must not be.
        ArgumentError
            If a film cannot be; the message names its key.
        """
        made = dict(data)
        for key in self.keys:
            if key in made:
                try:
                    made[key] = self._versions(made[key])
                except ArgumentError as failure:
                    raise ArgumentError(f"{key!r}: {failure}") from None
            elif not self.allow_missing_keys:
                raise KeyError(f"{key!r} is missing; allow_missing_keys=True passes over it")
        return made

    def _versions(self, film: Any) -> Any:
        # Whoever made a tensor has imported torch.
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(film, torch.Tensor):
            return self._of_array(film)
        made = torch.from_numpy(self._of_array(film.detach().cpu().numpy())).to(film.device)
        if hasattr(film, "copy_meta_from"):  # of MONAI
            made = type(film)(made).copy_meta_from(film)
        return made

    def _of_array(self, film: Any) -> NDArray[Any]:
        if isinstance(film, np.ndarray) and film.ndim == 3 and film.shape[0] == 1:
            film = film[0]
        return pen(film, self.settings)
