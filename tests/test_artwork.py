"""The artwork's boundary on its scan, against the reference made of OpenCV and NumPy."""

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import damage_reference as reference
from spinekit import ArgumentError, CancelledError, ResourceError, _core

PAPER, WHITE = (196, 172, 128), (246, 246, 244)
CANCEL = _core.CancelToken()
SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def counted(picture, height=None, workers=2, **options):
    """Return a finder that has seen the picture once, in strips of that height."""
    finder = _core.ArtworkFinder(picture.shape[1], picture.shape[0], **options)
    feed(finder.count, picture, height, workers)
    return finder


def feed(take, picture, height, workers):
    executor = _core.Executor(workers)
    height = height or len(picture)
    for start in range(0, len(picture), height):
        take(picture[start : start + height], executor, CANCEL)


def artwork_of(picture, height=None, workers=2, **options):
    finder = counted(picture, height, workers, **options)
    feed(finder.add, picture, height, workers)
    return finder.finish()


def scan_of(mask, seed=0, noise=4.0):
    """Return a picture with paper where the mask is set and the scanner's white elsewhere."""
    generator = np.random.default_rng(seed)
    picture = np.where(mask[..., None], np.float32(PAPER), np.float32(WHITE))
    picture += generator.standard_normal(picture.shape, np.float32) * noise
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def lumps(generator, rows, columns, share, grain):
    noise = cv2.GaussianBlur(generator.random((rows, columns)), (0, 0), grain)
    return noise <= np.quantile(noise, share)


@st.composite
def masks(draw):
    rows, columns = draw(st.integers(1, 260)), draw(st.integers(1, 260))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["lumps", "lumps", "boxes", "plain"]))
    if kind == "lumps":
        grain = draw(st.sampled_from([0.5, 3, 12, 30]))
        return lumps(generator, rows, columns, draw(st.floats(0.2, 1)), grain)
    mask = np.full((rows, columns), kind == "plain" and draw(st.booleans()))
    for _ in range(draw(st.integers(0, 6)) if kind == "boxes" else 0):
        x, y = generator.integers(0, columns), generator.integers(0, rows)
        mask[y : y + generator.integers(1, rows + 1), x : x + generator.integers(1, columns + 1)] ^= True
    return mask


# ---- brightness


@SOME
@given(masks(), st.sampled_from([0, 2, 25]), st.data())
def test_boxes_by_brightness_equal_the_reference(mask, noise, data):
    picture = scan_of(mask, noise=noise)
    height = data.draw(st.integers(1, len(picture)))
    box = reference.boundary(picture, "brightness")
    assert artwork_of(picture, height, data.draw(st.sampled_from([1, 2, 8]))) == box


@pytest.mark.slow
def test_of_many_scans_some_have_an_artwork_and_some_have_none():
    boxes = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        mask = lumps(generator, 300, 400, 0.4 + 0.01 * seed, 25)
        picture = scan_of(mask, seed)
        boxes.append(reference.boundary(picture, "brightness"))
        assert artwork_of(picture) == boxes[-1]
    assert 5 < sum(box is None for box in boxes) < 35


def test_paper_on_white_is_found_to_the_pixel():
    mask = np.zeros((300, 400), bool)
    mask[40:251, 70:380] = True
    mask[100:110, 100:110] = False  # holes are closed, or lie within
    mask[:10, :60] = mask[295:, 200:204] = True  # crumbs go
    picture = scan_of(mask)
    # A closing by 20 moves everything by a pixel, as cv2's does.
    assert artwork_of(picture) == reference.boundary(picture, "brightness") == (71, 41, 310, 211)


@pytest.mark.parametrize(("share", "found"), [(0.31, True), (0.29, False)])
def test_less_than_three_tenths_of_the_scan_is_no_artwork(share, found):
    mask = np.zeros((400, 500), bool)
    mask[10 : 10 + round(400 * share)] = True
    picture = scan_of(mask)
    box = reference.boundary(picture, "brightness")
    assert (box is not None) == found
    assert artwork_of(picture) == box


@pytest.mark.parametrize("turned", [False, True])
def test_of_artworks_of_one_size_it_is_the_first_that_opencv_lists(turned):
    mask = np.zeros((400, 400), bool)
    mask[20:180, 20:380] = mask[220:380, 20:380] = True
    mask = np.ascontiguousarray(mask.T) if turned else mask
    picture = scan_of(mask)
    # It lists contours from the last to the first, by their first pixels in reading order.
    last = (221, 21, 160, 360) if turned else (21, 221, 360, 160)
    assert reference.boundary(picture, "brightness") == last
    assert artwork_of(picture) == last


@pytest.mark.parametrize("tops", [(41, 30, 36), (30, 36, 41), (36, 41, 30), (30, 30, 30)])
def test_of_three_artworks_of_one_size_it_is_that_with_the_last_first_pixel(tops):
    mask = np.zeros((2000, 2000), bool)
    for column, top in enumerate(tops):
        mask[top : top + 1910, 23 + 659 * column : 659 + 659 * column] = True
    picture = scan_of(mask, noise=0)
    box = reference.boundary(picture, "brightness")
    column = tops.index(41) if 41 in tops else 2
    assert box == (24 + 659 * column, max(tops) + 1, 636, 1910)
    assert artwork_of(picture) == box


@pytest.mark.parametrize("shape", [(4500, 4400), pytest.param((6300, 6100), marks=pytest.mark.slow)])
def test_kernels_grow_with_the_scan(shape):
    # Closed by 22 and 30, opened by 5 and 6: the first is even, and both are at once.
    generator = np.random.default_rng(1)
    small = lumps(generator, shape[0] // 10, shape[1] // 10, 0.6, 12).astype(np.uint8)
    mask = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    mask ^= generator.random(shape) < 0.02
    mask[: shape[0] // 2, shape[1] // 3 : shape[1] // 3 + 21] = False
    picture = scan_of(mask, noise=1)
    assert artwork_of(picture, 1000) == reference.boundary(picture, "brightness") is not None


def some_levels(kind, known, generator):
    start = int(generator.integers(known[0], known[-1] - 100))
    if kind == "two levels":
        return generator.choice(generator.choice(known, 2), generator.integers(1, 900))
    if kind == "few pixels":
        return generator.choice(known, generator.integers(1, 30))
    if kind == "even steps":  # two thresholds are equally good
        return np.repeat([start, start + 50, start + 100], 10)
    if kind == "hills":
        return np.rint(np.concatenate([generator.normal(start + k, 9, 600) for k in (20, 70)]))
    return np.full(7, generator.choice(known))


@pytest.mark.parametrize("kind", ["two levels", "few pixels", "even steps", "hills", "one level"])
def test_the_threshold_is_that_of_opencv(kind):
    k = np.arange(1 << 24, dtype=np.uint32)[::641]
    colours = np.stack([k, k >> 8, k >> 16], axis=-1).astype(np.uint8)
    levels = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0, :, 2]
    known, first = np.unique(levels, return_index=True)
    for seed in range(15):
        wanted = some_levels(kind, known, np.random.default_rng(seed))
        at = np.searchsorted(known, np.clip(wanted, known[0], known[-1]))
        assert counted(colours[first[at]][None]).threshold == reference.otsu(known[at][None])


def test_no_threshold_before_all_is_counted():
    finder = _core.ArtworkFinder(5, 4)
    executor = _core.Executor(1)
    finder.count(np.zeros((3, 5, 3), np.uint8), executor, CANCEL)
    assert finder.threshold is None
    finder.count(np.zeros((1, 5, 3), np.uint8), executor, CANCEL)
    assert finder.threshold == 0


def test_samples_of_16_bits_are_rounded_to_8():
    generator = np.random.default_rng(2)
    picture = scan_of(lumps(generator, 200, 300, 0.6, 20), noise=9)
    wide = picture * np.uint16(257)
    shifted = np.clip(wide + generator.integers(-128, 129, wide.shape), 0, 65535).astype(np.uint16)
    np.testing.assert_array_equal(np.rint(shifted / 257), picture)
    box = reference.boundary(picture, "brightness")
    assert box is not None
    assert artwork_of(wide) == artwork_of(shifted, 7) == box
    every = np.arange(65536, dtype=np.uint16)
    colours = np.stack([every, every[::-1], every ^ 0x5A5A], axis=-1).reshape(256, 256, 3)
    b = cv2.cvtColor(np.rint(colours / 257).astype(np.uint8), cv2.COLOR_RGB2LAB)[..., 2]
    assert counted(colours).threshold == reference.otsu(np.ascontiguousarray(b))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_scans_are_colour_scans_of_equal_samples(dtype):
    grey = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (90, 130), dtype)
    eight = np.rint(grey / (257 if dtype == np.uint16 else 1)).astype(np.uint8)
    box = reference.boundary(np.repeat(eight[..., None], 3, axis=2), "brightness")
    assert artwork_of(grey) == artwork_of(np.repeat(grey[..., None], 3, axis=2)) == box == (0, 0, 130, 90)


def test_strips_workers_and_layouts_change_nothing():
    mask = lumps(np.random.default_rng(4), 150, 230, 0.6, 15)
    picture = scan_of(mask, noise=20)
    box = reference.boundary(picture, "brightness")
    assert box is not None
    apart = np.zeros((150, 400, 3), np.uint8)[:, 100:330]
    apart[:] = picture
    for workers in (1, 2, 8):
        for height in (1, 7, 64, 150):
            assert artwork_of(picture, height, workers) == box
            assert artwork_of(apart, height, workers) == box
    assert counted(picture, 3).threshold == counted(apart, 70).threshold == counted(picture).threshold


# ---- edges


def drawn(seed):
    """Return a picture of paper on white, turned a little, with lines across and noise."""
    generator = np.random.default_rng(seed)
    rows, columns = generator.integers(120, 600, 2).tolist()
    picture = np.full((rows, columns, 3), 245, np.uint8)
    top, left = rows // generator.integers(5, 20), columns // generator.integers(5, 20)
    picture[top : rows - top, left : columns - left] = generator.integers(60, 220, 3)
    for _ in range(generator.integers(0, 9)):
        ends = generator.integers(0, (columns, rows), (2, 2)).tolist()
        colour = generator.integers(0, 255, 3).tolist()
        cv2.line(picture, ends[0], ends[1], colour, int(generator.integers(1, 4)))
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), generator.uniform(-9, 9), 1)
    picture = cv2.warpAffine(picture, turn, (columns, rows), borderMode=cv2.BORDER_REFLECT)
    noise = generator.normal(0, generator.choice([0, 2, 10]), picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_boxes_by_edges_equal_the_reference():
    boxes = []
    for seed in range(120):
        picture = drawn(seed)
        boxes.append(reference.boundary(picture, "edges"))
        assert _core.edges_boundary(picture) == boxes[-1]
    assert 10 < sum(box is None for box in boxes) < 110


def test_paper_on_white_is_found_by_its_edges():
    picture = scan_of(np.zeros((300, 400), bool), noise=0)
    picture[40:250, 70:350] = PAPER
    x, y, width, height = _core.edges_boundary(picture)
    assert abs(x - 70) <= 2
    assert abs(y - 40) <= 2
    assert abs(x + width - 350) <= 2
    assert abs(y + height - 250) <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 2), (40, 40), (200, 200)])
def test_nothing_is_found_where_there_are_no_edges(shape):
    assert _core.edges_boundary(np.full((*shape, 3), 200, np.uint8)) is None


def test_previews_may_lie_apart_and_must_be_rgb_of_8_bits():
    picture = drawn(5)
    apart = np.zeros((len(picture), 700, 3), np.uint8)[:, 50 : 50 + picture.shape[1]]
    apart[:] = picture
    assert _core.edges_boundary(apart) == _core.edges_boundary(picture)
    for wrong in (picture[..., 0].copy(), picture.astype(np.uint16)):
        with pytest.raises(ArgumentError, match="expected RGB of 8 bits"):
            _core.edges_boundary(wrong)


# ---- bounds and misuse


def test_memory_hardly_follows_the_length_of_the_scan():
    peaks = []
    strip = scan_of(np.pad(np.ones((400, 3000), bool), ((0, 0), (500, 500))))
    executor = _core.Executor(2)
    for strips in (2, 20):
        finder = _core.ArtworkFinder(4000, 400 * strips)
        for take in (finder.count, finder.add):
            for _ in range(strips):
                take(strip, executor, CANCEL)
        assert finder.finish() == (501, 0, 3000, 400 * strips)
        peaks.append(finder.peak_memory)
    assert peaks[1] < peaks[0] + 500_000 < 20 << 20


def test_the_memory_limit_stops_with_a_remedy():
    with pytest.raises(ResourceError, match=r"16777216 x 16777216 need .* raise the limit"):
        _core.ArtworkFinder(1 << 24, 1 << 24)
    finder = _core.ArtworkFinder(40, 30, 1 << 20)
    with pytest.raises(ResourceError, match="limit of 1048576 bytes; raise the limit, or give the boundary"):
        finder.count(np.zeros((30, 40, 3), np.uint8), _core.Executor(1), CANCEL)


def test_rejects_rows_that_cannot_be():
    executor = _core.Executor(1)
    finder = _core.ArtworkFinder(70, 10)
    picture = np.zeros((10, 70, 3), np.uint8)
    with pytest.raises(ArgumentError, match="added after 0 were counted, expected all 10"):
        finder.add(picture, executor, CANCEL)
    with pytest.raises(ArgumentError, match="69 columns, expected 70"):
        finder.count(picture[:, 1:], executor, CANCEL)
    finder.count(picture[:6], executor, CANCEL)
    with pytest.raises(ArgumentError, match="5 after 6, the scan has 10"):
        finder.count(picture[:5], executor, CANCEL)
    with pytest.raises(ArgumentError, match="expected at least one"):
        finder.count(picture[:0], executor, CANCEL)
    finder.count(picture[6:], executor, CANCEL)
    with pytest.raises(ArgumentError, match="0 rows so far, expected 10"):
        finder.finish()
    finder.add(picture, executor, CANCEL)
    with pytest.raises(ArgumentError, match="1 after 10, the scan has 10"):
        finder.add(picture[:1], executor, CANCEL)
    assert finder.finish() == reference.boundary(picture, "brightness")
    with pytest.raises(ArgumentError, match="finished already"):
        finder.finish()
    for size in ((0, 5), (5, 0), (1 << 25, 5)):
        with pytest.raises(ArgumentError, match=r"scan: .* expected 1 to 16777216 pixels a side"):
            _core.ArtworkFinder(*size)


def test_cancelled_work_stops():
    cancel = _core.CancelToken()
    cancel.cancel()
    finder = _core.ArtworkFinder(70, 10)
    with pytest.raises(CancelledError):
        finder.count(np.zeros((10, 70, 3), np.uint8), _core.Executor(2), cancel)


@pytest.mark.parametrize("bits", [8, 16])
def test_levels_do_for_the_second_pass(bits):
    mask = np.zeros((70, 90), bool)
    mask[10:60, 12:80] = True
    eight = scan_of(mask)
    picture = eight if bits == 8 else eight.astype(np.uint16) * 257
    executor = _core.Executor(2)
    rows, columns = picture.shape[:2]
    by_colour, by_level = (_core.ArtworkFinder(columns, rows) for _ in range(2))
    levels = np.empty((rows, columns), np.uint8)
    by_colour.count(picture, executor, CANCEL)
    by_level.count(picture, executor, CANCEL, levels)
    lab = cv2.cvtColor(eight, cv2.COLOR_RGB2LAB)
    np.testing.assert_array_equal(levels, lab[..., 2])
    by_colour.add(picture, executor, CANCEL)
    by_level.add_levels(levels[:9], executor, CANCEL)
    with pytest.raises(ArgumentError, match="added after levels"):
        by_level.add(picture[9:], executor, CANCEL)
    by_level.add_levels(levels[9:], executor, CANCEL)
    assert by_level.finish() == by_colour.finish() is not None
    with pytest.raises(ArgumentError, match="levels: expected bytes of the picture's size"):
        _core.ArtworkFinder(columns, rows).count(picture, executor, CANCEL, levels[1:])
    with pytest.raises(ArgumentError, match=r"levels: expected bytes \(rows, "):
        by_level.add_levels(levels[:, 1:].copy(), executor, CANCEL)
