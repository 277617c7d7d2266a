"""Films read from DICOM, pictures and arrays: bone bright, and a spacing only where one is known."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
import tifffile
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    RTStructureSetStorage,
)

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit.cli import main
from spinekit.radiograph import Radiograph

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
BYTES = np.arange(48, dtype=np.uint8).reshape(6, 8)


def film_dataset(pixels=RAMP, bits=12, **attributes):
    ds = make_dataset(pixels, bits_stored=bits, SOPClassUID=ComputedRadiographyImageStorage, Modality="CR")
    del ds.PixelSpacing, ds.RescaleIntercept, ds.RescaleSlope
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def write(path, pixels=RAMP, bits=12, **attributes):
    return save(film_dataset(pixels, bits, **attributes), path)


def lut(first, data, bits, explanation="", vr="US"):
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(data) % 65536, first, bits])
    words = np.asarray(data, np.uint16)
    item.add_new("LUTData", vr, words.tobytes() if vr == "OW" else words.tolist())
    if explanation:
        item.LUTExplanation = explanation
    return Sequence([item])


def remarks(film):
    return "; ".join(film.notes["remarks"])


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


# ---- colour, frames, kinds of DICOM


def test_grey_in_three_channels_is_grey(tmp_path):
    picture = body_picture(bits=8)
    ds = film_dataset(np.stack([picture] * 3, -1), 8)
    film = sk.read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(film.pixels, picture)
    assert not film.notes["remarks"]


def test_annotations_in_colour_become_luma(tmp_path):
    colours = np.stack([body_picture(bits=8)] * 3, -1)
    colours[:64, :64] = (255, 0, 0)
    ds = film_dataset(colours, 8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    for path in (save(ds, tmp_path / "a.dcm"), tmp_path / "a.png"):
        film = sk.read_radiograph(path)
        expected = np.asarray(Image.fromarray(colours).convert("L"), int)
        assert abs(film.pixels.astype(int) - expected).max() <= 1
        assert "6.25 % of its pixels have colour" in remarks(film)


def test_y_of_ybr_is_the_grey(tmp_path):
    ybr = np.full((8, 8, 3), 128, np.uint8)
    ybr[..., 0] = np.arange(64).reshape(8, 8)
    film = sk.read_radiograph(
        save(film_dataset(ybr, 8, PhotometricInterpretation="YBR_FULL"), tmp_path / "a.dcm")
    )
    np.testing.assert_array_equal(film.pixels, ybr[..., 0])
    assert not film.notes["remarks"]


def test_palettes(tmp_path):
    ds = film_dataset(BYTES, 8, PhotometricInterpretation="PALETTE COLOR")
    table = np.arange(256, dtype=np.uint16)[::-1] * 257
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", table.tobytes())
    path = save(ds, tmp_path / "a.dcm")
    film = sk.read_radiograph(path)
    ds = pydicom.dcmread(path)
    np.testing.assert_array_equal(film.pixels, apply_color_lut(ds.pixel_array, ds)[..., 0])
    del ds.RedPaletteColorLookupTableData
    ds.save_as(tmp_path / "b.dcm")
    with pytest.raises(sk.MalformedDataError, match=r"b\.dcm': its palette cannot be read"):
        sk.read_radiograph(tmp_path / "b.dcm")


def test_frames_are_chosen(tmp_path):
    frames = np.stack([RAMP, RAMP[::-1], RAMP.T])
    path = write(tmp_path / "a.dcm", frames, NumberOfFrames=3)
    with pytest.raises(sk.ArgumentError, match=r"a\.dcm' has 3 frames; choose one by frame=, 0 to 2"):
        sk.read_radiograph(path)
    for k in range(3):
        film = sk.read_radiograph(path, frame=k)
        np.testing.assert_array_equal(film.pixels, frames[k])
        assert film.notes["frame"] == k
    for wrong in (3, -1):
        with pytest.raises(sk.ArgumentError, match=f"frame: {wrong}, expected 0 to 2"):
            sk.read_radiograph(path, frame=wrong)
    assert sk.read_radiograph(write(tmp_path / "b.dcm"), frame=0).shape == (64, 64)


def test_functional_groups_of_the_frame_count(tmp_path):
    def group(**attributes):
        item, inner = Dataset(), Dataset()
        for keyword, value in attributes.items():
            setattr(inner, keyword, value)
        item.FrameVOILUTSequence = Sequence([inner])
        return item

    ds = film_dataset(np.stack([RAMP, RAMP]), NumberOfFrames=2, WindowCenter="9", WindowWidth="9")
    shared = Dataset()
    pixel = Dataset()
    pixel.ImagerPixelSpacing = ["0.3", "0.3"]
    shared.FramePixelDataPropertiesSequence = Sequence([pixel])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [group(WindowCenter="100.5", WindowWidth="11"), group(WindowCenter="200.5", WindowWidth="21")]
    )
    path = save(ds, tmp_path / "a.dcm")
    assert sk.read_radiograph(path, frame=0).notes["window"] == (95, 105)
    film = sk.read_radiograph(path, frame=1)
    assert film.notes["window"] == (190, 210)
    assert (film.spacing, film.spacing_from) == ((0.3, 0.3), "ImagerPixelSpacing")


@pytest.mark.parametrize("kind", [RTStructureSetStorage, GrayscaleSoftcopyPresentationStateStorage])
def test_what_is_no_image_is_said(tmp_path, kind):
    ds = film_dataset(SOPClassUID=kind)
    del ds.Rows, ds.Columns, ds.PixelData
    with pytest.raises(sk.ArgumentError, match=rf"holds no image but is of {kind.name}; expected a film"):
        sk.read_radiograph(save(ds, tmp_path / "a.dcm"))
    ds.SOPClassUID = ComputedRadiographyImageStorage
    with pytest.raises(sk.MalformedDataError, match="DICOM without Rows and Columns"):
        sk.read_radiograph(save(ds, tmp_path / "a.dcm"))


def test_sections_and_burnt_in_text_are_remarked_on(tmp_path, ct_file):
    assert "modality CT: a section rather than a projection" in remarks(sk.read_radiograph(ct_file))
    film = sk.read_radiograph(write(tmp_path / "a.dcm", BurnedInAnnotation="YES"))
    assert "it may name the patient" in remarks(film)


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS:UserWarning")
def test_patients_stay_out_unless_asked_for(tmp_path):
    path = write(
        tmp_path / "a.dcm",
        PatientName="Secret^Name",
        PatientID="SECRET-7",
        ViewPosition="LL",
        BodyPartExamined="OF_WHOM_LSPINE",
        KVP="80",
        ImageComments="SECRET",
        PixelSpacing=["0.2", "0.2"],
        PixelSpacingCalibrationType="GEOMETRY",
        PixelSpacingCalibrationDescription="secret",
    )
    path.write_bytes(path.read_bytes().replace(b"OF_WHOM_LSPINE", b"Secret's spine"))
    film = sk.read_radiograph(path)
    assert "secret" not in (repr(film) + repr(film.notes) + film.source).lower()
    assert (film.notes["view"], film.notes["kvp"]) == ("LL", 80)
    for keep in ("PatientID", ["PatientID", "Allergies"]):
        assert sk.read_radiograph(path, keep=keep).notes["kept"] == {"PatientID": "SECRET-7"}
    with pytest.raises(sk.ArgumentError, match="keep: 'Patient' is no keyword of DICOM"):
        sk.read_radiograph(path, keep=["Patient"])


# ---- spacing


@pytest.mark.parametrize(
    ("attributes", "spacing", "source", "plane", "remark"),
    [
        ({}, None, "", None, ""),
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
        ({"PixelSpacing": [-0.1, 0.1]}, None, "", None, "PixelSpacing is -0.1 x 0.1"),
        ({"PixelSpacing": ["0.1"]}, None, "", None, "PixelSpacing is 0.1, expected two"),
        ({"ImagerPixelSpacing": ["0.1", "0.1", "0.1"]}, None, "", None, "0.1 x 0.1 x 0.1, expected two"),
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
    assert (given.spacing, given.spacing_from, given.notes.get("plane")) == ((1, 2), "given", None)
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


# ---- pictures


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif", "a.jp2", "a.pgm", "a.dcm", "a"])
def test_pictures_are_told_by_content(tmp_path, name):
    kinds = {".gif": "GIF", ".jp2": "JPEG2000", ".pgm": "PPM", ".tif": "TIFF", ".bmp": "BMP"}
    with (tmp_path / name).open("wb") as file:
        Image.fromarray(BYTES).save(file, kinds.get(os.path.splitext(name)[1], "PNG"))
    film = sk.read_radiograph(str(tmp_path / name))
    np.testing.assert_array_equal(film.pixels, BYTES)
    assert film.pixels.dtype == np.uint8


def test_dicom_without_its_ending(tmp_path):
    film = sk.read_radiograph(write(tmp_path / "IM0001.png"))
    np.testing.assert_array_equal(film.pixels, RAMP)
    # Nor need there be a preamble.
    (tmp_path / "bare").write_bytes((tmp_path / "IM0001.png").read_bytes()[132:])
    np.testing.assert_array_equal(sk.read_radiograph(tmp_path / "bare").pixels, RAMP)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bits_stay(tmp_path, name):
    pixels = RAMP * np.uint16(16) + np.uint16(3)
    Image.fromarray(pixels).save(tmp_path / name)
    film = sk.read_radiograph(tmp_path / name)
    np.testing.assert_array_equal(film.pixels, pixels)
    assert film.pixels.dtype == np.uint16
    assert film.pixels.dtype.isnative


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_tiffs_of_both_senses(tmp_path, dtype, photometric, byteorder):
    pixels = (RAMP >> 4).astype(dtype) if dtype == "u1" else RAMP.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, byteorder=byteorder)
    if (dtype, photometric, byteorder) == ("u2", "miniswhite", ">"):
        with pytest.raises(sk.MalformedDataError, match="no picture: unknown pixel mode"):
            sk.read_radiograph(tmp_path / "a.tif")  # Pillow lacks it
        return
    film = sk.read_radiograph(tmp_path / "a.tif")
    top = {"u1": 255, "u2": 65535, "f4": 4095}[dtype]
    expected = top - pixels if photometric == "miniswhite" else pixels
    np.testing.assert_array_equal(film.pixels, expected)
    assert film.pixels.dtype == np.dtype(dtype)
    assert film.notes["applied"] == (["inverted: MinIsWhite"] if photometric == "miniswhite" else [])


def test_bits_palettes_and_transparency(tmp_path):
    bits = Image.fromarray(BYTES > 20)
    bits.save(tmp_path / "bits.png")
    np.testing.assert_array_equal(sk.read_radiograph(tmp_path / "bits.png").pixels, 255 * (BYTES > 20))
    bits.save(tmp_path / "bits.tif", compression="group4")
    np.testing.assert_array_equal(sk.read_radiograph(tmp_path / "bits.tif").pixels, 255 * (BYTES > 20))
    palette = Image.fromarray(BYTES).convert("P")
    palette.putpalette([255 - k // 3 for k in range(768)])
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(sk.read_radiograph(tmp_path / "palette.png").pixels, 255 - BYTES)
    grey = np.full((4, 4), 200, np.uint8)
    alpha = np.array([[255, 255, 0, 0]] * 4, np.uint8)
    for mode, planes in (("LA", (grey, alpha)), ("RGBA", (grey, grey, grey, alpha))):
        Image.merge(mode, [Image.fromarray(plane) for plane in planes]).save(tmp_path / "alpha.png")
        film = sk.read_radiograph(tmp_path / "alpha.png")
        np.testing.assert_array_equal(film.pixels, [[200, 200, 0, 0]] * 4)
        assert film.notes["applied"] == ["transparent parts put on black"]
    Image.fromarray(grey).save(tmp_path / "key.png", transparency=200)
    assert (sk.read_radiograph(tmp_path / "key.png").pixels == 0).all()


def test_cmyk_becomes_grey(tmp_path):
    Image.new("CMYK", (4, 4), (0, 0, 0, 55)).save(tmp_path / "a.tif")
    assert (sk.read_radiograph(tmp_path / "a.tif").pixels == 200).all()
    Image.new("LAB", (4, 4)).save(tmp_path / "b.tif")
    with pytest.raises(sk.UnsupportedError, match=r"b\.tif': a picture of mode LAB"):
        sk.read_radiograph(tmp_path / "b.tif")


def test_16_bit_colours_lose_half_and_say_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([RAMP] * 3, -1), photometric="rgb")
    assert "of the 16 bits of its colours, 8 are kept" in remarks(sk.read_radiograph(tmp_path / "a.tif"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "lzw.tif", "a.png"])
def test_orientation_is_applied(tmp_path, orientation, name):
    picture = np.add.outer(np.arange(32, dtype=np.uint8) * 5, np.arange(48, dtype=np.uint8) * 2)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"a.jpg": {"quality": 100}, "lzw.tif": {"compression": "tiff_lzw"}}.get(name, {})
    Image.fromarray(picture).save(tmp_path / name, exif=exif, **options)
    turns = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.T,
        6: np.rot90(picture, -1),
        7: picture[::-1, ::-1].T,
        8: np.rot90(picture),
    }
    film = sk.read_radiograph(tmp_path / name)
    assert film.shape == turns[orientation].shape
    assert abs(film.pixels.astype(int) - turns[orientation]).max() < 12
    assert bool(film.notes["applied"]) == (orientation > 1)


def test_pages_are_chosen(tmp_path):
    first, second = Image.fromarray(BYTES), Image.fromarray(BYTES.T.copy())
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    with pytest.raises(sk.ArgumentError, match=r"a\.tif' has 2 pages; choose one by frame=, 0 to 1"):
        sk.read_radiograph(tmp_path / "a.tif")
    np.testing.assert_array_equal(sk.read_radiograph(tmp_path / "a.tif", frame=1).pixels, BYTES.T)


def test_progressive_jpeg(tmp_path):
    picture = body_picture(64, 64, bits=8)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95, progressive=True)
    assert abs(sk.read_radiograph(tmp_path / "a.jpg").pixels.astype(int) - picture).max() < 30


def test_jpeg_of_12_bits_is_refused_by_name(tmp_path):
    data = io.BytesIO()
    Image.fromarray(BYTES).save(data, "JPEG")
    damaged = bytearray(data.getvalue())
    damaged[damaged.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(damaged)
    with pytest.raises(sk.UnsupportedError, match=r"a\.jpg': a JPEG of 12 bits.* PNG or TIFF of 16 bits"):
        sk.read_radiograph(tmp_path / "a.jpg")


def test_options_of_dicom_make_no_sense_for_pictures(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    with pytest.raises(sk.ArgumentError, match=r"voi: 0, .* is a picture"):
        sk.read_radiograph(tmp_path / "a.png", voi=0)
    with pytest.raises(sk.ArgumentError, match=r"keep: .* is a picture"):
        sk.read_radiograph(tmp_path / "a.png", keep="PatientID")


# ---- sizes and damage


def png_header(columns, rows, bits=8):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", columns, rows, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b"")


def test_large_films_are_read_and_larger_ones_are_not(tmp_path):
    # Pillow warns of 90 million pixels, and refuses 180 million.
    Image.new("1", (20_000, 10_000)).save(tmp_path / "a.png")
    film = sk.read_radiograph(tmp_path / "a.png")
    assert film.shape == (10_000, 20_000)
    limit = Image.MAX_IMAGE_PIXELS
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((10_000, 20_000), np.uint8), compression="zlib")
    assert sk.read_radiograph(tmp_path / "a.tif").shape == (10_000, 20_000)
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(sk.ResourceError, match=r"a\.png': 10000 x 20000 pixels, expected at most 9999"):
        sk.read_radiograph(tmp_path / "a.png", max_pixels=9999)
    Image.fromarray(BYTES).save(tmp_path / "bomb.gif")
    size = struct.pack("<HH", 8, 6)
    (tmp_path / "bomb.gif").write_bytes((tmp_path / "bomb.gif").read_bytes().replace(size, b"\xff" * 4))
    with pytest.raises(sk.ResourceError, match=r"bomb\.gif"):
        sk.read_radiograph(tmp_path / "bomb.gif")
    (tmp_path / "bomb.png").write_bytes(png_header(100_000, 100_000))
    with pytest.raises(sk.ResourceError, match=r"100000 x 100000 pixels, expected at most .*max_pixels="):
        sk.read_radiograph(tmp_path / "bomb.png")
    with pytest.raises(sk.ResourceError, match=r"c\.dcm': 1 x 64 x 64 pixels, expected at most 100; max_pix"):
        sk.read_radiograph(write(tmp_path / "c.dcm"), max_pixels=100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; copy it again"),
        (b"this is no picture\n", "is no film: neither DICOM nor PNG.*, but text"),
        (b"PK\3\4" + bytes(100), "but a ZIP archive: unpack it"),
        (b"%PDF-1.4\n" + bytes(10), "but a PDF: export the film"),
        (bytes(1000), "is no film: neither DICOM nor PNG, JPEG, TIFF, JPEG 2000, BMP, PGM or GIF$"),
        (b"II*\0", "no picture"),
        (b"\xff\xd8\xff", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture"),
        (png_header(50, 50), "its pixels cannot be read|no picture"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(128) + b"DICM" + os.urandom(64), "x.png'"),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "without Rows and Columns"),
    ],
)
def test_what_is_no_film_is_named(tmp_path, content, message):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(sk.MalformedDataError, match=message) as raised:
        sk.read_radiograph(tmp_path / "x.png")
    assert "x.png" in str(raised.value)


@pytest.mark.parametrize("kind", ["a.png", "a.tif", "a.jpg", "a.bmp", "a.jp2", "a.dcm"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_films_cut_off_anywhere(tmp_path, kind):
    path = tmp_path / kind
    if kind == "a.dcm":
        write(path, BYTES, 8)
    else:
        Image.fromarray(BYTES).save(path)
    data = path.read_bytes()
    for size in range(1, len(data) - 2, max(1, len(data) // 100)):
        path.write_bytes(data[:size])
        try:
            film = sk.read_radiograph(path)
        except sk.SpinekitError as failure:
            assert path.name in str(failure)
        else:
            assert film.shape == BYTES.shape


@pytest.mark.parametrize("kind", ["a.png", "a.tif", "a.jpg", "a.bmp", "a.jp2", "a.dcm"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_films_are_errors_or_films(tmp_path, kind):
    path = tmp_path / kind
    if kind == "a.dcm":
        write(path, BYTES, 8, WindowCenter="20", WindowWidth="10", PixelSpacing=[0.1, 0.1])
    else:
        Image.fromarray(BYTES).save(path)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(5)
    for _ in range(150):
        damaged = data.copy()
        damaged[rng.integers(0, data.size, 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            film = sk.read_radiograph(path, max_pixels=1 << 20)
        except sk.SpinekitError:
            continue
        assert film.pixels.size <= 1 << 20


def test_paths(tmp_path, monkeypatch):
    with pytest.raises(sk.ResourceError, match=r"nowhere' cannot be read: No such file.*; check the path"):
        sk.read_radiograph(tmp_path / "nowhere")
    with pytest.raises(sk.ResourceError, match="expected a file, got a folder"):
        sk.read_radiograph(tmp_path)
    write(tmp_path / "a.dcm")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sk.read_radiograph("~/a.dcm").shape == (64, 64)
    if os.geteuid() != 0:
        (tmp_path / "a.dcm").chmod(0)
        with pytest.raises(sk.ResourceError, match="ask for permission"):
            sk.read_radiograph(tmp_path / "a.dcm")


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


# ---- the command line and real files


def test_the_command_tells_and_writes(tmp_path, capsys):
    write(tmp_path / "a.dcm", ImagerPixelSpacing=[0.1, 0.1])
    write(tmp_path / "b.dcm", RescaleSlope="0.5", RescaleIntercept="0")
    (tmp_path / "c.dcm").write_text("no")
    names = [str(tmp_path / f"{name}.dcm") for name in "abc"]
    assert main(["film", *names[:2], "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["films"]
    assert found[names[0]]["spacing_from"] == "ImagerPixelSpacing"
    with Image.open(tmp_path / "out" / "a.png") as picture:
        np.testing.assert_array_equal(picture, RAMP)
    with Image.open(tmp_path / "out" / "b.png") as picture:
        np.testing.assert_allclose(picture, RAMP / 4095 * 65535, atol=0.51)
    assert main(["film", *names, "--voi", "none", "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    assert "exists; --overwrite replaces it" in told
    assert "FAILED: " in told
    assert main(["film", names[0], "--spacing", "0.3", "0.3"]) == 0
    assert "spacing: given" in capsys.readouterr().out


def test_the_command_never_replaces_a_film_that_it_reads(tmp_path, capsys):
    Image.fromarray((RAMP >> 4).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    for folder in (tmp_path, tmp_path / "out"):
        command = ["film", str(tmp_path / "a.png"), "--invert", "--overwrite", "--out", str(folder)]
        assert main(command) == 1
        assert "a.png' is a film of this run itself; choose another folder" in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes() == before
    assert (tmp_path / "out" / "a.png").is_symlink()


def test_the_command_never_replaces_what_it_has_just_written(tmp_path, capsys):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.dcm", RescaleIntercept="0" if name == "x" else "5", RescaleSlope="1")
    names = [str(tmp_path / name / "a.dcm") for name in ("x", "y")]
    out = tmp_path / "out"
    for _ in range(2):
        assert main(["film", *names, "--overwrite", "--out", str(out)]) == 1
        assert "a.png' was written in this run" in capsys.readouterr().out
        with Image.open(out / "a.png") as picture:
            np.testing.assert_array_equal(picture, RAMP)


def test_the_command_keeps_what_follows_a_dot_in_a_uid(tmp_path):
    for name in ("1.2.840.77", "1.2.840.78"):
        write(tmp_path / name)
    names = [str(tmp_path / name) for name in ("1.2.840.77", "1.2.840.78")]
    assert main(["film", *names, "--out", str(tmp_path / "out")]) == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["1.2.840.77.png", "1.2.840.78.png"]


def test_real_films(shared_data):
    folder = shared_data("xray_dicom")
    for name in ("RG1_J2KI.dcm", "RG3_J2KI.dcm"):
        ds = pydicom.dcmread(folder / name)
        film = sk.read_radiograph(folder / name)
        expected = 2**ds.BitsStored - 1 - ds.pixel_array
        np.testing.assert_allclose(film.pixels.astype(int), expected, atol=2)  # another decoder's rounding
        assert film.spacing is None
    assert "PixelSpacing is 0 x 0" in remarks(sk.read_radiograph(folder / "RG1_J2KI.dcm"))
    scout = sk.read_radiograph(folder / "GH342.dcm")
    ds = pydicom.dcmread(folder / "GH342.dcm")
    np.testing.assert_array_equal(scout.pixels, apply_modality_lut(ds.pixel_array, ds))
    assert (scout.spacing, scout.notes["remarks"]) == ((0.9765625, 0.9765625), [])


def test_a_real_picture(shared_data):
    path = shared_data("xray_png") / "00000001_000.png"
    with Image.open(path) as picture:
        np.testing.assert_array_equal(sk.read_radiograph(path).pixels, picture.convert("L"))
