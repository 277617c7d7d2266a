"""The demo's scan: its holes are where it says, and the page tells what OpenCV and NumPy find too."""

import dataclasses
import re
import shlex

import cv2
import numpy as np
import pytest
from PIL import Image

import damage_reference as reference
import spinekit as sk
from spinekit.cli import main
from spinekit.demo import paper, scans
from spinekit.demo.markup import text
from spinekit.demo.scan_section import scan_section, typed


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder of pictures, and what is told of them."""
    folder = tmp_path_factory.mktemp("scan")
    return folder, scans.show_scan(folder, 2)


@pytest.fixture(scope="module")
def expected(shown):
    """The pieces of the same scan, by OpenCV and NumPy alone."""
    made = shown[1].paper
    mask = reference.classify(made.pixels, reference.fit(made.pixels, made.background, made.foreground))
    box = reference.boundary(made.pixels, "brightness")
    sizes = reference.scaled(reference.Sizes(margin=10), *made.pixels.shape[1::-1])
    return reference.damage(mask, sizes, box)


def small(seed=3):
    return paper.torn_paper(1300, 1700, 12, seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_hole_is_of_one_part_and_none_touches_another(seed):
    made = small(seed)
    count, regions = cv2.connectedComponents((made.holes > 0).astype(np.uint8), connectivity=8)
    assert count - 1 == made.count == made.holes.max() > 6
    for number in range(1, made.count + 1):
        (region,) = np.unique(regions[made.holes == number])
        assert (made.holes[regions == region] == number).all()


def test_holes_and_the_lid_are_white_and_paper_is_not():
    made = small()
    x, y, width, height = made.sheet
    sheet = np.zeros(made.holes.shape, np.uint8)
    sheet[y : y + height, x : x + width] = 1
    there = sheet * (made.holes == 0)
    rim = np.ones((3, 3), np.uint8)
    assert made.pixels[cv2.dilate(there, rim) == 0].min() >= 240
    plain = cv2.erode(there, rim) == 1
    assert made.pixels[plain].min(axis=1).max() < 200
    edge = (there == 1) & ~plain
    assert (made.pixels[edge][:, 2] > made.pixels[plain][:, 2].mean()).mean() > 0.95


def test_boxes_lie_where_people_would_mark_them():
    made = small()
    x, y, width, height = made.sheet
    for left, top, wide, high in made.foreground:
        assert x < left
        assert left + wide < x + width
        assert y < top
        assert top + high < y + height
        assert not made.holes[top : top + high, left : left + wide].any()
    ends = [left + wide for left, _, wide, _ in made.background]
    assert ends[0] < x - 1  # plain white
    assert ends[1] == x + 1  # the first of the paper's pixels, which is soft


def test_the_page_shows_what_opencv_finds(shown, expected):
    folder, made = shown
    assert made.problems == []
    page = scan_section(made)
    pictures = set(re.findall(r"(?:src|href)='pictures/([^']+)'", page))
    assert (
        pictures
        == {path.name for path in folder.iterdir()}
        == {
            "damage.png",
            "damage-boxes.png",
            "pieces.svg",
        }
    )
    assert f"<b>{len(expected)} pieces found, 60 holes made</b>" in page
    rows = re.findall("<tr><th scope='row'>Piece (.*?)</tr>", page)
    largest = sorted(expected, key=lambda piece: -piece.area)[:5]
    for row, piece in zip(rows, largest, strict=True):
        x, y, width, height = piece.box
        cells = [
            f"{piece.number}</th>",
            f"{piece.area:,.1f}</td>",
            f"{piece.area * (25.4 / 600) ** 2:,.2f}</td>",
            f"{piece.centroid[0]:.1f}, {piece.centroid[1]:.1f}</td>",
            f"{width} x {height} at {x}, {y}</td>",
        ]
        assert row == "<td>".join(cells)
    drawn = reference.svg(largest[0].outline, (25.4 / 600, 25.4 / 600))
    assert drawn.replace(' xmlns="http://www.w3.org/2000/svg"', "") in page


def test_rates_are_those_of_filled_contours(shown, expected):
    made = shown[1]
    missing = made.paper.holes > 0
    filled = np.zeros(missing.shape, np.uint8)
    for piece in expected:
        cv2.drawContours(filled, [piece.contour], -1, 1, cv2.FILLED)
    both = int((filled & missing).sum())
    found = made.found
    assert found.cut == scans.Rates(both / int(filled.sum()), both / int(missing.sum()))
    assert found.hit == 60
    assert found.plain.recall < found.colours.recall
    assert found.plain.precision > found.cut.precision > found.colours.precision
    page = scan_section(made)
    assert f"<td>{100 * found.cut.precision:.2f}&nbsp;%</td>" in page
    assert f"<td>{100 * found.cut.recall:.2f}&nbsp;%</td>" in page


def test_pictures_show_pieces_and_boxes(shown):
    folder, made = shown
    step = made.paper.pixels.shape[1] // 1000
    overlay = np.asarray(Image.open(folder / "damage.png")).astype(int)
    assert overlay.shape == (750, 1000, 3)
    inside = cv2.erode((made.paper.holes > 0).astype(np.uint8), np.ones((25, 25)))[
        step // 2 :: step, step // 2 :: step
    ]
    tinted = np.abs(overlay - [233, 147, 179]).max(axis=-1) < 8  # white, and 45 % of the pieces' colour
    assert tinted[inside > 0].mean() > 0.9
    boxes = np.asarray(Image.open(folder / "damage-boxes.png"))
    assert boxes.shape == (600, 800, 3)
    for kind, colour in (("background", (0, 0x72, 0xB2)), ("foreground", (0xD5, 0x5E, 0))):
        for x, y, width, height in getattr(made.paper, kind):
            beside = boxes[(y + height // 2) // 5, max(0, x // 5 - 4) : (x + width) // 5 + 5]
            assert (beside == colour).all(axis=-1).sum() >= 4
    assert text("#0072b2") in scan_section(made)


def test_the_command_that_is_told_finds_the_same(shown, tmp_path, monkeypatch):
    folder, made = shown
    monkeypatch.chdir(tmp_path)
    scans.write_scan(tmp_path / scans.NAME, made.paper)
    assert (tmp_path / scans.NAME).stat().st_size == made.size
    prompt, program, *words = shlex.split("\n".join(typed(made)).replace("\\\n", ""))
    assert (prompt, program) == ("$", "spinekit")
    assert main(words) == 0
    assert (tmp_path / "pieces" / "scan" / "pieces.svg").read_bytes() == (folder / "pieces.svg").read_bytes()


def test_what_should_not_be_is_a_problem(shown):
    made = shown[1]
    found = made.found
    assert scans._problems(made.paper, found) == []
    nothing = dataclasses.replace(found, cut=scans.Rates(float("nan"), 0.9), hit=59)
    moved = dataclasses.replace(made.paper, sheet=(100, 160, 3680, 2680))
    problems = scans._problems(moved, nothing)
    assert [problem.split(", ")[0] for problem in problems] == [
        "damage: precision of the pieces is nan",
        "damage: recall of the pieces is 0.900",
        "damage: 60 pieces in 59 of 60 holes",
        "damage: the boundary is (161",
    ]
    page = scan_section(dataclasses.replace(made, problems=problems))
    assert page.count("<br>") == 4
    assert "Not as it should be" in page


def test_a_scan_that_cannot_be_searched_is_a_problem_of_the_page(tmp_path, monkeypatch):
    def failing(*arguments, **options):
        raise sk.ResourceError("pieces: not enough memory")

    monkeypatch.setattr(scans, "ROWS", 1300)
    monkeypatch.setattr(scans, "COLUMNS", 1700)
    monkeypatch.setattr(sk, "find_damage", failing)
    made = scans.show_scan(tmp_path, 1)
    assert made.problems == ["damage: pieces: not enough memory"]
    page = scan_section(made)
    assert "pieces: not enough memory" in page
    assert "<img" not in page
    assert not list(tmp_path.iterdir())
