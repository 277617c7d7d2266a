"""Films read from DICOM: bone bright, in the levels that the standard says."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

import spinekit as sk
from conftest import body_picture, save
from made_radiographs import RAMP, film_dataset, lut, remarks, write

# ---- grey levels of DICOM


def test_stored_values_stay_whole(tmp_path):
    film = sk.read_radiograph(write(tmp_path / "a.dcm"))
    np.testing.assert_array_equal(film.pixels, RAMP)
    assert (film.pixels.dtype, film.notes["applied"], film.notes["range"]) == (np.uint16, [], (0, 4095))
    assert film.source == "a.dcm"


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_monochrome1_is_inverted_within_its_bits(tmp_path, bits):
    pixels = (RAMP >> (12 - bits)) if bits < 12 else RAMP << (bits - 12)
    pixels = pixels.astype(np.uint8 if bits == 8 else np.uint16)
    path = write(tmp_path / "a.dcm", pixels, bits, PhotometricInterpretation="MONOCHROME1")
    film = sk.read_radiograph(path)
    np.testing.assert_array_equal(film.pixels, 2**bits - 1 - pixels.astype(int))
    assert film.pixels.dtype == pixels.dtype


@pytest.mark.parametrize("shape", [None, "INVERSE"])
def test_presentation_lut_shape_does_not_invert_twice(tmp_path, shape):
    attributes = {} if shape is None else {"PresentationLUTShape": shape}
    film = sk.read_radiograph(
        write(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1", **attributes)
    )
    np.testing.assert_array_equal(film.pixels, 4095 - RAMP)
    assert not film.notes["remarks"]


def test_contradicting_senses_are_remarked_on(tmp_path):
    film = sk.read_radiograph(write(tmp_path / "a.dcm", PresentationLUTShape="INVERSE"))
    np.testing.assert_array_equal(film.pixels, RAMP)
    assert "MONOCHROME2 with PresentationLUTShape INVERSE: the former counts" in remarks(film)
    film = sk.read_radiograph(write(tmp_path / "b.dcm", PixelIntensityRelationshipSign=1), invert=True)
    np.testing.assert_array_equal(film.pixels, 4095 - RAMP)
    assert "bone is dark in it" in remarks(film)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_phantom_comes_back_as_it_was_made(tmp_path, photometric):
    made = sk.phantom.Spine.random(seed=3).radiograph(rows=192)
    film = sk.read_radiograph(made.write(tmp_path / "film.dcm", photometric))
    np.testing.assert_array_equal(film.pixels, made.pixels)
    assert film.pixels.dtype == made.pixels.dtype
    assert film.spacing == pytest.approx(made.spacing, rel=1e-6)
    assert (film.spacing_from, film.notes["plane"]) == ("PixelSpacing", "patient")
    assert "bone is dark" not in remarks(film)


@pytest.mark.parametrize("stored", ["u2", "i2", "u1"])
@pytest.mark.parametrize(("slope", "intercept"), [("2", "100"), ("0.5", "-1024"), ("-1", "4095")])
def test_rescale_is_that_of_pydicom(tmp_path, slope, intercept, stored):
    pixels = RAMP >> 4 if stored == "u1" else RAMP.astype(int) - (2048 if stored == "i2" else 0)
    path = write(
        tmp_path / "a.dcm",
        pixels.astype(stored),
        8 if stored == "u1" else 12,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
    )
    film = sk.read_radiograph(path)
    ds = pydicom.dcmread(path)
    expected = apply_modality_lut(ds.pixel_array, ds)
    np.testing.assert_array_equal(film.pixels, expected.astype(np.float32))
    # Of all values that could be there, not of those that are.
    whole = (slope == "2" and stored != "i2") or slope == "-1"
    assert film.pixels.dtype == (np.uint16 if whole else np.float32)


def test_a_modality_lut_is_that_of_pydicom(tmp_path):
    table = np.linspace(50, 1000, 4000).astype(np.uint16) ** 2 % 60000
    path = write(tmp_path / "a.dcm", ModalityLUTSequence=lut(48, table, 16))
    ds = pydicom.dcmread(path)
    film = sk.read_radiograph(path)
    np.testing.assert_array_equal(film.pixels, apply_modality_lut(ds.pixel_array, ds))
    assert film.notes["applied"] == ["modality LUT"]


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("first", [0, 700])
def test_a_voi_lut_is_that_of_pydicom(tmp_path, vr, first):
    table = (np.linspace(0, 1, 3000) ** 0.5 * 4095).astype(np.uint16)
    path = write(
        tmp_path / "a.dcm", VOILUTSequence=lut(first, table, 12, "SOFT", vr), WindowCenter=5, WindowWidth=5
    )
    film = sk.read_radiograph(path)
    ds = pydicom.dcmread(path)
    np.testing.assert_array_equal(film.pixels, apply_voi_lut(ds.pixel_array, ds))
    assert film.notes["applied"] == ["VOI LUT 'SOFT'"]
    assert film.notes["voi"] == ["VOI LUT 'SOFT'", "window 5 / 5 LINEAR"]


def test_explanations_that_are_no_codes_are_not_told(tmp_path):
    """They are free text, in which a name may stand; the film can still be chosen by them."""
    path = write(
        tmp_path / "a.dcm",
        VOILUTSequence=lut(0, np.arange(4096), 12, "for Anna Maier, 1950"),
        WindowCenter=[500, 600],
        WindowWidth=[5, 6],
        WindowCenterWidthExplanation=["Anna Maier", "BONE"],
    )
    film = sk.read_radiograph(path, voi="Anna Maier")
    assert film.notes["voi"] == ["VOI LUT", "window 500 / 5 LINEAR", "window 600 / 6 LINEAR 'BONE'"]
    assert "window 500 / 5 LINEAR" in film.notes["applied"]
    assert "Maier" not in repr(film.notes) + repr(sk.read_radiograph(path).notes)
    with pytest.raises(sk.ArgumentError, match="voi: 'x', expected") as raised:
        sk.read_radiograph(path, voi="x")
    assert "Maier" not in str(raised.value)


def test_a_voi_lut_of_8_bits_has_more_than_256_entries(tmp_path):
    table = np.arange(4096) // 16
    path = write(tmp_path / "a.dcm", VOILUTSequence=lut(0, table, 8))
    film = sk.read_radiograph(path)
    np.testing.assert_array_equal(film.pixels, RAMP // 16)
    assert film.pixels.dtype == np.uint8


def test_a_voi_lut_after_a_rescale_below_zero(tmp_path):
    ds = film_dataset(RescaleSlope="1", RescaleIntercept="-1024")
    ds.VOILUTSequence = lut(-1000, np.arange(100, 2100), 12)
    film = sk.read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(film.pixels, np.clip(RAMP.astype(int) - 1024 + 1000, 0, 1999) + 100)
    # Implicit VR leaves open whether 64536 is -1000.
    ds.VOILUTSequence[0].add_new("LUTDescriptor", "US", [2000, 64536, 12])
    again = sk.read_radiograph(save(ds, tmp_path / "b.dcm", syntax=ImplicitVRLittleEndian))
    np.testing.assert_array_equal(again.pixels, film.pixels)


def test_a_linear_window_is_noted_and_not_applied(tmp_path):
    path = write(tmp_path / "a.dcm", WindowCenter="1000.5", WindowWidth="501")
    film = sk.read_radiograph(path)
    np.testing.assert_array_equal(film.pixels, RAMP)
    assert film.notes["window"] == (750, 1250)
    inverted = sk.read_radiograph(path, invert=True)
    assert inverted.notes["window"] == (4095 - 1250, 4095 - 750)
    path = write(
        tmp_path / "b.dcm", WindowCenter="3094.5", WindowWidth="501", PhotometricInterpretation="MONOCHROME1"
    )
    film = sk.read_radiograph(path)
    assert film.notes["window"] == (4095 - 3344, 4095 - 2844)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("centre", "width"), [(1800.0, 1000.0), (2048.0, 4096.0), (100.0, 3.5)])
def test_windows_are_those_of_the_standard(tmp_path, function, photometric, centre, width):
    path = write(
        tmp_path / "a.dcm",
        WindowCenter=str(centre),
        WindowWidth=str(width),
        VOILUTFunction=function,
        PhotometricInterpretation=photometric,
    )
    film = sk.read_radiograph(path, voi=0)
    x = RAMP.astype(float)
    if function == "SIGMOID":  # PS3.3 C.11.2.1.3.1
        with np.errstate(over="ignore"):
            expected = 4095 / (1 + np.exp(-4 * (x - centre) / width))
    elif function == "LINEAR_EXACT":  # C.11.2.1.3.2
        expected = np.clip((x - centre) / width + 0.5, 0, 1) * 4095
    else:  # C.11.2.1.2.1
        expected = np.clip((x - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 4095
    ds = pydicom.dcmread(path)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(apply_windowing(ds.pixel_array, ds), expected, atol=1e-6)
    if photometric == "MONOCHROME1":
        expected = 4095 - expected
    np.testing.assert_allclose(film.pixels, expected, atol=1e-3)
    assert film.pixels.dtype == np.float32


def test_a_sigmoid_is_applied_unasked(tmp_path):
    path = write(tmp_path / "a.dcm", WindowCenter="2000", WindowWidth="900", VOILUTFunction="SIGMOID")
    film = sk.read_radiograph(path)
    np.testing.assert_allclose(film.pixels, 4095 / (1 + np.exp(-4 * (RAMP - 2000.0) / 900)), atol=1e-3)
    np.testing.assert_array_equal(sk.read_radiograph(path, voi="none").pixels, RAMP)


def test_a_window_after_a_falling_rescale_is_not_upside_down(tmp_path):
    path = write(
        tmp_path / "a.dcm",
        RescaleSlope="-1",
        RescaleIntercept="4095",
        WindowCenter="2048",
        WindowWidth="4096",
    )
    film = sk.read_radiograph(path, voi=0)
    np.testing.assert_allclose(film.pixels, 4095 - RAMP.astype(float), atol=1)


def test_views_are_chosen_by_number_and_name(tmp_path):
    path = write(
        tmp_path / "a.dcm",
        WindowCenter=["1000", "3000"],
        WindowWidth=["100", "200"],
        WindowCenterWidthExplanation=["SOFT", "BONE"],
    )
    bone = sk.read_radiograph(path, voi="bone")
    np.testing.assert_array_equal(bone.pixels, sk.read_radiograph(path, voi=1).pixels)
    assert bone.notes["applied"] == ["window 3000 / 200 LINEAR 'BONE'"]
    for wrong in ("lung", 2, -1):
        with pytest.raises(sk.ArgumentError, match=r"voi: .*0: window 1000 / 100 LINEAR 'SOFT', 1: "):
            sk.read_radiograph(path, voi=wrong)


@pytest.mark.parametrize(("centre", "width"), [("100", "0"), ("100", "-5"), ("100", "0.5")])
def test_windows_that_show_nothing_are_left_out(tmp_path, centre, width):
    film = sk.read_radiograph(write(tmp_path / "a.dcm", WindowCenter=centre, WindowWidth=width))
    assert "shows nothing: left out" in remarks(film)
    assert "window" not in film.notes


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 5])
def test_padding_is_made_dark(tmp_path, photometric, limit):
    pixels = RAMP + np.uint16(100) * (RAMP < 3990)
    pixels[:4] = 0
    pixels[4:8] = 5
    attributes = {} if limit is None else {"PixelPaddingRangeLimit": limit}
    path = write(
        tmp_path / "a.dcm", pixels, PhotometricInterpretation=photometric, PixelPaddingValue=0, **attributes
    )
    padding = pixels <= (limit or 0)
    for invert in (False, True):
        film = sk.read_radiograph(path, invert=invert)
        expected = 4095 - pixels if (photometric == "MONOCHROME1") is not invert else pixels.copy()
        expected[padding] = expected[~padding].min()
        np.testing.assert_array_equal(film.pixels, expected)
    assert "padding, " in film.notes["applied"][-1]


def test_padding_up_to_zero_is_a_range(tmp_path):
    pixels = RAMP.astype(np.int16)
    pixels[:4], pixels[4:8], pixels[8:12] = -3, -2, 0
    path = write(
        tmp_path / "a.dcm", pixels, 16, PixelPaddingValue=-3, PixelPaddingRangeLimit=0, RescaleSlope="1",
        RescaleIntercept="0"
    )  # fmt: skip
    film = sk.read_radiograph(path)
    padding = pixels <= 0
    assert padding[8:12].all()
    assert (film.pixels[padding] == pixels[~padding].min()).all()


def test_signed_padding_written_unsigned(tmp_path):
    pixels = RAMP.astype(np.int16) - 100
    pixels[:2] = -2000
    ds = film_dataset(pixels, 16)
    ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
    film = sk.read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert film.pixels.min() == 28
    np.testing.assert_array_equal(film.pixels[2:], pixels[2:])


def test_a_film_of_nothing_but_padding(tmp_path):
    film = sk.read_radiograph(write(tmp_path / "a.dcm", RAMP * 0 + np.uint16(7), PixelPaddingValue=7))
    assert (film.pixels == 7).all()


def test_senseless_rescale_is_not_applied(tmp_path):
    film = sk.read_radiograph(write(tmp_path / "a.dcm", RescaleSlope="0", RescaleIntercept="5"))
    np.testing.assert_array_equal(film.pixels, RAMP)
    assert "rescale slope 0 and intercept 5 make no sense" in remarks(film)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless]
)
def test_other_transfer_syntaxes(tmp_path, syntax):
    ds = film_dataset(body_picture(), WindowCenter="2000", WindowWidth="1000")
    ds.VOILUTSequence = lut(0, np.arange(4096)[::-1], 12, vr="US")
    path = save(ds, tmp_path / "plain.dcm")
    if syntax in (RLELossless, JPEG2000Lossless):
        whole = pydicom.dcmread(path)
        whole.compress(syntax)
        whole.save_as(tmp_path / "a.dcm")
    else:
        save(ds, tmp_path / "a.dcm", syntax=syntax)
    film = sk.read_radiograph(tmp_path / "a.dcm")
    np.testing.assert_array_equal(film.pixels, 4095 - body_picture())
    assert syntax.name in film.notes["format"]


def test_simpleitk_sees_the_same(tmp_path):
    path = write(tmp_path / "a.dcm", body_picture(), RescaleSlope="2", RescaleIntercept="-50")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    np.testing.assert_array_equal(sk.read_radiograph(path).pixels, theirs)


@pytest.mark.parametrize("data", [[1, 2, 3], []])
def test_a_broken_lut_is_named(tmp_path, data):
    ds = film_dataset()
    ds.VOILUTSequence = lut(0, np.arange(16), 12)
    ds.VOILUTSequence[0].LUTData = data
    with pytest.raises(sk.MalformedDataError, match=r"a\.dcm': a LUT "):
        sk.read_radiograph(save(ds, tmp_path / "a.dcm"))
