"""Films of every kind: colours, frames, other objects of DICOM, pictures."""

import io
import os

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    RTStructureSetStorage,
)

import spinekit as sk
from conftest import body_picture, save
from made_radiographs import BYTES, RAMP, film_dataset, remarks, write

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
