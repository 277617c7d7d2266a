"""AASCE 2019: frontal films of the whole spine with the corners of 17 vertebrae and three Cobb angles."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.annotations.reading import read_cells, read_numbers, shape_of

_VERTEBRAE = 17


@dataclass(eq=False)
class AntePosterior:
    """A frontal film: corners of the vertebrae T1 to L5. Sides are those of the picture, not the patient.

    Attributes
    ----------
    normalised : shape (17, 4, 2), float64; from the top vertebra down, corners in the order top left, top
        right, bottom left, bottom right; (x, y) as shares of the picture's width and height
    angles : shape (3,), float64, degrees: Cobb angles in the file's order, main thoracic, proximal thoracic,
        thoracolumbar; NaN where there is no file of angles
    image : path of the picture, or None where no file says its name
    shape : rows and columns of the picture, or None where there is no picture to ask
    """

    normalised: NDArray[np.float64]
    angles: NDArray[np.float64]
    image: Path | None = None
    shape: tuple[int, int] | None = None

    @property
    def corners(self) -> NDArray[np.float64]:
        """Corners in pixels, shape (17, 4, 2); ArgumentError where the picture's size is not known."""
        if self.shape is None:
            raise ArgumentError("the picture's size is not known: set shape, or use normalised")
        rows, columns = self.shape
        return self.normalised * np.array([columns, rows], np.float64)


def read_aasce(
    folder: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> list[AntePosterior]:
    """Read the annotations of AASCE 2019, also known as data set 16 of SpineWeb.

    Parameters
    ----------
    folder : with ``landmarks.csv``, a row for each film: 68 x, then 68 y, as shares of the picture's width
        and height, four corners for each of 17 vertebrae; ``angles.csv``, three Cobb angles a row, and
        ``filenames.csv``, both optional
    images : folder of the pictures, None for `folder`

    Returns
    -------
    films : in the file's order

    Raises
    ------
    MalformedDataError
        If a row has another number of values, values are no shares (-0.5 to 1.5: some lie a little
        outside), or the files have different numbers of rows; the message names file and row.

    References
    ----------
    Wu, Bailey, Rasoulinejad and Li, Automatic landmark estimation for adolescent idiopathic scoliosis
    assessment using BoostNet, 2017, doi:10.1007/978-3-319-66182-7_15; Accurate Automated Spinal Curvature
    Estimation challenge, https://aasce19.grand-challenge.org.
    """
    folder = _engine.path_of(folder)
    landmarks = folder / "landmarks.csv"
    if not landmarks.is_file():
        raise MalformedDataError(
            f"'{folder.name}': no landmarks.csv in it, expected the layout of AASCE 2019"
        )
    rows = read_numbers(landmarks, (8 * _VERTEBRAE,), "68 x, then 68 y")
    count = len(rows)
    for number, row in enumerate(rows, 1):
        if not (min(row) > -0.5 and max(row) < 1.5):
            worst = max(row, key=lambda value: abs(value - 0.5))
            raise MalformedDataError(
                f"'landmarks.csv', film {number}: {worst:g}, expected shares of width and height, 0 to 1"
            )
    angles = np.full((count, 3), np.nan)
    if (folder / "angles.csv").is_file():
        listed = read_numbers(folder / "angles.csv", (3,), "three Cobb angles")
        _same_number("angles.csv", len(listed), count)
        angles = np.array(listed, np.float64).reshape(-1, 3)
    names: list[str] = []
    if (folder / "filenames.csv").is_file():
        names = [cells[0].strip() for _, cells in read_cells(folder / "filenames.csv")]
        _same_number("filenames.csv", len(names), count)
    where = folder if images is None else _engine.path_of(images)
    films = []
    for k, row in enumerate(rows):
        image = where / names[k] if names else None
        corners = np.array(row).reshape(2, _VERTEBRAE, 4).transpose(1, 2, 0)
        films.append(AntePosterior(np.ascontiguousarray(corners), angles[k], image, shape_of(image)))
    return films


def _same_number(name: str, rows: int, films: int) -> None:
    if rows != films:
        raise MalformedDataError(f"'{name}': {rows} rows, expected {films} as in landmarks.csv")
