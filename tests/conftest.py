"""What the tests share: DICOM files made on the spot, and the real ones when they are there."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SPINEKIT_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory):
    """Return a function that gives a folder of real files, unpacked, or skips by its name."""
    unpacked = {}

    def folder(name):
        source = SHARED / name
        if not source.is_dir():
            pytest.skip(f"needs the real files of '{name}'")
        if name not in unpacked:
            archives = list(source.glob("*.zip"))
            if archives:
                target = tmp_path_factory.mktemp(name)
                for archive in archives:
                    with zipfile.ZipFile(archive) as packed:
                        packed.extractall(target)
                unpacked[name] = target
            else:
                unpacked[name] = source
        return unpacked[name]

    return folder


def body_picture(rows=256, columns=256, seed=0, bits=12):
    """Return an axial body of soft tissue with a bone in it and scanner noise, unsigned."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    picture = np.where(x**2 / 0.8 + y**2 / 0.5 < 1, 1050.0, 24.0)
    picture[(x**2 + (y - 0.3) ** 2) < 0.04] = 1900.0
    picture[((x - 0.1) ** 2 + (y + 0.25) ** 2) < 0.02] = 150.0
    picture += np.random.default_rng(seed).normal(0, 12, picture.shape)
    return np.clip(picture * 2.0 ** (bits - 12), 0, 2**bits - 1).astype(np.uint16 if bits > 8 else np.uint8)


def made_film(shape, dtype=np.uint8, seed=0):
    """Return a film with structure, noise and both ends of its levels."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 3) * 6 + rng.normal(size=shape) * 0.3
    if np.dtype(dtype).kind == "f":
        return smooth.astype(dtype)
    top = np.iinfo(dtype).max
    return np.clip(top * (0.4 + 0.2 * smooth), 0, top).astype(dtype)


def nested(depth):
    item = Dataset()
    item.CodeValue = f"D{depth}"
    item.add_new(0x00091001, "UN", b"\x01\x02\x03\x04")
    if depth:
        item.add_new(0x00091002, "SQ", Sequence([nested(depth - 1)]))
    return item


def make_dataset(pixels, *, bits_stored=None, photometric=None, frames=None, **attributes):
    """Return a CT slice around an array, with private, nested and odd elements to be carried over."""
    pixels = np.asarray(pixels)
    colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyDate = "20200101"
    ds.Modality = "CT"
    ds.Manufacturer = "Größe"
    ds.PatientName = "Test^Pérson"
    ds.PatientID = "1"
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    ds.InstanceNumber = 1
    ds.ImagePositionPatient = [-100.0, -100.0, 0.0]
    ds.ImageOrientationPatient = ["1.000000", "0", "0", "0", "1.000000", "0"]
    ds.PixelSpacing = ["0.661468", "0.661468"]
    ds.add_new(0x00090010, "LO", "SPINEKIT TEST")
    ds.add_new(0x00091001, "UN", bytes(range(10)))
    ds.add_new(0x00091003, "SQ", Sequence([nested(3), nested(0)]))
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = photometric or ("RGB" if colour else "MONOCHROME2")
    if colour:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames
    shape = pixels.shape[:-1] if colour else pixels.shape
    ds.Rows, ds.Columns = shape[-2:]
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = bits_stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 1 if pixels.dtype.kind == "i" else 0
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.add_new(0x7FE00010, "OW" if ds.BitsAllocated > 8 else "OB", even(pixels.tobytes()))
    return ds


def even(data):
    return data + b"\x00" * (len(data) % 2)


def save(ds, path, *, syntax=ExplicitVRLittleEndian, preamble=b"\x00" * 128):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    file = FileDataset(str(path), ds, file_meta=meta, preamble=preamble)
    implicit = syntax == pydicom.uid.ImplicitVRLittleEndian
    little = syntax != pydicom.uid.ExplicitVRBigEndian
    if not little and ds.BitsAllocated == 16:
        file.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    pydicom.dcmwrite(path, file, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return Path(path)


@pytest.fixture
def ct_file(tmp_path):
    return save(make_dataset(body_picture(), bits_stored=12), tmp_path / "ct.dcm")


@pytest.fixture
def ct_folder(tmp_path):
    """Return a folder of 12 slices in two levels, one text file and a structured report."""
    folder = tmp_path / "CT"
    (folder / "b").mkdir(parents=True)
    for k in range(12):
        ds = make_dataset(
            body_picture(seed=k),
            bits_stored=12,
            InstanceNumber=k + 1,
            ImagePositionPatient=[-100.0, -100.0, 2.5 * k],
        )
        save(ds, folder / ("b" if k % 3 == 0 else ".") / f"slice{k:02d}.dcm")
    (folder / "README.txt").write_text("not an image")
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", generate_uid()
    report.Modality = "SR"
    save(report, folder / "report.dcm")
    return folder


@pytest.fixture(scope="module")
def model():
    """Return a small TransUNet of torch with random weights."""
    pytest.importorskip("torch")
    from made_networks import random_network

    return random_network()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    """Return the file of its weights."""
    from spinekit import nn

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    nn.save(model, path)
    return path


@pytest.fixture(scope="module")
def seg(weights):
    """Return the Segmenter of that file."""
    import spinekit as sk

    return sk.Segmenter(weights, threads=2)
