"""Scans as files and as arrays: the same rows, boxes, models and masks, whatever a file stores."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

import spinekit as sk
from spinekit.damage import scans
from spinekit.damage.scans import opened_scan, preview_step

BOXES = {"background": [(40, 30, 30, 20)], "foreground": [(0, 0, 90, 25), (3, 60, 80, 19)]}


def paper(dtype=np.uint8):
    """Return noisy paper with a hole, 80 x 90."""
    rng = np.random.default_rng(3)
    top = np.iinfo(dtype).max
    pixels = rng.normal((200, 180, 130), 9, (80, 90, 3))
    pixels[28:52, 35:75] = rng.normal(245, 4, (24, 40, 3))
    return (np.clip(pixels, 0, 255) / 255 * top).astype(dtype)


@pytest.fixture(params=["tif", "png"])
def files(request, tmp_path):
    """Return a function that writes an array."""

    def write(pixels):
        path = tmp_path / f"scan.{request.param}"
        if request.param == "tif":
            tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=7)
        else:
            cv2.imwrite(str(path), pixels[..., ::-1])
        return path

    return write


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_give_the_model_and_the_mask_of_their_array(files, dtype, monkeypatch):
    # Boxes in several strips, strips of files that end elsewhere.
    monkeypatch.setattr(scans, "_STRIP", 700)
    monkeypatch.setattr(scans, "_ROWS", 11 * 90 * 3 * np.dtype(dtype).itemsize)
    pixels = paper(dtype)
    path = files(pixels)
    model = sk.ColorModel.fit(pixels, **BOXES)
    assert sk.ColorModel.fit(path, **BOXES) == model
    assert model.classify(pixels)[30:50, 40:70].all()
    for of in (model.classify, model.labels, model.confidence, model.distances):
        np.testing.assert_array_equal(of(path), of(pixels))


def test_boxes_that_overlap_are_read_at_once(files, monkeypatch):
    monkeypatch.setattr(scans, "_STRIP", 64)
    monkeypatch.setattr(scans, "_ROWS", 5 * 90 * 3)
    pixels = paper()
    boxes = [(0, 0, 90, 80), (10, 7, 33, 9), (12, 9, 1, 70), (89, 79, 1, 1)]
    for scan in (opened_scan(pixels), opened_scan(files(pixels))):
        seen = [[] for _ in boxes]
        for k, strip in scan.box_strips(boxes):
            seen[k].append(strip.copy())
        for (x, y, width, height), strips in zip(boxes, seen, strict=True):
            np.testing.assert_array_equal(np.concatenate(strips), pixels[y : y + height, x : x + width])


def test_a_mask_goes_where_it_is_wanted(tmp_path):
    pixels = paper()
    model = sk.ColorModel.fit(pixels, **BOXES)
    place = np.lib.format.open_memmap(tmp_path / "mask.npy", "w+", bool, pixels.shape[:2])
    assert model.classify(pixels, out=place) is place
    np.testing.assert_array_equal(np.load(tmp_path / "mask.npy"), model.classify(pixels))
    with pytest.raises(sk.ArgumentError, match=r"out: uint8 of shape \(80, 90\), expected bool"):
        model.classify(pixels, out=np.empty((80, 90), np.uint8))


@pytest.mark.parametrize("side", [1000, 45, 31, 7, 1])
def test_a_preview_is_the_mean_of_squares(side, files):
    pixels = paper()
    step = preview_step(80, 90, side)
    assert step == min(-(-90 // side), 80)
    rows, columns = 80 // step, 90 // step
    whole = pixels[: rows * step, : columns * step].reshape(rows, step, columns, step, 3)
    expected = np.floor(whole.mean(axis=(1, 3)) + 0.5)
    for scan in (pixels, files(pixels)):
        np.testing.assert_array_equal(opened_scan(scan).preview(side), expected)
    np.testing.assert_array_equal(
        opened_scan(pixels.astype(np.uint16) * 257).preview(side), opened_scan(pixels).preview(side)
    )
    np.testing.assert_array_equal(
        opened_scan(pixels[..., 0]).preview(side), np.repeat(expected[..., :1], 3, axis=2)
    )


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "1", "L"])
def test_other_kinds_are_what_they_look_like(kind, tmp_path):
    image = Image.fromarray(paper()).convert(kind)
    if kind in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 90).astype(np.uint8), (80, 1))))
    path = tmp_path / "scan.png"
    image.save(path)
    seen = Image.new("RGB", image.size, "white")
    seen.paste(image.convert("RGBA"), mask=image.convert("RGBA").getchannel("A"))
    found = np.concatenate([strip.copy() for _, strip in opened_scan(path).strips()])
    # Libraries round a blend apart by one.
    assert np.abs(found.astype(int) - np.asarray(seen)).max() <= (1 if "A" in kind else 0)


def test_what_cannot_be_read_by_rows_is_refused(tmp_path):
    model = sk.ColorModel.fit(paper(), **BOXES)
    Image.fromarray(paper()).convert("CMYK").save(tmp_path / "scan.tif")
    with pytest.raises(sk.UnsupportedError, match=r"scan\.tif.*CMYK"):
        model.classify(tmp_path / "scan.tif")
    tifffile.imwrite(tmp_path / "float.tif", paper().astype(np.float32), photometric="rgb")
    with pytest.raises(sk.UnsupportedError, match=r"float\.tif"):
        model.classify(tmp_path / "float.tif")
