"""What the page tells about a scan: boxes, pieces, and what is found beside what is missing."""

import re

from spinekit.damage import ColorModel
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.scans import Box
from spinekit.demo.markup import DASH, code, messages, number, size, table, text
from spinekit.demo.scans import COLOURS, DPI, MEMORY, NAME, Found, Rates, Scanned

_LARGEST = 5
_HEAD = ["The largest", "Area, px", "Area, mm&sup2;", "Centroid", "Box"]


def scan_section(scanned: Scanned) -> str:
    """Return the section."""
    paper = scanned.paper
    rows, columns = paper.holes.shape
    facts = [
        ("Size", f"{columns} x {rows}, {_megapixels(scanned)}"),
        ("File", f"TIFF, LZW, {size(scanned.size)}"),
        ("Resolution", f"{DPI} dpi, {25.4 / DPI:.4f} mm a pixel"),
        ("Holes made", str(paper.count)),
    ]
    parts = [
        "<section><h2 id='damage'>Damage in a scan</h2>",
        "<p>Very large scans are searched by colour: a few boxes tell what is paper and what shines through "
        "it, every place of damage gets a number, and its outline is written in mm for a laser cutter. This "
        "scan was made here, so that every missing pixel is known: yellowed paper with ink and a seal, "
        "eaten, torn, slit and cut, and soft edges as scanners give them.</p>",
        "<ul class='facts'>" + "".join(f"<li><b>{k}</b>{v}</li>" for k, v in facts) + "</ul>",
        code(
            [
                f'model = sk.ColorModel.fit("{NAME}",',
                f"                          background={paper.background},",
                f"                          foreground={paper.foreground})  # (x, y, width, height)",
                f'pieces = sk.find_damage("{NAME}", model, boundary="brightness")',
                'pieces.to_svg("cut/")  # a file for each piece, and pieces.svg with all of them',
                f'pieces.overlay("{NAME}"), pieces.table()  # this picture, these numbers',
            ]
        ),
        code(typed(scanned)),
    ]
    if scanned.found is None:
        parts.append(messages("note bad", "Not as it should be", [scanned.note]))
    else:
        parts += _shown(scanned, scanned.found)
    return "\n".join([*parts, "</section>"])


def typed(scanned: Scanned) -> list[str]:
    """Return the command that does the same, in lines."""
    boxes = [
        f"--{kind} {' '.join(map(str, box))}"
        for kind, marked in (
            ("background", scanned.paper.background),
            ("foreground", scanned.paper.foreground),
        )
        for box in marked
    ]
    lines = [f"spinekit damage {NAME} {boxes[0]}", *boxes[1:], "--boundary brightness --out pieces"]
    lines = ["$ " + lines[0], *("    " + line for line in lines[1:])]
    return [line + " \\" for line in lines[:-1]] + lines[-1:]


def _shown(scanned: Scanned, found: Found) -> list[str]:
    pieces = found.pieces
    largest = sorted(pieces, key=lambda piece: -piece.area)[:_LARGEST]
    return [
        messages("note bad", "Not as it should be", scanned.problems) if scanned.problems else "",
        "<h3>Boxes, and the model of their colours</h3>",
        _boxes(found),
        "<h3>The pieces</h3>",
        f"<figure><a href='pictures/{found.overlay}'><img src='pictures/{found.overlay}' "
        "alt='the scan with its numbered pieces'></a><figcaption>Numbered by cells, from the upper left; "
        "numbers that would hide others are left out. The lid around the paper is as white as what shines "
        "through: the boundary was found by brightness, so that it is no damage and the tears at the edge "
        "are.</figcaption></figure>",
        table(
            ["The largest", "Area, px", "Area, mm&sup2;", "Centroid", "Box"], [_row(one) for one in largest]
        ),
        "<h3>To cut</h3>",
        _cut(found, largest[0]) if largest else "",
        "<h3>Found, beside what is missing</h3>",
        _compared(scanned, found),
        f"<h3>{_megapixels(scanned)}: time and memory</h3>",
        _costs(found),
    ]


def _boxes(found: Found) -> str:
    keys = ", ".join(
        f"<b style='color:{COLOURS[kind]}'>{kind}</b>, {what}"
        for kind, what in (("background", "what shines through"), ("foreground", "the work itself"))
    )
    return (
        "<div class='beside'><figure><span class='label'>The boxes</span>"
        f"<a href='pictures/{found.marked}'><img src='pictures/{found.marked}' alt='boxes on the scan'></a>"
        f"<figcaption>{keys}. Given here; in Jupyter sk.pick_boxes draws them with the mouse.</figcaption>"
        f"</figure>{_model(found.model)}</div>"
    )


def _model(model: ColorModel) -> str:
    rows = [
        [one.name, f"{one.weight:,.0f}", ", ".join(f"{value:.1f}" for value in one.mean)]
        for one in model.components
    ]
    return (
        "<div>"
        + table(["Box", "Pixels", "Mean L, a, b, S"], rows)
        + "<p>Each box gives a Gaussian; a pixel is damage if it is nearer to one of the background. L, a, b "
        "are CIE Lab, S is saturation, all of 8 bits.</p></div>"
    )


def _row(piece: DamagedPiece) -> list[str]:
    x, y = piece.centroid
    mm2 = DASH if piece.area_mm2 is None else f"{piece.area_mm2:,.2f}"
    return [f"Piece {piece.number}", f"{piece.area:,.1f}", mm2, f"{x:.1f}, {y:.1f}", _place(piece.box)]


def _place(box: Box) -> str:
    x, y, width, height = box
    return f"{width} x {height} at {x}, {y}"


def _cut(found: Found, piece: DamagedPiece) -> str:
    """Return the largest piece as its file has it, and what else is written."""
    width, height = (
        side * mm for side, mm in zip(piece.box[2:], found.pieces.mm_per_pixel or (1, 1), strict=True)
    )
    rows = [
        ["<code>piece-0001.svg</code> &hellip;", "A file for each piece, at its size in mm."],
        [
            f"<a href='pictures/{found.sheet}'>{found.sheet}</a>",
            "All of them at their places, with their numbers on a layer of their own: this one is written, "
            "open it.",
        ],
        ["<code>to_dxf, to_geojson</code>", "The same outlines for CAD, napari and QGIS."],
        ["<code>to_csv, to_json</code>", "The table; and everything, to be corrected and read again."],
    ]
    return (
        f"<div class='beside'><figure class='outline'><span class='label'>Piece {piece.number}</span>"
        f"{_inline(piece)}<figcaption>Its SVG file, {len(piece.outline)} points, {width:.1f} x {height:.1f} "
        "mm; drawn larger here.</figcaption></figure>" + table([], rows) + "</div>"
    )


def _inline(piece: DamagedPiece) -> str:
    # HTML knows SVG without its namespace, and the page names no address.
    return re.sub(r' xmlns="[^"]+"', "", piece.svg())


def _compared(scanned: Scanned, found: Found) -> str:
    def row(title: str, rates: Rates) -> list[str]:
        shares = (100 * rate for rate in (rates.precision, rates.recall))
        return [title, *(number(share, ".2f", "&nbsp;%") for share in shares)]

    pieces, paper = found.pieces, scanned.paper
    return (
        table(
            ["Pixels", "Precision", "Recall"],
            [
                row("Colours alone, without the background box over the edge", found.plain),
                row("Colours alone, with it", found.colours),
                row("<b>The pieces</b>, cleaned and within the boundary", found.cut),
            ],
        )
        + f"<p><b>{len(pieces)} pieces found, {paper.count} holes made</b>; at least half of {found.hit} "
        "of them was found. Precision is the share of what was found that is missing, recall the share of "
        "what is missing that was found. What they lack lies on edges, a pixel wide: a box on the plain "
        "white leaves them out, one that takes in a little of them finds them, and some paper too.</p>"
    )


def _costs(found: Found) -> str:
    pieces = found.pieces
    speed = pieces.width * pieces.height / 1e6 / max(pieces.seconds, 1e-6)
    return table(
        [],
        [
            ["Finding the boundary and the pieces", f"{pieces.seconds:.2f} s"],
            ["Megapixels a second", f"{speed:.0f}"],
            [
                "Memory",
                f"{MEMORY} at most beside the process as it is, whatever the scan's size; more pieces than "
                "fit are refused",
            ],
            *([text(what), f"{seconds:.2f} s"] for what, seconds in found.times),
        ],
    )


def _megapixels(scanned: Scanned) -> str:
    return f"{scanned.paper.holes.size / 1e6:.1f} megapixels"
