"""A film's spacing only where one is known, and films as values."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from made_radiographs import BYTES, RAMP, remarks, write
from spinekit.radiograph import Radiograph

# ---- spacing


@pytest.mark.parametrize(
    ("attributes", "spacing", "source", "plane", "remark"),
    [
        ({}, None, "", "unknown", ""),
        ({"PixelSpacing": [0.2, 0.25]}, (0.2, 0.25), "PixelSpacing", "unknown", "is not said"),
        ({"ImagerPixelSpacing": [0.1, 0.1]}, (0.1, 0.1), "ImagerPixelSpacing", "detector", ""),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, (0.1, 0.1), "NominalScannedPixelSpacing", "film", ""),
        (
            {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1]},
            (0.1, 0.1),
            "PixelSpacing",
            "detector",
            "",
        ),
        (
            {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.115, 0.115]},
            (0.1, 0.1),
            "PixelSpacing",
            "patient",
            "ImagerPixelSpacing is 0.115 x 0.115: enlarged 1.15 times",
        ),
        (
            {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.1, 0.1),
            "PixelSpacing",
            "patient",
            "calibrated: FIDUCIAL",
        ),
        (
            {"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.1, 0.1]},
            (0.1, 0.1),
            "ImagerPixelSpacing",
            "detector",
            "PixelSpacing is 0 x 0, expected two positive numbers: not used",
        ),
        ({"PixelSpacing": [-0.1, 0.1]}, None, "", "unknown", "PixelSpacing is -0.1 x 0.1"),
        ({"PixelSpacing": ["0.1"]}, None, "", "unknown", "PixelSpacing is 0.1, expected two"),
        ({"ImagerPixelSpacing": ["0.1", "0.1", "0.1"]}, None, "", "unknown", "0.1 x 0.1 x 0.1, expected two"),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "1.25"},
            (0.1, 0.1),
            "ImagerPixelSpacing",
            "detector",
            r"1.25, which is not applied, the patient's would have spacing=(0.08, 0.08)",
        ),
    ],
)
def test_spacing_of_a_header(tmp_path, attributes, spacing, source, plane, remark):
    path = write(tmp_path / "a.dcm", **attributes)
    film = sk.read_radiograph(path)
    assert (film.spacing, film.spacing_from, film.notes.get("plane")) == (spacing, source, plane)
    assert remark in remarks(film)
    assert remark or not film.notes["remarks"]
    given = sk.read_radiograph(path, spacing=(1, 2))
    assert (given.spacing, given.spacing_from, given.notes["plane"]) == ((1, 2), "given", "unknown")
    assert not source or f"{source}, " in remarks(given)


@pytest.mark.parametrize("value", [b"nan\\nan ", b"inf\\inf ", b"x\\y "])
@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
def test_spacing_that_is_no_number(tmp_path, value):
    path = write(tmp_path / "a.dcm", PixelSpacing=["0.1234", "0.1234"])
    data = path.read_bytes()
    old = b"0.1234\\0.1234 "
    assert old in data
    path.write_bytes(data.replace(old, value.ljust(len(old))))
    assert sk.read_radiograph(path).spacing is None


def test_a_known_length_gives_the_spacing(tmp_path):
    path = write(tmp_path / "a.dcm", PixelSpacing=[0.5, 0.5])
    film = sk.read_radiograph(path, known_length=((10, 20), (40, 60), 10.0))
    assert film.spacing == pytest.approx((0.2, 0.2))
    assert film.spacing_from == "known length"
    assert "PixelSpacing, 0.5 x 0.5 mm, is not used" in remarks(film)


def test_a_known_length_respects_the_aspect(tmp_path):
    # Pixels twice as high as wide: 30 across and 20 down are 30 and 40 units.
    known = ((10, 20), (40, 40), 100.0)
    picture = Image.fromarray(RAMP)
    Image.fromarray(BYTES.repeat(8, 0).repeat(8, 1)).save(tmp_path / "a.jpg", dpi=(200, 100))
    picture.save(tmp_path / "a.png", dpi=(200, 100))
    picture.save(tmp_path / "a.tif", dpi=(200, 100))
    (tmp_path / "ratio.png").write_bytes(
        (tmp_path / "a.png").read_bytes().replace(*_physical_ratio(tmp_path / "a.png"))
    )
    write(tmp_path / "a.dcm", PixelAspectRatio=["2", "1"])
    write(tmp_path / "b.dcm", PixelSpacing=["0.2", "0.1"])
    for name in ("a.jpg", "a.png", "a.tif", "ratio.png", "a.dcm", "b.dcm"):
        film = sk.read_radiograph(tmp_path / name, known_length=known)
        assert film.spacing == pytest.approx((4, 2), rel=1e-4), name
    film = sk.read_radiograph(np.zeros((50, 50)), known_length=((0, 0), (30, 40), 100))
    assert film.spacing == (2, 2)


def _physical_ratio(path):
    """Return the pHYs chunk of a PNG, and one that has a ratio instead of a resolution."""
    data = path.read_bytes()
    at = data.index(b"pHYs")
    body = b"pHYs" + struct.pack(">IIB", 2, 1, 0)
    return data[at : at + 17], body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (((1, 1), (1, 1), 5), r"both points are \(1, 1\)"),
        (((1, 1), (2, 2), 0), "expected .* with mm > 0"),
        (((1, 1), (2, 2), -3), "expected .* with mm > 0"),
        (((1, 1), (2, np.nan), 3), "expected .* with mm > 0"),
        (((1, 1), 5), "expected .* with mm > 0"),
        (((1, 1), (200, 2), 3), r"\(200, 2\) is not on the film of 64 rows"),
    ],
)
def test_lengths_that_are_none(known, message):
    with pytest.raises(sk.ArgumentError, match=f"known_length: .*{message}"):
        sk.read_radiograph(RAMP, known_length=known)


def test_resolution_of_pictures_is_no_spacing(tmp_path):
    for name in ("a.png", "a.tif", "a.bmp"):
        Image.fromarray(BYTES).save(tmp_path / name, dpi=(300, 300))
        film = sk.read_radiograph(tmp_path / name)
        assert film.spacing is None
        assert "300 x 300 dots per inch are those of a scanner or screen" in remarks(film)


# ---- arrays and films


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("u1", "u1"),
        ("u2", "u2"),
        (">u2", "u2"),
        ("f4", "f4"),
        ("f8", "f4"),
        ("f2", "f4"),
        ("i8", "u2"),
        ("?", "u1"),
    ],
)
def test_arrays(dtype, expected):
    values = BYTES.astype(dtype)
    film = sk.read_radiograph(values, spacing=(0.3, 0.2))
    assert film.pixels.dtype == np.dtype(expected)
    np.testing.assert_array_equal(film.pixels, values * 255 if dtype == "?" else values)
    assert (film.spacing, film.spacing_from) == ((0.3, 0.2), "given")


def test_odd_arrays():
    film = sk.read_radiograph(np.array([[-5, 3]]))
    assert film.pixels.dtype == np.float32
    film = sk.read_radiograph(np.array([[np.nan, 3.0, np.inf, 2.0]]))
    np.testing.assert_array_equal(film.pixels, [[2, 3, 2, 2]])
    assert "2 pixels are no numbers" in remarks(film)
    np.testing.assert_array_equal(sk.read_radiograph(np.stack([BYTES] * 3, -1)).pixels, BYTES)
    for wrong in (np.zeros(5), np.zeros((2, 3, 4)), np.zeros((0, 3)), np.full((2, 2), "x"), None):
        with pytest.raises(sk.ArgumentError, match="an array of "):
            sk.read_radiograph(wrong)
    with pytest.raises(sk.ArgumentError, match="none of its pixels is a number"):
        sk.read_radiograph(np.full((2, 2), np.nan))


def test_a_film_comes_back_as_it_is_or_changed():
    film = Radiograph(RAMP, (0.2, 0.1), "PixelSpacing", "x", {"view": "LL"})
    assert sk.read_radiograph(film) is film
    changed = sk.read_radiograph(film, spacing=(0.5, 0.5))
    assert (changed.spacing, changed.spacing_from, changed.source) == ((0.5, 0.5), "given", "x")
    assert changed.pixels is film.pixels
    assert film.notes == {"view": "LL"}
    known = sk.read_radiograph(film, known_length=((0, 0), (30, 20), 5))
    assert known.spacing == pytest.approx((0.2, 0.1))
    back = sk.read_radiograph(sk.read_radiograph(film, invert=True), invert=True)
    np.testing.assert_array_equal(back.pixels, RAMP)
    phantom = sk.phantom.Spine.random(seed=1).radiograph(rows=64)
    assert sk.read_radiograph(phantom, spacing=(1, 1)).view is phantom.view


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": (1, 1), "known_length": ((0, 0), (1, 1), 1)}, "both given"),
        ({"spacing": (0, 1)}, r"spacing: \(0, 1\)"),
        ({"voi": True}, "voi: True, expected"),
        ({"voi": 1.5}, r"voi: 1\.5, expected"),
        ({"max_pixels": 0}, "max_pixels: 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.read_radiograph(RAMP, **options)
