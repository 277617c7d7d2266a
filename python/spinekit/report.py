"""What a batch did to every file, and the proof of it."""

import csv
import dataclasses
import html
import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spinekit import _core

#: Record.status of what was made now, and of what an earlier run had made already.
DONE = ("compressed", "decompressed", "copied")


def plain_values(value: Any) -> Any:
    """Return what JSON has, at every depth: NaN becomes None, infinity the text "infinity"."""
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "infinity" if value > 0 else None
    return value


@dataclasses.dataclass(slots=True)
class Record:
    """What happened to one file.

    Attributes
    ----------
    source, target : paths, relative to the source and target folder in a batch
    status : ``compressed``, ``decompressed``, ``copied`` (no image: carried over as it is),
        ``skipped`` (no image: left out) or ``failed``
    resumed : made by an earlier run, found unchanged and kept
    error, reason : why it failed, with the remedy; why it was copied or skipped
    warnings : what is worth knowing about a file that went well
    lossless, derived : no sample changed; a new SOP Instance as DERIVED demands
    verified : read back, decoded and compared before it was put in place
    source_lossy : the source had gone through a loss before; differences are against the source
    ratio : source bytes / target bytes, of the files
    pixel_ratio : uncompressed pixel data / codestreams, as in LossyImageCompressionRatio
    value_range : 2^BitsStored - 1, the range of `psnr` (dB, infinity when lossless) and `ssim`
    max_difference, mean_difference : absolute, in stored values; None and NaN when not verified
    identical : share of identical samples, 0 ... 1
    histogram : counts of the differences target - source from -32 to +32, the outermost bins with
        everything beyond
    pixel_sha256 : of the target's stored values, frame after frame, little endian
    encodes : J2K encodes that it took
    seconds : everything; `encode_seconds`, `verify_seconds` are parts of it
    """

    source: str
    target: str = ""
    status: str = "failed"
    resumed: bool = False
    error: str = ""
    reason: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    lossless: bool | None = None
    derived: bool = False
    verified: bool = False
    source_lossy: bool = False
    source_bytes: int = 0
    target_bytes: int = 0
    ratio: float = math.nan
    pixel_bytes: int = 0
    target_pixel_bytes: int = 0
    pixel_ratio: float = math.nan
    padding_bytes: int = 0
    rows: int = 0
    columns: int = 0
    frames: int = 0
    samples: int = 0
    bits_stored: int = 0
    value_range: int = 0
    psnr: float = math.nan
    ssim: float = math.nan
    max_difference: int | None = None
    mean_difference: float = math.nan
    identical: float = math.nan
    sum_squared: float = math.nan
    histogram: list[int] = dataclasses.field(default_factory=list)
    source_transfer_syntax: str = ""
    target_transfer_syntax: str = ""
    source_sop_instance_uid: str = ""
    target_sop_instance_uid: str = ""
    source_sha256: str = ""
    target_sha256: str = ""
    pixel_sha256: str = ""
    encodes: int = 0
    encode_seconds: float = 0.0
    verify_seconds: float = 0.0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: NaN becomes None, an infinite PSNR the text "infinity"."""
        values: dict[str, Any] = plain_values(dataclasses.asdict(self))
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Record":
        """Return the record that `to_dict` described; raises ValueError for anything else."""
        names = {field.name: field for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or not set(values) <= set(names) or "source" not in values:
            raise ValueError("not a record of a spinekit report")
        kept = dict(values)
        for key, value in kept.items():
            if names[key].type in (float, "float"):
                kept[key] = math.inf if value == "infinity" else math.nan if value is None else value
        return cls(**kept)


def record_of(source: str, target: str, status: str, made: _core.Transcoded) -> Record:
    """Return the record of a file that the engine has made."""
    sums = made.differences
    warnings = list(made.warnings)
    if status == "compressed" and made.target_bytes > made.source_bytes:
        warnings.append("larger than its source, which was compressed already")
    value_range = 2**made.bits_stored - 1
    proved = made.verified
    return Record(
        source=source,
        target=target,
        status=status,
        warnings=warnings,
        lossless=made.lossless,
        derived=made.derived,
        verified=proved,
        source_lossy=made.source_lossy,
        source_bytes=made.source_bytes,
        target_bytes=made.target_bytes,
        ratio=made.source_bytes / made.target_bytes,
        pixel_bytes=made.pixel_bytes,
        target_pixel_bytes=made.target_pixel_bytes,
        pixel_ratio=made.pixel_bytes / made.target_pixel_bytes,
        padding_bytes=made.padding_bytes,
        rows=made.rows,
        columns=made.columns,
        frames=made.frames,
        samples=made.samples,
        bits_stored=made.bits_stored,
        value_range=value_range,
        psnr=sums.psnr(value_range) if proved else math.nan,
        ssim=made.structural_similarity if proved else math.nan,
        max_difference=sums.largest if proved else None,
        mean_difference=sums.mean_absolute if proved else math.nan,
        identical=sums.identical / sums.count if proved else math.nan,
        sum_squared=sums.sum_squared if proved else math.nan,
        histogram=list(sums.histogram) if proved else [],
        source_transfer_syntax=made.source_transfer_syntax,
        target_transfer_syntax=made.target_transfer_syntax,
        source_sop_instance_uid=made.source_sop_instance_uid,
        target_sop_instance_uid=made.target_sop_instance_uid,
        source_sha256=made.source_sha256,
        target_sha256=made.target_sha256,
        pixel_sha256=made.pixel_sha256,
        encodes=made.encodes,
        encode_seconds=made.encode_seconds,
        verify_seconds=made.verify_seconds,
    )


@dataclasses.dataclass(frozen=True)
class Summary:
    """A batch in sum; images only, except for the counts.

    `psnr` is that of all samples together, each file's differences related to its own range;
    `worst_psnr`, `worst_ssim` and `max_difference` are those of the worst file.
    """

    files: int
    images: int
    copied: int
    skipped: int
    failed: int
    resumed: int
    kept_lossless: int
    source_bytes: int
    target_bytes: int
    ratio: float
    pixel_ratio: float
    psnr: float
    worst_psnr: float
    ssim: float
    worst_ssim: float
    max_difference: int
    mean_difference: float
    identical: float
    histogram: list[int]
    verified: int
    seconds: float


class Report:
    """The records of a batch, one for each file, in the order of their source paths.

    Attributes
    ----------
    records : list of `Record`
    settings : what was asked for
    seconds : wall time of the whole call
    projection : for ``sample=N``: what the whole batch will give, else None
    """

    def __init__(
        self,
        records: Iterable[Record],
        settings: dict[str, Any],
        seconds: float = math.nan,
        projection: dict[str, Any] | None = None,
    ) -> None:
        self.records = list(records)
        self.settings = dict(settings)
        self.seconds = seconds
        self.projection = projection

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def ok(self) -> bool:
        """Whether no file failed."""
        return not self.failed

    @property
    def failed(self) -> list[Record]:
        """Records of the files that failed."""
        return [r for r in self.records if r.status == "failed"]

    @property
    def images(self) -> list[Record]:
        """Records of the images that were compressed or decompressed."""
        return [r for r in self.records if r.status in ("compressed", "decompressed")]

    @property
    def uid_map(self) -> dict[str, str]:
        """Old to new SOP Instance UID of every image that got a new one."""
        return {r.source_sop_instance_uid: r.target_sop_instance_uid for r in self.images if r.derived}

    def raise_for_failures(self) -> None:
        """Raise SpinekitError naming the failed files, if there are any."""
        if self.failed:
            lines = "\n".join(r.error for r in self.failed[:20])
            raise _core.SpinekitError(f"{len(self.failed)} of {len(self)} files failed:\n{lines}")

    @property
    def summary(self) -> Summary:
        """The batch in sum."""
        images = self.images
        proved = [r for r in images if r.verified]
        samples = [r.rows * r.columns * r.samples * r.frames for r in proved]
        count = sum(samples)
        relative = sum(r.sum_squared / r.value_range**2 for r in proved)
        source_bytes = sum(r.source_bytes for r in images)
        target_bytes = sum(r.target_bytes for r in images)
        codestreams = sum(r.target_pixel_bytes for r in images)

        def mean(values: list[float]) -> float:
            known = [(v, n) for v, n in zip(values, samples, strict=True) if not math.isnan(v)]
            weight = sum(n for _, n in known)
            return sum(v * n for v, n in known) / weight if weight else math.nan

        return Summary(
            files=len(self),
            images=len(images),
            copied=sum(r.status == "copied" for r in self.records),
            skipped=sum(r.status == "skipped" for r in self.records),
            failed=len(self.failed),
            resumed=sum(r.resumed for r in self.records),
            kept_lossless=sum(bool(r.lossless) for r in images),
            source_bytes=source_bytes,
            target_bytes=target_bytes,
            ratio=source_bytes / target_bytes if target_bytes else math.nan,
            pixel_ratio=sum(r.pixel_bytes for r in images) / codestreams if codestreams else math.nan,
            psnr=(math.inf if relative == 0 else 10 * math.log10(count / relative)) if count else math.nan,
            worst_psnr=min((r.psnr for r in proved), default=math.nan),
            ssim=mean([r.ssim for r in proved]),
            worst_ssim=min((r.ssim for r in proved if not math.isnan(r.ssim)), default=math.nan),
            max_difference=max((r.max_difference or 0 for r in proved), default=0),
            mean_difference=mean([r.mean_difference for r in proved]),
            identical=mean([r.identical for r in proved]),
            histogram=[sum(bins) for bins in zip(*(r.histogram for r in proved), strict=True)],
            verified=len(proved),
            seconds=self.seconds,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "spinekit": _core.__version__,
            "settings": self.settings,
            "summary": plain_values(dataclasses.asdict(self.summary)),
            "projection": self.projection,
            "uid_map": self.uid_map,
            "records": [r.to_dict() for r in self.records],
        }

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write settings, summary, UID map and records."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", "utf-8")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each file; lists are joined by spaces."""
        names = [field.name for field in dataclasses.fields(Record)]
        with Path(path).open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            for record in self.records:
                writer.writerow([_cell(getattr(record, name)) for name in names])

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the table that notebooks show as a page of its own."""
        page = (
            "<!doctype html><meta charset='utf-8'><title>spinekit report</title>"
            "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 10px}</style>"
            f"<h1>spinekit report</h1><p>spinekit {_core.__version__}, "
            f"{time.strftime('%Y-%m-%d %H:%M:%S')}; asked for: "
            f"{html.escape(json.dumps(self.settings))}. Hashes and UIDs are in the CSV and JSON forms.</p>"
            + self._repr_html_()
        )
        Path(path).write_text(page, "utf-8", errors="backslashreplace")

    def __str__(self) -> str:
        s = self.summary
        lines = []
        if s.images:
            lines.append(
                f"{s.images} images: {_bytes(s.source_bytes)} -> {_bytes(s.target_bytes)}, "
                f"ratio {s.ratio:.4f} (pixel data {s.pixel_ratio:.3f})"
            )
            if s.verified:
                loss = "every sample identical"
                if s.max_difference:
                    loss = (
                        f"PSNR {s.psnr:.2f} dB (worst {s.worst_psnr:.2f}: {self._worst()}), "
                        f"SSIM {s.ssim:.5f} (worst {s.worst_ssim:.5f}), largest difference "
                        f"{s.max_difference}, {100 * s.identical:.1f} % identical"
                    )
                lines.append(f"{s.verified} read back, decoded and compared: {loss}")
            if s.verified < s.images:
                lines.append(f"{s.images - s.verified} not verified")
            if self.settings.get("ratio") and s.kept_lossless:
                lines.append(f"{s.kept_lossless} met the target without loss and stayed ORIGINAL")
        if lossy := sum(r.source_lossy for r in self.images):
            lines.append(f"{lossy} sources were lossy already: differences are against them")
        if s.resumed:
            lines.append(f"{s.resumed} kept from an earlier run, with its proof")
        lines += self._warning_lines()
        if s.copied or s.skipped:
            lines.append(f"other files: {s.copied} copied, {s.skipped} skipped")
        if s.failed:
            lines.append(f"{s.failed} FAILED:")
            lines += [f"  {r.error}" for r in self.failed[:20]]
            if s.failed > 20:
                lines.append(f"  ... and {s.failed - 20} more")
        if self.projection:
            lines.append(describe_projection(self.projection))
        if not self.records:
            lines.append("no files")
        if math.isfinite(self.seconds):
            lines.append(f"{self.seconds:.1f} s")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report of {len(self)} files, {len(self.images)} images, {len(self.failed)} failed>"

    def _worst(self) -> str:
        return min((r for r in self.images if r.verified), key=lambda r: r.psnr).source

    def _warning_lines(self) -> list[str]:
        """Each kind of warning once, with the first file that has it."""
        found: dict[str, list[str]] = {}
        for record in self.images:
            for warning in record.warnings:
                kind = re.sub(r"-?\d+", "N", warning)
                found.setdefault(kind, []).append(f"{record.source}: {warning}")
        return [
            f"note: {items[0]}" + (f" (and {len(items) - 1} more like it)" if len(items) > 1 else "")
            for items in found.values()
        ]

    def _repr_html_(self) -> str:
        shown = 200
        head = "".join(
            f"<th style='text-align:left'>{name}</th>"
            for name in ("File", "Status", "Ratio", "Pixels", "PSNR", "SSIM", "Largest", "Identical", "Notes")
        )
        rows = "".join(_html_row(r) for r in self.records[:shown])
        more = f"<p>… and {len(self) - shown} more</p>" if len(self) > shown else ""
        text = html.escape(str(self)).replace("\n", "<br>")
        return f"<p>{text}</p><table><tr>{head}</tr>{rows}</table>{more}"


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return (" " if value and isinstance(value[0], int) else "; ").join(map(str, value))
    if isinstance(value, float) and math.isnan(value):
        return ""
    return value


def _html_row(r: Record) -> str:
    def number(value: float, form: str) -> str:
        if math.isnan(value):
            return ""
        return "∞" if math.isinf(value) else format(value, form)

    notes = r.error or r.reason or "; ".join(r.warnings)
    largest = "" if r.max_difference is None else str(r.max_difference)
    cells = [
        html.escape(r.source),
        r.status + (" (resumed)" if r.resumed else ""),
        number(r.ratio, ".4f"),
        number(r.pixel_ratio, ".3f"),
        number(r.psnr, ".2f"),
        number(r.ssim, ".5f"),
        largest,
        number(100 * r.identical, ".1f"),
        html.escape(notes),
    ]
    return "<tr>" + "".join(f"<td style='text-align:left'>{c}</td>" for c in cells) + "</tr>"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def describe_projection(projection: dict[str, Any]) -> str:
    """Return what a sample promises for the whole batch, as one sentence."""
    return (
        f"the whole batch of {projection['files']} DICOM files, {_bytes(projection['source_bytes'])}, "
        f"will give about {_bytes(projection['target_bytes'])} (ratio {projection['ratio']:.2f}) "
        f"in about {projection['seconds']:.0f} s; {projection['other_files']} other files, "
        f"{_bytes(projection['other_bytes'])}"
        + (
            f"; {projection['failed']} of {projection['sampled']} tried failed"
            if projection["failed"]
            else ""
        )
    )
