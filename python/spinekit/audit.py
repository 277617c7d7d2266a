"""Later proof, without the originals, that an archive still is what was written."""

import concurrent.futures
import csv
import dataclasses
import hashlib
import html
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spinekit import _core, _engine, pixels
from spinekit._journal import read_journal
from spinekit._progress import Progress
from spinekit._sources import JOURNAL_NAME, OLD_JOURNAL_NAME
from spinekit.report import DONE, Record


@dataclasses.dataclass(slots=True)
class AuditRecord:
    """What the audit found about one file.

    Attributes
    ----------
    path : relative to the folder
    status : ``ok``, ``changed`` (other bytes than were written), ``missing``, ``undecodable`` (the
        bytes are right, yet they no longer decode to the proved pixels) or ``unlisted`` (not in
        the report), ``failed`` (the run could not make it)
    detail : what was expected and found
    """

    path: str
    status: str
    detail: str = ""


class Audit:
    """The result of `verify`.

    Attributes
    ----------
    folder : what was audited
    finished : the run went through its whole source, and its report is whole
    unproved : how many images were never compared with their originals (``verify=False``)
    records : list of `AuditRecord`, by path
    seconds : wall time
    """

    def __init__(
        self, folder: Path, records: list[AuditRecord], seconds: float, *, finished: bool, unproved: int
    ) -> None:
        self.folder = folder
        self.finished = finished
        self.unproved = unproved
        self.records = records
        self.seconds = seconds

    def __iter__(self) -> Iterator[AuditRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def count(self, status: str) -> int:
        """Return how many files have a status."""
        return sum(r.status == status for r in self.records)

    @property
    def ok(self) -> bool:
        """Whether the run was finished and every file of it is there, unchanged and decodes.

        Unlisted files do not matter.
        """
        return (
            self.finished
            and self.count("ok") > 0
            and all(r.status in ("ok", "unlisted") for r in self.records)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": str(self.folder),
            "ok": self.ok,
            "finished": self.finished,
            "unproved": self.unproved,
            "seconds": self.seconds,
            "records": [dataclasses.asdict(r) for r in self.records],
        }

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the records and the verdict."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each file."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in dataclasses.fields(AuditRecord)])
            writer.writerows(dataclasses.astuple(r) for r in self.records)

    def __str__(self) -> str:
        lines = [f"'{self.folder}': {self.count('ok')} of {len(self) - self.count('unlisted')} files ok"]
        lines += [
            f"  {r.status.upper()}: {r.path}: {r.detail}"
            for r in self.records
            if r.status not in ("ok", "unlisted")
        ]
        if not self.finished:
            lines.append("  the run was never finished, or its report was cut: run the same command again")
        if self.unproved:
            lines.append(f"  {self.unproved} were never compared with their originals (verify off)")
        if unlisted := [r.path for r in self.records if r.status == "unlisted"]:
            lines.append(f"  {len(unlisted)} not in the report: {', '.join(unlisted[:5])}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "<p>" + html.escape(str(self)).replace("\n", "<br>") + "</p>"


def verify(
    folder: str | os.PathLike[str],
    *,
    decode: bool = True,
    workers: int | None = None,
    progress: bool | None = None,
) -> Audit:
    """Audit the output folder of `compress` or `decompress` against its report, without the originals.

    Parameters
    ----------
    folder : with the ``spinekit-report.jsonl`` that the run left there
    decode : also decode every image and compare its pixels with the proved ones
    workers, progress : as for `compress`

    Returns
    -------
    audit : one record for each file of the report and of the folder

    Raises
    ------
    ArgumentError
        If the folder has no report.
    MalformedDataError
        If the report is damaged.

    Examples
    --------
    >>> import spinekit as sk
    >>> sk.verify("out/").ok  # doctest: +SKIP
    True
    """
    started = time.perf_counter()
    root = _engine.path_of(folder)
    if not root.is_dir():
        raise _core.ArgumentError(f"'{root}': no such folder")
    found = read_journal(root)
    if found is None:
        raise _core.ArgumentError(
            f"'{root}': no {JOURNAL_NAME} here; name the folder that compress has written"
        )
    listed = {r.target: r for r in found.records.values() if r.status in DONE}
    records = [
        AuditRecord(r.source, "failed", r.error) for r in found.records.values() if r.status == "failed"
    ]
    pool = concurrent.futures.ThreadPoolExecutor(_engine.worker_count(workers), "spinekit")
    try:
        with Progress(len(listed), progress, "verifying") as bar:
            jobs = [pool.submit(_audit_one, root, record, decode) for record in listed.values()]
            for job in concurrent.futures.as_completed(jobs):
                records.append(job.result())
                bar.advance()
    finally:
        pool.shutdown(cancel_futures=True)
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in listed and name not in (JOURNAL_NAME, OLD_JOURNAL_NAME):
            unfinished = name.endswith(_engine.PART_SUFFIX)
            records.append(AuditRecord(name, "unlisted", "unfinished output" if unfinished else ""))
    records.sort(key=lambda r: r.path)
    unproved = sum(r.status == "compressed" and not r.verified for r in listed.values())
    seconds = time.perf_counter() - started
    return Audit(root, records, seconds, finished=found.finished, unproved=unproved)


def _audit_one(root: Path, record: Record, decode: bool) -> AuditRecord:
    path = root / record.target
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return AuditRecord(record.target, "missing", "the report lists it")
    except OSError as failure:
        return AuditRecord(record.target, "missing", str(_engine.os_error(path, "cannot be read", failure)))
    digest = hashlib.sha256(data).hexdigest()
    if digest != record.target_sha256:
        detail = (
            f"{len(data)} bytes with SHA-256 {digest[:16]}..., written were {record.target_bytes} "
            f"with {record.target_sha256[:16]}..."
        )
        return AuditRecord(record.target, "changed", detail)
    if decode and record.pixel_sha256:
        try:
            array, _, _ = pixels.read_bytes_with_depth(data, str(path), workers=1)
        except _core.SpinekitError as failure:
            return AuditRecord(record.target, "undecodable", str(failure))
        if hashlib.sha256(array.data).hexdigest() != record.pixel_sha256:
            return AuditRecord(record.target, "undecodable", "it decodes to other pixels than were proved")
    return AuditRecord(record.target, "ok")
