"""Pieces of masks, stage by stage, against the reference made of OpenCV and NumPy."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import damage_reference as reference
from spinekit import ArgumentError, ResourceError, _core

NUMBERINGS = {
    "grid": _core.Numbering.GRID,
    "row": _core.Numbering.ROW,
    "column": _core.Numbering.COLUMN,
    "simple": _core.Numbering.SIMPLE,
}
AT_BOUNDARY = {False: _core.AtBoundary.KEEP, True: _core.AtBoundary.REMOVE}
NO_CLEANING = _core.CleaningOptions(closing=0, smooth=False, opening=0)
SIDES = st.one_of(st.integers(1, 12), st.sampled_from([63, 64, 65, 127, 128, 129, 511, 512, 513]))
KERNELS = st.sampled_from([3, 5, 7, 9, 11, 13])
SOME = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def blobs(generator, rows, columns, density, grain):
    """Noise of that share of white; grain > 0 makes lumps of it."""
    noise = generator.random((rows, columns))
    if grain:
        noise = cv2.GaussianBlur(noise, (0, 0), grain)
    return np.where(noise <= np.quantile(noise, density), 255, 0).astype(np.uint8)


@st.composite
def masks(draw, sides=SIDES):
    rows, columns = draw(sides), draw(sides)
    kind = draw(st.sampled_from(["black", "white", "noise", "noise", "noise", "rings"]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind == "rings":
        mask = np.zeros((rows, columns), np.uint8)
        for _ in range(draw(st.integers(1, 12))):
            centre = tuple(generator.integers(0, (columns, rows)).tolist())
            axes = tuple(generator.integers(0, 1 + max(2, rows // 2, columns // 2), 2).tolist())
            cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, draw(st.integers(-1, 3)) or 1)
        return mask
    if kind != "noise":
        return np.full((rows, columns), 255 if kind == "white" else 0, np.uint8)
    return blobs(generator, rows, columns, draw(st.floats(0, 1)), draw(st.sampled_from([0, 0, 1, 2, 4])))


def options_of(sizes, box=None, join=False, order="grid", remove=False):
    options = _core.PieceOptions()
    options.cleaning = _core.CleaningOptions(opening=sizes.kernel, join=sizes.join if join else 0)
    if box is not None:
        x, y, width, height = box
        least = max(0, width - 2 * sizes.margin), max(0, height - 2 * sizes.margin)
        options.boundary = (x + sizes.margin, y + sizes.margin, *least)
        options.at_boundary = AT_BOUNDARY[remove]
    options.min_area = sizes.min_area
    options.max_area = sizes.max_area
    options.numbering = NUMBERINGS[order]
    options.cell = sizes.cell
    return options


def packed(mask):
    bits = np.packbits(mask != 0, axis=1, bitorder="little")
    bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8)))
    return np.ascontiguousarray(bits).view("<u8")


def in_strips(mask, options, height, pack=False):
    finder = _core.PieceFinder(mask.shape[1], mask.shape[0], options)
    for start in range(0, mask.shape[0], height):
        strip = mask[start : start + height]
        finder.add_rows(packed(strip) if pack else strip)
        assert finder.rows == min(start + height, mask.shape[0])
    return finder.finish()


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.number == other.number
        np.testing.assert_array_equal(one.contour, other.contour)
        np.testing.assert_array_equal(one.outline, other.outline)
        assert one.area == other.area
        assert one.pixels == other.pixels
        assert one.centroid == other.centroid
        assert one.box == other.box


# ---- cleaning


@SOME
@given(masks(), KERNELS, KERNELS)
def test_every_step_of_cleaning_equals_opencv(mask, kernel, join):
    def cleaned(**steps):
        off = {"closing": 0, "smooth": False, "opening": 0, "join": 0}
        return np.where(_core.cleaned_mask(mask, _core.CleaningOptions(**(off | steps))), 255, 0)

    ellipse = reference.ellipse(kernel)
    np.testing.assert_array_equal(cleaned(), mask)
    np.testing.assert_array_equal(cleaned(closing=3), reference.closed(mask))
    np.testing.assert_array_equal(cleaned(smooth=True), reference.smoothed(mask))
    np.testing.assert_array_equal(cleaned(opening=kernel), cv2.morphologyEx(mask, cv2.MORPH_OPEN, ellipse))
    np.testing.assert_array_equal(cleaned(join=kernel), cv2.morphologyEx(mask, cv2.MORPH_CLOSE, ellipse))
    all_steps = cleaned(closing=3, smooth=True, opening=kernel)
    np.testing.assert_array_equal(all_steps, reference.clean(mask, kernel))
    all_steps = cleaned(closing=3, smooth=True, opening=kernel, join=join)
    np.testing.assert_array_equal(all_steps, reference.clean(mask, kernel, join))


@pytest.mark.parametrize("kernel", [15, 21, 33, 63, 65, 101, 129, 151])
def test_large_kernels_equal_opencv(kernel):
    generator = np.random.default_rng(kernel)
    ellipse = reference.ellipse(kernel)
    for grain, density in ((3, 0.02), (20, 0.5), (3, 0.98)):
        mask = blobs(generator, 300, 517, density, grain)
        for name, operation in (("opening", cv2.MORPH_OPEN), ("join", cv2.MORPH_CLOSE)):
            steps = {"closing": 0, "smooth": False, "opening": 0, name: kernel}
            cleaned = _core.cleaned_mask(mask, _core.CleaningOptions(**steps))
            np.testing.assert_array_equal(cleaned, cv2.morphologyEx(mask, operation, ellipse) > 0)


def test_every_column_of_seven_rows_is_smoothed_as_opencv_does():
    # Every pattern of a row's seven pixels, above every other: the sums along and across, all of them.
    patterns = (np.arange(128)[:, None] >> np.arange(7) & 1).astype(np.uint8) * 255
    for first in patterns:
        rows = np.zeros((7, 7 * 128), np.uint8)
        rows[:3] = np.tile(first, 128)
        rows[3:6] = patterns.reshape(-1)
        rows[6] = np.tile(first[::-1], 128)
        cleaned = _core.cleaned_mask(rows, _core.CleaningOptions(closing=0, smooth=True, opening=0))
        np.testing.assert_array_equal(cleaned, reference.smoothed(rows) > 0)


# ---- pieces


@SOME
@given(masks(), st.integers(0, 40), st.sampled_from(list(NUMBERINGS)), st.integers(1, 60), st.data())
def test_pieces_of_clean_masks_equal_the_reference(mask, min_area, order, cell, data):
    boxed = data.draw(st.booleans())
    rows, columns = mask.shape
    options = _core.PieceOptions()
    options.cleaning = NO_CLEANING
    options.min_area = min_area
    options.numbering = NUMBERINGS[order]
    options.cell = cell
    kept = mask
    if boxed:
        x, y = data.draw(st.integers(-3, columns)), data.draw(st.integers(-3, rows))
        box = (x, y, data.draw(st.integers(0, columns + 3)), data.draw(st.integers(0, rows + 3)))
        options.boundary = box
        remove = data.draw(st.booleans())
        options.at_boundary = AT_BOUNDARY[remove]
        kept = reference.within(mask, box, remove=remove)
    else:
        kept = reference.without_border(mask)
    found = reference.numbered(reference.pieces(kept, min_area), order, cell)
    assert_same(in_strips(mask, options, data.draw(st.integers(1, rows)), pack=True), found)


@SOME
@given(
    masks(st.one_of(SIDES, st.integers(40, 200))),
    KERNELS,
    st.booleans(),
    st.sampled_from(list(NUMBERINGS)),
    st.integers(0, 60),
    st.integers(0, 300),
    st.data(),
)
def test_pieces_of_raw_masks_equal_the_reference(mask, kernel, join, order, least, more, data):
    rows, columns = mask.shape
    sizes = reference.Sizes(
        min_area=least, max_area=least + more if more > 50 else 0, kernel=kernel, join=7, cell=40, margin=3
    )
    box = (columns // 8, rows // 8, columns * 3 // 4, rows * 3 // 4) if data.draw(st.booleans()) else None
    remove = data.draw(st.booleans())
    found = reference.damage(mask, sizes, box, join, order, remove)
    options = options_of(sizes, box, join, order, remove)
    assert_same(_core.mask_pieces(mask, options), found)
    assert_same(in_strips(mask, options, data.draw(st.integers(1, rows))), found)


@SOME
@given(masks(), st.integers(0, 15), st.integers(0, 3), st.booleans(), st.data())
def test_regions_along_the_sides_of_the_boundary_equal_the_reference(mask, sides, gaps, remove, data):
    # Sides of white, with gaps, around and within what is there already.
    rows, columns = mask.shape
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom, right = data.draw(st.integers(top + 1, rows)), data.draw(st.integers(left + 1, columns))
    lines = [
        (slice(top, top + 1), slice(left, right)),
        (slice(bottom - 1, bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + 1)),
        (slice(top, bottom), slice(right - 1, right)),
    ]
    if data.draw(st.booleans()):
        inner = top + 1, bottom - 1, left + 1, right - 1
        mask[inner[0] : inner[1], inner[2] : inner[3]] &= np.random.default_rng(gaps).integers(
            0, 2, (max(0, inner[1] - inner[0]), max(0, inner[3] - inner[2])), np.uint8) * 255  # fmt: skip
    for k, line in enumerate(lines):
        if sides >> k & 1:
            mask[line] = 255
    for _ in range(gaps):
        mask[data.draw(st.integers(top, bottom - 1)), data.draw(st.integers(left, right - 1))] = 0
    box = left, top, right - left, bottom - top
    options = options_of(reference.Sizes(min_area=0), box, remove=remove)
    options.cleaning = NO_CLEANING
    found = reference.numbered(reference.pieces(reference.within(mask, box, remove=remove)))
    assert_same(in_strips(mask, options, data.draw(st.integers(1, rows))), found)


def test_what_surrounds_the_artwork_is_left_out_and_what_lies_in_it_is_not():
    mask = np.zeros((100, 120), np.uint8)
    mask[10:90, 10:110] = 255  # a box a pixel too large all round
    mask[11:89, 11:109] = 0
    mask[40:50, 40:50] = mask[10:30, 60:70] = 255  # a hole, and one that opens into the surroundings
    mask[60:70, :30] = 255  # and one that reaches beyond the box
    options = options_of(reference.Sizes(min_area=0), (10, 10, 100, 80))
    options.cleaning = NO_CLEANING
    found = _core.mask_pieces(mask, options)
    assert [piece.box for piece in found] == [(40, 40, 10, 10)]
    # Of the box within, two of the three touch one side.
    options.boundary = (11, 11, 98, 78)
    found = _core.mask_pieces(mask, options)
    assert [piece.box for piece in found] == [(40, 40, 10, 10), (60, 11, 10, 19), (11, 60, 19, 10)]
    options.at_boundary = _core.AtBoundary.REMOVE
    found = _core.mask_pieces(mask, options)
    assert [piece.box for piece in found] == [(40, 40, 10, 10)]


def test_every_strip_height_gives_the_same_pieces():
    mask = blobs(np.random.default_rng(5), 97, 201, 0.35, 3)
    sizes = reference.Sizes(min_area=10, kernel=3, cell=50)
    for box, remove in ((None, False), ((20, 9, 150, 70), False), ((20, 9, 150, 70), True)):
        found = reference.damage(mask, sizes, box, remove=remove)
        assert len(found) > 5
        options = options_of(sizes, box, remove=remove)
        for height in range(1, 98):
            assert_same(in_strips(mask, options, height, pack=height % 2 == 0), found)


def test_many_pieces_within_holes_of_many_regions_equal_the_reference():
    # Enough of them for the tables of labels to be renumbered on the way.
    for seed, density in enumerate((0.3, 0.45, 0.55, 0.6, 0.65, 0.7)):
        mask = blobs(np.random.default_rng(seed), 400, 1500, density, 0)
        for box, remove in ((None, False), ((0, 0, 1500, 400), False), ((7, 3, 1401, 390), True)):
            kept = (
                reference.without_border(mask) if box is None else reference.within(mask, box, remove=remove)
            )
            options = options_of(reference.Sizes(min_area=0, cell=100), box, remove=remove)
            options.cleaning = NO_CLEANING
            assert_same(
                _core.mask_pieces(mask, options), reference.numbered(reference.pieces(kept), "grid", 100)
            )


@pytest.mark.parametrize(("density", "grain"), [(0.62, 0), (0.55, 0), (0.6, 1)])
def test_a_region_of_very_many_holes_equals_the_reference(density, grain):
    # More runs than are kept before holes are filled.
    mask = blobs(np.random.default_rng(7), 1400, 1300, density, grain)
    mask[:1] = mask[-1:] = mask[:, :1] = mask[:, -1:] = 0
    for box in (None, (0, 0, 1300, 1400)):
        options = options_of(reference.Sizes(min_area=0), box)
        options.cleaning = NO_CLEANING
        found = reference.numbered(reference.pieces(mask))
        assert max(piece.pixels for piece in found) > 700_000
        assert_same(_core.mask_pieces(mask, options), found)


def test_a_spiral_as_long_as_the_mask_equals_the_reference():
    mask = np.zeros((301, 301), np.uint8)
    turns = np.arange(0, 60 * np.pi, 0.002)
    x, y = 150 + turns * 0.77 * np.cos(turns), 150 + turns * 0.77 * np.sin(turns)
    mask[np.rint(y).astype(int), np.rint(x).astype(int)] = 255
    options = options_of(reference.Sizes(min_area=0))
    options.cleaning = NO_CLEANING
    assert_same(
        _core.mask_pieces(mask, options),
        reference.numbered(reference.pieces(reference.without_border(mask))),
    )


def test_contours_may_be_left_out():
    mask = blobs(np.random.default_rng(1), 200, 200, 0.3, 4)
    options = options_of(reference.Sizes(min_area=10))
    whole = _core.mask_pieces(mask, options)
    options.keep_contours = False
    bare = _core.mask_pieces(mask, options)
    assert len(bare) == len(whole) > 0
    for one, other in zip(bare, whole, strict=True):
        assert one.contour.shape == (0, 2)
        np.testing.assert_array_equal(one.outline, other.outline)
        assert (one.number, one.area, one.centroid) == (other.number, other.area, other.centroid)


# ---- sizes


@example(18868, 14151, 50, 3)
@example(7216, 5412, 50, 3)
@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(0, 10**4), st.integers(0, 99))
def test_sizes_scale_as_in_the_reference(width, height, area, length):
    sizes = reference.Sizes(area, 2 * area, length, 2 * length, 10 * length, length)
    scaled = _core.scaled_sizes(width, height, **dataclasses.asdict(sizes))
    assert scaled == dataclasses.asdict(reference.scaled(sizes, width, height))


def test_default_sizes_are_the_references():
    assert _core.scaled_sizes(18868, 14151) == dataclasses.asdict(
        reference.scaled(reference.Sizes(), 18868, 14151)
    )


# ---- bounds and misuse


def test_memory_follows_what_is_open_and_not_the_size_of_the_mask():
    strip = packed(blobs(np.random.default_rng(2), 400, 4000, 0.1, 2))
    peaks = []
    for strips in (2, 20):
        options = options_of(reference.Sizes(min_area=10**6))
        finder = _core.PieceFinder(4000, 400 * strips, options)
        for _ in range(strips):
            finder.add_rows(strip)
        assert finder.finish() == []
        peaks.append(finder.peak_memory)
    assert peaks[1] < 1.2 * peaks[0] < 2e6


def test_the_memory_limit_stops_with_a_remedy():
    mask = np.zeros((2000, 2000), np.uint8)
    mask[1:-1, 1:-1:2] = 255
    mask[1, 1:-1] = 255
    options = options_of(reference.Sizes())
    options.cleaning = NO_CLEANING
    options.memory_limit = 1 << 20
    with pytest.raises(ResourceError, match=r"at row \d+ of 2000; a larger kernel or min_area"):
        _core.mask_pieces(mask, options)


def test_rejects_what_cannot_be():
    options = _core.PieceOptions()
    finder = _core.PieceFinder(70, 10, options)
    with pytest.raises(ArgumentError, match="0 rows so far, expected 10"):
        finder.finish()
    with pytest.raises(ArgumentError, match="69 columns, expected 70"):
        finder.add_rows(np.zeros((1, 69), bool))
    with pytest.raises(ArgumentError, match="1 columns, expected 2"):
        finder.add_rows(np.zeros((1, 1), np.uint64))
    with pytest.raises(ArgumentError, match="float32, expected bool, uint8"):
        finder.add_rows(np.zeros((1, 70), np.float32))
    with pytest.raises(ArgumentError, match="C-contiguous"):
        finder.add_rows(np.zeros((4, 140), bool)[:, ::2])
    with pytest.raises(ArgumentError, match="11 after 0, the mask has 10"):
        finder.add_rows(np.zeros((11, 70), bool))
    finder.add_rows(np.zeros((10, 70), bool))
    assert finder.finish() == []
    with pytest.raises(ArgumentError, match="finished already"):
        finder.finish()
    for name, value in (("cell", 0), ("min_area", -1), ("max_area", 49), ("epsilon", float("nan"))):
        wrong = _core.PieceOptions()
        setattr(wrong, name, value)
        with pytest.raises(ArgumentError, match=name):
            _core.PieceFinder(10, 10, wrong)
    for box in ((0, 0, -1, 5), (2**40, 0, 5, 5)):
        options.boundary = box
        with pytest.raises(ArgumentError, match="expected a box on the mask"):
            _core.PieceFinder(10, 10, options)
    for kernel in (2, -3, 1001):
        with pytest.raises(ArgumentError, match=r"opening: -?\d+, expected an odd size"):
            _core.cleaned_mask(np.zeros((5, 5), bool), _core.CleaningOptions(opening=kernel))
    with pytest.raises(ArgumentError, match="0 x 5, expected"):
        _core.mask_pieces(np.zeros((5, 0), bool), _core.PieceOptions())
