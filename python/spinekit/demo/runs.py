"""What the demo does with one series: compress in three ways, prove, bundle, and look at the result."""

import contextlib
import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

import spinekit as sk
from spinekit.demo import pictures, strips, volumes


@dataclasses.dataclass(frozen=True)
class Mode:
    """A way to compress; `code` is how a user types it."""

    key: str
    title: str
    options: dict[str, Any]
    code: str
    command: str


MODES = (
    Mode("lossless", "Lossless", {}, 'mode="lossless"', "--lossless"),
    Mode("ratio", "Ratio 10", {"ratio": 10.0}, "ratio=10", "--ratio 10"),
    Mode("quality", "Quality 90", {"quality": 90.0}, "quality=90", "--quality 90"),
)


@dataclasses.dataclass
class Case:
    """One series, or one file, in a folder of its own.

    Attributes
    ----------
    key, title, text : for anchors, the heading, and what to know before looking
    folder : with nothing else in it
    names : file in `folder` to the name that a problem is reported under
    typed : what stands for the folder in the commands on the page
    setup : lines of Python that make `typed`
    shown : the file whose pictures are shown; None shows none
    down : the detail lies lower than the middle, as a share of the height
    own : of the user: no UID is shown
    """

    key: str
    title: str
    text: str
    folder: Path
    names: dict[str, str]
    typed: str
    setup: tuple[str, ...] = ()
    shown: str | None = None
    down: float = 0.0
    own: bool = False


@dataclasses.dataclass
class View:
    """Pictures of one mode: file names below ``pictures``, empty where there is none."""

    after: str = ""
    difference: str = ""
    detail: str = ""
    detail_difference: str = ""
    limit: int = 0
    amplification: float = math.nan


@dataclasses.dataclass
class Outcome:
    """What one mode made of a case."""

    mode: Mode
    report: sk.Report
    audit: sk.Audit | None = None
    view: View = dataclasses.field(default_factory=View)
    limits: list[str] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Strip:
    """A bundle, and what is seen of it when 1, 3 and 9 slices have arrived."""

    bundle: sk.Bundle
    stages: list[strips.Stage] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class CaseResult:
    """Everything that the page tells about a case."""

    case: Case
    facts: list[tuple[str, str]]
    outcomes: list[Outcome]
    window: str = ""
    unit: str = "grey values"
    before: str = ""
    detail: str = ""
    picture_note: str = ""
    strip: Strip | None = None
    strip_note: str = ""
    volume: volumes.Opened | None = None
    tampering: str = ""
    reader: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


class Runner:
    """Works through cases; archives go to `work`, pictures to `pictures_folder`."""

    def __init__(self, work: Path, pictures_folder: Path, workers: int | None) -> None:
        self.work = work
        self.pictures = pictures_folder
        self.workers = workers

    def run(self, case: Case) -> CaseResult:
        """Do everything with one case; what goes wrong is told in the result."""
        started = time.perf_counter()
        result = CaseResult(case, [], [])
        archives = self.work / f"{case.key}-archives"
        for mode in MODES:
            target = archives / mode.key
            report = sk.compress(case.folder, target, workers=self.workers, **mode.options)
            result.outcomes.append(Outcome(mode, report))
        self._sort_failures(result)
        for outcome in result.outcomes:
            if outcome.report.images:
                outcome.audit = sk.verify(archives / outcome.mode.key, workers=self.workers)
            self._check(result, outcome)
        self._guarded(result, "pictures", lambda: self._look(result, archives))
        by_ratio = next(o for o in result.outcomes if o.mode.key == "ratio")
        best = by_ratio if by_ratio.report.images else result.outcomes[0]
        if best.report.images:
            folder = archives / best.mode.key
            self._guarded(result, "tampering", lambda: self._tamper(result, folder))
            result.reader = self._read_elsewhere(folder / best.report.images[0].target)
            self._guarded(result, "bundle", lambda: self._bundle(result, best, folder))
            self._guarded(result, "volume", lambda: self._open(result))
        shutil.rmtree(archives, ignore_errors=True)
        result.seconds = time.perf_counter() - started
        return result

    def _guarded(self, result: CaseResult, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as failure:  # a demo goes on, and tells
            result.problems.append(f"{result.case.title}: {what}: {self.plain(failure)}")

    def plain(self, failure: object) -> str:
        """Return a message without the temporary folder's name."""
        return str(failure).replace(f"{self.work}/", "")

    # ---- what the numbers must be

    def _sort_failures(self, result: CaseResult) -> None:
        """Part what no method could reach (a result) from what went wrong (a problem)."""
        fine = {r.source for r in result.outcomes[0].report.images}
        for outcome in result.outcomes:
            for record in outcome.report.failed:
                message = self.plain(record.error)
                unreachable = outcome.mode.key == "ratio" and record.source in fine
                if unreachable and "the header alone takes" in message:
                    outcome.limits.append(message)
                    continue
                outcome.errors.append(message)
                name = result.case.names.get(record.source, record.source)
                problem = f"{name}: {message.split(chr(39) + ': ', 1)[-1]}"
                if problem not in result.problems:  # each mode says the same
                    result.problems.append(problem)

    def _check(self, result: CaseResult, outcome: Outcome) -> None:
        wrong = []
        for r in outcome.report.images:
            if not r.verified:
                wrong.append(f"{r.source} is not verified")
            if outcome.mode.key == "lossless" and (r.max_difference or not r.lossless):
                wrong.append(f"{r.source} is not lossless")
            # Below 4 kB two bytes, the step of an element's length, are more than the tolerance.
            off = r.target_bytes >= 4096 and not 10 <= r.ratio <= 10 * 1.0005
            if outcome.mode.key == "ratio" and not r.lossless and off:
                wrong.append(f"{r.source} has ratio {r.ratio:.4f}")
        if outcome.audit and not outcome.audit.ok:
            wrong.append(self.plain(outcome.audit))
        result.problems += [f"{result.case.title}: {outcome.mode.title.lower()}: {w}" for w in wrong]

    # ---- pictures

    def _save(self, name: str, picture: Any) -> str:
        pictures.write_png(self.pictures / name, picture)
        return name

    def _look(self, result: CaseResult, archives: Path) -> None:
        case = result.case
        shown = case.shown
        done = {r.source for o in result.outcomes for r in o.report.images}
        if shown not in done:
            shown = next(iter(sorted(done)), None)
        if shown is None:
            result.picture_note = "No file of it could be read: there is no picture."
            return
        before = pictures.read_frame(case.folder / shown, self.workers)
        result.facts = _facts(before)
        if str(before.header.get("BurnedInAnnotation", "")).upper() == "YES":
            result.picture_note = "No picture: the file says that text is burned into its pixels."
            return
        window = pictures.window_of(before)
        slope, _ = pictures.rescale_of(before.header)
        hounsfield = before.header.get("Modality") == "CT" and slope == 1
        result.unit = "HU" if hounsfield else "grey values"
        result.window = str(window) if window else "shown as RGB"
        picture = pictures.displayed(before, window)
        result.before = self._save(f"{case.key}-before.png", picture)
        zoomed = min(picture.shape[:2]) >= 256
        if zoomed:
            detail = pictures.centre_crop(picture, case.down)
            result.detail = self._save(f"{case.key}-before-detail.png", detail)
        for outcome in result.outcomes:
            record = next((r for r in outcome.report.images if r.source == shown), None)
            if record is None:
                continue
            after = pictures.read_frame(archives / outcome.mode.key / record.target, self.workers)
            change = pictures.difference_of(before, after)
            name = f"{case.key}-{outcome.mode.key}"
            view = outcome.view
            view.limit, view.amplification = change.limit, change.amplification(window, slope)
            picture = pictures.displayed(after, window)
            view.after = self._save(f"{name}.png", picture)
            small = dataclasses.replace(change, values=pictures.fitted(change.values))
            view.difference = self._save(f"{name}-difference.png", pictures.coloured(small))
            if zoomed and outcome.mode.key != "lossless":
                detail = pictures.centre_crop(picture, case.down)
                view.detail = self._save(f"{name}-detail.png", detail)
                detail = pictures.centre_crop(pictures.coloured(change), case.down)
                view.detail_difference = self._save(f"{name}-detail-difference.png", detail)

    # ---- proofs

    def _tamper(self, result: CaseResult, folder: Path) -> None:
        """Flip one bit in a copy of the archive: verify must find that file, and only that."""
        copy = folder.with_name("tampered")
        shutil.copytree(folder, copy)
        listed = [r.path for r in sk.verify(copy, decode=False, workers=self.workers) if r.status == "ok"]
        victim = listed[len(listed) // 2]
        data = bytearray((copy / victim).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / victim).write_bytes(data)
        audit = sk.verify(copy, decode=False, workers=self.workers)
        shutil.rmtree(copy)
        changed = [r.path for r in audit if r.status == "changed"]
        if audit.ok or changed != [victim]:
            raise sk.SpinekitError(f"a flipped bit in {victim} was not found")
        result.tampering = (
            f"A trial: in a copy of the archive ({_count(len(listed), 'file')}) one bit was flipped, amid "
            f"the {len(data):,} bytes of one file. verify() named exactly that file."
        )

    def _read_elsewhere(self, path: Path) -> str:
        """Decode a file with pydicom as well, when it has a decoder here."""
        ds = pydicom.dcmread(path)
        ours = sk.read_pixels(path, workers=self.workers)
        if int(ds.get("SamplesPerPixel", 1)) != 1:
            return ""
        try:
            theirs = ds.pixel_array
        except Exception:
            return "pydicom has no JPEG 2000 decoder for this file here, so the comparison was left out."
        if theirs.shape != ours.shape:
            return "pydicom gives another shape; no comparison."
        largest = int(np.abs(theirs.astype(np.int64) - ours).max())
        return (
            "pydicom decodes a file of the archive to the same pixels as spinekit."
            if largest == 0
            else f"pydicom's decoder differs from spinekit's by at most {largest}: the 9/7 wavelet rounds."
        )

    def _bundle(self, result: CaseResult, best: Outcome, folder: Path) -> None:
        records, case_key = best.report.images, result.case.key
        if len(records) < 2:
            return
        if any(r.frames != 1 for r in records):
            result.strip_note = (
                "Not bundled: a bundle holds single-frame slices, and this has multiframe files."
            )
            return
        try:
            made = sk.bundle(folder, folder.with_name("series.zip"))
        except sk.ArgumentError as failure:
            result.strip_note = f"Not bundled: {self.plain(failure)}"
            return
        result.strip = Strip(made)
        if result.before:
            result.strip.stages = strips.write_stages(made, self.pictures, case_key, self.workers)

    def _open(self, result: CaseResult) -> None:
        """Load the series as a volume, from its own files and from the bundle."""
        case = result.case
        bundle = None if result.strip is None else result.strip.bundle.path
        result.volume = volumes.open_case(
            case.folder, bundle, self.pictures, case.key, self.workers, draw=bool(result.before)
        )
        if result.volume is not None and result.volume.failed and not result.outcomes[0].report.failed:
            result.problems.append(f"{case.title}: volume: {result.volume.failed} files or slices failed")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _facts(frame: pictures.Frame) -> list[tuple[str, str]]:
    header = frame.header
    facts = [
        ("Modality", str(header.get("Modality", "not given"))),
        ("Size", f"{frame.stored.shape[0]} x {frame.stored.shape[1]}"),
    ]
    if str(header.get("NumberOfFrames", "1") or "1") != "1":
        facts.append(("Frames", f"{header.NumberOfFrames}, the first is shown"))
    facts += [
        ("Bits", f"{header.get('BitsStored')} stored, {header.get('BitsAllocated')} allocated"),
        ("Photometric", str(header.get("PhotometricInterpretation", ""))),
    ]
    with contextlib.suppress(AttributeError):
        facts.append(("Arrives as", header.file_meta.TransferSyntaxUID.name))
    return facts
