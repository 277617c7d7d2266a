"""Pictures of measurements: that what is drawn is what was measured."""

import dataclasses
import math
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import spinekit as sk
from spinekit.measurement import pictures

pytest.importorskip("matplotlib")

NAN = math.nan


@dataclasses.dataclass
class Measured:
    """What `sk.measure` returns, as far as a picture needs it."""

    pi: float = NAN
    pt: float = NAN
    ss: float = NAN
    ll: float = NAN
    pi_minus_ll: float = NAN
    l1pa: float = NAN
    l4_s1: float = NAN
    disc_heights: dict = dataclasses.field(default_factory=dict)
    intervals: dict = dataclasses.field(default_factory=dict)
    reasons: dict = dataclasses.field(default_factory=dict)
    warnings: list = dataclasses.field(default_factory=list)
    landmarks: sk.Landmarks = dataclasses.field(default_factory=sk.Landmarks)
    facing: str | None = "left"
    unit: str = "mm"
    spacing: tuple[float, float] | None = None


def turned(vector, degrees):
    turn = math.radians(degrees)
    x, y = vector
    return np.array([x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)])


def made(ss=40.0, pt=13.0, ll=55.0, *, facing="left", spacing=(0.5, 0.5), rows=800):
    """Return a measurement and the shape of its film, from its angles: anterior left, mm, then pixels."""
    hip = np.array([130.0, 330.0])
    middle = hip + 100 * turned((0.0, -1.0), pt)  # behind the hip axis, which is to the right
    along = turned((-1.0, 0.0), -ss)  # to anterior, falling
    sacrum = np.stack([middle + 17 * along, middle - 17 * along])
    corners = np.empty((5, 4, 2))
    for k in range(5):
        slope = ss - ll * (5 - k) / 5
        forward = turned((-1.0, 0.0), -slope)
        centre = middle + np.array([-12 + 3.0 * (k - 2) ** 2 - 12, -38.0 * (5 - k) + 8])
        down = turned((0.0, 1.0), -slope)
        for c, (a, b) in enumerate(((1, -1), (-1, -1), (1, 1), (-1, 1))):
            corners[k, c] = centre + 17 * a * forward + 13 * b * down
    heads = np.stack([hip - np.array([6, 4]), hip + np.array([6, 4])])
    columns = round(300 / spacing[1])
    points = sk.Landmarks(corners, sacrum, heads, np.array([23.0, 24.0]) / spacing[0])
    for name in ("vertebrae", "sacrum", "heads"):
        pixels = getattr(points, name) / (spacing[1], spacing[0])
        if facing == "right":
            pixels[..., 0] = columns - 1 - pixels[..., 0]
        setattr(points, name, pixels)
    values = {"ss": ss, "pt": pt, "pi": ss + pt, "ll": ll, "pi_minus_ll": ss + pt - ll}
    levels = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
    return (
        Measured(
            **values,
            l1pa=10.0,
            l4_s1=22.0,
            disc_heights={
                level: {"anterior": 9, "middle": 8, "posterior": 7, "mean": 8.0 + k}
                for k, level in enumerate(levels)
            },
            intervals={name: (value - 1.5, value + 1.25) for name, value in values.items()},
            landmarks=points,
            facing=facing,
            spacing=spacing,
        ),
        (round(400 / spacing[0]) if rows is None else rows, columns),
    )


def named(axes, start):
    return [line for line in axes.lines if (line.get_gid() or "").startswith(start)]


def labels(axes):
    return [text.get_text() for text in axes.texts]


def subtended(axes, name, spacing):
    """Return the angle of an arc, degrees, from its points in mm: chord and sagitta."""
    (arc,) = named(axes, f"arc {name}")
    points = np.stack(arc.get_data(), axis=1) * (spacing[1], spacing[0])
    steps = np.diff(points, axis=0)
    directions = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return abs(math.degrees(directions[-1] - directions[0])) * len(steps) / (len(steps) - 1)


@pytest.mark.parametrize("facing", ["left", "right"])
@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.45, 0.9), (1.1, 0.55)])
@pytest.mark.parametrize(
    ("ss", "pt", "ll"), [(40, 13, 55), (25, 30, 35), (60, -4, 80), (8, 20, 12), (15, 10, -8)]
)
def test_arcs_are_the_angles(facing, spacing, ss, pt, ll):
    measurement, shape = made(ss, pt, ll, facing=facing, spacing=spacing, rows=None)
    axes = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[0]
    for name, value in (("SS", ss), ("PT", pt), ("PI", ss + pt), ("LL", ll)):
        assert subtended(axes, name, spacing) == pytest.approx(abs(value), abs=0.05), name
        assert f"{name} {value:.1f}°".replace("-", "\N{MINUS SIGN}") in labels(axes)


def test_a_film_has_true_proportions():
    measurement, shape = made(spacing=(0.45, 0.9), rows=None)
    axes = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[0]
    assert axes.get_aspect() == pytest.approx(0.5)
    assert axes.get_xlim() == (-0.5, shape[1] - 0.5)
    assert axes.get_ylim() == (shape[0] - 0.5, -0.5)
    (circle,) = named(axes, "circle FH1")
    x, y = circle.get_data()
    assert (np.ptp(x) * 0.9, np.ptp(y) * 0.45) == pytest.approx((46, 46))


def test_constructions_stand_where_a_surgeon_puts_them():
    measurement, shape = made()
    axes = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[0]
    points = measurement.landmarks
    (horizontal,) = named(axes, "horizontal")
    x, y = horizontal.get_data()
    assert (x[0], y[0]) == pytest.approx(tuple(points.sacrum[1]))
    assert y[0] == pytest.approx(y[1])
    assert x[1] < points.sacrum[0, 0]  # anterior, which is left
    (vertical,) = named(axes, "vertical")
    x, y = vertical.get_data()
    assert (x[0], y[0]) == pytest.approx(tuple(points.heads.mean(axis=0)))
    assert x[0] == pytest.approx(x[1])
    assert y[1] < points.sacrum[:, 1].mean()
    (normal,) = named(axes, "normal of S1")
    way = np.diff(normal.get_data(), axis=1)[:, 0]
    assert way @ (points.sacrum[1] - points.sacrum[0]) == pytest.approx(0, abs=1e-6)
    assert way[1] > 0
    assert len(named(axes, "Cobb line")) == 2
    for line in named(axes, "Cobb line"):
        assert line.get_xdata()[1] > line.get_xdata()[0]  # behind


def test_bones_and_discs_are_drawn():
    measurement, shape = made()
    axes = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[0]
    assert len(named(axes, "endplate")) == 11
    assert len(named(axes, "circle")) == 2
    assert len(named(axes, "disc")) == 15
    assert {"L1", "L2", "L3", "L4", "L5", "8.0 mm", "12.0 mm"} <= set(labels(axes))
    plain = pictures.plot(measurement, np.zeros(shape, np.uint8), discs=False).axes[0]
    assert not named(plain, "disc")
    assert "8.0 mm" not in labels(plain)


def test_masks_are_outlined():
    measurement, shape = made()
    masks = np.zeros((8, *shape), np.float32)
    masks[0, 100:150, 50:100] = 1
    masks[6, 300:340, 50:90] = 0.75
    axes = pictures.plot(measurement, masks=masks).axes[0]
    (outline,) = named(axes, "outline L1")
    x, y = outline.get_data()
    assert (x.min(), x.max(), y.min(), y.max()) == (49.5, 99.5, 99.5, 149.5)
    assert len(named(axes, "outline FH1")) == 1
    assert axes.get_ylim() == (shape[0] - 0.5, -0.5)
    assert len(named(pictures.plot(measurement, masks=masks > 0.5).axes[0], "outline")) == 2


def test_the_table_has_values_and_intervals():
    measurement, shape = made()
    table = labels(pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[1])
    for text in ("PI", "53.0", "51.5 to 54.2", "LL", "55.0", "\N{MINUS SIGN}2.0", "L4\N{EN DASH}L5", "11.0"):
        assert text in table, text
    assert "Not measured" not in table
    assert "Warnings" not in table


def test_what_is_missing_is_left_out_and_explained():
    measurement, shape = made()
    measurement.landmarks.heads[1] = NAN
    measurement.landmarks.vertebrae[0] = NAN
    measurement.pt = measurement.pi = measurement.ll = measurement.pi_minus_ll = NAN
    measurement.disc_heights["L1-L2"] = {"mean": NAN}
    measurement.reasons = {
        "pt": "FH2: the mask is empty",
        "pi": "FH2: the mask is empty",
        "ll": "L1: the mask is empty",
        "disc_heights.L1-L2.mean": "L1: the mask is empty",
    }
    measurement.warnings = ["the film is cut above L2"]
    drawing, table = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes
    assert [line.get_gid() for line in named(drawing, "arc")] == ["arc SS"]
    assert len(named(drawing, "circle")) == 1
    assert len(named(drawing, "endplate")) == 9
    assert "L1" not in labels(drawing)
    text = " ".join(part.strip() for part in labels(table))
    assert "PI, PT: FH2: the mask is empty" in text
    assert "LL, disc L1-L2: L1: the mask is empty" in text
    assert "the film is cut above L2" in text


def test_columns_without_values_have_no_heading():
    measurement, shape = made()
    measurement.intervals = {"pi": (40.0, 50.0)}
    table = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[1]
    assert labels(table).count("95 % interval") == 1
    measurement.intervals = {}
    table = pictures.plot(measurement, np.zeros(shape, np.uint8)).axes[1]
    assert "95 % interval" not in labels(table)
    assert "degrees" in labels(table)
    table = pictures.plot(Measured(facing=None, reasons={"pi": "no bones"}), None).axes[1]
    assert "degrees" not in labels(table)


@pytest.mark.parametrize("film", [None, np.zeros((60, 50), np.float32)])
def test_nothing_measured_is_a_picture_with_reasons(film):
    figure = pictures.plot(Measured(facing=None, reasons={"pi": "no bones"}), film)
    drawing, table = figure.axes
    assert not named(drawing, "arc")
    assert any("PI: no bones" in label for label in labels(table))
    figure.canvas.draw()


def test_only_the_angles_that_are_asked_for():
    measurement, shape = made()
    axes = pictures.plot(measurement, np.zeros(shape, np.uint8), angles=("LL",)).axes[0]
    assert [line.get_gid() for line in named(axes, "arc")] == ["arc LL"]


def test_draws_into_axes_that_are_there():
    from matplotlib.figure import Figure

    measurement, shape = made()
    measurement.ll = NAN
    measurement.reasons["ll"] = "L1: the mask is empty"
    figure = Figure()
    axes = figure.subplots()
    assert pictures.plot(measurement, np.zeros(shape, np.uint8), axes=axes) is figure
    assert len(figure.axes) == 1
    assert "SS 40.0°  (38.5 to 41.2)" in labels(axes)
    assert any(label.startswith("LL: L1: the mask") for label in labels(axes))


@pytest.mark.parametrize("facing", ["left", "right"])
def test_no_text_leaves_the_film(facing):
    measurement, shape = made(facing=facing)
    figure = pictures.plot(measurement, np.zeros(shape, np.uint8))
    figure.canvas.draw()
    frame = figure.axes[0].get_window_extent()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= frame.x0 - 1, text.get_text()
        assert box.x1 <= frame.x1 + 1, text.get_text()
        assert box.y0 >= frame.y0 - 1, text.get_text()
        assert box.y1 <= frame.y1 + 1, text.get_text()


@pytest.mark.parametrize("facing", ["left", "right"])
@pytest.mark.parametrize(("ss", "pt", "ll"), [(40, 13, 55), (25, 30, 35), (45, -4, 60), (30, 20, 20)])
def test_labels_do_not_cover_each_other(facing, ss, pt, ll):
    measurement, shape = made(ss, pt, ll, facing=facing)
    figure = pictures.plot(measurement, np.zeros(shape, np.uint8))
    figure.canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent()) for t in figure.axes[0].texts]
    for k, (first, a) in enumerate(boxes):
        for second, b in boxes[k + 1 :]:
            assert not a.overlaps(b), (first, second)


def test_png_and_svg(tmp_path):
    measurement, shape = made()
    pixels = np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16)
    before = pixels.copy()
    figure = pictures.plot(measurement, sk.Radiograph(pixels, (0.5, 0.5)))
    figure.savefig(tmp_path / "a.png", dpi=60)
    figure.savefig(tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    tree = ET.parse(tmp_path / "a.svg")
    assert [e for e in tree.iter() if e.get("id") == "arc PI"]
    np.testing.assert_array_equal(pixels, before)


def test_a_measurement_plots_itself(tmp_path):
    spine = sk.phantom.Spine(seed=3)
    film = spine.radiograph(rows=512, aspect=1.5)
    masks = spine.masks(film)
    par = sk.measure(masks, spacing=film.spacing)
    figure = par.plot(film, masks)
    picture, table = figure.axes
    assert picture.get_aspect() == pytest.approx(1 / 1.5)
    assert len(named(picture, "outline")) == 8
    assert len(named(picture, "circle")) == 2
    truth = spine.parameters_on(film)
    for name, value in (("SS", truth.ss), ("PT", truth.pt), ("PI", truth.pi), ("LL", truth.ll)):
        assert subtended(picture, name, film.spacing) == pytest.approx(abs(value), abs=0.5)
        assert name in labels(table)
    # The spacing that it was measured with gives the proportions where the film has none.
    assert par.plot(film.pixels).axes[0].get_aspect() == pytest.approx(1 / 1.5)
    for name in ("angles.png", "angles.svg"):
        figure.savefig(tmp_path / name)
    assert 'id="arc PI"' in (tmp_path / "angles.svg").read_text("utf-8")


def test_spacing_comes_from_the_film_where_the_measurement_has_none():
    measurement, shape = made(spacing=(0.45, 0.9), rows=None)
    measurement.spacing = None
    film = sk.Radiograph(np.zeros(shape, np.uint8), (0.45, 0.9))
    assert pictures.plot(measurement, film).axes[0].get_aspect() == pytest.approx(0.5)
    assert pictures.plot(measurement, film.pixels).axes[0].get_aspect() == pytest.approx(1)
    assert pictures.plot(measurement, film.pixels, spacing=(2, 1)).axes[0].get_aspect() == pytest.approx(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"film": np.zeros((4, 4, 3))}, r"film: shape \(4, 4, 3\), expected \(rows, columns\)"),
        ({"masks": np.zeros((4, 4))}, r"masks: shape \(4, 4\), expected \(8, rows, columns\)"),
        (
            {"film": np.zeros((4, 4)), "masks": np.zeros((8, 4, 5))},
            r"masks are of \(4, 5\), the film of \(4, 4\)",
        ),
        ({"masks": [[1, 2]]}, r"masks: shape \(1, 2\), expected \(8, rows, columns\)"),
        ({"spacing": (0, 1)}, r"spacing: \(0, 1\), expected \(row, column\) in mm, both > 0"),
        ({"angles": ("TK",)}, r"angles: \['TK'\], expected some of"),
    ],
)
def test_refuses_what_does_not_fit(options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        pictures.plot(made()[0], **options)


def test_without_matplotlib_it_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\nimport spinekit as sk\n"
        "from spinekit.measurement import pictures\n"
        "class M:\n    landmarks = sk.Landmarks(); facing = None\n"
        "try:\n    pictures.plot(M())\nexcept sk.UnsupportedError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "plot needs matplotlib: pip install 'spinekit[jupyter]'"
