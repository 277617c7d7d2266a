"""JPEG-LS and HTJ2K without loss: what other readers make of the files."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.pixels import pixel_array
from pydicom.uid import HTJ2KLosslessRPCL, JPEG2000Lossless, JPEGLSLossless

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit.cli import main

SYNTAX = {"j2k": JPEG2000Lossless, "jpegls": JPEGLSLossless, "htj2k": HTJ2KLosslessRPCL}
OTHERS = ["jpegls", "htj2k"]


def signed_picture(bits):
    picture = body_picture(100, 120, bits=bits).astype(np.int32) - 2 ** (bits - 1)
    return picture.astype(np.int8 if bits == 8 else np.int16)


@pytest.mark.parametrize("codec", OTHERS)
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_every_sample_comes_back_and_pydicom_agrees(tmp_path, codec, bits, signed):
    picture = signed_picture(bits) if signed else body_picture(100, 120, bits=bits)
    source = save(make_dataset(picture, bits_stored=bits), tmp_path / "a.dcm")
    record = sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec=codec).records[0]
    assert record.verified
    assert record.lossless
    assert record.max_difference == 0
    ds = pydicom.dcmread(tmp_path / "b.dcm")
    assert ds.file_meta.TransferSyntaxUID == SYNTAX[codec]
    assert ds.SOPInstanceUID == pydicom.dcmread(source).SOPInstanceUID
    assert "LossyImageCompression" not in ds
    np.testing.assert_array_equal(sk.read_pixels(tmp_path / "b.dcm"), picture)
    np.testing.assert_array_equal(pixel_array(ds, raw=True), picture)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_gdcm_reads_jpegls(tmp_path, bits, signed):
    picture = signed_picture(bits) if signed else body_picture(100, 120, bits=bits)
    source = save(make_dataset(picture, bits_stored=bits), tmp_path / "a.dcm")
    sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec="jpegls")
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(source))
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "b.dcm")), expected
    )


@pytest.mark.parametrize("codec", OTHERS)
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_comes_back(tmp_path, codec, photometric):
    picture = np.stack([body_picture(60, 70, seed=k, bits=8) for k in range(3)], axis=-1)
    source = save(make_dataset(picture, photometric=photometric), tmp_path / "a.dcm")
    sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec=codec)
    ds = pydicom.dcmread(tmp_path / "b.dcm")
    transformed = codec == "htj2k" and photometric == "RGB"
    assert ds.PhotometricInterpretation == ("YBR_RCT" if transformed else photometric)
    assert ds.PlanarConfiguration == 0
    np.testing.assert_array_equal(pixel_array(ds, raw=True), picture)


@pytest.mark.parametrize("codec", OTHERS)
def test_decompress_verify_and_recompress(ct_folder, tmp_path, codec):
    report = sk.compress(ct_folder, tmp_path / "small", mode="lossless", codec=codec)
    assert report.ok
    assert sk.verify(tmp_path / "small").ok
    assert sk.decompress(tmp_path / "small", tmp_path / "plain").ok
    assert sk.compress(tmp_path / "small", tmp_path / "again", mode="lossless").ok
    for record in report.images:
        before = sk.read_pixels(ct_folder / record.source)
        for folder in ("small", "plain", "again"):
            np.testing.assert_array_equal(sk.read_pixels(tmp_path / folder / record.target), before)


def test_multiframe_htj2k(tmp_path):
    frames = np.stack([body_picture(64, 64, seed=k) for k in range(5)])
    source = save(make_dataset(frames, bits_stored=12, frames=5), tmp_path / "a.dcm")
    sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec="htj2k")
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "b.dcm").pixel_array, frames)


def test_one_bit_stored_is_not_for_jpegls(tmp_path):
    picture = (body_picture(64, 64, bits=8) > 100).astype(np.uint8)
    source = save(make_dataset(picture, bits_stored=1), tmp_path / "a.dcm")
    with pytest.raises(sk.UnsupportedError, match="begins at 2 bits"):
        sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec="jpegls")
    assert sk.compress(source, tmp_path / "c.dcm", mode="lossless", codec="htj2k").ok


@pytest.mark.parametrize("codec", OTHERS)
def test_command_line(ct_file, tmp_path, codec):
    target = tmp_path / "b.dcm"
    assert main(["compress", str(ct_file), str(target), "--lossless", "--codec", codec]) == 0
    assert pydicom.dcmread(target).file_meta.TransferSyntaxUID == SYNTAX[codec]
    assert main(["compress", str(ct_file), str(tmp_path / "c.dcm"), "--ratio", "5", "--codec", codec]) == 2


@pytest.mark.skipif(not shutil.which("gdcmconv"), reason="needs gdcmconv (Debian's libgdcm-tools)")
@pytest.mark.parametrize("signed", [False, True])
def test_gdcmconv_decompresses_jpegls(tmp_path, signed):
    picture = signed_picture(12) if signed else body_picture(100, 120)
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm")
    sk.compress(source, tmp_path / "b.dcm", mode="lossless", codec="jpegls")
    subprocess.run(["gdcmconv", "--raw", tmp_path / "b.dcm", tmp_path / "raw.dcm"], check=True)
    np.testing.assert_array_equal(sk.read_pixels(tmp_path / "raw.dcm"), picture)
