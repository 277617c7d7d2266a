"""The picker in a browser: what pointers, wheels and keys do, and what the kernel hears of it."""

import base64
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import browser
import spinekit as sk
from made_scans import HOLE, PAPER, torn
from spinekit.damage import picker_widget

pytest.importorskip("anywidget")


@pytest.fixture
def picker():
    return sk.pick_boxes(torn()[0], side=300)


PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/widget.css">
<style>body { margin: 10px; width: 1100px }</style><div id="place"></div>
<script type="module">
import widget from "/widget.js";
const state = await (await fetch("/state.json")).json();
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
for (const name of ["preview", "mask"]) state[name] = bytes(state[name]);
const heard = {};
window.saved = 0;
window.told = [];
window.model = {
  get: (name) => state[name],
  set(name, value) {
    state[name] = ["preview", "mask"].includes(name) ? bytes(value) : value;
    for (const does of heard["change:" + name] || []) does();
  },
  on: (name, does) => (heard[name] ||= []).push(does),
  off: (name, does) => { heard[name] = heard[name].filter((other) => other !== does); },
  save_changes() { window.saved += 1; },
  send: (message) => window.told.push(message),
};
window.listeners = () => Object.values(heard).flat().length;
window.finish = await widget.render({ model, el: document.getElementById("place") });
window.ready = true;
</script>"""

SHARED_STATE = (
    "title",
    "classes",
    "colours",
    "size",
    "step",
    "preview",
    "boxes",
    "mask",
    "legend",
    "message",
    "busy",
)


class Desk:
    """A picker, its widget in a page, and the messages between them, carried by hand."""

    def __init__(self, page, picker):
        self.page, self.picker = page, picker
        state = {name: encoded(getattr(picker.widget, name)) for name in SHARED_STATE}
        contents = {
            "/": ("text/html", PAGE.encode()),
            "/widget.js": ("text/javascript", picker_widget.script().encode()),
            "/widget.css": ("text/css", picker_widget.styles().encode()),
            "/state.json": ("application/json", json.dumps(state).encode()),
        }
        with browser.served(contents) as address:
            page.open(address, "window.ready && document.querySelector('.spinekit-picker-place').textContent")
        self.left, self.top, self.width, self.height = page.value(
            "(({x, y, width, height}) => [x, y, width, height])"
            "(document.querySelector('.spinekit-picker-stage canvas').getBoundingClientRect())"
        )
        columns, rows = picker.widget.size
        step = picker.widget.step
        # The preview as large as it fits, in the middle.
        self.scale = min(self.width / (columns // step), self.height / (rows // step)) / step
        self.x = self.left + (self.width - columns // step * step * self.scale) / 2
        self.y = self.top + (self.height - rows // step * step * self.scale) / 2

    def on_screen(self, x, y):
        return self.x + x * self.scale, self.y + y * self.scale

    def drag(self, start, end, **more):
        """Drag between points of the scan; the kernel hears of it."""
        self.page.drag(self.on_screen(*start), self.on_screen(*end), **more)
        self.hear()

    def key(self, *keys, **more):
        self.page.key(*keys, **more)
        self.hear()

    def hear(self):
        # Messages before the state, as a busy kernel has them.
        for message in self.page.value("told.splice(0)"):
            self.picker.widget._handle_custom_msg(message, [])
        self.picker.widget.set_state({"boxes": self.page.value("model.get('boxes')")})

    def tell(self, *names):
        for name in names:
            value = json.dumps(encoded(getattr(self.picker.widget, name)))
            self.page.value(f"model.set('{name}', {value})")

    def texts(self, part):
        found = f"document.querySelectorAll('.spinekit-picker-{part}')"
        return self.page.value(f"[...{found}].map((element) => element.textContent)")

    def text(self, part):
        return self.texts(part)[0]


def encoded(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if not Path(browser.CHROMIUM).exists():
        pytest.skip(f"needs {browser.CHROMIUM}")
    opened = browser.Page(tmp_path_factory.mktemp("chromium"), seconds=240)
    yield opened
    opened.close()


@pytest.fixture
def desk(page, picker):
    made = Desk(page, picker)
    yield made
    assert page.failures == []


def around(*corners):
    """Return the least box of whole pixels around two corners."""
    (x0, x1), (y0, y1) = (sorted(values) for values in zip(*corners, strict=True))
    return math.floor(x0), math.floor(y0), math.ceil(x1) - math.floor(x0), math.ceil(y1) - math.floor(y0)


def test_a_drag_draws_a_box_in_pixels_of_the_scan(desk):
    desk.drag((90.5, 60.5), (209.5, 119.5))
    assert desk.picker.foreground == (around((90.5, 60.5), (209.5, 119.5)),)
    desk.key("2", code="Digit2")
    desk.drag((500.25, 400.25), (320.5, 310.5), steps=7)
    assert desk.picker.background == (around((500.25, 400.25), (320.5, 310.5)),)
    assert desk.page.value("saved") == 2
    assert desk.texts("count") == ["1", "1"]


def test_boxes_end_where_the_picture_does(desk):
    desk.drag((880.5, 590.5), (2000, 2000))
    assert desk.picker.foreground == ((880, 590, 20, 10),)


def test_what_is_left_over_beside_the_preview_is_not_drawn_on(page):
    desk = Desk(page, sk.pick_boxes(torn(602, 901)[0], side=301))
    desk.drag((850.5, 580.5), (2000, 2000))
    assert desk.picker.foreground == ((850, 580, 900 - 850, 600 - 580),)


def test_a_box_narrower_than_a_pixel_of_the_preview_is_refused_gently(page):
    small = Desk(page, sk.pick_boxes(torn(60, 30)[0], side=100))
    small.drag((10.2, 10.5), (10.8, 39.5))
    assert small.picker.foreground == ((10, 10, 1, 30),)
    wide = Desk(page, sk.pick_boxes(torn(600, 1200)[0], side=100))
    wide.drag((600, 300), (608, 500))
    assert wide.picker.foreground == ()
    assert wide.text("message").startswith(
        "Too small: a box has at least one pixel of the preview, 12 of the"
    )
    wide.drag((600.5, 300.5), (612.5, 500.5))
    assert wide.picker.foreground == ((600, 300, 13, 201),)


def test_boxes_are_moved_resized_and_deleted(desk):
    desk.drag((300, 300), (400, 360))
    ((x, y, width, height),) = desk.picker.foreground
    desk.drag((350, 330), (450, 230))
    assert desk.picker.foreground == ((x + 100, y - 100, width, height),)
    desk.drag((x + 100 + width, y - 100 + height), (700.5, 500.5))
    (grown,) = desk.picker.foreground
    assert grown == (x + 100, y - 100, 701 - x - 100, 501 - y + 100)
    desk.key("Delete")
    assert desk.picker.foreground == ()
    desk.key("z", code="KeyZ", modifiers=2)
    assert desk.picker.foreground == (grown,)


def test_a_box_is_not_moved_out_of_the_scan(desk):
    desk.drag((300, 300), (400, 360))
    ((_, _, width, height),) = desk.picker.foreground
    desk.drag((350, 330), (-800, 2000))
    assert desk.picker.foreground == ((0, 600 - height, width, height),)


def test_a_box_can_be_drawn_within_another_and_each_be_selected(desk):
    desk.drag((100, 100), (800, 500))
    desk.key("Escape")
    desk.key("2", code="Digit2")
    desk.drag((300, 200), (500, 400))
    assert len(desk.picker.background) == len(desk.picker.foreground) == 1
    desk.key("Escape")
    desk.page.click(*desk.on_screen(400, 300))
    desk.key("Backspace")
    assert len(desk.picker.background) == 0
    assert len(desk.picker.foreground) == 1


def test_keys_alone_make_and_place_a_box(desk):
    desk.page.value("document.querySelector('.spinekit-picker-stage canvas').focus()")
    desk.key("n", code="KeyN")
    ((x, y, width, height),) = desk.picker.foreground
    assert abs(x + width / 2 - 450) <= 1
    assert abs(y + height / 2 - 300) <= 1
    desk.key("ArrowRight")
    desk.key("ArrowUp")
    desk.key("ArrowDown", modifiers=8)
    assert desk.picker.foreground == ((x + 3, y - 3, width, height + 3),)
    desk.key("@", code="Digit2", modifiers=8)
    assert desk.picker.background == ((x + 3, y - 3, width, height + 3),)


def test_the_wheel_zooms_about_the_pointer_and_other_buttons_pan(desk):
    # Whole pixels of the screen: wheel events have no others.
    at = tuple(round(value) for value in desk.on_screen(300.5, 200.5))
    there = [math.floor((at[0] - desk.x) / desk.scale), math.floor((at[1] - desk.y) / desk.scale)]

    def place():
        digits = re.findall(r"[xy] (\d+)", desk.text("place").replace("RGB", " "))
        return [int(value) for value in digits[:2]]

    desk.page.mouse("mouseMoved", *at)
    assert place() == there
    for _ in range(6):
        desk.page.call("Input.dispatchMouseEvent", type="mouseWheel", x=at[0], y=at[1], deltaX=0, deltaY=-120)
    assert place() == there
    zoom = math.exp(6 * 120 / 400)
    desk.page.drag(at, (at[0] + 45, at[1] + 30))
    desk.hear()
    ((_, _, width, height),) = desk.picker.foreground
    for side, drawn in ((width, 45 / desk.scale / zoom), (height, 30 / desk.scale / zoom)):
        assert drawn <= side < drawn + 2
    desk.page.drag(at, (at[0] + 60, at[1] - 80), button="middle")
    assert place() == there
    desk.page.key(" ", code="Space", kinds=("keyDown",))
    desk.page.drag((at[0] + 60, at[1] - 80), at)
    desk.page.key(" ", code="Space", kinds=("keyUp",))
    assert place() == there
    desk.hear()
    assert len(desk.picker.foreground) == 1
    desk.page.key("0", code="Digit0")
    desk.page.mouse("mouseMoved", *desk.on_screen(100.5, 50.5))
    assert place() == [100, 50]


def test_each_box_shows_its_mean_colour(desk):
    desk.picker.boxes = {
        "background": [(90, 60, 120, 60)],
        "foreground": [(300, 300, 60, 60), (81, 51, 60, 60)],
    }
    desk.tell("boxes")
    titles = desk.page.value("[...document.querySelectorAll('[role=option]')].map((e) => e.title)")
    scan = torn()[0]
    for title, (x, y, width, height) in zip(
        titles, desk.picker.foreground + desk.picker.background, strict=True
    ):
        shown = [int(value) for value in title.split("mean colour ")[1].split(", ")]
        expected = scan[y : y + height, x : x + width].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(shown, expected, atol=2)
        assert f"{width} \u00d7 {height} pixels" in title


def test_classify_tints_the_hole_at_once(desk, tmp_path):
    desk.drag((300, 300), (500, 400))
    desk.key("2", code="Digit2")
    desk.drag((95, 65), (155, 105))
    desk.page.value("document.querySelector('.spinekit-picker-main').click()")
    assert desk.text("message") == "Classifying\u2026"
    desk.hear()
    desk.tell("boxes", "legend", "mask", "message", "busy")
    desk.page.until("!document.querySelector('.spinekit-picker-tinting').hidden")
    assert desk.text("tinting").strip() == "damage 1.3 % of the preview"
    desk.page.value(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"
    )
    desk.page.screenshot(tmp_path / "page.png")
    shown = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"), float)

    def pixel(x, y):
        across, down = (round(value) for value in desk.on_screen(x, y))
        return shown[down - 2 : down + 3, across - 2 : across + 3].reshape(-1, 3).mean(axis=0)

    tint = 0.7 * np.array([0xD5, 0x5E, 0x00]) + 0.3 * np.array(HOLE)
    np.testing.assert_allclose(pixel(190, 110), tint, atol=4)
    np.testing.assert_allclose(pixel(700, 500), PAPER, atol=8)
    assert not desk.page.value("document.querySelector('.spinekit-picker-main').disabled")


def test_the_front_end_takes_what_the_kernel_corrects(desk):
    desk.page.value("model.set('boxes', [[0, 850, 0, 100, 10], [1, 5, 6, 7, 8]])")
    desk.hear()
    desk.tell("boxes", "message")
    assert desk.page.value("document.querySelectorAll('[role=option]').length") == 1
    assert desk.text("message").startswith("1 left out: box: (850, 0, 100, 10)")


def test_names_are_text_and_nothing_else(page):
    name = "<img src=x onerror='window.broken=1'>"
    picker = sk.pick_boxes(torn()[0], classes=[name, "b"], boxes={name: [(0, 0, 9, 9)]}, side=300)
    desk = Desk(page, picker)
    assert name in desk.text("bar")
    assert page.value("document.querySelectorAll('img').length") == 0
    assert page.value("window.broken") is None


def test_a_closed_view_listens_no_more(desk):
    assert desk.page.value("listeners()") > 0
    desk.page.value("finish()")
    assert desk.page.value("listeners()") == 0


def test_fingers_draw_and_pinch(desk):
    def touch(kind, *points):
        desk.page.call(
            "Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points]
        )

    start, end = desk.on_screen(300.5, 200.5), desk.on_screen(420.5, 290.5)
    touch("touchStart", start)
    touch("touchMove", desk.on_screen(350, 250))
    touch("touchMove", end)
    touch("touchEnd")
    desk.hear()
    ((_, _, width, height),) = desk.picker.foreground
    assert width == pytest.approx(120, abs=2 / desk.scale + 1)
    assert height == pytest.approx(90, abs=2 / desk.scale + 1)
    (x, y), apart = desk.on_screen(600, 300), 40
    touch("touchStart", (x - apart, y), (x + apart, y))
    touch("touchMove", (x - 2 * apart, y), (x + 2 * apart, y))
    touch("touchMove", (x - 3 * apart, y), (x + 3 * apart, y))
    touch("touchEnd")
    desk.hear()
    assert len(desk.picker.foreground) == 1
    zoom = desk.page.value("document.querySelectorAll('.spinekit-picker-group')[1].children[1].textContent")
    assert int(zoom.split()[0]) == pytest.approx(300 * desk.scale * desk.picker.widget.step, abs=3)
