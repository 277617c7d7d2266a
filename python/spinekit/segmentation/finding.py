"""Films among files."""

from pathlib import Path

from spinekit._inputs import Kind
from spinekit.measurement.films import SUFFIXES, without_ending
from spinekit.measurement.reading import NOTE_NAME

OVERLAY_SUFFIX = ".overlay.png"


def _is_film(path: Path) -> bool:
    return not _is_overlay(path) and (path.suffix.lower() in SUFFIXES or _is_dicom(path))


def _is_overlay(path: Path) -> bool:
    """Return whether a picture lies beside the masks that it shows, as when they were moved together."""
    if not path.name.endswith(OVERLAY_SUFFIX):
        return False
    masks = path.with_name(path.name.removesuffix(OVERLAY_SUFFIX))
    files = (masks / NOTE_NAME, *(path.with_name(masks.name + end) for end in (".npz", ".nii.gz")))
    return any(file.exists() for file in files)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


FILMS = Kind(
    inputs="films",
    results="masks",
    expected="DICOM or pictures",
    maker="sk.segment_files",
    journal_name="spinekit-segment.jsonl",
    accepts=_is_film,
    marks=(NOTE_NAME,),
    without_ending=without_ending,
)
