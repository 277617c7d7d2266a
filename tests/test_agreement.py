"""Agreement of raters: against tables of papers and another package; what is handed in; what is refused."""

import csv
import errno
import json
import math
import os
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spinekit as sk

# Shrout and Fleiss 1979, table 2: 6 targets x 4 judges; table 4: the coefficients.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
OF_SHROUT_FLEISS = {
    "icc_1_1": 0.17,
    "icc_2_1": 0.29,
    "icc_3_1": 0.71,
    "icc_1_k": 0.44,
    "icc_2_k": 0.62,
    "icc_3_k": 0.91,
}
# Bland and Altman 1986, table 1: first readings of peak flow, l/min.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


class Measured:
    def __init__(self, **values):
        self.values = values

    def to_dict(self):
        return self.values


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def two_raters(n=40, seed=0, noise=2.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(50, 10, n)
    return truth + rng.normal(0.5, noise, n), truth + rng.normal(0, noise, n)


def test_shrout_and_fleiss_table_4():
    found = sk.agreement(*SHROUT_FLEISS.T)["value"]
    for name, expected in OF_SHROUT_FLEISS.items():
        assert getattr(found, name).value == pytest.approx(expected, abs=0.005), name
    assert found.icc_n == 6


def test_peak_flow_of_bland_and_altman_1986():
    found = sk.agreement({"PEFR": WRIGHT}, {"PEFR": MINI})["PEFR"]
    d = np.subtract(WRIGHT, MINI)
    assert found.bias.value == pytest.approx(-36 / 17)
    assert round(found.bias.value, 1) == -2.1
    assert round(found.sd, 1) == 38.8
    # The paper: bias -22.0 to 17.8; limits -79.7 and 75.5 with 2 for 1.96, their standard error 16.3.
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.06)
    assert (found.lower_limit.value, found.upper_limit.value) == pytest.approx((-79.7, 75.5), abs=1.7)
    assert found.lower_limit.value == pytest.approx(-36 / 17 - 1.96 * found.sd, abs=0.01)
    half = found.upper_limit.high - found.upper_limit.value
    assert half == pytest.approx(2.12 * 16.3, abs=0.7)
    assert half == pytest.approx(found.lower_limit.value - found.lower_limit.low)
    assert found.mae == pytest.approx(np.abs(d).sum() / 17)
    assert found.mae_sd == pytest.approx(np.std(np.abs(d), ddof=1))
    assert found.rmse == pytest.approx(math.sqrt((d**2).sum() / 17))
    assert found.pearson.value == pytest.approx(0.94, abs=0.005)


@pytest.mark.parametrize(("n", "raters", "noise"), [(6, 2, 1.0), (12, 3, 4.0), (40, 2, 9.0), (25, 5, 30.0)])
def test_intraclass_is_that_of_pingouin(n, raters, noise):
    pingouin = pytest.importorskip("pingouin")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(n)
    ratings = rng.normal(50, 10, (n, 1)) + rng.normal(0, noise, (n, raters)) + rng.normal(0, 2, raters)
    found = sk.agreement(*ratings.T)["value"]
    film, rater = np.mgrid[:n, :raters]
    table = pandas.DataFrame({"film": film.ravel(), "rater": rater.ravel(), "v": ratings.ravel()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pingouin.intraclass_corr(table, "film", "rater", "v")
    column = next(name for name in theirs.columns if name.startswith("CI95"))
    # Its names changed between versions (ICC2, ICC(A,1)), the order did not: 1, 2, 3, then of the mean.
    for k, ours in enumerate(OF_SHROUT_FLEISS):
        estimate = getattr(found, ours)
        assert estimate.value == pytest.approx(theirs["ICC"].iloc[k], abs=1e-9), ours
        interval = np.asarray(theirs[column].iloc[k], float)
        if (
            estimate.low == -math.inf
        ):  # stepping up is not defined there; pingouin gives what the formula gives
            continue
        # Some versions of pingouin round intervals to two decimals.
        assert (estimate.low, estimate.high) == pytest.approx(tuple(interval), abs=0.0051), ours


def test_pearson_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    ours, theirs = two_raters(30)
    expected = stats.pearsonr(ours, theirs)
    interval = expected.confidence_interval()
    found = sk.agreement(ours, theirs)["value"].pearson
    assert found == pytest.approx((expected.statistic, interval.low, interval.high))


def test_intervals_of_the_icc_hold_what_they_promise():
    # A population whose ICC(2,1) is known: 100 / (100 + 25), raters without bias.
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(300):
        ratings = rng.normal(0, 10, (30, 1)) + rng.normal(0, 5, (30, 2))
        estimate = sk.agreement(*ratings.T)["value"].icc_2_1
        inside += estimate.low <= 0.8 <= estimate.high
    assert 0.92 <= inside / 300 <= 0.98


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 20))
def test_shifts_and_scales_change_what_they_should(seed, shift, scale):
    ours, theirs = two_raters(12, seed)
    plain = sk.agreement(ours, theirs)["value"]
    moved = sk.agreement(ours * scale + shift, theirs * scale + shift)["value"]
    assert moved.mae == pytest.approx(plain.mae * scale)
    assert moved.icc_2_1 == pytest.approx(plain.icc_2_1, abs=1e-6)
    assert moved.pearson == pytest.approx(plain.pearson, abs=1e-6)
    swapped = sk.agreement(theirs, ours)["value"]
    assert swapped.bias.value == pytest.approx(-plain.bias.value)
    assert swapped.icc_1_1 == pytest.approx(plain.icc_1_1)


def test_identical_raters_agree_without_doubt():
    found = sk.agreement([1.0, 2.5, 7.0, 3.0], [1.0, 2.5, 7.0, 3.0])["value"]
    for name in OF_SHROUT_FLEISS:
        assert tuple(getattr(found, name)) == pytest.approx((1, 1, 1)), name
    assert found.mae == found.sd == found.rmse == 0
    assert tuple(found.pearson) == pytest.approx((1, 1, 1))


def test_a_constant_shift_is_consistent_but_no_agreement():
    ours = np.array([10.0, 20, 30, 40, 55])
    found = sk.agreement(ours + 5, ours)["value"]
    assert found.icc_3_1.value == pytest.approx(1)
    assert found.icc_2_1.value < 0.99
    assert found.icc_2_1.low < found.icc_2_1.value < found.icc_2_1.high <= 1
    assert found.sd == pytest.approx(0, abs=1e-12)


def test_csv_files_match_by_id_and_name(tmp_path):
    ours = write(tmp_path / "a.csv", "film,PI,pt,note", "x,50,10,good", "y,60,20,", "z,70,,bad", "w,40,5,")
    theirs = write(
        tmp_path / "b.csv", "\ufeffpt;id;pi;note", "9,5;x;51;", "n/a;z;69;", "21;y;58;", ";v;48;poor"
    )
    found = sk.agreement(ours, theirs)
    assert found.ids == ["x", "y", "z", "w", "v"]
    assert [record.parameter for record in found] == ["PI", "pt"]
    np.testing.assert_array_equal(found.values["PI"][:3], [[50, 51], [60, 58], [70, 69]])
    assert found["PI"].n == 3
    assert found["pt"].n == 2
    assert found["pt"].bias.value == pytest.approx(-0.25)
    assert found["PI"].completion == {"ours": 0.8, "theirs": 0.8}
    assert found["pt"].completion == {"ours": 0.6, "theirs": 0.4}
    assert "left out as text: note" in found.notes
    assert any("1 film is not in theirs" in note and "w" in note for note in found.notes)


def test_the_first_column_holds_the_ids_where_none_is_called_so(tmp_path):
    ours = write(tmp_path / "a.csv", "nr,pi", "1,50", "2,60")
    theirs = write(tmp_path / "b.csv", "nr,pi", "2,61", "1,50")
    found = sk.agreement(ours, theirs)
    assert found["pi"].bias.value == -0.5
    assert "ids of 'a.csv' are its first column, 'nr'" in found.notes
    assert not sk.agreement(ours, theirs, by="nr").notes


def test_measurements_match_by_id_or_order():
    ours = [
        Measured(pi=50.0 + k, segmental={"L1-L2": 1.0 * k}, warnings=["w"], facing="left") for k in range(5)
    ]
    theirs = [{"pi": 51.0 + 1.1 * k, "segmental": {"L1-L2": 0.5 * k}} for k in range(5)]
    found = sk.agreement(ours, theirs)
    assert [r.parameter for r in found] == ["pi", "segmental.L1-L2"]
    by_id = sk.agreement(
        {f"f{k}": one for k, one in enumerate(ours)},
        {f"f{k}": theirs[k] for k in (3, 1, 4, 0, 2)},
    )
    assert by_id["pi"].mae == found["pi"].mae
    assert by_id["segmental.L1-L2"].icc_2_1 == found["segmental.L1-L2"].icc_2_1


def test_measurements_have_their_numbers_in_values():
    ours = [
        Measured(film=f"f{k}", values={"pi": 50.0 + k, "disc_heights.L1-L2.mean": None}, schwab={"pt": "+"})
        for k in range(4)
    ]
    found = sk.agreement(ours, [{"pi": 51.0 + 1.1 * k, "film": f"f{k}"} for k in range(4)])
    assert [r.parameter for r in found] == ["pi"]
    assert found.ids == ["f0", "f1", "f2", "f3"]


def test_data_frames_match_by_their_index():
    pandas = pytest.importorskip("pandas")
    ours = pandas.DataFrame({"pi": [50.0, 60, None]}, index=["x", "y", "z"])
    theirs = pandas.DataFrame({"film": ["z", "y", "x"], "pi": [70, 61, 52]})
    found = sk.agreement(ours, theirs)["pi"]
    assert (found.n, found.bias.value) == (2, -1.5)
    assert found.completion["ours"] == pytest.approx(2 / 3)


def test_arrays_have_a_column_for_each_parameter():
    a, b = two_raters(10)
    found = sk.agreement(np.stack([a, b], 1), np.stack([b, a], 1), parameters=["pi", "pt"], names=["A", "B"])
    assert found["pi"].bias.value == pytest.approx(-found["pt"].bias.value)
    assert found.raters == ("A", "B")


def test_more_raters_enter_the_icc_only():
    a, b = two_raters(20)
    c = a + 3
    c[:4] = np.nan
    found = sk.agreement(a, b, c)["value"]
    two = sk.agreement(a, b)["value"]
    assert (found.n, found.icc_n) == (20, 16)
    assert found.mae == two.mae
    assert found.icc_2_1 != two.icc_2_1
    assert found.completion["rater 3"] == pytest.approx(0.8)


def test_what_is_not_defined_is_nan_with_its_reason():
    found = sk.agreement(
        {"pi": [50.0, 60, 70, 80], "grade": [0, 0, 0, 0], "slip": [1, np.nan, np.nan, 2]},
        {"pi": [51.0, 60, 71, 80], "grade": [0, 0, 0, 1], "slip": [1, 1, 1, np.nan]},
    )
    assert found["grade"].mae == 0.25
    assert math.isnan(found["grade"].pearson.value)
    assert "every value of ours is 0" in found["grade"].reason
    assert math.isnan(found["slip"].mae)
    assert "films completed by both: 1, expected at least 2" in found["slip"].reason
    assert not found["pi"].reason
    assert "every value of ours is 0" in str(found)


def test_tables_can_be_read_again(tmp_path):
    a, b = two_raters(15)
    found = sk.agreement({"pi": a, "pt": b}, {"pi": b, "pt": a})
    found.to_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["parameter"] for row in rows] == ["pi", "pt"]
    assert float(rows[0]["icc_2_1_low"]) == found["pi"].icc_2_1.low
    assert float(rows[0]["completion_theirs"]) == 1
    found.to_json(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["records"][1]["mae"] == found["pt"].mae
    lines = str(found).split("\n")
    assert lines[1].split()[:2] == ["parameter", "n"]
    assert lines[2].startswith("pi ")
    assert "ICC(3,k)" in found._repr_html_()


def test_tables_are_valid_json_where_a_coefficient_has_no_end(tmp_path):
    # Films that differ by nothing, raters that differ: ICC(1,k) is minus infinity.
    found = sk.agreement([1.0, 2, 3], [3.0, 2, 1])
    assert found["value"].icc_1_k.value == -math.inf
    found.to_json(tmp_path / "a.json")

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    record = json.loads((tmp_path / "a.json").read_text(), parse_constant=no_constant)["records"][0]
    assert record["icc_1_k"] is None


@pytest.mark.parametrize("ending", ["csv", "json", "html"])
def test_names_a_file_that_cannot_be_written(tmp_path, ending):
    found = sk.agreement([1.0, 2, 3], [3.0, 2, 1])
    with pytest.raises(sk.ResourceError, match=rf"a\.{ending}' cannot be written: .*; check the path"):
        getattr(found, f"to_{ending}")(tmp_path / "no" / f"a.{ending}")


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    page = tmp_path / "a.html"
    page.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(sk.ResourceError, match="free some space"):
        sk.agreement([1.0, 2, 3], [3.0, 2, 1]).to_html(page, pictures=False)
    assert [one.name for one in tmp_path.iterdir()] == ["a.html"]
    assert page.read_text() == "old"


def test_the_page_escapes_names_and_has_the_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    a, b = two_raters(15)
    sk.agreement({"<b>": a}, {"<b>": b}).to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "<td style='text-align:right'>&lt;b&gt;</td>" in page
    assert "<b>" not in page
    ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


def test_the_plot_shows_limits_and_films(tmp_path):
    pytest.importorskip("matplotlib")
    a, b = two_raters(15)
    b[3] = np.nan
    found = sk.agreement({"pi": a, "pt": b}, {"pi": b, "pt": a})
    figure = found.plot()
    assert len(figure.axes) == 4
    left, right = figure.axes[:2]
    points = left.collections[-1].get_offsets()
    assert len(points) == 14
    levels = sorted(line.get_ydata()[0] for line in left.lines)
    record = found["pi"]
    expected = [0, record.bias.value, record.lower_limit.value, record.upper_limit.value]
    assert levels == pytest.approx(sorted(expected))
    assert any("ICC(2,1)" in text.get_text() for text in right.texts)
    assert len(found.plot(["pt"]).axes) == 2
    figure.savefig(tmp_path / "a.png")
    assert figure._repr_png_()[:4] == b"\x89PNG"


def test_without_matplotlib_the_plot_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\nimport spinekit as sk\n"
        "found = sk.agreement([1, 2, 3], [1, 2, 4])\n"
        "try:\n    found.plot()\nexcept sk.UnsupportedError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'spinekit[jupyter]'" in run.stdout


def test_importing_does_not_bring_scipy():
    code = "import sys, spinekit; print('scipy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["id,pi", "x,50", "y,abc", "z,1"],
            r"'bad.csv', line 3, column 'pi': 'abc', expected a finite number",
        ),
        (["id,pi", "x,50", "y,inf", "z,1"], "line 3, column 'pi': 'inf'"),
        (["id,pi", "x,50", "y,1_0", "z,1"], "line 3, column 'pi': '1_0'"),
        (["id,pi", "x,good", "y,bad", "z,bad"], "'bad.csv', column 'pi': 'good', expected numbers"),
        (["id,pi", "x,50", "y,1", "x,2"], "id 'x' is in line 2 and in line 4"),
        (["id,pi", "x,50", ",1"], "line 3: no id in column 'id'"),
        (["id,pi", "x,50", "y,1,2"], "line 3: 3 cells, expected 2"),
        (["id,pi,pi", "x,50,1", "y,1,1"], "column 'pi' is there twice"),
        (["id,pi,PI", "x,50,1", "y,1,1"], "columns 'pi' and 'PI' are one parameter"),
        (["id,pi"], "no rows"),
        (["id,pi", "p,50", "q,60"], "no common ids: 'good.csv' has 'x', 'y', 'z'.*'bad.csv' has 'p', 'q'"),
        (["id,pt", "x,50", "y,60"], "no common parameters: 'good.csv' has 'pi'; 'bad.csv' has 'pt'"),
        (["id,pi", "x,50", "q,60"], "films that both completed: pi 1; expected at least 2"),
    ],
)
def test_refuses_a_file_and_says_where(tmp_path, lines, message):
    good = write(tmp_path / "good.csv", "id,pi", "x,50", "y,60", "z,70")
    bad = write(tmp_path / "bad.csv", *lines)
    with pytest.raises((sk.ArgumentError, sk.MalformedDataError), match=message):
        sk.agreement(good, bad)


@pytest.mark.parametrize(
    ("ours", "theirs", "options", "message"),
    [
        ([1, 2, 3], [1, 2], {}, "rows match by order, but their numbers differ"),
        ([1], [2], {}, "films that both completed: value 1"),
        ([5, 5, 5], [5, 5, 5], {}, "every value of value is the same"),
        ([1, 2], {"x": {"pi": 1}, "y": {"pi": 2}}, {}, "no common parameters"),
        ({"pi": [1, 2]}, {"x": {"pi": 1}, "y": {"pi": 2}}, {}, "ours has no ids"),
        ({"pi": [1, 2]}, {"pi": ["a", 2]}, {}, "theirs, row 0, column 'pi': 'a'"),
        ({"pi": [1, 2], "pt": [1]}, {"pi": [1, 2]}, {}, "columns of unequal length"),
        ({"id": ["x", "x"], "pi": [1, 2]}, {"pi": [1, 2]}, {}, "id 'x' is in row 0 and in row 1"),
        ({"pi": 3}, {"pi": [1]}, {}, r"ours\['pi'\]: int, expected"),
        (object(), [1, 2], {}, "ours: object, expected a CSV path"),
        (np.zeros((2, 2, 2)), [1, 2], {}, r"shape \(2, 2, 2\)"),
        ([1, 2], [1, 3], {"names": ["a"]}, "expected 2 different names"),
        ([1, 2], [1, 3], {"parameters": "pi"}, "expected a list of names"),
        ({"pi": [1, 2]}, {"pi": [1, 2]}, {"parameters": ["pt"]}, "no parameter 'pt'"),
        ({"pi": [1, 2]}, {"pi": [1, 2]}, {"by": "nr"}, "no column 'nr' for ids"),
        ({"pi": ["a", "b"]}, {"pi": ["a", "c"]}, {}, "no parameter has numbers"),
        ({"pi": ["a", "b"]}, {"pi": ["a", "c"]}, {"parameters": ["pi"]}, "'a', expected numbers"),
    ],
)
def test_refuses_what_cannot_be_compared(ours, theirs, options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.agreement(ours, theirs, **options)


def test_finds_parameters_whatever_their_case():
    found = sk.agreement({"PI": [1, 2, 3]}, {"pi": [1, 2, 4]})
    assert found["pi"] is found["PI"]


def test_an_unknown_parameter_of_many_gets_a_short_list_and_what_may_be_meant():
    table = {f"disc_heights.L{k}-L{k + 1}.mean": [1, 2] for k in range(40)}
    with pytest.raises(
        sk.ArgumentError, match=r"and 32 more; did you mean 'disc_heights.L4-L5.mean'"
    ) as caught:
        sk.agreement(table, table, parameters=["disc_height.L4-L5.mean"])
    assert len(str(caught.value)) < 400


def test_refuses_an_unknown_parameter_by_name():
    found = sk.agreement([1, 2, 3], [1, 2, 4])
    with pytest.raises(sk.ArgumentError, match=r"no parameter 'pi', there are \['value'\]"):
        found["pi"]
    with pytest.raises(sk.ArgumentError, match="nothing to draw"):
        sk.agreement({"a": [1, 2], "b": [1, None]}, {"a": [1, 3], "b": [1, 1]}).plot(["b"])
