"""Spinopelvic parameters of a flat spine in closed form, of masks that are none, and of key points."""

import csv
import itertools
import json
import math

import numpy as np
import pytest

import spinekit as sk
from made_spine import BONES, FlatSpine

ANGLES = ("pi", "pt", "ss", "ll", "l4_s1")


@pytest.fixture(scope="module")
def spine():
    return FlatSpine()


@pytest.fixture(scope="module")
def film(spine):
    return spine.film(512)


def truth(spine):
    return {
        "pi": spine.pi,
        "pt": spine.pt,
        "ss": spine.ss,
        "ll": spine.ll,
        "l4_s1": sum(spine.wedges[3:]) + sum(spine.discs[3:]),
    }


def worst(par, spine):
    return max(abs(par.values[name] - value) for name, value in truth(spine).items())


def test_finds_the_angles_of_a_flat_spine(film, spine):
    masks, spacing, landmarks = film
    par, exact = sk.measure(masks, spacing), sk.measure_points(landmarks, spacing)
    assert worst(par, spine) < 0.1
    assert par.warnings == []
    assert par.reasons == {}
    assert (par.facing, par.unit, par.method) == ("right", "mm", "robust")
    for level, (wedge, disc) in enumerate(zip(spine.wedges, spine.discs, strict=True)):
        name = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")[level]
        assert par.segmental[name] == pytest.approx(wedge + disc, abs=0.15)
        assert par.disc_angles[name] == pytest.approx(disc, abs=0.15)
        assert par.disc_heights[name]["middle"] == pytest.approx(spine.disc_heights[level], abs=0.15)
        assert par.slip[name]["distance"] == pytest.approx(exact.slip[name]["distance"], abs=0.3)


def test_finds_the_key_points(film):
    masks, spacing, landmarks = film
    found = sk.measure(masks, spacing).landmarks
    for name in ("vertebrae", "sacrum", "heads"):
        assert np.abs(getattr(found, name) - getattr(landmarks, name)).max() * spacing[0] < 0.4
    assert found.radii == pytest.approx(landmarks.radii, abs=0.05)


@pytest.mark.parametrize("ss", [15.0, 40.0, 62.0])
@pytest.mark.parametrize("pt", [-4.0, 15.0, 38.0])
def test_holds_for_flat_and_steep_pelves(ss, pt):
    spine = FlatSpine(ss=ss, pt=pt)
    masks, spacing, _ = spine.film(384)
    par = sk.measure(masks, spacing, intervals=False)
    assert worst(par, spine) < 0.25


def test_holds_for_a_kyphotic_lumbar_spine():
    spine = FlatSpine(ss=10.0, pt=27.0, wedges=(-6, -4, -3, 0, 2), discs=(0, 1, 1, 2, 5))
    masks, spacing, _ = spine.film(512)
    par = sk.measure(masks, spacing)
    assert par.ll == pytest.approx(-2, abs=0.2)
    assert par.schwab == {"pi_minus_ll": "++", "pt": "+"}
    assert math.isnan(par.l4_s1_share)
    assert par.reasons["l4_s1_share"] == "LL is below 5 degrees"


def test_leaves_osteophytes_out():
    spine = FlatSpine(beak=4.0)
    masks, spacing, _ = spine.film(512)
    assert worst(sk.measure(masks, spacing), spine) < 0.4


def test_pi_is_pt_plus_ss_exactly(film):
    masks, spacing, _ = film
    for par in (sk.measure(masks, spacing), sk.measure(masks, spacing, method="report")):
        assert par.pi == par.pt + par.ss


def test_segments_add_up_to_the_lordosis(film):
    masks, spacing, _ = film
    par = sk.measure(masks, spacing)
    assert sum(par.segmental.values()) == pytest.approx(par.ll, abs=1e-9)
    assert par.angle("L1", "S1") == pytest.approx(par.ll, abs=1e-9)
    assert par.angle("L4 inferior", "L5") == pytest.approx(par.disc_angles["L4-L5"], abs=1e-9)
    with pytest.raises(sk.ArgumentError, match="endplate 'L6'"):
        par.angle("L6", "S1")


def test_a_mirrored_film_gives_the_same_numbers(film):
    masks, spacing, _ = film
    par = sk.measure(masks, spacing)
    other = sk.measure(np.ascontiguousarray(masks[:, :, ::-1]), spacing)
    assert (par.facing, other.facing) == ("right", "left")
    for name, value in par.values.items():
        assert other.values[name] == pytest.approx(value, abs=1e-6)
        assert other.intervals[name] == pytest.approx(par.intervals[name], abs=1e-6)


@pytest.mark.parametrize("tilt", [-15.0, 15.0])
def test_a_tilted_film_changes_what_refers_to_the_vertical_alone(tilt, spine):
    masks, spacing, _ = spine.film(512, 512, tilt=tilt)
    par = sk.measure(masks, spacing, intervals=False)
    assert par.pi == pytest.approx(spine.pi, abs=0.15)
    assert par.ll == pytest.approx(spine.ll, abs=0.15)
    # The film is turned clockwise, the patient looks to the right.
    assert par.ss == pytest.approx(spine.ss + tilt, abs=0.15)
    assert par.pt == pytest.approx(spine.pt - tilt, abs=0.15)


@pytest.mark.parametrize("rows", [192, 256, 1024])
def test_holds_at_any_resolution(rows, spine):
    masks, spacing, _ = spine.film(rows)
    assert worst(sk.measure(masks, spacing, intervals=False), spine) < (0.1 if rows == 1024 else 0.4)


@pytest.mark.parametrize("spacing", [(0.6, 1.0), (1.1, 0.6)])
def test_pixels_need_not_be_square(spacing, spine):
    rows, columns = round(330 / spacing[0]), round(250 / spacing[1])
    masks, _, _ = spine.film(rows, columns, spacing=spacing)
    par = sk.measure(masks, spacing, intervals=False)
    assert worst(par, spine) < 0.25
    assert par.disc_heights["L3-L4"]["middle"] == pytest.approx(spine.disc_heights[2], abs=0.3)


def test_without_spacing_lengths_are_pixels(film):
    masks, spacing, _ = film
    in_mm, in_pixels = sk.measure(masks, spacing), sk.measure(masks)
    assert (in_mm.unit, in_pixels.unit) == ("mm", "px")
    assert in_pixels.pi == pytest.approx(in_mm.pi, abs=1e-6)
    assert in_pixels.vertebral_heights["L3"]["mean"] * spacing[0] == pytest.approx(
        in_mm.vertebral_heights["L3"]["mean"], abs=1e-6
    )


def test_takes_bytes_and_booleans(film, spine):
    masks, spacing, _ = film
    bits = masks >= 0.5
    par = sk.measure(bits, spacing)
    assert worst(par, spine) < 0.8
    assert sk.measure(bits.astype(np.uint8), spacing).values == par.values
    assert sk.measure(bits.astype(np.uint8) * np.uint8(255), spacing).values == par.values
    grey = np.round(masks * 255).astype(np.uint8)
    assert worst(sk.measure(grey, spacing), spine) < 0.1


def test_any_number_of_workers_gives_the_same_bits(film):
    masks, spacing, _ = film
    first, second, third = (sk.measure(masks, spacing, workers=n) for n in (1, 2, 8))
    assert first.values == second.values == third.values
    assert first.intervals == second.intervals == third.intervals


def test_does_not_change_the_masks(film):
    masks, spacing, _ = film
    before = masks.copy()
    masks.flags.writeable = False
    sk.measure(masks, spacing)
    assert np.array_equal(before, masks)


def test_a_slip_has_its_sign_and_grade():
    spine = FlatSpine(slips=(0, 0, -3.0, 0, 9.5))
    masks, spacing, _ = spine.film(512)
    par = sk.measure(masks, spacing)
    assert par.slip["L5-S1"]["distance"] == pytest.approx(9.5 + 0.8, abs=1.3)
    assert par.slip["L5-S1"]["percent"] == pytest.approx(100 * par.slip["L5-S1"]["distance"] / 36.0, abs=0.5)
    assert par.slip["L3-L4"]["distance"] < -2
    assert par.slip_grades["L5-S1"] == 2
    assert par.slip_grades["L1-L2"] == 0


def test_a_broken_vertebra_has_its_grade():
    spine = FlatSpine(wedges=(-16.0, 0, 2, 4, 9), heights=(22.0, 27.5, 28, 28, 28))
    masks, spacing, _ = spine.film(512)
    par = sk.measure(masks, spacing)
    half = 35.0 * math.tan(math.radians(8))
    assert par.wedge["L1"] == pytest.approx((22 - half) / (22 + half), abs=0.02)
    assert par.wedge_grades["L1"] == 2
    assert par.wedge_grades["L3"] == 0


def test_missing_bones_leave_the_rest(film, spine):
    masks, spacing, _ = film
    masks = masks.copy()
    masks[0] = 0  # L1
    masks[6] = 0  # FH1
    par = sk.measure(masks, spacing)
    assert par.pi == pytest.approx(spine.pi, abs=2.5)  # from one head
    assert par.ss == pytest.approx(spine.ss, abs=0.2)
    assert par.segmental["L2-L3"] == pytest.approx(spine.wedges[1] + spine.discs[1], abs=0.2)
    for name in ("ll", "l1pa", "pi_minus_ll", "segmental.L1-L2", "wedge.L1"):
        assert math.isnan(par.values[name])
        assert par.reasons[name] == "L1: the mask is empty"
        assert name not in par.intervals
    assert par.warnings == ["only one femoral head: its centre stands for the hip axis"]
    assert np.isnan(par.landmarks.vertebrae[0]).all()
    masks[7] = 0
    par = sk.measure(masks, spacing)
    assert par.reasons["pt"] == "FH1: the mask is empty; FH2: the mask is empty"
    assert par.l4_s1 == pytest.approx(truth(spine)["l4_s1"], abs=0.2)


@pytest.mark.parametrize("kept", [(5, 6, 7), (3, 4, 5), (0, 1, 2, 3, 4), (2, 5, 6)])
def test_few_bones_are_enough_for_what_they_tell(kept, film, spine):
    masks, spacing, _ = film
    some = np.zeros_like(masks)
    some[list(kept)] = masks[list(kept)]
    par, whole = sk.measure(some, spacing), sk.measure(masks, spacing)
    told = [name for name, value in par.values.items() if not math.isnan(value)]
    assert told
    for name in told:
        if not name.startswith(("pi", "pt")) or {6, 7} <= set(kept):
            assert par.values[name] == pytest.approx(whole.values[name], abs=0.3)


def nothing(par):
    return all(math.isnan(value) for value in par.values.values()) and set(par.reasons) == set(par.values)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, bool])
def test_empty_masks_give_reasons(dtype):
    assert nothing(sk.measure(np.zeros((8, 40, 50), dtype)))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, bool])
def test_full_masks_give_reasons(dtype):
    par = sk.measure(np.ones((8, 60, 50), dtype))
    assert nothing(par)
    assert "covers the film" in par.reasons["ss"]


def test_single_pixels_give_reasons():
    masks = np.zeros((8, 60, 50), np.uint8)
    masks[:, 30, 20] = 1
    par = sk.measure(masks)
    assert nothing(par)
    assert par.reasons["ss"] == "sacrum: the mask has 1 pixel, too few"
    assert nothing(sk.measure(np.ones((8, 1, 1), bool)))


def test_noise_gives_reasons():
    masks = np.random.default_rng(3).random((8, 200, 200), np.float32)
    assert nothing(sk.measure(masks))


def test_eight_times_the_same_bone_gives_reasons(film):
    masks, spacing, _ = film
    for bone in range(8):
        par = sk.measure(np.ascontiguousarray(np.repeat(masks[bone : bone + 1], 8, 0)), spacing)
        assert all(math.isnan(par.values[name]) for name in ANGLES)


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(range(7), 2)))
def test_swapped_masks_never_make_up_an_angle(a, b, film):
    masks, spacing, _ = film
    order = list(range(8))
    order[a], order[b] = order[b], order[a]
    par = sk.measure(np.ascontiguousarray(masks[order]), spacing)
    whole = sk.measure(masks, spacing)
    for bone in (a, b):
        name = "ss" if bone == 5 else "pt" if bone > 5 else f"wedge.{BONES[bone]}"
        if bone < 6:
            assert math.isnan(par.values[name])
            assert par.reasons[name]
    for name, value in par.values.items():
        if not math.isnan(value) and (b < 6 or name not in ("pt", "pi", "pi_minus_ll", "l1pa")):
            assert value == pytest.approx(whole.values[name], abs=1.0)


def test_bones_that_touch_in_one_mask_give_a_reason(film):
    masks, spacing, _ = film
    masks = masks.copy()
    masks[3] = np.maximum(masks[3], masks[4])
    rows = np.flatnonzero(masks[3].max(1) > 0.5)
    middle = (rows[0] + rows[-1]) // 2
    columns = np.flatnonzero(masks[3].max(0) > 0.5)
    masks[3, middle - 20 : middle + 20, columns[0] + 15 : columns[-1] - 15] = 1
    par = sk.measure(masks, spacing)
    assert math.isnan(par.l4_s1)
    assert par.reasons["l4_s1"].startswith("L4: ")


def test_bones_of_another_shape_give_a_reason(film):
    masks, spacing, _ = film
    rows, columns = np.ogrid[: masks.shape[1], : masks.shape[2]]
    shapes = masks.copy()
    r, c = np.argwhere(masks[2] > 0.5).mean(0)
    shapes[2] = np.hypot(rows - r, columns - c) < 26
    r, c = np.argwhere(masks[6] > 0.5).mean(0)
    shapes[6] = (abs(rows - r) < 24) & (abs(columns - c) < 45)
    par = sk.measure(shapes, spacing)
    assert par.reasons["wedge.L3"].startswith("L3: the mask")
    assert par.warnings == ["only one femoral head: its centre stands for the hip axis"]


def test_a_bone_that_the_film_cuts_gives_a_reason(spine):
    masks, spacing, _ = spine.film(512)
    top = np.flatnonzero(masks[0].max(1) > 0.5)[[0, -1]]
    cut = np.ascontiguousarray(masks[:, int(top.mean()) :])
    par = sk.measure(cut, spacing)
    assert "film's edge" in par.reasons["ll"]
    assert par.ss == pytest.approx(spine.ss, abs=0.15)


def test_intervals_hold_their_values(film):
    masks, spacing, _ = film
    par = sk.measure(masks, spacing)
    assert set(par.intervals) == set(par.values)
    for name, (low, high) in par.intervals.items():
        assert low < par.values[name] < high
    assert sk.measure(masks, spacing, intervals=False).intervals == {}


def test_rough_borders_widen_intervals(film, spine):
    masks, spacing, _ = film
    rough = sk.phantom.degrade(masks, 0.93, seed=5)
    clean, wide = sk.measure(masks, spacing), sk.measure(rough, spacing)

    def width(par, name):
        low, high = par.intervals[name]
        return high - low

    for name in ANGLES:
        assert width(wide, name) > 2 * width(clean, name)
    assert worst(wide, spine) < 12


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((7, 9, 9), np.float32), r"shape \(7, 9, 9\), expected \(8, rows, columns\)"),
        (np.zeros((8, 9), np.float32), r"shape \(8, 9\)"),
        (np.zeros((8, 0, 9), np.float32), "0 rows"),
        (np.zeros((8, 9, 9)), "float64, expected float32, uint8 or bool"),
        ("masks.npy", "str, expected an array .* sk.read_masks"),
        (None, "NoneType, expected an array"),
        (np.zeros((8, 9, 9), np.int8), "int8"),
        (np.zeros((8, 9, 18), np.float32)[:, :, ::2], "not C-contiguous"),
        (np.full((8, 9, 9), 3.5, np.float32), "3.5.* expected probabilities from 0 to 1"),
        (np.full((8, 9, 9), -0.5, np.float32), "-0.5"),
        (np.full((8, 9, 9), np.nan, np.float32), "nan"),
    ],
)
def test_rejects_what_are_no_masks(masks, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.measure(masks)


@pytest.mark.parametrize("spacing", [(0, 1), (1, -1), (1,), (1, math.nan), (1, math.inf), 0.2, "ab"])
def test_rejects_impossible_spacing(spacing):
    with pytest.raises(sk.ArgumentError, match="spacing"):
        sk.measure(np.zeros((8, 9, 9), np.float32), spacing)
    with pytest.raises(sk.ArgumentError, match="spacing"):
        sk.measure_points(sk.Landmarks(), spacing)


def test_rejects_unknown_methods():
    with pytest.raises(sk.ArgumentError, match="method is 'best'"):
        sk.measure(np.zeros((8, 9, 9), np.float32), method="best")


def test_key_points_give_exact_angles(film, spine):
    _, spacing, landmarks = film
    par = sk.measure_points(landmarks, spacing)
    for name, value in truth(spine).items():
        assert par.values[name] == pytest.approx(value, abs=1e-9)
    assert (par.facing, par.unit, par.method, par.intervals) == ("right", "mm", "points", {})
    for level, name in enumerate(par.disc_heights):
        assert par.disc_heights[name]["middle"] == pytest.approx(spine.disc_heights[level], abs=1e-9)


def test_key_points_of_a_rectangle_have_the_heights_that_geometry_says():
    points = sk.Landmarks()
    points.vertebrae[3] = [[40, 0], [0, 0], [40, 30], [0, 24]]
    points.vertebrae[4] = [[40, 42], [0, 32], [40, 70], [0, 60]]
    par = sk.measure_points(points)
    assert par.vertebral_heights["L4"] == pytest.approx(
        {"anterior": 30, "posterior": 24, "mean": 27, "depth": (40 + math.hypot(40, 6)) / 2}
    )
    assert par.wedge["L4"] == pytest.approx(30 / 24)
    assert par.slopes["L4"]["superior"] == pytest.approx(0)
    assert par.slopes["L4"]["inferior"] == pytest.approx(-math.degrees(math.atan2(6, 40)))
    assert par.disc_angles["L4-L5"] == pytest.approx(math.degrees(math.atan2(10, 40) - math.atan2(6, 40)))
    assert par.unit == "px"
    assert par.reasons["ll"] == "L1: key points are missing"


def test_key_points_work_in_mm():
    # In pixels this endplate slopes by 45 degrees, in mm by 26.57.
    points = sk.Landmarks(sacrum=[[60, 60], [20, 20]], heads=[[60, 160], [60, 160]])
    assert sk.measure_points(points).ss == pytest.approx(45)
    assert sk.measure_points(points, (0.5, 1.0)).ss == pytest.approx(math.degrees(math.atan(0.5)))


@pytest.mark.parametrize("sign", [1, -1])
def test_pt_is_positive_when_the_hips_lie_in_front(sign):
    points = sk.Landmarks(
        sacrum=[[sign * 20, 10], [-sign * 20, -10]], heads=[[sign * 30, 100], [sign * 30, 100]]
    )
    par = sk.measure_points(points)
    assert par.pt == pytest.approx(math.degrees(math.atan2(30, 100)))
    assert par.ss == pytest.approx(math.degrees(math.atan2(20, 40)))
    assert par.facing == ("right" if sign > 0 else "left")


def test_angles_that_nobody_has_are_not_told():
    points = sk.Landmarks(sacrum=[[60, 60], [20, 20]], heads=[[160, 60], [160, 60]])
    par = sk.measure_points(points)
    assert np.isnan([par.pi, par.pt, par.pi_minus_ll]).all()
    assert "not seen in people" in par.reasons["pi"]
    assert par.ss == pytest.approx(45)


def test_bones_that_overlap_have_no_disc_between_them(film):
    _, spacing, points = film
    vertebrae = points.vertebrae.copy()
    vertebrae[1, :2] = vertebrae[0, 2:] - [0, 5]
    par = sk.measure_points(sk.Landmarks(vertebrae, points.sacrum, points.heads, points.radii), spacing)
    assert math.isnan(par.disc_heights["L1-L2"]["mean"])
    assert "overlap" in par.reasons["disc_heights.L1-L2.mean"]
    assert par.disc_heights["L2-L3"]["mean"] > 0


@pytest.mark.parametrize("change", ["reversed", "upside down", "transposed"])
def test_masks_the_wrong_way_round_give_reasons(change, film):
    masks, spacing, _ = film
    wrong = {
        "reversed": np.concatenate([masks[4::-1], masks[5:]]),
        "upside down": masks[:, ::-1],
        "transposed": masks.transpose(0, 2, 1),
    }[change]
    par = sk.measure(np.ascontiguousarray(wrong), spacing)
    # Vertebrae in reverse say nothing about sacrum and hips.
    gone = ["ll"] if change == "reversed" else ["ll", "pi"]
    assert all(math.isnan(par.values[name]) and par.reasons[name] for name in gone)


def test_results_become_dictionaries_tables_and_files(film, tmp_path):
    masks, spacing, _ = film
    masks = masks.copy()
    masks[0] = 0
    par = sk.measure(masks, spacing)
    plain = json.loads(json.dumps(par.to_dict(), allow_nan=False))
    assert plain["values"]["pi"] == par.pi
    assert plain["values"]["ll"] is None
    assert plain["landmarks"]["vertebrae"]["L1"][0] == [None, None]
    par.to_csv(tmp_path / "par.csv")
    text = (tmp_path / "par.csv").read_text(encoding="utf-8")
    rows = {row["name"]: row for row in csv.DictReader(text.splitlines())}
    assert float(rows["pi"]["value"]) == par.pi
    assert float(rows["pi"]["low"]) == par.intervals["pi"][0]
    assert rows["ll"] == {
        "name": "ll", "value": "", "low": "", "high": "", "unit": "°", "reason": "L1: the mask is empty",
    }  # fmt: skip
    assert rows["disc_heights.L5-S1.anterior"]["unit"] == "mm"
    assert f"{par.pi:.1f}°" in str(par)
    assert "L1: the mask is empty" in str(par)
    assert f"{par.pt:.1f}°" in par._repr_html_()
    with pytest.raises(sk.ResourceError, match="cannot be written"):
        par.to_csv(tmp_path / "none" / "par.csv")


@pytest.mark.parametrize(
    ("value", "grade"), [(0.85, 0), (0.8, 1), (0.76, 1), (0.75, 2), (0.6, 2), (0.59, 3), (1.3, 0)]
)
def test_genant_grades_begin_at_20_25_and_40_percent(value, grade):
    from spinekit.measurement import grades

    assert grades.genant(value) == grade


@pytest.mark.parametrize(
    ("value", "grade"), [(0, 0), (10, 1), (25, 1), (26, 2), (-30, 2), (51, 3), (76, 4), (101, 5)]
)
def test_meyerding_grades_begin_at_25_50_75_and_100_percent(value, grade):
    from spinekit.measurement import grades

    assert grades.meyerding(value) == grade


def test_schwab_modifiers_begin_at_10_and_20_and_at_20_and_30_degrees():
    from spinekit.measurement import grades

    assert [grades.schwab_pi_minus_ll(x) for x in (-5, 9.9, 10, 20, 20.1)] == ["0", "0", "+", "+", "++"]
    assert [grades.schwab_pt(x) for x in (19.9, 20, 30, 30.1, math.nan)] == ["0", "+", "+", "++", ""]


# The report's algorithms, on shapes whose answer follows from their text.


def test_report_takes_a_box_by_its_corners():
    masks = np.zeros((8, 120, 160), np.uint8)
    masks[1, 30:71, 40:101] = 1
    found = sk.measure(masks, method="report").landmarks.vertebrae[1]
    assert found.tolist() == [[40, 30], [100, 30], [40, 70], [100, 70]]


def test_report_takes_heads_by_their_centroid():
    masks = np.zeros((8, 120, 160), np.uint8)
    masks[6, 20:41, 50:91] = 1
    masks[6, 41:61, 50:71] = 1
    points = np.argwhere(masks[6])[:, ::-1].mean(0)
    assert sk.measure(masks, method="report").landmarks.heads[0] == pytest.approx(points)


def test_report_takes_the_sacrum_by_its_leftmost_and_lowest_point_after_20_degrees():
    masks = np.zeros((8, 300, 300), np.uint8)
    rows, columns = np.mgrid[:300, :300]
    masks[5] = np.hypot(rows - 140, columns - 150) <= 60
    found = sk.measure(masks, method="report").landmarks.sacrum
    # Of a disc: the points at 180 and 90 degrees (down) of the turned film, turned back by 20.
    turn = math.radians(20)
    for point, (x, y) in zip(found, [(-1, 0), (0, 1)], strict=True):
        back = (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))
        assert point == pytest.approx([150 + 60 * back[0], 140 + 60 * back[1]], abs=9)


def test_report_works_on_whole_pixels_without_intervals(film):
    masks, spacing, _ = film
    par = sk.measure(masks, spacing, method="report")
    corners = np.concatenate([par.landmarks.vertebrae.ravel(), par.landmarks.sacrum.ravel()])
    assert (corners == np.round(corners)).all()
    assert par.intervals == {}
    assert (par.facing, par.method) == ("left", "report")
