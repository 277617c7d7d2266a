"""Scans by rows: every kind of file against Pillow, tifffile, OpenCV and what was written into it."""

import io
import re
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from made_scans import (
    adam7,
    interlaced_png,
    picture,
    pillow_bytes,
    plain_tags,
    png_by_hand,
    seeds,
    tiff_by_hand,
    tiff_bytes,
)
from spinekit import _core

MB = 1 << 20


def read_scan(path, batch=None, **options):
    with _core.ScanReader(path, **options) as scan:
        batches = []
        while True:
            rows = scan.read(batch or scan.info.height)
            if not len(rows):
                return np.concatenate(batches)
            batches.append(rows)


@pytest.fixture
def scan_file(tmp_path):
    """Return a function that writes bytes and gives the path; its name says nothing."""
    count = iter(range(1 << 20))

    def write(data):
        path = tmp_path / f"scan{next(count)}"
        path.write_bytes(data)
        return path

    return write


def grey_as_rgb(pixels):
    return np.repeat(pixels[..., None], 3, axis=-1)


def over_white(colour, alpha):
    top = np.iinfo(colour.dtype).max
    colour, alpha = colour.astype(np.int64), alpha.astype(np.int64)[..., None]
    return ((colour * alpha + top * (top - alpha) + top // 2) // top).astype(
        np.uint8 if top == 255 else np.uint16
    )


# ---- TIFF

LAYOUTS = {
    "strips": {"rowsperstrip": 7},
    "rows": {"rowsperstrip": 1},
    "one strip": {"rowsperstrip": 61},
    "tiles": {"tile": (16, 32)},
    "one tile": {"tile": (64, 96)},
}


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("compression", "predictor"),
    [
        (None, None),
        ("lzw", None),
        ("lzw", 2),
        ("adobe_deflate", None),
        ("adobe_deflate", 2),
        ("deflate", None),
        ("packbits", None),
        ("zstd", None),
        ("zstd", 2),
    ],
)
def test_tiffs_of_every_layout_give_what_was_written(
    scan_file, compression, predictor, layout, dtype, bigtiff, byteorder
):
    pixels = picture(dtype=dtype)
    form = {"compression": compression, "bigtiff": bigtiff, "byteorder": byteorder, **LAYOUTS[layout]}
    if predictor:
        form["predictor"] = predictor
    executor = _core.Executor(3)
    for planar in (False, True):
        stored = np.moveaxis(pixels, -1, 0) if planar else pixels
        data = tiff_bytes(stored, planarconfig="separate" if planar else "contig", **form)
        np.testing.assert_array_equal(
            np.moveaxis(tifffile.imread(io.BytesIO(data)), 0, -1)
            if planar
            else tifffile.imread(io.BytesIO(data)),
            pixels,
        )
        path = scan_file(data)
        for options in ({}, {"executor": executor}, {"memory_limit": MB}):
            read = read_scan(path, **options)
            assert read.dtype == dtype
            np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("memory", [MB, 64 * MB])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "zstd"])
def test_one_large_strip_is_read_by_rows(scan_file, compression, memory):
    # 1.3 MB of samples in one strip, or in three: more than a limit of 1 MB lets stand in memory.
    pixels = picture(601, 723)
    for stored, planar in ((pixels, "contig"), (np.moveaxis(pixels, -1, 0), "separate")):
        data = tiff_bytes(stored, compression=compression, rowsperstrip=601, planarconfig=planar)
        path = scan_file(data)
        if compression == "zstd" and memory == MB:
            with pytest.raises(_core.UnsupportedError, match=r"tiffcp"):
                _core.ScanReader(path, memory_limit=memory)
            continue
        np.testing.assert_array_equal(read_scan(path, memory_limit=memory), pixels)
        np.testing.assert_array_equal(read_scan(path, 11, memory_limit=memory), pixels)


def test_long_strings_and_full_tables_of_lzw(scan_file):
    rng = np.random.default_rng(5)
    flat = np.zeros((300, 1000, 3), np.uint8)
    noise = rng.integers(0, 256, (300, 1000, 3), np.uint8)
    words = np.tile(rng.integers(0, 4, (300, 100, 3), np.uint8), (1, 10, 1))
    for pixels in (flat, noise, words):
        for rows in (1, 50, 300):
            path = scan_file(tiff_bytes(pixels, compression="lzw", rowsperstrip=rows))
            for batch in (None, 1, 17):
                np.testing.assert_array_equal(read_scan(path, batch), pixels)


def test_old_lzw_is_read_too(scan_file):
    # Codes lowest bit first, nine bits while the table is small: what TIFF 4 wrote.
    pixels = picture(3, 10)
    codes = [256, *pixels.tobytes(), 257]
    bits = sum(code << (9 * k) for k, code in enumerate(codes))
    strip = bits.to_bytes((9 * len(codes) + 7) // 8, "little")
    path = scan_file(tiff_by_hand(plain_tags(3, 10, compression=5), [strip]))
    np.testing.assert_array_equal(read_scan(path), pixels)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_jpeg_in_tiff_gives_libtiffs_pixels(scan_file, tile, subsampling):
    pixels = cv2.GaussianBlur(picture(200, 310), (0, 0), 3)
    if tile:
        if subsampling != 2:
            pytest.skip("tifffile names its subsampling in the same way: one is enough")
        data = tiff_bytes(pixels, compression="jpeg", tile=tile, subsampling=(2, 2))
        expected = tifffile.imread(io.BytesIO(data))
    else:
        data = pillow_bytes(Image.fromarray(pixels), "TIFF", compression="jpeg", subsampling=subsampling)
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    path = scan_file(data)
    with _core.ScanReader(path) as scan:
        assert scan.info.compression == "JPEG"
        np.testing.assert_allclose(scan.read(200).astype(int), expected, atol=2)
        scan.rewind()
        np.testing.assert_allclose(scan.read(7).astype(int), expected[:7], atol=2)
    np.testing.assert_array_equal(read_scan(path, 9), read_scan(path))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("inverted", [False, True])
def test_bilevel_is_black_and_white(scan_file, compression, inverted):
    image = Image.fromarray(picture()[..., 0]).convert("1")
    options = {"tiffinfo": {262: 0}} if inverted else {}
    data = pillow_bytes(image, "TIFF", compression=compression, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    np.testing.assert_array_equal(read_scan(scan_file(data)), grey_as_rgb(expected))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_every_depth(scan_file, bits, inverted, order):
    rng = np.random.default_rng(bits)
    levels = rng.integers(0, 1 << bits, (5, 13)).astype(np.uint16)
    text = ["".join(f"{v:0{bits}b}" for v in row) for row in levels]
    rows = [int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in text]
    if bits == 16:
        rows = [row.astype(order + "u2").tobytes() for row in levels]
    tags = plain_tags(5, 13, 1, bits, photometric=0 if inverted else 1, rows_per_strip=2)
    strips = [b"".join(rows[k : k + 2]) for k in (0, 2, 4)]
    top = (1 << bits) - 1
    shown = top - levels if inverted else levels
    expected = (shown.astype(np.uint32) * (65535 if bits == 16 else 255) // top).astype(
        np.uint16 if bits == 16 else np.uint8
    )
    read = read_scan(scan_file(tiff_by_hand(tags, strips, order)))
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, grey_as_rgb(expected))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("wide", ["bytes", "x 256", "x 257", "16 bits"])
def test_palettes_are_written_out(scan_file, bits, wide):
    rng = np.random.default_rng(bits)
    levels = rng.integers(0, 1 << bits, (4, 11)).astype(np.uint16)
    colours = rng.integers(0, 256, (3, 1 << bits)).astype(np.uint32)
    stored = {"bytes": colours, "x 256": colours * 256, "x 257": colours * 257, "16 bits": colours * 251 + 3}[
        wide
    ]
    if bits == 16:
        rows = levels.astype("<u2").tobytes()
    else:
        text = ["".join(f"{v:0{bits}b}" for v in row).ljust(-(-11 * bits // 8) * 8, "0") for row in levels]
        rows = b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in text)
    tags = {**plain_tags(4, 11, 1, bits, photometric=3), 320: (3, stored.ravel().tolist())}
    path = scan_file(tiff_by_hand(tags, [rows]))
    expected = np.moveaxis((stored if wide == "16 bits" else colours)[:, levels], 0, -1)
    with _core.ScanReader(path) as scan:
        read = scan.read(4)
        assert scan.info.bits == (16 if wide == "16 bits" else 8)
        assert any("palette" in note for note in scan.info.notes)
    np.testing.assert_array_equal(read, expected)
    if wide in {"x 256", "x 257"} and bits in {1, 4, 8}:
        np.testing.assert_array_equal(read, np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_transparency_is_laid_over_white(scan_file, channels, kind, planar, dtype):
    pixels = picture(channels=channels, dtype=dtype)
    top = np.iinfo(dtype).max
    grey = channels == 2
    colour = grey_as_rgb(pixels[..., 0]) if grey else pixels[..., :3]
    alpha = pixels[..., 1 if grey else 3]
    extra = [kind] + ["unspecified"] * (channels - 4)
    data = tiff_bytes(
        np.moveaxis(pixels, -1, 0) if planar else pixels,
        photometric="minisblack" if grey else "rgb",
        planarconfig="separate" if planar else "contig",
        extrasamples=extra,
        compression="lzw",
        rowsperstrip=9,
    )
    expected = {
        "unassalpha": over_white(colour, alpha),
        "assocalpha": np.minimum(colour.astype(np.int64) + (top - alpha.astype(np.int64))[..., None], top),
        "unspecified": colour,
    }[kind]
    path = scan_file(data)
    np.testing.assert_array_equal(read_scan(path), expected)
    notes = " ".join(_core.ScanReader(path).info.notes)
    assert ("over white" in notes) == (kind != "unspecified")
    assert ("extra sample" in notes) == (kind == "unspecified" or channels == 5)


def test_what_the_header_says(scan_file):
    pixels = picture()

    def said(data):
        return _core.ScanReader(scan_file(data)).info

    info = said(
        tiff_bytes(pixels, bigtiff=True, compression="lzw", resolution=(254, 508), resolutionunit="inch")
    )
    assert (info.format, info.width, info.height, info.samples, info.bits) == ("BigTIFF", 83, 61, 3, 8)
    assert info.compression == "LZW"
    assert info.mm_per_pixel == pytest.approx((0.1, 0.05))
    assert said(tiff_bytes(pixels, resolution=(100, 100), resolutionunit="centimeter")).mm_per_pixel == (
        0.1,
        0.1,
    )
    assert said(tiff_by_hand(plain_tags(61, 83), [pixels.tobytes()])).mm_per_pixel is None
    image = Image.fromarray(pixels)
    png = said(pillow_bytes(image, "PNG", dpi=(254, 254)))
    assert (png.format, png.compression, png.notes) == ("PNG", "deflate", [])
    assert png.mm_per_pixel == pytest.approx((0.1, 0.1))
    jpeg = said(pillow_bytes(image, "JPEG", dpi=(127, 254)))
    assert (jpeg.format, jpeg.compression, jpeg.width, jpeg.height) == ("JPEG", "JPEG", 83, 61)
    assert jpeg.mm_per_pixel == pytest.approx((0.2, 0.1))
    assert said(pillow_bytes(image, "JPEG")).mm_per_pixel is None


def test_the_first_of_several_pages_is_read(scan_file):
    pages = [picture(seed=k) for k in range(3)]
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            writer.write(page, photometric="rgb", metadata=None)
    path = scan_file(file.getvalue())
    assert any("several pages" in note for note in _core.ScanReader(path).info.notes)
    np.testing.assert_array_equal(read_scan(path), pages[0])


def test_a_directory_that_leads_to_itself_ends(scan_file):
    data = bytearray(tiff_by_hand(plain_tags(4, 5), [picture(4, 5).tobytes()]))
    data[-4:] = data[4:8]
    np.testing.assert_array_equal(read_scan(scan_file(data)), picture(4, 5))


# ---- PNG


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pngs_give_pillows_pixels(scan_file, mode):
    rgb = picture()
    deep = picture(channels=1, dtype=np.uint16)[..., 0]
    image = Image.fromarray(deep) if mode == "I;16" else Image.fromarray(rgb).convert(mode)
    if mode in {"LA", "RGBA"}:
        image.putalpha(Image.fromarray(np.ascontiguousarray(rgb[::-1, :, 0])))
    path = scan_file(pillow_bytes(image, "PNG"))
    if mode == "I;16":
        expected = grey_as_rgb(deep)
    elif mode in {"LA", "RGBA"}:
        pixels = np.asarray(image.convert("RGBA"))
        expected = over_white(pixels[..., :3], pixels[..., 3])
    else:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_scan(path), expected)
    np.testing.assert_array_equal(read_scan(path, 4), expected)


def test_pngs_of_16_bits_give_opencvs_pixels(scan_file):
    for channels in (3, 4):
        pixels = picture(channels=channels, dtype=np.uint16)
        order = cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA
        _, data = cv2.imencode(".png", cv2.cvtColor(pixels, order))
        expected = pixels if channels == 3 else over_white(pixels[..., :3], pixels[..., 3])
        np.testing.assert_array_equal(read_scan(scan_file(data.tobytes())), expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("colour", [0, 3])
def test_pngs_of_few_bits_with_a_transparent_colour(scan_file, bits, colour):
    levels = np.random.default_rng(bits).integers(0, 1 << bits, (5, 13))
    text = ["".join(f"{v:0{bits}b}" for v in row).ljust(-(-13 * bits // 8) * 8, "0") for row in levels]
    rows = b"".join(b"\0" + int(row, 2).to_bytes(len(row) // 8, "big") for row in text)
    palette = np.random.default_rng(9).integers(0, 256, (1 << bits, 3)).astype(np.uint8)
    if colour == 3:
        # The first colour is half there, the second not at all.
        between = [(b"PLTE", palette.tobytes()), (b"tRNS", bytes([128, 0]))]
        alpha = np.array([128, 0, *[255] * 14])[levels]
        expected = over_white(palette[levels], alpha)
    else:
        between = [(b"tRNS", struct.pack(">H", 1))]
        grey = grey_as_rgb((levels * 255 // ((1 << bits) - 1)).astype(np.uint8))
        expected = np.where((levels == 1)[..., None], 255, grey)
    path = scan_file(png_by_hand((13, 5, bits, colour, 0, 0, 0), rows, *between))
    np.testing.assert_array_equal(read_scan(path), expected)
    assert any("over white" in note for note in _core.ScanReader(path).info.notes)


def test_gamma_of_a_png_is_not_applied_and_said(scan_file):
    rows = b"".join(b"\0" + row.tobytes() for row in picture(3, 4))
    path = scan_file(png_by_hand((4, 3, 8, 2, 0, 0, 0), rows, (b"gAMA", struct.pack(">I", 100000))))
    np.testing.assert_array_equal(read_scan(path), picture(3, 4))
    assert any("gamma" in note for note in _core.ScanReader(path).info.notes)


def test_interlaced_pngs_are_read_within_the_limit_and_refused_above(scan_file):
    pixels = picture()
    path = scan_file(interlaced_png(pixels))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pixels)
    np.testing.assert_array_equal(read_scan(path, 10), pixels)
    large = scan_file(interlaced_png(picture(600, 700)))
    np.testing.assert_array_equal(read_scan(large), picture(600, 700))
    with pytest.raises(_core.UnsupportedError, match=r"interlaced.*-interlace none"):
        _core.ScanReader(large, memory_limit=MB)


# ---- JPEG


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subsampling": 0},
        {"subsampling": 1},
        {"progressive": True},
        {"restart_marker_blocks": 2},
        {"keep_rgb": True},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpegs_give_pillows_pixels(scan_file, mode, options):
    if mode == "L" and "keep_rgb" in options:
        pytest.skip("grey has no RGB to keep")
    image = Image.fromarray(cv2.GaussianBlur(picture(200, 301), (0, 0), 2)).convert(mode)
    data = pillow_bytes(image, "JPEG", quality=85, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    path = scan_file(data)
    np.testing.assert_array_equal(read_scan(path), expected)
    np.testing.assert_array_equal(read_scan(path, 13), expected)


def test_progressive_jpegs_above_the_limit_are_refused(scan_file):
    path = scan_file(pillow_bytes(Image.fromarray(picture(700, 900)), "JPEG", progressive=True))
    with pytest.raises(_core.UnsupportedError, match=r"progressive.*jpegtran"):
        _core.ScanReader(path, memory_limit=MB)
    assert read_scan(path).shape == (700, 900, 3)


# ---- refusals


def tiff_of(pixels, **options):
    return lambda: tiff_bytes(pixels, **options)


REFUSED = {
    "CMYK TIFF": (tiff_of(picture(channels=4), photometric="separated"), "CMYK.*colorspace sRGB"),
    "CMYK JPEG": (lambda: pillow_bytes(Image.new("CMYK", (9, 9)), "JPEG"), "CMYK.*colorspace sRGB"),
    "Lab": (tiff_of(picture(), photometric="cielab"), "Lab.*colorspace sRGB"),
    "float": (tiff_of(picture().astype(np.float32)), "floating-point samples of 32 bits.*-depth 8"),
    "half": (tiff_of(picture().astype(np.float16)), "floating-point samples of 16 bits"),
    "signed": (tiff_of(picture().astype(np.int16)), "signed"),
    "32 bits": (tiff_of(picture().astype(np.uint32)), "samples of 32 bits.*-depth 8"),
    "64 bits": (tiff_of(picture().astype(np.uint64)), "samples of 64 bits"),
    "LZMA": (tiff_of(picture(), compression="lzma"), "compression 34925.*tiffcp"),
    "turned TIFF": (tiff_of(picture(), extratags=[(274, 3, 1, 6, True)]), "orientation 6.*-auto-orient"),
    "text": (lambda: b"no picture at all", "no TIFF, PNG or JPEG"),
    "GIF": (lambda: pillow_bytes(Image.new("L", (9, 9)), "GIF"), "no TIFF, PNG or JPEG"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_refused_with_a_remedy(scan_file, kind):
    make, message = REFUSED[kind]
    path = scan_file(make())
    with pytest.raises(_core.UnsupportedError, match=f"'{re.escape(str(path))}': .*{message}"):
        _core.ScanReader(path)


def test_turned_photographs_are_refused(scan_file):
    exif = Image.Exif()
    exif[274] = 8
    for form in ("JPEG", "PNG"):
        path = scan_file(pillow_bytes(Image.fromarray(picture()), form, exif=exif))
        with pytest.raises(_core.UnsupportedError, match="orientation 8"):
            _core.ScanReader(path)
    exif[274] = 1
    assert read_scan(scan_file(pillow_bytes(Image.fromarray(picture()), "JPEG", exif=exif))).shape == (
        61,
        83,
        3,
    )


def test_jpegs_of_12_bits_are_refused(scan_file):
    data = bytearray(pillow_bytes(Image.fromarray(picture()), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(_core.UnsupportedError, match="8 bits"):
        _core.ScanReader(scan_file(data))


def test_tiles_too_large_for_the_limit_are_refused(scan_file):
    path = scan_file(tiff_bytes(picture(300, 900), tile=(256, 256)))
    with pytest.raises(_core.UnsupportedError, match=r"row of tiles.*tiffcp"):
        _core.ScanReader(path, memory_limit=MB)
    wide = scan_file(tiff_bytes(picture(2, 40_000)))
    with pytest.raises(_core.UnsupportedError, match="one row takes"):
        _core.ScanReader(wide, memory_limit=MB)
    with pytest.raises(_core.ArgumentError, match="memory limit"):
        _core.ScanReader(path, memory_limit=1000)


def test_what_is_no_file_is_named(tmp_path, scan_file):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(_core.ResourceError, match=re.escape(str(path))):
            _core.ScanReader(path)
    with pytest.raises(_core.MalformedDataError, match="is empty"):
        _core.ScanReader(scan_file(b""))


PLAIN = picture(20, 30)
LIES = {
    "an offset beyond the end": ({273: (4, [1 << 30])}, "cut off"),
    "a length beyond the end": ({259: (3, [5]), 279: (4, [1 << 30])}, "cut off: 1073741824 bytes"),
    "more rows than data": ({257: (4, [4000]), 278: (4, [4000])}, "cut off"),
    "too few bytes": ({279: (4, [2]), 259: (3, [8])}, "2 bytes cannot hold its 1800|deflate|end early"),
    "no width": ({256: (4, [0])}, "."),
    "no height": ({257: (4, [0])}, "."),
    "a width beyond 2^31": ({256: (4, [0xFFFFFFFF])}, "."),
    "a height beyond 2^31": ({257: (4, [0xFFFFFFFF])}, "."),
    "no rows in a strip": ({278: (4, [0])}, "."),
    "two samples for RGB": ({277: (3, [2]), 258: (3, [8, 8])}, "."),
    "a strip for each row": ({257: (4, [1 << 30]), 278: (4, [1])}, "."),
    "another packing": ({259: (3, [8])}, "."),
}


@pytest.mark.parametrize("lie", LIES)
def test_directories_that_lie_are_malformed(scan_file, lie):
    tags, message = LIES[lie]
    path = scan_file(tiff_by_hand({**plain_tags(20, 30), **tags}, [PLAIN.tobytes()]))
    with pytest.raises(_core.MalformedDataError, match=message):
        read_scan(path)


def test_damage_names_its_place_and_stays_until_rewind(scan_file):
    data = bytearray(tiff_bytes(picture(), compression="deflate", rowsperstrip=10))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        place, size = file.pages[0].dataoffsets[3], file.pages[0].databytecounts[3]
    data[place + 10 : place + size] = bytes(size - 10)
    path = scan_file(data)
    for workers in (1, 4):
        with _core.ScanReader(path, executor=_core.Executor(workers)) as scan:
            for _ in range(2):
                with pytest.raises(_core.MalformedDataError, match=r"strip 3 \(rows 30 to 39 of 61\)"):
                    scan.read(61)
            scan.rewind()
            with pytest.raises(_core.MalformedDataError, match="strip 3"):
                scan.read(61)
    jpeg = pillow_bytes(Image.fromarray(picture(400, 500)), "JPEG")
    with pytest.raises(_core.MalformedDataError, match=r"row \d+ of 400: the file is cut off"):
        read_scan(scan_file(jpeg[: len(jpeg) // 2]))


def test_a_wrong_checksum_is_damage(scan_file):
    rows = b"".join(row.tobytes() for row in PLAIN)
    strip = bytearray(zlib.compress(rows))
    strip[-1] ^= 1
    with pytest.raises(_core.MalformedDataError, match="check"):
        read_scan(scan_file(tiff_by_hand(plain_tags(20, 30, compression=8), [bytes(strip)])))
    png = bytearray(pillow_bytes(Image.fromarray(PLAIN), "PNG"))
    png[png.index(b"IEND") - 5] ^= 1
    with pytest.raises(_core.MalformedDataError, match="CRC"):
        read_scan(scan_file(png))


def test_strips_padded_to_full_height_are_read(scan_file):
    whole = PLAIN.tobytes()
    strips = [zlib.compress(whole[: 16 * 90]), zlib.compress(whole[16 * 90 :] + bytes(12 * 90))]
    path = scan_file(tiff_by_hand(plain_tags(20, 30, compression=8, rows_per_strip=16), strips))
    np.testing.assert_array_equal(read_scan(path), PLAIN)


SEEDS = dict(seeds())


@pytest.mark.parametrize("name", SEEDS)
def test_cut_and_damaged_files_give_an_error_or_a_picture(scan_file, name):
    data = SEEDS[name]
    rng = np.random.default_rng(len(data))
    tried = [data[:n] for n in {*range(0, len(data), max(1, len(data) // 60)), len(data) - 1}]
    for _ in range(60):
        flipped = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            flipped[place] ^= 1 << rng.integers(0, 8)
        tried.append(bytes(flipped))
    path = scan_file(b"")
    for damaged in tried:
        path.write_bytes(damaged)
        try:
            with _core.ScanReader(path, memory_limit=4 * MB) as scan:
                if scan.info.width * scan.info.height < 1 << 22:
                    assert len(scan.read(scan.info.height)) == scan.info.height
        except _core.SpinekitError as error:
            assert str(path) in str(error)


# ---- reading


@pytest.mark.parametrize("name", [name for name in SEEDS if name != "cmyk.jpg"])
def test_any_batches_and_a_rewind_give_the_same(scan_file, name):
    path = scan_file(SEEDS[name])
    whole = read_scan(path)
    for batch in range(1, len(whole) + 1):
        np.testing.assert_array_equal(read_scan(path, batch), whole)
    with _core.ScanReader(path) as scan:
        for rows in (5, len(whole), 0):
            scan.read(rows)
            scan.rewind()
            assert scan.next_row == 0
            np.testing.assert_array_equal(scan.read(len(whole) + 10), whole)
            assert scan.next_row == len(whole)
            assert scan.read(3).shape == (0, whole.shape[1], 3)
            scan.rewind()


def test_read_into_fills_the_callers_rows(scan_file):
    path = scan_file(tiff_bytes(picture(), compression="lzw"))
    with _core.ScanReader(path) as scan:
        rows = np.zeros((40, 83, 3), np.uint8)
        assert scan.read_into(rows) == 40
        np.testing.assert_array_equal(rows, picture()[:40])
        assert scan.read_into(rows) == 21
        np.testing.assert_array_equal(rows[:21], picture()[40:])
        assert scan.read_into(rows) == 0
        for wrong in (
            rows[:, :5],
            rows.astype(np.uint16),
            np.zeros((83, 40, 3), np.uint8).transpose(1, 0, 2),
        ):
            with pytest.raises(_core.ArgumentError, match="expected a C-contiguous"):
                scan.read_into(wrong)
        with pytest.raises(_core.ArgumentError, match="rows wanted"):
            scan.read(-1)


def test_a_closed_scan_still_says_what_it_was(scan_file):
    with _core.ScanReader(scan_file(tiff_bytes(picture()))) as scan:
        pass
    assert scan.info.width == 83
    scan.close()
    with pytest.raises(_core.ArgumentError, match="closed"):
        scan.read(1)


def test_two_threads_read_two_files_at_once(scan_file):
    kinds = [("lzw", {}), ("deflate", {"predictor": 2})]
    paths = [
        scan_file(tiff_bytes(picture(900, 500, seed=k), compression=c, rowsperstrip=8, **o))
        for k, (c, o) in enumerate(kinds)
    ]
    paths.append(scan_file(pillow_bytes(Image.fromarray(picture(900, 500, seed=2)), "PNG")))
    executor = _core.Executor(2)
    results = {}

    def read(k):
        results[k] = [read_scan(paths[k], 100, executor=executor) for _ in range(5)]

    threads = [threading.Thread(target=read, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(3):
        for result in results[k]:
            np.testing.assert_array_equal(result, picture(900, 500, seed=k))


MEASURE = """
import resource, sys
import numpy as np
from spinekit import _core
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with _core.ScanReader(sys.argv[1], memory_limit=16 << 20, executor=_core.Executor(2)) as scan:
    rows = np.empty((64, scan.info.width, 3), np.uint8)
    total = 0
    while count := scan.read_into(rows):
        assert (rows[:count] == 7).all()
        total += count
assert total == scan.info.height
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("lzw strip", "lzw tiles", "png")]


@pytest.mark.parametrize("kind", ["sparse strip", "deflate strips", "jpeg", *SLOW])
def test_a_hundred_megapixels_take_no_more_than_the_limit(tmp_path, kind):
    rows, columns = 10_000, 10_000
    path = tmp_path / "scan"
    flat = np.broadcast_to(np.uint8(7), (rows, columns, 3))
    if kind == "sparse strip":
        # Written as a file of one value, in pieces; what is measured is the reader alone.
        head = tiff_by_hand(
            {**plain_tags(rows, columns), 273: (4, [512]), 279: (4, [rows * columns * 3])}, []
        )
        with path.open("wb") as file:
            file.write(head.ljust(512, b"\0"))
            for _ in range(100):
                file.write(bytes([7]) * (rows * columns * 3 // 100))
    elif kind == "png":
        path.write_bytes(png_by_hand((columns, rows, 8, 2, 0, 0, 0), (b"\0" + b"\7" * (columns * 3)) * rows))
    elif kind == "jpeg":
        path.write_bytes(pillow_bytes(Image.new("RGB", (columns, rows), (7, 7, 7)), "JPEG"))
    else:
        compression, layout = kind.split()
        form = {
            "strip": {"rowsperstrip": rows},
            "strips": {"rowsperstrip": 100},
            "tiles": {"tile": (128, 128)},
        }[layout]
        tifffile.imwrite(path, flat, photometric="rgb", compression=compression, **form)
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    # 2 MB are the caller's own rows; a comparison of them takes as much again.
    assert int(done.stdout) / 1024 < 16 + 6


def test_adam7_of_the_tests_holds_every_pixel_once():
    pixels = picture(9, 11)
    rows = adam7(pixels)
    assert len(rows) == pixels.size + sum(-(-(9 - y) // down) for y, _, down, _ in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ))  # fmt: skip
