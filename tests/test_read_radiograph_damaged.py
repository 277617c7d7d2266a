"""Files that are damaged, lie about their size, or are no films."""

import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

import spinekit as sk
from made_radiographs import BYTES, write

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
