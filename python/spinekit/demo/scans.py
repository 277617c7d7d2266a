"""What the demo does with a scan: makes one, finds its damage, compares that with what is missing."""

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import spinekit as sk
from spinekit.damage.cutting import SHEET
from spinekit.damage.scans import Box, preview_step
from spinekit.demo import pictures
from spinekit.demo.paper import TornPaper, torn_paper

SEED = 7
ROWS, COLUMNS = 3000, 4000
HOLES = 60
DPI = 600
NAME = "scan.tif"
MEMORY = "128 MB"
#: Of pictures, pixels: no numbers have room on smaller ones, boxes need none.
_OVERLAY_SIDE, _BOXES_SIDE = 1000, 800
#: Told apart with any kind of colour vision, and from paper, ink and white.
COLOURS = {"background": "#0072b2", "foreground": "#d55e00"}
#: Least precision and recall of pixels: less is a problem.
_LEAST = 0.97
#: Of pixels by which a boundary may be off.
_MOST_OFF = 2

Mask = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Rates:
    """Pixels that were found, beside those that are missing.

    Attributes
    ----------
    precision : share of what was found that is missing
    recall : share of what is missing that was found
    """

    precision: float
    recall: float


@dataclasses.dataclass
class Found:
    """What was found in the scan.

    Attributes
    ----------
    model : of the colours
    pieces : the damage
    plain, colours, cut : rates of colours alone with a model of the first background box, of colours alone,
        and of the pieces
    hit : holes of which at least half was found
    overlay, marked, sheet : names of pictures: the pieces, the boxes, the outlines to cut
    times : what else took how long, seconds
    """

    model: sk.ColorModel
    pieces: sk.DamagedPieces
    plain: Rates
    colours: Rates
    cut: Rates
    hit: int
    overlay: str
    marked: str
    sheet: str
    times: list[tuple[str, float]]


@dataclasses.dataclass
class Scanned:
    """Everything that the page tells about a scan.

    Attributes
    ----------
    paper : what was scanned
    size : of the file, bytes
    found : None where searching failed
    note : why
    """

    paper: TornPaper
    size: int = 0
    found: Found | None = None
    note: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def show_scan(folder: Path, workers: int | None) -> Scanned:
    """Make a scan, find its damage, and put pictures and the sheet to cut into a folder."""
    started = time.perf_counter()
    scanned = Scanned(torn_paper(ROWS, COLUMNS, HOLES, SEED))
    times = [("Making the scan", time.perf_counter() - started)]
    with tempfile.TemporaryDirectory(prefix="spinekit-demo-") as name:
        path = Path(name) / NAME
        begun = time.perf_counter()
        write_scan(path, scanned.paper)
        times.append(("Writing it", time.perf_counter() - begun))
        scanned.size = path.stat().st_size
        try:
            scanned.found = _found(path, scanned.paper, folder, times, workers)
        except sk.SpinekitError as failure:
            scanned.note = str(failure)
            scanned.problems = [f"damage: {failure}"]
        else:
            scanned.problems = _problems(scanned.paper, scanned.found)
    scanned.seconds = time.perf_counter() - started
    return scanned


def write_scan(path: Path, paper: TornPaper) -> None:
    """Write the scan as scanners do: TIFF, packed, with its resolution."""
    Image.fromarray(paper.pixels).save(path, compression="tiff_lzw", dpi=(DPI, DPI))


def _found(
    path: Path, paper: TornPaper, folder: Path, times: list[tuple[str, float]], workers: int | None
) -> Found:
    begun = time.perf_counter()

    def timed(what: str) -> None:
        nonlocal begun
        times.append((what, time.perf_counter() - begun))
        begun = time.perf_counter()

    model = sk.ColorModel.fit(path, background=paper.background, foreground=paper.foreground)
    timed("A model from its boxes")
    pieces = sk.find_damage(
        path,
        model,
        boundary="brightness",
        contours=True,
        memory_limit=MEMORY,
        workers=workers,
        progress=False,
    )
    begun = time.perf_counter()
    overlay = pieces.overlay(path, side=_OVERLAY_SIDE)
    sheet = pieces.files(["svg"])[SHEET]
    timed("The picture with numbers, and the outlines as SVG")
    pictures.write_png(folder / "damage.png", overlay)
    pictures.write_png(folder / "damage-boxes.png", _with_boxes(paper))
    (folder / SHEET).write_bytes(sheet)
    x, y, width, height = paper.sheet
    within = (slice(y, y + height), slice(x, x + width))
    missing = paper.holes[within] > 0
    plain = sk.ColorModel.fit(paper.pixels, background=paper.background[:1], foreground=paper.foreground)
    mask = _filled(pieces)
    return Found(
        model,
        pieces,
        _rates(plain.classify(paper.pixels, workers=workers)[within], missing),
        _rates(model.classify(paper.pixels, workers=workers)[within], missing),
        _rates(mask, paper.holes > 0),
        _hit(mask, paper),
        "damage.png",
        "damage-boxes.png",
        SHEET,
        times,
    )


def _problems(paper: TornPaper, found: Found) -> list[str]:
    """Return what must not be where everything is known; a rate that is NaN is a problem."""
    wrong = []
    for name, rate in (("precision", found.cut.precision), ("recall", found.cut.recall)):
        if not rate >= _LEAST:
            wrong.append(f"damage: {name} of the pieces is {rate:.3f}, expected at least {_LEAST}")
    if not paper.count == found.hit == len(found.pieces):
        wrong.append(f"damage: {len(found.pieces)} pieces in {found.hit} of {paper.count} holes")
    boundary = found.pieces.boundary
    if boundary is None or np.abs(np.subtract(boundary, paper.sheet)).max() > _MOST_OFF:
        wrong.append(f"damage: the boundary is {boundary}, the paper's {paper.sheet}")
    return wrong


def _rates(found: Mask, missing: Mask) -> Rates:
    both, all_found, all_missing = (int(mask.sum()) for mask in (found & missing, found, missing))
    nothing = float("nan")
    return Rates(
        both / all_found if all_found else nothing,
        both / all_missing if all_missing else nothing,
    )


def _hit(mask: Mask, paper: TornPaper) -> int:
    missing = np.bincount(paper.holes.ravel(), minlength=256)[1:]
    found = np.bincount(paper.holes[mask], minlength=256)[1:]
    return int(np.count_nonzero((missing > 0) & (2 * found >= missing)))


def _filled(pieces: sk.DamagedPieces) -> Mask:
    """Return the mask of what is within the contours of pieces, their borders included."""
    image = Image.new("1", (pieces.width, pieces.height))
    pen = ImageDraw.Draw(image)
    for piece in pieces:
        corners = [(x, y) for x, y in piece.contour.tolist()]
        if len(corners) >= 3:
            pen.polygon(corners, fill=1)
        pen.line([*corners, corners[0]], fill=1)
    return np.asarray(image)


def _with_boxes(paper: TornPaper) -> NDArray[np.uint8]:
    """Return the scan made small, with the boxes of the model."""
    rows, columns = paper.holes.shape
    step = preview_step(rows, columns, _BOXES_SIDE)
    image = Image.fromarray(paper.pixels).reduce(step)
    pen = ImageDraw.Draw(image)
    for kind, boxes in (("background", paper.background), ("foreground", paper.foreground)):
        for box in boxes:
            _draw_box(pen, box, step, COLOURS[kind])
    return np.asarray(image)


def _draw_box(pen: ImageDraw.ImageDraw, box: Box, step: int, colour: str) -> None:
    x, y, width, height = (value / step for value in box)
    for beyond, ink, thickness in ((3, "white", 1), (2, colour, 3)):
        corners = (x - beyond, y - beyond, x + width + beyond, y + height + beyond)
        pen.rectangle(corners, outline=ink, width=thickness)
