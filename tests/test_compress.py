"""One file: lossless, exact ratio, quality; every kind of pixel; what the header says afterwards."""

import itertools

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.pixels import pixel_array
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit import _core

SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


def compressed(source, target, **how):
    report = sk.compress(source, target, **how)
    assert report.ok
    return report.records[0], pydicom.dcmread(target)


def raw_values(ds, skip=()):
    """Return every element's value at every depth by its path, without group lengths and pixels."""
    found = {}

    def walk(level, path):
        for element in level:
            if element.tag.element == 0 or element.tag in skip or element.tag.group == 2:
                continue
            if element.VR == "SQ":
                for k, item in enumerate(element.value):
                    walk(item, (*path, element.tag, k))
            else:
                found[(*path, element.tag)] = element.value

    walk(ds, ())
    return found


NAMED_BY_LOSS = {
    0x00080008,  # ImageType
    0x00080018,  # SOPInstanceUID
    0x00082111,  # DerivationDescription
    0x00082112,  # SourceImageSequence
    0x00089215,  # DerivationCodeSequence
    0x00282110,
    0x00282112,
    0x00282114,
    0x7FE00010,
    0xFFFCFFFC,
}


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_lossless_keeps_every_sample(tmp_path, bits, signed, photometric):
    picture = body_picture(bits=bits)
    if signed:
        picture = (picture.astype(np.int32) - 2 ** (bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    source = save(make_dataset(picture, bits_stored=bits, photometric=photometric), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", mode="lossless")
    assert record.lossless
    assert record.max_difference == 0
    assert ds.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert ds.PhotometricInterpretation == photometric
    np.testing.assert_array_equal(pixel_array(ds, raw=True), picture)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_lossless_carries_every_other_value_over(tmp_path, syntax):
    picture = body_picture(100, 120)
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm", syntax=syntax)
    _, after = compressed(source, tmp_path / "b.dcm", mode="lossless")
    before = pydicom.dcmread(source)
    skip = {0x7FE00010}
    assert raw_values(after, skip) == raw_values(before, skip)
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert after.ImageType[0] == "ORIGINAL"
    assert "LossyImageCompression" not in after


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_decimal_strings_stay_the_bytes_that_they_were(tmp_path, syntax):
    source = save(make_dataset(body_picture(64, 64), bits_stored=12), tmp_path / "a.dcm", syntax=syntax)
    for name, how in (("l", {"mode": "lossless"}), ("q", {"quality": 60})):
        sk.compress(source, tmp_path / f"{name}.dcm", **how)
        data = (tmp_path / f"{name}.dcm").read_bytes()
        assert b"0.661468\\0.661468 " in data
        assert b"1.000000\\0\\0\\0\\1.000000\\0" in data


def test_preamble_is_kept(tmp_path):
    preamble = b"II*\x00" + bytes(range(124))
    source = save(make_dataset(body_picture(64, 64), bits_stored=12), tmp_path / "a.dcm", preamble=preamble)
    sk.compress(source, tmp_path / "b.dcm")
    assert (tmp_path / "b.dcm").read_bytes()[:128] == preamble


@pytest.mark.parametrize("ratio", [5.5, 10.0, 20.0, 49.3])
def test_ratio_is_met_exactly_in_one_encode(tmp_path, ratio):
    source = save(make_dataset(body_picture(512, 512), bits_stored=12), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", ratio=ratio)
    before, after = source.stat().st_size, (tmp_path / "b.dcm").stat().st_size
    assert ratio <= before / after <= ratio * 1.0005
    assert record.ratio == before / after
    assert record.encodes == 1
    assert ds.file_meta.TransferSyntaxUID == JPEG2000
    assert record.psnr == pytest.approx(
        10 * np.log10(4095**2 / np.mean((pixel_array(ds).astype(float) - body_picture(512, 512)) ** 2))
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(128, 300),
    columns=st.integers(128, 300),
    ratio=st.floats(2.5, 8.0),
    bits=st.sampled_from([8, 12, 16]),
    seed=st.integers(0, 1000),
)
def test_ratio_is_met_for_any_size_and_target(tmp_path, rows, columns, ratio, bits, seed):
    noise = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns))
    picture = noise.astype(np.uint8 if bits == 8 else np.uint16)
    source = save(make_dataset(picture, bits_stored=bits), tmp_path / "a.dcm")
    record = sk.compress(source, tmp_path / "b.dcm", ratio=ratio, overwrite=True).records[0]
    after = (tmp_path / "b.dcm").stat().st_size
    assert after <= source.stat().st_size / ratio
    assert after > source.stat().st_size / ratio - 2
    assert record.encodes <= 2


def test_ratio_near_lossless_costs_one_more_encode_at_most(tmp_path):
    source = save(make_dataset(body_picture(512, 512), bits_stored=12), tmp_path / "a.dcm")
    record, _ = compressed(source, tmp_path / "b.dcm", ratio=3)
    assert 3 <= record.ratio <= 3.0015
    assert record.encodes <= 2


def test_ratio_keeps_what_is_lossless_already(tmp_path):
    flat = np.zeros((256, 256), np.uint16)
    flat[64:128, 64:128] = 1000
    source = save(make_dataset(flat, bits_stored=12), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", ratio=10)
    assert record.lossless
    assert record.ratio >= 10
    assert ds.ImageType[0] == "ORIGINAL"
    assert ds.file_meta.TransferSyntaxUID == JPEG2000Lossless
    forced, ds = compressed(source, tmp_path / "c.dcm", ratio=10, force_lossy=True)
    assert not forced.lossless
    assert ds.ImageType[0] == "DERIVED"
    assert 10 <= forced.ratio <= 10.005


def test_ratio_beyond_the_header_is_a_clear_error(tmp_path):
    source = pydicom.data.get_testdata_file("CT_small.dcm")
    with pytest.raises(sk.ArgumentError, match=r"CT_small\.dcm': ratio 10 leaves 3920 bytes"):
        sk.compress(source, tmp_path / "b.dcm", ratio=10)
    assert list(tmp_path.iterdir()) == []
    best = sk.compress(source, tmp_path / "b.dcm", ratio=4).records[0]
    assert 4 <= best.ratio <= 4.002


def test_lossy_image_says_so(tmp_path):
    source = save(make_dataset(body_picture(), bits_stored=12), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", ratio=8)
    before = pydicom.dcmread(source)
    assert ds.LossyImageCompression == "01"
    assert float(ds.LossyImageCompressionRatio) == pytest.approx(record.pixel_ratio, abs=1e-4)
    codestream = record.target_pixel_bytes
    assert record.pixel_ratio == 256 * 256 * 2 / codestream
    assert ds.LossyImageCompressionMethod == "ISO_15444_1"
    assert list(ds.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert ds.SOPInstanceUID != before.SOPInstanceUID
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert "file ratio 8" in ds.DerivationDescription
    assert ds.DerivationCodeSequence[0].CodeValue == "113040"
    image = ds.SourceImageSequence[0]
    assert image.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    assert raw_values(ds, NAMED_BY_LOSS) == raw_values(before, NAMED_BY_LOSS)


def test_second_loss_is_appended_to_the_first(tmp_path):
    source = save(make_dataset(body_picture(), bits_stored=12), tmp_path / "a.dcm")
    first, one = compressed(source, tmp_path / "b.dcm", ratio=3)
    second, two = compressed(tmp_path / "b.dcm", tmp_path / "c.dcm", ratio=2)
    assert [float(r) for r in two.LossyImageCompressionRatio] == pytest.approx(
        [first.pixel_ratio, second.pixel_ratio], abs=1e-4
    )
    assert list(two.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_15444_1"]
    assert len(two.SourceImageSequence) == 2
    assert two.SourceImageSequence[1].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert two.DerivationDescription.startswith(one.DerivationDescription)
    assert "LossyImageCompression" in pydicom.dcmread(
        sk.decompress(tmp_path / "c.dcm", tmp_path / "d.dcm").records[0].target
    )


def test_lossless_of_a_lossy_source_stays_marked(tmp_path):
    source = save(make_dataset(body_picture(), bits_stored=12), tmp_path / "a.dcm")
    compressed(source, tmp_path / "b.dcm", ratio=3)
    ds = pydicom.dcmread(tmp_path / "b.dcm")
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        delattr(ds, keyword)
    ds.save_as(tmp_path / "silent.dcm")
    _, again = compressed(tmp_path / "silent.dcm", tmp_path / "c.dcm", mode="lossless")
    assert again.LossyImageCompression == "01"
    assert again.LossyImageCompressionMethod == "ISO_15444_1"
    assert again.SOPInstanceUID == ds.SOPInstanceUID


def test_loss_in_any_frame_is_admitted(tmp_path):
    frames = [body_picture(64, 64, seed=k) for k in range(2)]
    ds = pydicom.dcmread(save(make_dataset(np.stack(frames), bits_stored=12, frames=2), tmp_path / "a.dcm"))
    codestreams = [_core.encode_j2k(f, 12, reversible=k == 0) for k, f in enumerate(frames)]
    ds.PixelData = pydicom.encaps.encapsulate(codestreams)
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEG2000
    ds.save_as(tmp_path / "mixed.dcm")
    record, after = compressed(tmp_path / "mixed.dcm", tmp_path / "b.dcm", mode="lossless")
    assert after.LossyImageCompression == "01"
    assert record.source_lossy


@pytest.mark.parametrize(
    ("ratios", "methods", "expected"),
    [
        (None, None, (1, ["ISO_15444_1"])),
        (["5"], None, (2, ["", "ISO_15444_1"])),
        (None, ["ISO_10918_1"], (2, ["ISO_10918_1", "ISO_15444_1"])),
        (["5"], ["ISO_10918_1", "ISO_14495_1"], (3, ["ISO_10918_1", "ISO_14495_1", "ISO_15444_1"])),
        (["5", "7"], ["ISO_10918_1"], (3, ["ISO_10918_1", "", "ISO_15444_1"])),
    ],
)
def test_ratios_and_methods_match_value_by_value(tmp_path, ratios, methods, expected):
    ds = make_dataset(body_picture(), bits_stored=12, LossyImageCompression="01")
    if ratios:
        ds.LossyImageCompressionRatio = ratios
    if methods:
        ds.LossyImageCompressionMethod = methods
    _, after = compressed(save(ds, tmp_path / "a.dcm"), tmp_path / "b.dcm", ratio=4)
    found = after.get_item("LossyImageCompressionRatio").value
    count = len(found.split(b"\\")) if isinstance(found, bytes) else np.size(found)
    assert (count, list(np.atleast_1d(after.LossyImageCompressionMethod))) == expected


@pytest.mark.parametrize("work", [sk.decompress, sk.compress])
def test_icon_in_the_sources_codec_does_not_outlive_it(tmp_path, work):
    picture = body_picture()
    ds = pydicom.dcmread(save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm"))
    ds.compress(JPEG2000Lossless)
    icon = make_dataset(body_picture(16, 16, bits=8))
    icon.PixelData = pydicom.encaps.encapsulate([_core.encode_j2k(body_picture(16, 16, bits=8), 8)])
    icon["PixelData"].is_undefined_length = True
    ds.IconImageSequence = [icon]
    ds.save_as(tmp_path / "b.dcm")
    record = work(tmp_path / "b.dcm", tmp_path / "c.dcm").records[0]
    assert "icon image" in record.warnings[0]
    after = pydicom.dcmread(tmp_path / "c.dcm")
    assert "IconImageSequence" not in after
    np.testing.assert_array_equal(pixel_array(after), picture)


def test_new_uid_is_the_same_for_the_same_work(tmp_path):
    source = save(make_dataset(body_picture(), bits_stored=12), tmp_path / "a.dcm")
    uids = [
        sk.compress(source, tmp_path / f"{k}.dcm", ratio=r, workers=w).records[0].target_sop_instance_uid
        for k, (r, w) in enumerate([(4, 1), (4, 2), (5, 1)])
    ]
    assert uids[0] == uids[1] != uids[2]
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    assert (tmp_path / "0.dcm").read_bytes() == (tmp_path / "1.dcm").read_bytes()


def test_quality_is_gdcmconvs_scale(tmp_path):
    picture = body_picture(512, 512)
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm")
    for quality in (70, 80, 90):
        record = sk.compress(source, tmp_path / "b.dcm", quality=quality, overwrite=True).records[0]
        over_16_bits = record.psnr + 20 * np.log10(65535 / 4095)
        assert quality - 1 < over_16_bits < quality + 4
        assert not record.lossless


@pytest.mark.parametrize("how", [{"mode": "lossless"}, {"ratio": 3}])
def test_colour(tmp_path, how):
    grey = body_picture(bits=8)
    picture = np.stack([grey, np.roll(grey, 5, 0), 255 - grey], -1)
    for planar in (0, 1):
        pixels = picture if planar == 0 else picture.transpose(2, 0, 1).copy().reshape(picture.shape)
        source = save(make_dataset(pixels, PlanarConfiguration=planar), tmp_path / f"a{planar}.dcm")
        np.testing.assert_array_equal(sk.read_pixels(source), picture)
        record, ds = compressed(source, tmp_path / f"b{planar}.dcm", **how)
        assert ds.PhotometricInterpretation == ("YBR_RCT" if record.lossless else "YBR_ICT")
        assert ds.PlanarConfiguration == 0
        if record.lossless:
            np.testing.assert_array_equal(pixel_array(ds), picture)
        else:
            assert record.psnr > 20


def test_ybr_full_is_not_transformed(tmp_path):
    grey = body_picture(bits=8)
    picture = np.stack([grey, np.full_like(grey, 128), np.full_like(grey, 120)], -1)
    source = save(make_dataset(picture, photometric="YBR_FULL"), tmp_path / "a.dcm")
    _, ds = compressed(source, tmp_path / "b.dcm", mode="lossless")
    assert ds.PhotometricInterpretation == "YBR_FULL"
    np.testing.assert_array_equal(pixel_array(ds, raw=True), picture)


def test_palette_is_lossless_or_refused(tmp_path):
    ds = make_dataset(body_picture(bits=8), photometric="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", np.arange(256, dtype="<u2").tobytes())
    source = save(ds, tmp_path / "a.dcm")
    record, _ = compressed(source, tmp_path / "b.dcm", mode="lossless")
    assert record.max_difference == 0
    with pytest.raises(sk.UnsupportedError, match="palette's indices; compress without loss"):
        sk.compress(source, tmp_path / "c.dcm", quality=90)


@pytest.mark.parametrize("how", [{"mode": "lossless"}, {"ratio": 4}])
def test_multiframe(tmp_path, how):
    frames = np.stack([body_picture(96, 80, seed=k) for k in range(7)])
    source = save(make_dataset(frames, bits_stored=12, frames=7), tmp_path / "a.dcm")
    results = [compressed(source, tmp_path / f"{w}.dcm", workers=w, **how) for w in (1, 2, 8)]
    record, ds = results[0]
    assert len({(tmp_path / f"{w}.dcm").read_bytes() for w in (1, 2, 8)}) == 1
    if record.lossless:
        np.testing.assert_array_equal(pixel_array(ds), frames)
    else:
        assert 4 <= record.ratio <= 4.002
    offsets = pydicom.encaps.parse_basic_offsets(ds.PixelData)
    assert len(offsets) == 7
    fragments = list(pydicom.encaps.generate_fragments(ds.PixelData[12 + 4 * 7 - 4 :]))
    assert list(itertools.accumulate([0] + [len(f) + 8 for f in fragments[:-1]])) == offsets


def test_samples_outside_bits_stored_are_not_lost(tmp_path):
    picture = body_picture()
    picture[:20] = 63536  # a padding value that BitsStored 12 has no room for
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", mode="lossless")
    np.testing.assert_array_equal(pixel_array(ds), picture)
    assert (ds.BitsStored, ds.HighBit) == (16, 15)
    assert "do not fit BitsStored 12" in record.warnings[0]


def test_missing_sign_bits_are_restored(tmp_path):
    values = (body_picture().astype(np.int32) - 2048).astype(np.int16)
    stored = (values & 0x0FFF).astype(np.int16)
    source = save(make_dataset(stored, bits_stored=12), tmp_path / "a.dcm")
    record, ds = compressed(source, tmp_path / "b.dcm", mode="lossless")
    np.testing.assert_array_equal(pixel_array(ds), values)
    assert "sign bit" in record.warnings[0]


def test_overlay_in_the_pixels_is_refused(tmp_path):
    picture = body_picture() | np.uint16(0x8000)
    ds = make_dataset(picture, bits_stored=12)
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 15)
    source = save(ds, tmp_path / "a.dcm")
    with pytest.raises(sk.UnsupportedError, match="overlay lies in the high bits"):
        sk.compress(source, tmp_path / "b.dcm")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 5), (10, 10), (33, 65)])
def test_odd_and_tiny_sizes(tmp_path, size):
    picture = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    source = save(make_dataset(picture), tmp_path / "a.dcm")
    _, ds = compressed(source, tmp_path / "b.dcm", mode="lossless")
    np.testing.assert_array_equal(pixel_array(ds), picture)
    np.testing.assert_array_equal(sk.read_pixels(tmp_path / "b.dcm"), picture)


def test_rle_source_is_transcoded(tmp_path):
    picture = body_picture()
    ds = pydicom.dcmread(save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm"))
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(tmp_path / "rle.dcm")
    np.testing.assert_array_equal(sk.read_pixels(tmp_path / "rle.dcm"), picture)
    _, after = compressed(tmp_path / "rle.dcm", tmp_path / "b.dcm", mode="lossless")
    np.testing.assert_array_equal(pixel_array(after), picture)


def test_growth_is_said(tmp_path):
    source = save(make_dataset(body_picture(), bits_stored=12), tmp_path / "a.dcm")
    compressed(source, tmp_path / "b.dcm", ratio=6)
    record, _ = compressed(tmp_path / "b.dcm", tmp_path / "c.dcm", mode="lossless")
    assert record.ratio < 1
    assert record.warnings == ["larger than its source, which was compressed already"]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_decompress_gives_the_source_back(tmp_path, syntax):
    picture = body_picture(61, 63)
    source = save(make_dataset(picture, bits_stored=12), tmp_path / "a.dcm", syntax=syntax)
    sk.compress(source, tmp_path / "b.dcm", mode="lossless")
    report = sk.decompress(tmp_path / "b.dcm", tmp_path / "c.dcm")
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "c.dcm")
    assert report.records[0].verified
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(after.pixel_array, picture)
    assert raw_values(after, {0x7FE00010}) == raw_values(before, {0x7FE00010})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 1.0}, "ratio is 1.0, expected more than 1"),
        ({"ratio": float("nan")}, "ratio is nan"),
        ({"quality": 0}, "quality is 0, expected 1 to 100"),
        ({"mode": "ratio"}, "a ratio belongs to mode 'ratio'"),
        ({"mode": "lossless", "ratio": 10}, "a ratio belongs to mode 'ratio'"),
        ({"mode": "best"}, "mode is 'best', expected"),
        ({"codec": "gif"}, "codec is 'gif', expected"),
        ({"codec": "htj2k", "ratio": 10}, "codec 'htj2k' with mode 'ratio'"),
        ({"codec": "jpegls", "quality": 90}, "without loss only"),
        ({"workers": 0}, "workers: 0, expected at least 1"),
        ({"others": "delete"}, "others is 'delete'"),
        ({"sample": 0}, "sample is 0"),
    ],
)
def test_impossible_arguments_are_named(ct_file, tmp_path, arguments, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.compress(ct_file, tmp_path / "b.dcm", **arguments)


def test_what_does_not_exist_yet_is_said(ct_file, tmp_path):
    with pytest.raises(sk.UnsupportedError, match="yet"):
        sk.compress(ct_file, tmp_path / "b.dcm", mode="preview")


def test_existing_target_and_source_are_never_overwritten(ct_file, tmp_path):
    before = ct_file.read_bytes()
    with pytest.raises(sk.ArgumentError, match="same file"):
        sk.compress(ct_file, ct_file, overwrite=True)
    (tmp_path / "b.dcm").write_bytes(b"precious")
    with pytest.raises(sk.ResourceError, match=r"b\.dcm' exists"):
        sk.compress(ct_file, tmp_path / "b.dcm")
    assert (tmp_path / "b.dcm").read_bytes() == b"precious"
    assert ct_file.read_bytes() == before
