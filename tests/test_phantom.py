"""Phantoms: their truth against what they were made of, and against what is seen on their films."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

import spinekit as sk
from spinekit.phantom.meshes import box, ellipsoid, loft, tube
from spinekit.phantom.population import Person, draw


def plain(seed, **options):
    return sk.phantom.Spine.random(seed, osteophytes=False, rotation=False, **options)


@pytest.fixture(scope="module")
def spine():
    return sk.phantom.Spine.random(seed=7)


@pytest.fixture(scope="module")
def film(spine):
    return spine.radiograph(rows=320)


# ---- surfaces


def test_surfaces_hold_the_volumes_of_solids():
    ball = ellipsoid([1, 2, 3], np.diag([10.0, 20, 30]), around=96, along=64)
    assert ball.volume() == pytest.approx(4 / 3 * np.pi * 6000, rel=5e-3)
    mirrored = ellipsoid([0, 0, 0], np.diag([10.0, -20, 30]), around=96, along=64)
    assert mirrored.volume() == pytest.approx(ball.volume())
    rod = tube([[0, 0, 0], [0, 0, 50], [0, 0, 100]], 5.0, around=96)
    assert np.pi * 25 * 100 < rod.volume() < np.pi * 25 * 110
    block = box([5, 5, 5], np.diag([10.0, 20, 30]))
    assert 0.9 * 8 * 6000 < block.volume() < 8 * 6000


def test_insets_are_thinner_all_round():
    ball = ellipsoid([0, 0, 0], 20 * np.eye(3), around=64, along=48)
    assert np.linalg.norm(ball.inset(2.0).vertices, axis=1) == pytest.approx(18, abs=0.05)


def test_every_edge_of_a_loft_belongs_to_two_triangles_that_run_against_each_other():
    turn = np.arange(7) * 2 * np.pi / 7
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    surface = loft([ring, ring + np.array([0, 0, 1]), 0.5 * ring + np.array([0, 0, 2])])
    edges = {(int(t[i]), int(t[(i + 1) % 3])) for t in surface.triangles for i in range(3)}
    assert len(edges) == 3 * len(surface.triangles)
    assert {(b, a) for a, b in edges} == edges


# ---- the truth


def test_a_person_is_built_as_described():
    person = Person(pt=15.0, ss=40.0, ll=55.0, slips=np.array([0, 0, 0, 5.0, 0]))
    own = sk.phantom.Spine(person).parameters
    assert (own.pt, own.ss, own.ll, own.pi) == pytest.approx((15, 40, 55, 55))
    assert sum(own.segmental.values()) == pytest.approx(own.ll)
    assert own.pi_minus_ll == pytest.approx(0)
    # Without a slip the middle of an endplate lies over the middle of the next.
    for level, height in zip(
        ("L1-L2", "L2-L3", "L3-L4", "L5-S1"), person.disc_heights[[0, 1, 2, 4]], strict=True
    ):
        assert own.disc_heights[level][1] == pytest.approx(height)
    # A slip is no height, beside what the tilt of the plane amid the endplates makes of it.
    assert own.disc_heights["L4-L5"][1] == pytest.approx(person.disc_heights[3], abs=0.7)
    assert all(anterior > posterior for anterior, _, posterior in own.disc_heights.values())


def test_the_population_has_the_published_means_and_spreads():
    rng = np.random.default_rng(0)
    people = [draw(rng, pathology=False) for _ in range(3000)]
    pi = np.array([p.pi for p in people])
    pt, ss, ll = (np.array([getattr(p, name) for p in people]) for name in ("pt", "ss", "ll"))
    age = np.array([p.age for p in people])
    # Vialle 2005: PI 54.7 (10.6), PT 13.2 (6.1), SS 41.2 (8.4), n = 300.
    assert pi.mean() == pytest.approx(54.7, abs=1)
    assert pi.std() == pytest.approx(10.6, abs=1)
    assert pt.mean() == pytest.approx(13.2, abs=1)
    assert pt.std() == pytest.approx(6.1, abs=0.8)
    assert ss.mean() == pytest.approx(41.2, abs=1)
    assert ss.std() == pytest.approx(8.4, abs=1)
    # Hasegawa 2016: LL = 32.9 + 0.60 PI - 0.23 age.
    fit = np.linalg.lstsq(np.stack([np.ones_like(pi), pi, age], 1), ll, rcond=None)[0]
    assert fit == pytest.approx([32.9, 0.60, -0.23], rel=0.15)
    assert 0.6 < np.corrcoef(pi, ss)[0, 1] < 0.9
    assert 0.45 < np.corrcoef(pi, pt)[0, 1] < 0.75


@pytest.mark.parametrize("seed", range(12))
def test_bones_are_apart(seed):
    spine = sk.phantom.Spine.random(seed)
    for anterior, middle, posterior in spine.parameters.disc_heights.values():
        assert min(anterior, posterior) > 0.5
        assert 2 < middle < 20
    masks = plain(seed).masks(plain(seed).view(400, 328))
    for upper, lower in itertools.pairwise(masks[:6]):
        assert (np.minimum(upper, lower) > 0.5).sum() <= 12


def test_landmarks_lie_on_the_edges_of_masks():
    for seed in range(4):
        spine = plain(seed)
        view = spine.view(1024)
        masks, found = spine.masks(view), spine.landmarks(view)
        for level in range(5):
            y, x = np.nonzero(masks[level] > 0.5)
            corners = found.vertebrae[level]
            # Nothing of the body lies beyond its corners, along each endplate.
            for front, back in ((0, 1), (2, 3)):
                way = (corners[front] - corners[back]) / np.linalg.norm(corners[front] - corners[back])
                middle = (corners[front] + corners[back]) / 2
                near = np.abs((np.stack([x, y], 1) - middle) @ [-way[1], way[0]]) < 8
                along = ((np.stack([x, y], 1) - middle) @ way)[near]
                reach = np.linalg.norm(corners[front] - corners[back]) / 2
                assert along.max() == pytest.approx(reach, abs=2.5)
                assert along.min() == pytest.approx(-reach, abs=2.5)
        for side in range(2):
            mask = masks[6 + side]
            y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
            centre = np.array([(mask * x).sum(), (mask * y).sum()]) / mask.sum()
            assert found.heads[side] == pytest.approx(centre, abs=0.15)
            assert mask.sum() == pytest.approx(np.pi * found.radii[side] ** 2, rel=0.01)


def test_a_film_without_rotation_shows_nearly_the_spine_s_own_angles():
    for seed in range(6):
        spine = plain(seed)
        own, shown = spine.parameters, spine.parameters_on(spine.view(source_to_detector=1e5))
        for name in ("pi", "pt", "ss", "ll"):
            assert getattr(shown, name) == pytest.approx(getattr(own, name), abs=0.35)
        # The film's scale holds in the midsagittal plane.
        for level, heights in own.disc_heights.items():
            assert shown.disc_heights[level] == pytest.approx(heights, abs=0.25)


def test_mirrored_films_have_mirrored_landmarks_and_the_same_truth(spine):
    left, right = spine.view(300, 250), spine.view(300, 250, facing="right")
    a, b = spine.landmarks(left), spine.landmarks(right)
    assert b.vertebrae[..., 0] == pytest.approx(249 - a.vertebrae[..., 0])
    assert b.vertebrae[..., 1] == pytest.approx(a.vertebrae[..., 1])
    assert spine.parameters_on(left).to_dict() == pytest.approx(spine.parameters_on(right).to_dict())
    assert spine.masks(right) == pytest.approx(spine.masks(left)[..., ::-1], abs=1 / 16)


@pytest.mark.parametrize("facing", ["left", "right"])
def test_a_tilted_film_changes_tilt_and_slope_and_not_incidence(spine, facing):
    straight = spine.parameters_on(spine.view(300, facing=facing))
    tilted = spine.parameters_on(spine.view(300, facing=facing, tilt=10))
    assert tilted.pi == pytest.approx(straight.pi)
    assert tilted.ll == pytest.approx(straight.ll)
    # Turned clockwise, who looks to the right falls forward: the slope rises, the tilt is less.
    assert tilted.ss - straight.ss == pytest.approx(10 if facing == "right" else -10)
    assert tilted.pt - straight.pt == pytest.approx(-10 if facing == "right" else 10)
    assert tilted.disc_heights["L3-L4"] == pytest.approx(straight.disc_heights["L3-L4"])


def test_pixels_need_not_be_square(spine):
    square, flat = spine.view(300, 300), spine.view(300, 150, aspect=2.0)
    assert flat.spacing == pytest.approx((square.spacing[0], 2 * square.spacing[0]))
    assert spine.parameters_on(flat).to_dict() == pytest.approx(spine.parameters_on(square).to_dict())


def test_osteophytes_change_masks_and_not_the_truth():
    person = dataclasses.replace(Person(), osteophytes=np.full((5, 2, 2), 5.0))
    beaked, bare = sk.phantom.Spine(person), sk.phantom.Spine(Person())
    view = bare.view(400)
    assert beaked.landmarks(view).vertebrae == pytest.approx(bare.landmarks(view).vertebrae)
    grown = beaked.masks(view)[:5].sum((1, 2)) - bare.masks(view)[:5].sum((1, 2))
    assert (grown > 20).all()


def test_masks_cover_less_than_a_pixel_at_their_edges(spine):
    masks = spine.masks(spine.view(300))
    assert masks.dtype == np.float32
    assert masks.min() == 0
    assert masks.max() == 1
    assert ((masks > 0) & (masks < 1)).sum() > 500
    # Eight masks at twice the scale average to these.
    fine = spine.masks(spine.view(600, 492))
    coarse = spine.masks(spine.view(300, 246))
    mean = fine.reshape(8, 300, 2, 246, 2).mean((2, 4))
    assert np.abs(mean - coarse).max() < 0.13


# ---- films


def test_films_are_reproducible_whatever_the_workers(spine, film):
    again = sk.phantom.Spine.random(seed=7).radiograph(rows=320, workers=1)
    assert np.array_equal(again.pixels, film.pixels)
    other = sk.phantom.Spine.random(seed=8).radiograph(rows=320)
    assert other.pixels.shape == film.pixels.shape
    assert not np.array_equal(other.pixels, film.pixels)


def test_films_are_radiographs(film):
    assert isinstance(film, sk.Radiograph)
    assert film.pixels.dtype == np.uint16
    assert film.pixels.max() <= 4095
    assert film.shape == (320, 262)
    assert film.spacing_from == "phantom"
    assert film.spacing == film.view.spacing
    assert "phantom, seed 7" in repr(film)


def test_bone_is_brighter_than_the_disc_beside_it():
    for seed in range(3):
        spine = plain(seed, pathology=False)
        exposure = sk.phantom.Exposure(text=False, collimation=False)
        film = spine.radiograph(rows=600, exposure=exposure)
        masks = spine.masks(film) > 0.5
        bodies = masks[1:4].any(0)
        between = np.zeros_like(bodies)
        for upper, lower in ((1, 2), (2, 3)):
            corners = spine.landmarks(film).vertebrae
            middle = (corners[upper, 2:].mean(0) + corners[lower, :2].mean(0)) / 2
            x, y = np.round(middle).astype(int)
            between[y - 2 : y + 3, x - 6 : x + 7] = True
        assert film.pixels[bodies].mean() > film.pixels[between].mean() + 40


def test_metal_is_where_the_implant_mask_is(spine):
    exposure = sk.phantom.Exposure(text=False, collimation=False)
    film = spine.radiograph(rows=400, implants=True, exposure=exposure)
    bare = spine.radiograph(rows=400, exposure=exposure)
    assert film.implant_mask.shape == film.shape
    assert 0.001 < (film.implant_mask > 0.5).mean() < 0.1
    assert film.without_implants is not None
    assert np.array_equal(film.without_implants.pixels, bare.pixels)
    assert bare.implant_mask is None
    metal = film.implant_mask == 1
    difference = film.pixels.astype(int) - bare.pixels
    assert np.median(difference[metal]) > 400
    # Beyond the reach of processing there is only what metal takes from the scattered light.
    far = ndimage.distance_transform_edt(film.implant_mask == 0) * film.spacing[0] > 40
    assert np.abs(difference[far]).mean() < 0.002 * 4095
    # The masks of the bones are the same.
    assert np.array_equal(spine.masks(film), spine.masks(bare))


def test_every_kind_of_implant_occurs():
    names = {tissue.name for seed in range(40) for tissue in sk.phantom.Spine.random(seed).implants}
    assert names == {"screw left", "screw right", "rod left", "rod right", "cage", "plate"}


def test_less_light_makes_more_noise(spine):
    def grain(photons):
        exposure = sk.phantom.Exposure(photons=photons, text=False, collimation=False)
        pixels = spine.radiograph(rows=256, exposure=exposure).pixels.astype(float)
        return np.abs(np.diff(pixels[150:200, 60:160], axis=1)).mean()

    assert grain(2e4) > 2 * grain(2e6)


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 8}, "8 rows"),
        ({"rows": 16, "columns": 1 << 20}, "1 to 32768"),
        ({"rows": 16384}, r"16384 rows x 13435 columns: expected at most 2\^26 pixels"),
        ({"rows": 100, "source_to_detector": 0}, "between source and detector"),
        ({"rows": 100, "source_to_detector": math.inf}, "between source and detector"),
        ({"rows": 100, "tilt": math.nan}, "tilt: nan"),
        ({"rows": 100, "spacing": (math.inf, 1)}, "spacing"),
        ({"rows": 100, "facing": "up"}, "'left' or 'right'"),
        ({"rows": 100, "aspect": 0}, "aspect"),
        ({"rows": 100, "aspect": np.nan}, "aspect"),
        ({"rows": 100, "columns": 100, "aspect": 0}, "aspect"),
        ({"rows": 100, "tilt": np.nan}, "tilt: nan, expected degrees"),
        ({"rows": 100, "spacing": (0, 1)}, "spacing"),
        ({"rows": 100, "spacing": (np.inf, 1)}, "spacing"),
        ({"rows": 100, "spacing": 0.2}, r"spacing: 0.2, expected \(row, column\)"),
        ({"rows": 100, "spacing": (0.2,)}, r"expected \(row, column\)"),
        ({"rows": 100, "spacing": (0.2, 0.2), "aspect": 2.0}, "expected none beside spacing"),
        ({"rows": 100, "source_to_detector": 100}, "between source and detector"),
    ],
)
def test_refuses_views_that_cannot_be(spine, options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        spine.view(**options)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "7"])
def test_refuses_what_is_no_seed(seed):
    for make in (sk.phantom.Spine.random, lambda seed: sk.phantom.Spine(seed=seed)):
        with pytest.raises(sk.ArgumentError, match="expected a whole number, 0 or more"):
            make(seed)


def test_refuses_films_of_another_spine(spine, film):
    again = sk.phantom.Spine.random(seed=7)
    np.testing.assert_array_equal(again.landmarks(film).sacrum, spine.landmarks(film).sacrum)
    for other in (sk.phantom.Spine.random(seed=8), sk.phantom.Spine.random(7, osteophytes=False)):
        for truth in (other.masks, other.landmarks, other.parameters_on):
            with pytest.raises(sk.ArgumentError, match=r"another spine \(phantom, seed 7\)"):
                truth(film)
    assert sk.phantom.Spine.random(seed=8).masks(film.view).shape == (8, *film.shape)


def test_refuses_what_is_no_film(spine):
    with pytest.raises(sk.ArgumentError, match="expected a film of this spine"):
        spine.masks(np.zeros((10, 10)))
    with pytest.raises(sk.ArgumentError, match="positive"):
        sk.phantom.Person(disc_heights=np.zeros(5))
    with pytest.raises(sk.ArgumentError, match=r"a person's pt: nan, expected finite numbers"):
        sk.phantom.Person(pt=math.nan)
    for seed in (-1, 1.5):
        with pytest.raises(sk.ArgumentError, match=r"seed: .*, expected a whole number"):
            sk.phantom.Spine.random(seed)
    with pytest.raises(sk.ArgumentError, match=r"pixels: list, expected an array"):
        sk.Radiograph([[1, 2]])
    for wrong in ({"photons": 0}, {"scatter": math.nan}, {"blur_mm": math.inf}, {"detail": -1}):
        with pytest.raises(sk.ArgumentError, match="photons must be positive, the other numbers finite"):
            sk.phantom.Exposure(**wrong)
