"""Phantoms as DICOM: CT Image Storage, and Digital X-Ray Image Storage - For Presentation.

Nobody was scanned: names, dates and numbers say so. UIDs follow from what the objects hold.
"""

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit._progress import Progress

if TYPE_CHECKING:
    from spinekit.phantom.ct import PhantomCT
    from spinekit.phantom.film import PhantomFilm
    from spinekit.phantom.population import Person

Photometric = Literal["MONOCHROME1", "MONOCHROME2"]

_DAY, _TIME = "20000101", "120000"
_MOST_STORED = 4095


def uid_of(*parts: object) -> UID:
    """Return the UID of something by what it is (2.25 and a number; PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def write_ct(
    ct: "PhantomCT", folder: str | os.PathLike[str], *, overwrite: bool = False, progress: bool | None = None
) -> list[Path]:
    """Write a CT as a series; see `PhantomCT.write`."""
    target = _engine.path_of(folder)
    digits = max(3, len(str(len(ct.array))))
    paths = [target / f"slice-{index + 1:0{digits}d}.dcm" for index in range(len(ct.array))]
    make_folder(target)
    if not overwrite:
        for path in paths:
            if path.exists():
                raise ArgumentError(f"'{path}' exists; choose another folder, or overwrite=True")
    key = hashlib.sha256(ct.array.tobytes() + repr(ct.geometry).encode()).hexdigest()
    with Progress(len(paths), progress, "CT") as bar:
        for index, path in enumerate(paths):
            write_dataset(_ct_dataset(ct, index, key), path)
            bar.advance()
    return paths


def make_folder(folder: Path) -> None:
    """Make a folder where none is."""
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"'{folder}' is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise _engine.os_error(folder, "cannot be created", failure) from failure


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a data set as a DICOM file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    _engine.write_file(path, buffer.getvalue())


def _decimal(value: float) -> str:
    """Return a decimal string, which has 16 characters at most."""
    return f"{value:.10g}"[:16]


def _common(sop_class: UID, instance: UID, seed: int | None, sex: str, age: float | None) -> Dataset:
    name = "FILM" if seed is None else f"SEED{seed}"
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = instance
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, instance
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = _DAY
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = _TIME
    ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyID = "1"
    ds.StudyDescription = "SYNTHETIC LUMBAR SPINE"
    ds.Manufacturer, ds.ManufacturerModelName = "spinekit", "parametric phantom"
    ds.SoftwareVersions = _core.__version__
    ds.PatientName, ds.PatientID = f"PHANTOM^{name}", f"PHANTOM-{name}"
    ds.PatientBirthDate, ds.PatientSex = "", sex
    if age is not None:
        ds.PatientAge = f"{round(age):03d}Y"
    ds.PatientComments = "Synthetic: nobody was scanned."
    ds.StudyInstanceUID = uid_of("study", name)
    ds.BodyPartExamined = "LSPINE"
    ds.SamplesPerPixel = 1
    ds.BurnedInAnnotation = "NO"
    return ds


def _pixels(ds: Dataset, stored: NDArray[Any], bits: int) -> None:
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated = 8 if bits <= 8 else 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    data = stored.astype("u1" if bits <= 8 else "<u2").tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if bits <= 8 else "OW"


def _ct_dataset(ct: "PhantomCT", index: int, key: str) -> Dataset:
    ds = _common(CTImageStorage, uid_of("instance", key, index), ct.seed, ct.sex, ct.age)
    step, row, column = (float(value or 0) for value in ct.geometry.spacing)
    x, y, z = ct.geometry.origin or (0.0, 0.0, 0.0)
    ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    ds.Modality, ds.SeriesDescription = "CT", "SYNTHETIC CT"
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = uid_of("series", key), uid_of("frame", key)
    ds.PositionReferenceIndicator = ""
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 1, 1, index + 1
    ds.PatientPosition = "HFS"
    ds.KVP, ds.SliceThickness = "120", _decimal(step)
    position = z + index * step
    ds.ImagePositionPatient = [_decimal(value) for value in (x, y, position)]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SliceLocation = _decimal(position)
    ds.PixelSpacing = [_decimal(row), _decimal(column)]
    ds.PhotometricInterpretation = "MONOCHROME2"
    _pixels(ds, (ct.array[index].astype(np.int32) + 1024).clip(0, _MOST_STORED), 12)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = ["50", "400"], ["450", "2000"]
    ds.WindowCenterWidthExplanation = ["SOFT TISSUE", "BONE"]
    return ds


def write_film(
    film: "PhantomFilm",
    path: str | os.PathLike[str],
    photometric: Photometric = "MONOCHROME2",
    *,
    seed: int | None = None,
    person: "Person | None" = None,
    overwrite: bool = False,
) -> Path:
    """Write a film as Digital X-Ray Image Storage - For Presentation.

    Parameters
    ----------
    film : uint8 or uint16 pixels
    path : of the new file
    photometric : "MONOCHROME2": dense bone has high stored values; "MONOCHROME1": low ones, which are shown
        bright all the same
    seed, person : of the phantom, for the patient's name, sex and age; None takes those of ``film.notes``
    overwrite : whether a file of this name is replaced

    Returns
    -------
    path : the same

    Raises
    ------
    ArgumentError
        If the film's pixels are float32, `photometric` is another word, or the file exists and `overwrite`
        is false.
    ResourceError
        If it cannot be written; a file appears whole or not at all.

    Notes
    -----
    ImagerPixelSpacing is that of the detector. PixelSpacing is that of the midsagittal plane, where
    `film.spacing` holds, with PixelSpacingCalibrationType GEOMETRY and the magnification between both.
    UIDs follow from the pixels and their sizes.

    References
    ----------
    DICOM PS3.3 A.26 (Digital X-Ray Image IOD), 10.7.1.3 (Pixel Spacing Calibration), C.8.11.
    """
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ArgumentError(f"photometric: {photometric!r}, expected 'MONOCHROME1' or 'MONOCHROME2'")
    if film.pixels.dtype not in (np.uint8, np.uint16):
        raise ArgumentError(f"pixels: {film.pixels.dtype}, expected uint8 or uint16 for DICOM")
    target = _engine.path_of(path)
    if target.exists() and not overwrite:
        raise ArgumentError(f"'{target}' exists; choose another name, or overwrite=True")
    if not target.absolute().parent.is_dir():
        raise ArgumentError(f"'{target}': no such folder")
    if seed is None:
        seed = film.notes.get("seed")
    if person is None:
        person = film.notes.get("person")
    write_dataset(_film_dataset(film, photometric, seed, person), target)
    return target


def _coded(code: Any) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item


def _film_dataset(
    film: "PhantomFilm", photometric: Photometric, seed: int | None, person: "Person | None"
) -> Dataset:
    view = film.view
    bits = 8 if film.pixels.dtype == np.uint8 else (12 if int(film.pixels.max()) <= _MOST_STORED else 16)
    most = (1 << bits) - 1
    stored = film.pixels if photometric == "MONOCHROME2" else most - film.pixels.astype(np.int32)
    row, column = view.spacing
    key = hashlib.sha256(
        np.ascontiguousarray(film.pixels).tobytes()
        + repr((film.shape, view.spacing, view.magnification, view.facing, photometric)).encode()
    ).hexdigest()
    sex, age = (person.sex, person.age) if person is not None else ("", None)
    ds = _common(DigitalXRayImageStorageForPresentation, uid_of("instance", key), seed, sex, age)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.Modality, ds.PresentationIntentType = "DX", "FOR PRESENTATION"
    ds.SeriesDescription = "SYNTHETIC LATERAL FILM"
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = uid_of("series", key), 1, 1
    # DX Anatomy Imaged and DX Positioning modules: rays run from the patient's right to the left.
    ds.ImageLaterality = "U"
    ds.AnatomicRegionSequence = Sequence([_coded(codes.CID4009.LumbarSpine)])
    ds.ViewPosition = "LL"
    ds.ViewCodeSequence = Sequence([_coded(codes.CID4010.LeftLateral)])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
    ds.PatientOrientation = ["P" if view.facing == "left" else "A", "F"]
    lies = film.notes.get("posture") == "recumbent"
    posture = _coded(codes.CID19.Recumbent if lies else codes.CID19.Erect)
    modifier = codes.CID20.Supine if lies else codes.CID20.Standing
    posture.PatientOrientationModifierCodeSequence = Sequence([_coded(modifier)])
    ds.PatientOrientationCodeSequence = Sequence([posture])
    ds.PositionerType = "NONE"
    ds.DistanceSourceToDetector = _decimal(view.source_to_detector)
    ds.DistanceSourceToPatient = _decimal(view.source_to_detector / view.magnification)
    ds.EstimatedRadiographicMagnificationFactor = _decimal(view.magnification)
    ds.ImagerPixelSpacing = [_decimal(view.magnification * row), _decimal(view.magnification * column)]
    ds.PixelSpacing = [_decimal(row), _decimal(column)]
    ds.PixelSpacingCalibrationType = "GEOMETRY"
    ds.PixelSpacingCalibrationDescription = "midsagittal plane"
    ds.DetectorType, ds.DetectorConfiguration = "DIRECT", "AREA"
    ds.DetectorID = "PHANTOM"
    ds.KVP = "90"
    _pixels(ds, stored, bits)
    ds.PhotometricInterpretation = photometric
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = -1 if photometric == "MONOCHROME2" else 1
    ds.PresentationLUTShape = "IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = _window(stored, most)
    ds.AcquisitionContextSequence = Sequence([])
    if film.notes.get("real"):
        # Computed from the CT of somebody, of whom the film knows nothing.
        ds.PatientName, ds.PatientID, ds.PatientComments = (
            "PROJECTED^CT",
            "PROJECTED-CT",
            "Computed from a CT.",
        )
        ds.StudyInstanceUID, ds.StudyDescription = uid_of("study", key), "FILM COMPUTED FROM CT"
        ds.SeriesDescription, ds.ManufacturerModelName = "COMPUTED LATERAL FILM", "projected CT"
    ds.BurnedInAnnotation = "YES" if getattr(film.notes.get("exposure"), "text", False) else "NO"
    ds.DerivationDescription = f"Ray sums: {film.source or 'a phantom'}; {_engine.SOFTWARE}"
    return ds


def _window(stored: NDArray[Any], most: int) -> tuple[str, str]:
    """Return centre and width that show all but the extremes."""
    low, high = np.percentile(stored, (0.5, 99.5))
    if not high > low:
        return _decimal((most + 1) / 2), _decimal(most + 1)
    return _decimal(round((low + high) / 2, 1)), _decimal(max(1.0, round(float(high - low), 1)))
