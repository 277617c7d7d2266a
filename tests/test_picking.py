"""Boxes on scans from code and as the front-end sends them, hostile ones too; what is shown of them."""

import io
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from made_scans import torn

pytest.importorskip("anywidget")


@pytest.fixture
def picker():
    return sk.pick_boxes(torn()[0], side=300)


def from_front_end(picker, boxes):
    """Set what a front-end's message would, as it comes out of JSON."""
    picker.widget.set_state({"boxes": json.loads(json.dumps(boxes))})


# ---- boxes from both sides


def test_boxes_that_are_drawn_are_boxes_of_the_scan(picker):
    from_front_end(picker, [[1, 90, 60, 120, 60], [0, 300, 300, 50, 40], [0, 0, 0, 900, 600]])
    assert picker.background == ((90, 60, 120, 60),)
    assert picker.foreground == ((300, 300, 50, 40), (0, 0, 900, 600))
    assert picker.boxes == {"foreground": picker.foreground, "background": picker.background}
    assert picker.widget.message == ""


def test_boxes_that_are_set_from_code_are_sent_to_the_front_end(picker, monkeypatch):
    sent = record(picker, monkeypatch)
    picker.background = [(90, 60, 120, 60)]
    picker.foreground = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert sent[-1]["boxes"] == [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8], [1, 90, 60, 120, 60]]
    picker.boxes = {"background": (7, 7, 7, 7)}
    assert (picker.foreground, picker.background) == ((), ((7, 7, 7, 7),))
    picker.background = []
    assert picker.widget.boxes == []


def test_boxes_to_start_with_are_there():
    picker = sk.pick_boxes(torn()[0], boxes={"background": [(90, 60, 120, 60)]})
    assert picker.widget.boxes == [[1, 90, 60, 120, 60]]


def test_boxes_cannot_be_changed_in_place_where_the_front_end_would_not_know(picker):
    with pytest.raises(TypeError):
        picker.boxes["background"] = [(1, 1, 1, 1)]
    assert not hasattr(picker.background, "append")


def record(picker, monkeypatch):
    """Return what is sent to the front-end from now on."""
    sent = []

    def publish(kind, data=None, **_):
        if kind == "comm_msg" and data["method"] == "update":
            sent.append(data["state"])

    monkeypatch.setattr(picker.widget.comm, "publish_msg", publish)
    return sent


DEEP = json.loads("[" * 500 + "]" * 500)


@pytest.mark.parametrize(
    "hostile",
    [
        [1, 850, 10, 100, 10],
        [1, -1, 0, 10, 10],
        [1, 0, 0, 0, 10],
        [1, 0, 0, -5, 10],
        [1, 2**70, 0, 1, 1],
        [1, 0, 0, 10**4000, 1],
        [1, 0.5, 0, 10, 10],
        [1, math.nan, 0, 10, 10],
        [1, math.inf, 0, 10, 10],
        [1, "0", 0, 10, 10],
        [1, None, 0, 10, 10],
        [1, 0, 0, 10],
        [1, 0, 0, 10, 10, 10],
        [2, 0, 0, 10, 10],
        [-1, 0, 0, 10, 10],
        ["background", 0, 0, 10, 10],
        [],
        DEEP,
        "1 0 0 10 10",
        {"x": 1},
        None,
        7,
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_box_that_cannot_be_is_left_out_and_the_front_end_is_told(picker, monkeypatch, hostile):
    sent = record(picker, monkeypatch)
    from_front_end(picker, [[0, 1, 2, 3, 4], hostile, [1, 5, 6, 7, 8]])
    assert picker.boxes == {"foreground": ((1, 2, 3, 4),), "background": ((5, 6, 7, 8),)}
    assert picker.widget.message.startswith("1 left out: ")
    assert len(picker.widget.message) < 300
    state = {key: value for update in sent for key, value in update.items()}
    assert state["boxes"] == [[0, 1, 2, 3, 4], [1, 5, 6, 7, 8]]


@pytest.mark.parametrize("hostile", [None, 5, "boxes", {"0": 1}, True, 1.5])
def test_boxes_that_are_no_list_leave_those_that_were_there(picker, hostile):
    picker.background = [(5, 6, 7, 8)]
    from_front_end(picker, hostile)
    assert picker.background == ((5, 6, 7, 8),)
    assert picker.widget.boxes == [[1, 5, 6, 7, 8]]
    assert "cannot be read" in picker.widget.message


def test_no_more_than_a_thousand_boxes_are_taken(picker):
    from_front_end(picker, [[0, k % 800, 0, 5, 5] for k in range(20_000)])
    assert len(picker.foreground) == 1000
    assert picker.widget.message == "19000 left out: more than 1000 boxes"
    with pytest.raises(sk.ArgumentError, match="background: 1001 boxes, expected at most 1000"):
        picker.background = [(0, 0, 5, 5)] * 1001
    with pytest.raises(sk.ArgumentError, match="boxes: 1200, expected at most 1000"):
        picker.boxes = {"background": [(0, 0, 5, 5)] * 600, "foreground": [(0, 0, 5, 5)] * 600}
    assert len(picker.foreground) == 1000


def test_a_message_goes_when_boxes_are_sound_again(picker):
    from_front_end(picker, [[9, 0, 0, 1, 1]])
    assert picker.widget.message
    from_front_end(picker, [[0, 0, 0, 1, 1]])
    assert picker.widget.message == ""


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({"background": [(850, 0, 100, 10)]}, r"background\[0\]: .* outside; the picture has 900 x 600"),
        ({"background": [(0, 0, 5, 5), (0, 0, 0, 5)]}, r"background\[1\]: .* is empty"),
        ({"background": [(0, math.nan, 5, 5)]}, r"background\[0\]: .* expected four whole numbers"),
        ({"background": "abc"}, "background: 'abc', expected a list of boxes"),
        ({"background": 5}, "background: 5, expected a list of boxes"),
        ({"background": None}, "background: None, expected a list of boxes"),
        ({"holes": [(0, 0, 5, 5)]}, "holes: no such class, the classes are foreground, background"),
        ([(0, 0, 5, 5)], "boxes: list, expected boxes of each class by its name"),
    ],
)  # fmt: skip
def test_boxes_from_code_that_cannot_be_are_refused_whole(picker, boxes, message):
    picker.foreground = [(1, 2, 3, 4)]
    with pytest.raises(sk.ArgumentError, match=message):
        picker.boxes = boxes
    assert picker.boxes == {"foreground": ((1, 2, 3, 4),), "background": ()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "background"}, "classes: 'background', expected a list of names"),
        ({"classes": ["a", "a"]}, "expected names that differ"),
        ({"classes": ["a", ""]}, "expected names that differ"),
        ({"classes": [1, 2]}, "expected names that differ"),
        ({"classes": []}, "classes: 0, expected 1 to 9"),
        ({"classes": list("abcdefghij")}, "classes: 10, expected 1 to 9: each has a key"),
        ({"damage": "holes"}, "damage: 'holes', expected names among foreground, background"),
        ({"damage": 5}, "damage: 5, expected names among"),
        ({"side": 99}, "side: 99, expected 100 to 4096"),
        ({"side": 4097}, "side: 4097, expected 100 to 4096"),
        ({"side": 500.5}, "side: 500.5, expected 100 to 4096"),
        ({"boxes": {"background": [(0, 0, 901, 1)]}}, "reaches outside"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.pick_boxes(torn()[0], **options)


def test_a_scan_too_thin_for_its_preview_is_refused_with_the_side_that_would_do():
    thin = np.zeros((3, 3000, 3), np.uint8)
    with pytest.raises(sk.ArgumentError, match="nothing to show, expected at least 1000"):
        sk.pick_boxes(thin, side=500)
    assert sk.pick_boxes(thin, side=1000).preview.shape == (1, 1000, 3)


# ---- what is shown


def test_the_preview_is_the_mean_of_what_each_of_its_pixels_covers(picker):
    scan = torn()[0]
    means = scan.reshape(200, 3, 300, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(picker.preview, means, atol=0.5)
    assert (picker.widget.step, picker.widget.size) == (3, [900, 600])
    shown = np.asarray(Image.open(io.BytesIO(picker.widget.preview)), float)
    assert np.abs(shown - means).mean() < 2


def test_scans_of_files_keep_their_own_pixels(tmp_path):
    scan, _ = torn(1003, 2001)
    Image.fromarray(scan).save(tmp_path / "scan.tif")
    picker = sk.pick_boxes(tmp_path / "scan.tif", side=200)
    assert (picker.widget.step, picker.widget.size) == (11, [2001, 1003])
    assert picker.preview.shape == (91, 181, 3)
    from_front_end(picker, [[1, 90, 60, 120, 60], [0, 1000, 500, 1001, 503]])
    expected = sk.ColorModel.fit(scan, background=[(90, 60, 120, 60)], foreground=[(1000, 500, 1001, 503)])
    assert picker.fit() == expected
    assert picker.model == expected
    assert repr(picker).startswith(
        "<BoxPicker: 'scan.tif', 2001 x 1003 pixels; foreground 1 box, background 1"
    )


def tints(picker):
    return np.asarray(Image.open(io.BytesIO(picker.widget.mask)).convert("RGBA"))


def test_the_tint_is_where_the_hole_is(picker):
    picker.boxes = {"background": [(95, 65, 60, 40)], "foreground": [(300, 300, 200, 100)]}
    picker.fit()
    picker.show_mask()
    tint = tints(picker)
    np.testing.assert_array_equal(tint[..., 3] > 0, torn()[1][1::3, 1::3])
    assert tint[30, 50].tolist() == [0xD5, 0x5E, 0x00, 255]
    assert picker.widget.legend == f"damage {100 * 60 * 120 / 540000:.1f} % of the preview"
    picker.hide_mask()
    assert (picker.widget.mask, picker.widget.legend) == (b"", "")


def test_a_model_without_damage_tints_its_classes():
    scan, hole = torn()
    picker = sk.pick_boxes(scan, classes=["ink", "paper"], side=300)
    picker.boxes = {"ink": [(95, 65, 60, 40)], "paper": [(300, 300, 200, 100)]}
    model = picker.fit()
    assert model.classes == ("ink", "paper")
    assert model.damage == ()
    picker.show_mask(model)
    tint, small = tints(picker), hole[1::3, 1::3]
    assert {tuple(colour) for colour in tint[small].tolist()} == {(0x56, 0xB4, 0xE9, 255)}
    assert {tuple(colour) for colour in tint[~small].tolist()} == {(0xD5, 0x5E, 0x00, 255)}
    assert picker.widget.legend == "ink 1.3 %, paper 98.7 % of the preview"
    with pytest.raises(sk.ArgumentError, match="background: no such class, the classes are ink, paper"):
        _ = picker.background


def test_no_tint_without_a_model(picker):
    with pytest.raises(sk.ArgumentError, match="none was fitted yet"):
        picker.show_mask()
    with pytest.raises(sk.ArgumentError, match="model: str, expected a ColorModel"):
        picker.show_mask("model.json")
    with pytest.raises(sk.ArgumentError, match="foreground: no box"):
        picker.fit()


def test_the_button_fits_and_tints_with_the_last_options(picker):
    picker.boxes = {"background": [(95, 65, 60, 40)], "foreground": [(300, 300, 200, 100)]}
    picker.fit(rule="qda", reject=1e6)
    busy = []
    picker.widget.observe(lambda change: busy.append(change["new"]), "busy")
    picker.model = None
    picker.widget._handle_custom_msg({"kind": "classify"}, [])
    assert busy == [True, False]
    assert (picker.model.rule, picker.model.reject) == ("qda", 1e6)
    assert picker.widget.mask
    assert picker.widget.message == ""


def test_the_button_fits_the_boxes_that_are_seen_though_their_message_is_still_on_its_way(picker):
    picker.boxes = {"background": [(95, 65, 60, 40)], "foreground": [(300, 300, 200, 100), (95, 65, 60, 40)]}
    seen = [[0, 300, 300, 200, 100], [1, 95, 65, 60, 40]]
    picker.widget._handle_custom_msg({"kind": "classify", "boxes": seen}, [])
    assert [(one.name, one.weight) for one in picker.model.components] == [
        ("foreground", 20000),
        ("background", 2400),
    ]
    assert picker.foreground == ((300, 300, 200, 100),)
    picker.widget._handle_custom_msg({"kind": "classify", "boxes": [*seen, [5, 0, 0, 1, 1]]}, [])
    assert picker.widget.message == "1 left out: box of no class"
    picker.widget._handle_custom_msg({"kind": "classify", "boxes": "all"}, [])
    assert "cannot be read" in picker.widget.message
    assert picker.foreground == ((300, 300, 200, 100),)


def test_the_button_says_what_is_missing_and_what_is_doubtful(picker):
    picker.widget._handle_custom_msg({"kind": "classify"}, [])
    assert "foreground: no box" in picker.widget.message
    assert not picker.widget.busy
    assert picker.widget.mask == b""
    picker.boxes = {"background": [(95, 65, 1, 1)], "foreground": [(300, 300, 200, 100)]}
    picker.widget._handle_custom_msg({"kind": "classify"}, [])
    assert "is of one colour" in picker.widget.message
    assert picker.widget.mask


@pytest.mark.parametrize("content", [{}, {"kind": "exec"}, {"kind": ["classify"]}, [], "classify", None, 7])
def test_messages_of_other_kinds_do_nothing(picker, content):
    picker.widget._handle_custom_msg(content, [])
    assert picker.model is None
    assert picker.widget.message == ""


def test_without_anywidget_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(sk.UnsupportedError, match=re.escape("pip install 'spinekit[jupyter]'")):
        sk.pick_boxes(torn()[0])


def test_a_script_without_a_notebook_holds_boxes():
    code = """
import numpy as np, spinekit as sk
scan = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
picker = sk.pick_boxes(scan)
picker.background, picker.foreground = [(1, 2, 30, 4)], [(0, 10, 70, 40)]
print(picker.fit())
print(picker)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    model, shown = run.stdout.splitlines()
    assert model == "<ColorModel: foreground 1 box, background 1 box; mahalanobis>"
    assert shown == (
        "<BoxPicker: 70 x 50 pixels; foreground 1 box, background 1 box; show it in Jupyter to draw boxes, "
        "or set boxes = {'background': [(x, y, width, height), ...], ...}>"
    )
    assert run.stderr == ""


def test_notebooks_get_the_widget_and_terminals_the_text(picker):
    data, _ = picker._repr_mimebundle_()
    assert data["text/plain"] == repr(picker)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == picker.widget.model_id
