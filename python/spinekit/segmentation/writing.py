"""Files of one film's masks: which there are, and how they are written."""

import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core
from spinekit._core import ArgumentError
from spinekit._png import png_bytes
from spinekit.measurement.reading import NOTE_NAME, ON_DETECTOR
from spinekit.radiograph import Radiograph
from spinekit.segmentation.finding import OVERLAY_SUFFIX
from spinekit.segmentation.overlay import overlay
from spinekit.volumes.nifti import require_nibabel

FORMATS = ("png", "npz", "nifti")


@dataclass(frozen=True)
class Form:
    """How masks are written.

    Attributes
    ----------
    format : one of `FORMATS`
    threshold : probability from which on a pixel belongs to a mask
    probabilities : whether these are written instead of masks
    overlay : whether a picture of film and masks is written as well
    """

    format: str = "png"
    threshold: float = 0.5
    probabilities: bool = False
    overlay: bool = True

    def check(self, labels: tuple[str, ...]) -> None:
        """Raise an error where writing would fail after everything was computed."""
        if self.format not in FORMATS:
            raise ArgumentError(f"format: {self.format!r}, expected {', '.join(FORMATS)}")
        if not 0 < self.threshold < 1:
            raise ArgumentError(f"threshold: {self.threshold}, expected 0 < threshold < 1")
        if self.format == "nifti":
            require_nibabel("format='nifti'")
        for label in labels if self.format == "png" else ():
            if not label or Path(label).name != label or labels.count(label) > 1:
                raise ArgumentError(
                    f"label {label!r} cannot be a file's name, or is there twice; use format='npz'"
                )

    def files(self, name: str, labels: tuple[str, ...]) -> list[str]:
        """Return the files of a film, below the folder of all."""
        if self.format == "png":
            found = [f"{name}/{label}.png" for label in labels] + [f"{name}/{NOTE_NAME}"]
        else:
            found = [name + (".npz" if self.format == "npz" else ".nii.gz")]
        return found + [f"{name}{OVERLAY_SUFFIX}"] * self.overlay


@dataclass(frozen=True, eq=False)
class Segmented:
    """What there is to write of a film."""

    film: Radiograph
    probabilities: NDArray[np.float32]
    labels: tuple[str, ...]
    made_with: dict[str, Any]


@dataclass(frozen=True)
class Files:
    """A film's files before they are written.

    Attributes
    ----------
    contents : by the file's path below the folder of all
    pixels : of each mask
    """

    contents: dict[str, bytes]
    pixels: dict[str, int]


def encoded(name: str, found: Segmented, form: Form) -> Files:
    """Return the files of a film, whose names are those of `Form.files`."""
    masks = found.probabilities >= np.float32(form.threshold)
    encoders = {"png": _pictures, "npz": _arrays, "nifti": _nifti}
    contents = encoders[form.format](name, found, masks, form)
    if form.overlay:
        contents[f"{name}{OVERLAY_SUFFIX}"] = png_bytes(overlay(found.film, masks, found.labels))
    counts = np.count_nonzero(masks, axis=(1, 2))
    return Files(contents, {label: int(count) for label, count in zip(found.labels, counts, strict=True)})


def _pictures(name: str, found: Segmented, masks: NDArray[np.bool_], form: Form) -> dict[str, bytes]:
    from PIL import Image  # noqa: PLC0415 - slow to import

    contents = {}
    for label, mask, share in zip(found.labels, masks, found.probabilities, strict=True):
        pixels = np.rint(255 * share).astype(np.uint8) if form.probabilities else mask * np.uint8(255)
        contents[f"{name}/{label}.png"] = png_bytes(Image.fromarray(pixels))
    film = found.film
    note = {
        "spinekit": _core.__version__,
        "film": film.source,
        "rows": film.shape[0],
        "columns": film.shape[1],
        "spacing": film.spacing and list(film.spacing),
        "spacing_from": film.spacing_from,
        "plane": film.notes.get("plane", ""),
        "labels": list(found.labels),
        "made_with": found.made_with,
    }
    return contents | {f"{name}/{NOTE_NAME}": (json.dumps(note, indent=1) + "\n").encode()}


def _arrays(name: str, found: Segmented, masks: NDArray[np.bool_], form: Form) -> dict[str, bytes]:
    kept: dict[str, Any] = {
        "masks": found.probabilities.astype(np.float16) if form.probabilities else masks,
        "labels": np.array(found.labels),
    }
    if found.film.spacing is not None:
        kept |= {"spacing": found.film.spacing, "on_detector": found.film.notes.get("plane") == "detector"}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **kept)
    return {f"{name}.npz": buffer.getvalue()}


def _nifti(name: str, found: Segmented, masks: NDArray[np.bool_], form: Form) -> dict[str, bytes]:
    nibabel = require_nibabel("format='nifti'")
    values = found.probabilities if form.probabilities else masks.astype(np.uint8)
    row, column = found.film.spacing or (1.0, 1.0)
    # A film has no place in the patient: columns run along +x, rows down, which is -y there.
    affine = np.diag([column, -row, 1.0, 1.0])
    image = nibabel.Nifti1Image(np.ascontiguousarray(values.transpose(2, 1, 0)[:, :, np.newaxis]), affine)
    if found.film.spacing is not None:
        image.header.set_xyzt_units("mm")
        if found.film.notes.get("plane") == "detector":
            image.header["intent_name"] = ON_DETECTOR
    image.header["descrip"] = ",".join(found.labels).encode("ascii", "replace")[:79]
    return {f"{name}.nii.gz": gzip.compress(image.to_bytes(), 4, mtime=0)}
