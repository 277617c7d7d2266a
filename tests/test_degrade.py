"""Degraded masks: as far from the truth as asked for, and wrong where networks are wrong."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

import spinekit as sk
from spinekit.phantom.degrade import KINDS, degrade


def bones(rows=512, dtype=bool):
    """Return 8 masks as of a lateral film: five bodies, a sacrum, two heads that overlap."""
    scale, over = rows / 1024, 4 if dtype is not bool else 1
    shapes = [
        [(330 + 10 * k, 120 + 135 * k), (480 + 10 * k, 128 + 135 * k), (480 + 10 * k, 225 + 135 * k),
         (335 + 10 * k, 220 + 135 * k)]
        for k in range(5)
    ]  # fmt: skip
    shapes.append([(400, 800), (530, 850), (650, 1000), (570, 1010), (420, 870)])
    columns = rows * 800 // 1024
    made = []
    for k in range(8):
        picture = Image.new("L", (columns * over, rows * over))
        draw = ImageDraw.Draw(picture)
        if k < 6:
            draw.polygon([(x * scale * over, y * scale * over) for x, y in shapes[k]], fill=255)
        else:
            x, y, r = (a * scale * over for a in (250 + 25 * (k - 6), 900 + 10 * (k - 6), 70))
            draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
        if over > 1:
            picture = picture.reduce(over)
        made.append(np.asarray(picture) / np.float32(255))
    masks = np.stack(made)
    return masks > 0.5 if dtype is bool else masks.astype(dtype)


def dice_of(a, b):
    a, b = a > 0.5, b > 0.5
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("rows", [256, 512, 1024])
@pytest.mark.parametrize("dice", [0.97, 0.93, 0.8])
@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_every_mask_has_the_dice_that_was_asked_for(rows, dice, dtype):
    masks = bones(rows, dtype)
    for seed in range(3):
        found = degrade(masks, dice, seed=seed)
        assert found.dtype == np.float32
        assert found.shape == masks.shape
        assert found.min() >= 0
        assert found.max() <= 1
        for truth, one in zip(masks, found, strict=True):
            assert dice_of(truth, one) == pytest.approx(dice, abs=0.005)


@pytest.mark.parametrize("kind", ["boundary", "leaks", "holes", "islands", "corners"])
def test_each_kind_alone_reaches_the_dice_or_does_nothing(kind):
    masks = bones()
    reached = [dice_of(m, d) for m, d in zip(masks, degrade(masks, 0.93, seed=2, kinds=[kind]), strict=True)]
    assert all(r == pytest.approx(0.93, abs=0.005) or r == 1 for r in reached)
    assert min(reached) < 0.94


def test_a_seed_gives_the_same_again_and_another_seed_another():
    masks = bones(256)
    first = degrade(masks, seed=4)
    np.testing.assert_array_equal(first, degrade(masks, seed=4))
    assert all((a != b).any() for a, b in zip(first, degrade(masks, seed=5), strict=True))


def test_equal_masks_get_noise_of_their_own():
    mask = bones(256)[0]
    first, second = degrade(np.stack([mask, mask]), seed=1)
    assert dice_of(first, second) < 0.97


def test_a_mask_does_not_depend_on_those_after_it():
    masks = bones(256)
    alone = degrade(masks, seed=1, kinds=["boundary", "corners", "soft"])
    fewer = degrade(masks[:3], seed=1, kinds=["boundary", "corners", "soft"])
    np.testing.assert_array_equal(alone[:3], fewer)


def test_the_input_is_not_changed():
    masks = bones(256, np.float32)
    before = masks.copy()
    degrade(masks)
    np.testing.assert_array_equal(masks, before)


def test_empty_masks_stay_empty():
    masks = bones(256)
    masks[3] = False
    found = degrade(masks)
    assert not found[3].any()
    assert found[2].any()
    assert degrade(np.zeros((0, 8, 8), bool)).shape == (0, 8, 8)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 40), (2, 64, 64)])
def test_masks_without_a_border_or_of_a_few_pixels_are_no_error(shape):
    assert np.isfinite(degrade(np.ones(shape, bool))).all()
    one = np.zeros(shape, bool)
    one[0, 0, 0] = True
    assert np.isfinite(degrade(one)).all()


def test_dice_1_is_the_mask_itself():
    masks = bones(256, np.float32)
    np.testing.assert_array_equal(degrade(masks, 1.0), masks)


def test_bool_stays_bool_where_asked_for():
    masks = bones(256)
    found = degrade(masks, seed=3, keep_dtype=True)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, degrade(masks, seed=3) > 0.5)
    assert degrade(bones(256, np.float32), keep_dtype=True).dtype == np.float32


def test_probabilities_are_soft_in_proportion_to_the_bone_unless_switched_off():
    def unsure(rows, kinds):
        found = degrade(bones(rows)[:1], seed=6, kinds=kinds)
        return ((found > 0.1) & (found < 0.9)).sum() / rows

    sharp = [kind for kind in KINDS if kind != "soft"]
    assert unsure(512, KINDS) > 2.5 * unsure(512, sharp)
    # An area of given relative width grows with the square of the resolution, one of a pixel with itself.
    assert unsure(1024, KINDS) / unsure(512, KINDS) == pytest.approx(2, rel=0.35)


def test_noise_scales_with_the_bone():
    def moved(rows):
        """Return how far centres move, in heights of the film, on average over seeds and bones."""
        masks = bones(rows)
        before = np.array([ndimage.center_of_mass(m) for m in masks])
        found = [degrade(masks, seed=seed, kinds=["boundary"]) for seed in range(12)]
        after = np.array([[ndimage.center_of_mass(f) for f in one] for one in found])
        return np.abs(after - before).mean() / rows

    assert moved(768) == pytest.approx(moved(256), rel=0.2)


def test_the_border_wanders_smoothly():
    # Displacements of the upper border are alike at a distance much below the correlation length, and are
    # not at half a bone; each border's own mean is its offset.
    borders = []
    mask = np.zeros((1, 400, 400), bool)
    mask[0, 100:300, 100:300] = True
    for seed in range(60):
        found = degrade(mask, 0.93, seed=seed, kinds=["boundary"])[0] > 0.5
        top = np.argmax(found[:, 120:280], axis=0).astype(float)
        if np.ptp(top) < 40:  # a wide lobe that hides the border elsewhere is not the border
            borders.append(top - top.mean())
    borders = np.array(borders)
    assert len(borders) > 40
    variance = (borders**2).mean()
    assert (borders[:, :-6] * borders[:, 6:]).mean() > 0.75 * variance
    assert (borders[:, :-80] * borders[:, 80:]).mean() < 0.2 * variance


def counts(kind, seeds=range(12)):
    masks = bones()
    for seed in seeds:
        found = degrade(masks, 0.95, seed=seed, kinds=[kind]) > 0.5
        for k in range(8):
            if dice_of(masks[k], found[k]) < 1:
                yield masks, k, found[k]


def test_holes_are_inside():
    made = [ndimage.binary_fill_holes(f).sum() > f.sum() for _, _, f in counts("holes")]
    assert len(made) > 10
    assert np.mean(made) > 0.8


def test_islands_are_apart():
    made = [ndimage.label(f)[1] for _, _, f in counts("islands")]
    assert len(made) > 10
    assert np.mean(np.array(made) == 2) > 0.8


def test_leaks_lean_towards_the_nearest_bone():
    leaning = []
    for masks, k, found in counts("leaks"):
        centres = [np.array(ndimage.center_of_mass(m)) for m in masks]
        ways = [c - centres[k] for j, c in enumerate(centres) if j != k]
        way = min(ways, key=np.linalg.norm)
        more = np.array(ndimage.center_of_mass(found & ~masks[k])) - centres[k]
        leaning.append(more @ way > 0)
    assert len(leaning) > 10
    assert np.mean(leaning) > 0.9


def test_a_lost_corner_takes_only_away():
    made = list(counts("corners"))
    assert len(made) > 10
    for masks, k, found in made:
        assert not (found & ~masks[k]).any()
        lost = np.array(ndimage.center_of_mass(masks[k] & ~found)) - ndimage.center_of_mass(masks[k])
        assert np.abs(lost).min() > 0.05 * np.sqrt(masks[k].sum())


def test_eight_masks_of_a_film_take_less_than_half_a_second():
    masks = bones(1024)
    degrade(masks)
    times = []
    for seed in range(3):
        start = time.perf_counter()
        degrade(masks, seed=seed)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


@pytest.mark.parametrize("full", [1, 255])
def test_eight_bits_are_read_as_measure_reads_them(full):
    # What `read_masks` returns of pictures.
    bits = np.zeros((1, 64, 64), bool)
    bits[0, 16:48, 12:52] = True
    np.testing.assert_array_equal(degrade(np.uint8(full) * bits, seed=3), degrade(bits, seed=3))


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        (np.zeros((8, 8), bool), {}, r"shape \(8, 8\), expected \(n, rows, columns\)"),
        (np.zeros((1, 8, 8), np.int64), {}, "int64, expected bool, uint8, float32 or float64"),
        (np.full((1, 8, 8), 2, np.float32), {}, "values 2.0 to 2.0, expected probabilities"),
        (np.full((1, 8, 8), np.nan, np.float32), {}, "values nan to nan, expected probabilities"),
        (np.zeros((1, 8, 8), bool), {"dice": 0}, "dice is 0"),
        (np.zeros((1, 8, 8), bool), {"dice": 93}, "dice is 93"),
        (np.zeros((1, 8, 8), bool), {"seed": -1}, "seed: -1, expected a whole number, 0 or more"),
        (np.zeros((1, 8, 8), bool), {"kinds": ["wholes"]}, r"kinds is \['wholes'\], expected some of"),
        (np.zeros((1, 8, 8), bool), {"kinds": "holes"}, "kinds is 'holes'"),
        (np.zeros((1, 8, 8), bool), {"correlation": 0}, "correlation is 0"),
    ],
)
def test_refuses_what_is_no_mask(masks, options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        degrade(masks, **options)
