"""The page itself: plain HTML and CSS, no scripts, nothing from elsewhere."""

import dataclasses
import importlib.resources
from collections.abc import Sequence

import spinekit as sk
from spinekit.demo.film_sections import film_sections
from spinekit.demo.films import Films
from spinekit.demo.markup import code, table, text
from spinekit.demo.networks import Networks
from spinekit.demo.runs import CaseResult, Outcome
from spinekit.demo.scan_section import scan_section
from spinekit.demo.scans import Scanned
from spinekit.demo.sections import section


@dataclasses.dataclass(frozen=True)
class Frame:
    """What the page tells besides its cases.

    Attributes
    ----------
    own : it shows files of the user
    notes, odd : what was left out; what became of files that belong to no series
    odd_failed : some of those failed
    seconds, prepared : all together; until the first compression
    """

    own: bool
    notes: list[str]
    odd: list[str]
    odd_failed: int
    seconds: float
    prepared: float


def render(
    results: Sequence[CaseResult],
    frame: Frame,
    films: Films | None = None,
    networks: Networks | None = None,
    scanned: Scanned | None = None,
) -> str:
    """Return the page as HTML.

    `films`, what `networks` see of them, and what was `scanned` are shown where they were made.
    """
    css = importlib.resources.files("spinekit.demo").joinpath("style.css").read_text("utf-8")
    parts = [_overview(results), _words()]
    parts += [section(result, first=result is results[0]) for result in results]
    if films is not None:
        parts.append(film_sections(films, networks))
    if scanned is not None:
        parts.append(scan_section(scanned))
    if frame.odd or frame.notes:
        parts.append(_aside(frame))
    parts.append(_machine(results, frame, films, networks, scanned))
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>spinekit demo</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"{_header(results, frame, films, networks, scanned)}\n<main>\n{chr(10).join(parts)}\n</main>\n"
        f"{_footer(frame)}\n</body>\n</html>\n"
    )


# ---- top


def _header(
    results: Sequence[CaseResult],
    frame: Frame,
    films: Films | None,
    networks: Networks | None,
    scanned: Scanned | None,
) -> str:
    problems = sum(len(result.problems) for result in results) + frame.odd_failed
    problems += sum(len(shown.problems) for shown in (films, networks, scanned) if shown is not None)
    files = sum(len(o.report.images) for result in results for o in result.outcomes)
    kind, words = "verdict", f"{files} compressed files were read back, decoded and compared: all as promised"
    if problems:
        kind, words = "verdict bad", f"{problems} problem{'s' if problems > 1 else ''}, described below"
    subject = "your own files" if frame.own else "a phantom and four real files"
    links = "".join(f"<a href='#{r.case.key}'>{text(r.case.title)}</a> " for r in results)
    volume = "<a href='#volume'>A volume that fills</a> " if results[0].volume else ""
    title, angles, shown = "smaller archives, volumes at once", "", ""
    if films is not None:
        title = "from the archive to the angles"
        angles = "; then a film whose truth is known, and how close measuring comes to it"
        seen = "<a href='#filters'>What a network sees</a> <a href='#segmented'>Segmentation</a> "
        shown = (
            f"<a href='#phantom'>A film with known truth</a> {seen if networks is not None else ''}"
            "<a href='#measured'>Measured</a> "
        )
    if scanned is not None:
        angles += "; and the damage in a scan whose holes are known"
        shown += "<a href='#damage'>Damage in a scan</a> "
    return (
        f"<header><div><h1>spinekit: {title}</h1>"
        f"<p class='lead'>Measured on this machine in {frame.seconds:.0f} s, on {subject}: what compression "
        f"saves, what it loses, how that is proved, and how soon a volume shows something{angles}.</p>"
        f"<p class='{kind}'>{words}</p>"
        f"<nav>{links}{volume}{shown}<a href='#machine'>Times and versions</a></nav></div></header>"
    )


def _overview(results: Sequence[CaseResult]) -> str:
    def cell(outcome: Outcome) -> str:
        summary = outcome.report.summary
        if not summary.images:
            return "<span class='none'>cannot be reached</span>" if outcome.limits else "<b>failed</b>"
        loss = "every sample identical" if summary.max_difference == 0 else f"PSNR {summary.psnr:.1f} dB"
        some = f", {len(outcome.limits)} of them cannot" if outcome.limits else ""
        return f"{summary.ratio:.3f} : 1{some}<small>{loss}</small>"

    rows = [
        [f"<a href='#{r.case.key}'>{text(r.case.title)}</a>", str(len(r.case.names)), *map(cell, r.outcomes)]
        for r in results
    ]
    modes = [outcome.mode.title for outcome in results[0].outcomes]
    return "<h3>File sizes, before : after</h3>" + table(["", "Files", *modes], rows)


def _words() -> str:
    rows = [
        [
            "File ratio",
            "Bytes of the source file / bytes of the new file, headers and all. What an archive saves.",
        ],
        [
            "Pixel ratio",
            "Uncompressed pixel data / codestreams. What LossyImageCompressionRatio in the file says.",
        ],
        [
            "PSNR",
            "Mean squared difference against the range 2<sup>BitsStored</sup> &minus; 1, in dB. "
            "Higher is closer.",
        ],
        ["SSIM", "Structural similarity against the same range; 1 is identical."],
        ["Largest, mean", "Absolute differences over all samples of all files, not only of the slice shown."],
        [
            "Quality",
            "PSNR in dB as gdcmconv counts it, against 2<sup>BitsAllocated</sup> &minus; 1: of a 12-bit "
            "image in 16 bits it reads 24 dB more than the PSNR in these tables.",
        ],
        ["Encodes", "How often JPEG 2000 was run to land on the asked size, in sum."],
    ]
    return "<h3>Words used here</h3>" + table([], rows)


# ---- the rest


def _aside(frame: Frame) -> str:
    parts = ["<section><h2 id='aside'>What else lies in the folder</h2>"]
    parts += [f"<p>{text(note)}</p>" for note in frame.notes]
    if frame.odd:
        shown = "".join(f"<li>{text(line)}</li>" for line in frame.odd[:20])
        more = f"<p>… and {len(frame.odd) - 20} more</p>" if len(frame.odd) > 20 else ""
        parts.append(
            "<p>Files that belong to no series. A batch carries over what is no image and names what it "
            f"cannot read; nothing is dropped in silence.</p><ul>{shown}</ul>{more}"
        )
    return "".join(parts) + "</section>"


def _machine(
    results: Sequence[CaseResult],
    frame: Frame,
    films: Films | None,
    networks: Networks | None,
    scanned: Scanned | None,
) -> str:
    times = [["Preparing the files", "", "", "", f"{frame.prepared:.2f} s"]]
    for result in results:
        cells = [f"{o.report.seconds:.2f} s" for o in result.outcomes]
        times.append([text(result.case.title), *cells, f"{result.seconds:.2f} s"])
    modes = [o.mode.title for o in results[0].outcomes]
    if films is not None:
        times.append(["Films, measured", *([""] * len(modes)), f"{films.seconds:.2f} s"])
    if networks is not None:
        times.append(["Filters, a network", *([""] * len(modes)), f"{networks.seconds:.2f} s"])
    if scanned is not None:
        times.append(["Damage in a scan", *([""] * len(modes)), f"{scanned.seconds:.2f} s"])
    found = sk.info()
    libraries = ", ".join(f"{name} {version}" for name, version in found["libraries"].items())
    rows = [
        ["spinekit", found["spinekit"]],
        ["Engine", libraries],
        ["Python", f"{found['python']}, NumPy {found['numpy']}"],
        ["Platform", found["platform"]],
        ["Workers", str(found["workers"])],
        ["Reads", "; ".join(found["codecs"]["read"])],
        ["Writes", "; ".join(found["codecs"]["write"])],
        ["Not there yet", "; ".join(found["not_yet"])],
    ]
    return (
        "<section><h2 id='machine'>Times and versions</h2>"
        + table(["", *modes, "With proof, pictures and all"], times)
        + code(["sk.info()", "", "$ spinekit info"])
        + table([], [[text(k), text(v)] for k, v in rows])
        + "</section>"
    )


def _footer(frame: Frame) -> str:
    again = "spinekit demo YOUR_FOLDER" if frame.own else "spinekit demo FOLDER   (on your own DICOM series)"
    private = (
        "Names, dates, file names and UIDs of your files are not on this page; their pixels are. "
        if frame.own
        else ""
    )
    return (
        f"<footer><div><p>{private}Not for diagnosis: pictures here are 8 bits deep, and reduced where they "
        f"are larger than 1024 pixels.</p>{code(['$ ' + again])}</div></footer>"
    )
