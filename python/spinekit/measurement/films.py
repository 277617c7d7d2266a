"""Films for pictures of measurements, by the names of cases."""

from pathlib import Path

from spinekit._core import ArgumentError

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
#: Of films; DICOM files need not have any.
SUFFIXES = (*_PICTURES, ".dcm", ".dicom")

#: What else `read_radiograph` takes a film from, by its name.
_ENDINGS = (*SUFFIXES, ".gif", ".jp2", ".j2k", ".jpx", ".pgm", ".pnm", ".ppm", ".ima")


def without_ending(path: Path) -> Path:
    """Return a film's path without the ending of its format; what follows a dot in a UID is none."""
    return path.with_suffix("") if path.suffix.lower() in _ENDINGS else path


def find_film(films: Path, name: str) -> Path:
    """Return the film of a case.

    Parameters
    ----------
    films : a film, or a folder of films called as the cases are
    name : of the case, with folders

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if not films.is_dir():
        return films
    last = name.rsplit("/", 1)[-1]
    for stem in dict.fromkeys((name, last)):
        for suffix in (*SUFFIXES, ""):
            for written in (suffix, suffix.upper()):
                path = films / f"{stem}{written}"
                if path.is_file():
                    return path
    raise ArgumentError(f"'{films}' has no film called {last} ({', '.join(SUFFIXES)})")
