"""Pictures of scans with their damage: what is tinted, what is left as it was, and where numbers stand."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFont, features

from made_damage import BLOB, HEIGHT, WIDTH, mask_of_shapes, pieces_of
from spinekit import ArgumentError

PAPER = (200, 180, 140)


@pytest.fixture
def scan():
    return np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)


def changed(picture):
    return (picture != PAPER).any(axis=-1)


@pytest.mark.parametrize(("side", "step"), [(2000, 1), (300, 1), (299, 2), (100, 3), (16, 19)])
def test_the_picture_is_the_scan_made_small(scan, side, step):
    picture = pieces_of(mask_of_shapes()).overlay(scan, side=side)
    assert picture.shape == (HEIGHT // step, WIDTH // step, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.writeable


def test_damage_is_tinted_and_the_rest_is_left(scan):
    mask = mask_of_shapes()
    found = pieces_of(mask)
    picture = found.overlay(scan)
    boxes = (picture < 40).all(axis=-1)
    # Outlines are within 0.9 px of their contours, holes are counted in.
    filled = np.zeros_like(mask)
    for piece in found:
        cv2.drawContours(filled, [piece.outline], -1, 255, cv2.FILLED)
    near = cv2.dilate(filled | np.where(boxes, 255, 0).astype(np.uint8), np.ones((15, 15)))
    assert not changed(picture)[near == 0].any()
    inner = cv2.erode(filled, np.ones((5, 5))) > 0
    tinted = np.rint(0.55 * np.array(PAPER) + 0.45 * np.array((216, 27, 96)))
    share = (picture[inner] == tinted).all(axis=-1).mean()
    assert share > 0.85  # what numbers do not cover
    assert all((picture[y, x] == (216, 27, 96)).all() for x, y in found[0].outline)


def test_outlines_lie_where_the_damage_is_when_made_small(scan):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[60:120, 90:180] = 255
    picture = pieces_of(mask).overlay(scan, side=100)
    rows, columns = np.nonzero((picture == (216, 27, 96)).all(axis=-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 39, 30, 59)


def test_the_smallest_pieces_are_seen():
    mask = np.zeros((3000, 4000), np.uint8)
    mask[1500, 2000] = 255
    picture = pieces_of(mask).overlay(np.full((3000, 4000, 3), PAPER, np.uint8), side=400)
    assert (picture[150, 200] == (216, 27, 96)).all()


def test_numbers_do_not_lie_over_each_other_nor_hide_damage():
    mask = np.zeros((600, 800), np.uint8)
    mask[40:560:40, 40:760:40] = 255
    mask = cv2.dilate(mask, np.ones((9, 9)))
    found = pieces_of(mask)
    picture = found.overlay(np.full((600, 800, 3), PAPER, np.uint8))
    dark = (picture < 40).all(axis=-1)
    assert dark.any()
    marked = cv2.erode(mask, np.ones((3, 3))) > 0
    assert (dark & marked).sum() < 0.08 * marked.sum()


def test_a_large_piece_has_its_number_amid(scan):
    x, y = np.rint(pieces_of(mask_of_shapes()).by_number(BLOB).centroid).astype(int)
    around = pieces_of(mask_of_shapes()).overlay(scan)[y - 8 : y + 9, x - 8 : x + 9]
    assert (around < 40).all(axis=-1).sum() > 50
    assert (around > 200).all(axis=-1).sum() > 5


def test_a_path_gives_what_the_array_gives(tmp_path):
    scan = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    before = scan.copy()
    Image.fromarray(scan).save(tmp_path / "scan.png")
    found = pieces_of(mask_of_shapes())
    assert np.array_equal(found.overlay(tmp_path / "scan.png", side=100), found.overlay(scan, side=100))
    assert np.array_equal(scan, before)


def test_numbers_are_written_without_freetype_too(scan, monkeypatch):
    plain = ImageFont.load_default_imagefont()
    monkeypatch.setattr(features, "check", lambda feature: False)
    monkeypatch.setattr(
        ImageFont, "load_default", lambda size: plain if size is None else pytest.fail("size")
    )
    picture = pieces_of(mask_of_shapes()).overlay(scan)
    assert (picture < 40).all(axis=-1).any()
    assert (picture == 255).all(axis=-1).any()


def test_no_pieces_leave_the_scan_as_it_is(scan):
    none = pieces_of(np.zeros((HEIGHT, WIDTH), np.uint8))
    assert np.array_equal(none.overlay(scan), scan)


def test_refuses_another_scan_and_sides_too_small(scan):
    found = pieces_of(mask_of_shapes())
    with pytest.raises(ArgumentError, match=r"scan: 300 x 199 pixels .* found in one of 300 x 200"):
        found.overlay(scan[1:])
    for side in (15, 0, -3, 2.5, "x", None):
        with pytest.raises(ArgumentError, match=r"side: .*, expected a whole number of pixels, at least 16"):
            found.overlay(scan, side=side)
