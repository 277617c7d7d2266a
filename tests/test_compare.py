"""Differences and SSIM against closed forms and scikit-image."""

import math

import numpy as np
import pytest

import spinekit as sk
from conftest import body_picture, make_dataset, save

metrics = pytest.importorskip("skimage.metrics")


def reference_ssim(a, b, value_range, channel_axis=None):
    return metrics.structural_similarity(
        a,
        b,
        data_range=value_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=channel_axis,
    )


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("shape", [(11, 11), (64, 64), (100, 37), (256, 300)])
@pytest.mark.parametrize("noise", [1, 30, 3000])
def test_ssim_is_that_of_scikit_image(bits, shape, noise):
    rng = np.random.default_rng(bits)
    a = body_picture(*shape, bits=bits)
    top = 2**bits - 1
    b = np.clip(a.astype(int) + rng.integers(-noise, noise + 1, shape), 0, top).astype(a.dtype)
    found = sk.compare(a, b, bits_stored=bits)
    assert found.ssim == pytest.approx(reference_ssim(a, b, top), abs=1e-4)


def test_ssim_of_signed_and_of_colour():
    rng = np.random.default_rng(0)
    a = (body_picture().astype(int) - 2048).astype(np.int16)
    b = (a + rng.integers(-20, 20, a.shape)).astype(np.int16)
    assert sk.compare(a, b, bits_stored=12).ssim == pytest.approx(reference_ssim(a, b, 4095), abs=1e-4)
    c = rng.integers(0, 256, (60, 70, 3)).astype(np.uint8)
    d = np.clip(c.astype(int) + rng.integers(-9, 9, c.shape), 0, 255).astype(np.uint8)
    assert sk.compare(c, d).ssim == pytest.approx(reference_ssim(c, d, 255, channel_axis=-1), abs=1e-4)


def test_known_differences():
    a = np.full((20, 30), 100, np.uint8)
    b = a.copy()
    b[0, 0] = 110
    b[0, 1] = 60
    found = sk.compare(a, b)
    assert found.max_difference == 40
    assert found.mean_difference == pytest.approx(50 / 600)
    assert found.identical == pytest.approx(598 / 600)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / ((100 + 1600) / 600)))
    assert found.histogram[32] == 598
    assert found.histogram[42] == 1
    assert found.histogram[0] == 1  # everything from -32 down
    assert sum(found.histogram) == 600


def test_identical_and_tiny_images():
    a = body_picture(32, 32)
    same = sk.compare(a, a)
    assert math.isinf(same.psnr)
    assert same.ssim == 1
    assert same.identical == 1
    assert same.to_dict()["psnr"] == "infinity"
    assert math.isnan(sk.compare(a[:5, :5], a[5:10, :5]).ssim)


def test_files_and_arrays(tmp_path):
    picture = body_picture()
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm")
    record = sk.compress(source, tmp_path / "b.dcm", ratio=6).records[0]
    found = sk.compare(source, tmp_path / "b.dcm")
    assert found.value_range == 4095
    assert (found.psnr, found.max_difference, found.identical) == (
        record.psnr,
        record.max_difference,
        record.identical,
    )
    assert found.ssim == pytest.approx(record.ssim)
    assert list(found.histogram) == record.histogram
    assert sk.compare(picture, sk.read_pixels(tmp_path / "b.dcm"), bits_stored=12).psnr == found.psnr
    assert "PSNR" in found._repr_html_()


@pytest.mark.parametrize(
    ("a", "b", "bits", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), None, "differ in kind"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint16), None, "differ in kind"),
        (np.zeros((4, 4)), np.zeros((4, 4)), None, "expected an image of uint8"),
        (np.zeros(4, np.uint8), np.zeros(4, np.uint8), None, "expected an image"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), 9, "bits_stored is 9"),
    ],
)
def test_what_cannot_be_compared(a, b, bits, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.compare(a, b, bits_stored=bits)
