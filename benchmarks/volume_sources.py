"""What benchmarks/volumes.py loads: series, ZIPs and multiframe files, made of real slices."""

import copy
import io
import itertools
import os
import shutil
import struct
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

import spinekit as sk

ROOT = Path(__file__).resolve().parents[1]

#: Multi-frame Grayscale Word Secondary Capture.
_MULTIFRAME_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"


def real_slices(source: Path) -> list[FileDataset]:
    """Return the slices in a ZIP, by position."""
    with zipfile.ZipFile(source) as archive:
        found = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    return sorted(found, key=lambda ds: float(ds.ImagePositionPatient[2]))


def synthetic_slices(count: int) -> list[FileDataset]:
    """Return slices of a body of ellipses with a column of bone, and noise as of a CT."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:512j, -1:1:512j]
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    out = []
    for k in range(count):
        body = (rows / 0.6) ** 2 + (columns / 0.85) ** 2 < 1
        bone = ((rows - 0.3) / 0.1) ** 2 + (columns / (0.12 + 0.03 * np.sin(k / 4))) ** 2 < 1
        hu = np.where(bone, 500, np.where(body, 40, -1000)) + rng.normal(0, 20, body.shape)
        ds = FileDataset("", {}, preamble=b"\0" * 128, file_meta=FileMetaDataset())
        ds.SOPClassUID = CTImageStorage
        ds.Modality, ds.PatientName, ds.PatientID = "CT", "Body^Synthetic", "synthetic"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-200, -200, 2.0 * k]
        ds.PixelSpacing, ds.SliceThickness = [0.78, 0.78], 2
        ds.Rows, ds.Columns, ds.SamplesPerPixel = 512, 512, 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1000
        ds.PixelData = np.clip(hu + 1000, 0, 4095).astype("<u2").tobytes()
        out.append(ds)
    return out


def write_series(slices: list[FileDataset], folder: Path, count: int) -> None:
    """Write `count` uncompressed slices: those given, again and again, each at a place of its own."""
    folder.mkdir()
    step = abs(float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2]))
    x, y, z = (float(v) for v in slices[0].ImagePositionPatient)
    for k in range(count):
        ds = copy.copy(slices[k % len(slices)])
        ds.file_meta = copy.deepcopy(ds.file_meta)
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(k)])
        ds.InstanceNumber = k + 1
        ds.ImagePositionPatient = [x, y, round(z + k * step, 6)]
        ds["PixelData"].VR = "OW"
        # Names say nothing about places, as in life.
        ds.save_as(folder / f"{k * 7919 % 10007:05d}.dcm", enforce_file_format=True)


def compress(source: Path, target: Path, codec: str) -> None:
    """Compress a folder without loss."""
    report = sk.compress(source, target, mode="lossless", codec=codec, verify=False, progress=False)
    report.raise_for_failures()
    (target / "spinekit-report.jsonl").unlink()


def write_zip(folder: Path, target: Path, method: int = zipfile.ZIP_STORED) -> None:
    """Put the files of a folder into a ZIP, in the order of their names."""
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def copy_middle(source: Path, target: Path, count: int) -> None:
    """Copy the `count` files in the middle of a series."""
    target.mkdir()
    numbered = [(pydicom.dcmread(p, stop_before_pixels=True).InstanceNumber, p) for p in source.iterdir()]
    first = max(len(numbered) - count, 0) // 2
    for _, path in sorted(numbered)[first : first + count]:
        shutil.copy(path, target / path.name)


# ---- multiframe


def encoded_frames(folder: Path, count: int, kind: str) -> tuple[str, list[bytes]]:
    """Return transfer syntax and coded frames of a series' first files."""
    frames, syntax = [], ""
    for path in sorted(folder.iterdir())[:count]:
        ds = pydicom.dcmread(path)
        if kind == "rle":
            ds.compress(RLELossless)
        syntax = ds.file_meta.TransferSyntaxUID
        data = ds.PixelData
        frames.append(data if kind == "uncompressed" else get_frame(data, 0, number_of_frames=1))
    return syntax, frames


def write_multiframe(path: Path, syntax: str, frames: list[bytes], size: int, table: str) -> int:
    """Write a file of about `size` bytes, `frames` again and again; return how many frames.

    `table`: "basic", "extended" or "none"; "native" writes pixel data that are not encapsulated.
    """
    even = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    padding = 0 if table == "native" else 8
    lengths = list(_lengths_up_to((len(frame) + padding for frame in even), size))
    count = len(lengths)
    with path.open("wb") as out:
        out.write(_multiframe_header(syntax, count, frames, lengths, table))
        if table == "native":
            out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, sum(lengths)))
            for k in range(count):
                out.write(even[k % len(even)])
        else:
            out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
            starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if table == "basic" else []
            basic = np.asarray(starts, "<u4").tobytes()
            out.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(basic)) + basic)
            items = [struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)) + frame for frame in even]
            for k in range(count):
                out.write(items[k % len(items)])
            out.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
        out.flush()
        os.fsync(out.fileno())
    return count


def forget(path: Path) -> None:
    """Have the system drop what it holds of a file that is on the disk, as after a restart."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _lengths_up_to(lengths: Iterable[int], size: int) -> Iterable[int]:
    left = size
    for length in itertools.cycle(list(lengths)):
        left -= length
        if left < 0:
            return
        yield length


def _multiframe_header(syntax: str, count: int, frames: list[bytes], lengths: list[int], table: str) -> bytes:
    ds = FileDataset("", {}, preamble=b"\0" * 128, file_meta=FileMetaDataset())
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = _MULTIFRAME_CLASS
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.InstanceNumber, ds.NumberOfFrames = "OT", 1, count
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 512, 512, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    if table == "extended":
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        ds.ExtendedOffsetTable = starts.astype("<u8").tobytes()
        sizes = [len(frame) for frame in frames]
        ds.ExtendedOffsetTableLengths = np.resize(np.asarray(sizes, "<u8"), count).tobytes()
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def remove(*paths: Path) -> None:
    """Remove files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def say(text: str) -> None:
    """Tell what is being done."""
    print(text, file=sys.stderr, flush=True)
