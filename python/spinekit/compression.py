"""Compress and decompress DICOM files: one, a folder tree, a ZIP."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import logging
import math
import numbers
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from spinekit import _core, _engine
from spinekit._journal import Earlier, Journal, read_journal, sync_folder
from spinekit._progress import Progress
from spinekit._sources import DICOM_SUFFIXES, JOURNAL_NAME, Item, is_batch, list_items
from spinekit.report import DONE, Record, Report, record_of

_log = logging.getLogger(__name__)

Mode = Literal["ratio", "lossless", "quality"]
Codec = Literal["j2k", "jpegls", "htj2k"]

_LOSSLESS = {
    "j2k": _core.Target.J2K_LOSSLESS,
    "jpegls": _core.Target.JPEGLS_LOSSLESS,
    "htj2k": _core.Target.HTJ2K_LOSSLESS,
}


#: SOP classes that are images whatever else is missing: CR, DX, CT, MR, US, SC, XA, RF, NM, PET.
_IMAGE_CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{branch}"
    for branch in ("1", "2", "3.1", "4", "6.1", "6.2", "7", "12.1", "12.2", "20", "128", "130")
)


def compress(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    mode: Mode | None = None,
    ratio: float | None = None,
    quality: float | None = None,
    codec: Codec = "j2k",
    force_lossy: bool = False,
    verify: bool = True,
    resume: bool = True,
    overwrite: bool = False,
    others: Literal["copy", "skip"] = "copy",
    sample: int | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> Report:
    """Compress DICOM images: to an exact file ratio, without loss, or to a quality.

    Parameters
    ----------
    source : a DICOM file, a folder (with everything below it) or a ZIP file
    target : for a file: the new file, or an existing folder; else a folder, which gets the same
        structure, or the name of a new ZIP file (``.zip``). Never the source itself.
    mode : "lossless" (the default), "ratio" (JPEG 2000 9/7, needs `ratio`), "quality" (JPEG 2000
        9/7, needs `quality`); follows from `ratio` and `quality` when left out
    ratio : > 1; bytes of the source file / bytes of the target file. Every file ends between this
        and 1.0005 times it (targets of less than 4 kB a little above). Where an estimate says that
        lossless may get there too it is tried, and kept if it does: such a file stays ORIGINAL.
    quality : 1 ... 100; PSNR in dB of the range 2^BitsAllocated - 1, the scale of gdcmconv's
        ``--quality``
    codec : "j2k" (JPEG 2000 5/3); with mode "lossless" also "jpegls" (JPEG-LS, BitsStored of 2 and
        more) and "htj2k" (High-Throughput JPEG 2000 5/3, RPCL: the fastest by far to encode and
        decode, for some 6 % more bytes)
    force_lossy : with `ratio`: 9/7 also where lossless meets the target
    verify : read every file back, decode it and compare it before it gets its name
    resume : keep what an earlier run over the same source with the same settings made of an
        unchanged file; a target that was changed since is never replaced, only reported
    overwrite : replace existing targets
    others : what happens to files that are no images (DICOMDIR, structured reports, texts):
        "copy" or "skip"; they are listed in the report either way
    sample : try this many files, spread over the source, write nothing, and tell in
        ``report.projection`` what the whole batch will give
    workers : files, or frames of a multiframe file, at a time; None uses every core
    progress : show a bar; None shows it on terminals and in notebooks

    Returns
    -------
    report : one record for each file, see `Report`. A folder also gets it as
        ``spinekit-report.jsonl``, written while the batch runs, for `resume` and `verify`.

    Raises
    ------
    ArgumentError
        If the arguments contradict each other, or target and source overlap.
    SpinekitError
        For a single file: what is wrong with it. In a batch such a file becomes a ``failed``
        record and the others go on.

    Notes
    -----
    Nothing half-written is ever left at the target, and the source is only read. For each worker
    memory is about the source file, its decoded frames up to 64 MB, and the target file; beside
    that the batch keeps its records, some 3 kB a file.

    A lossy image says so: LossyImageCompression, its ratio and method, ImageType DERIVED, a new SOP
    Instance UID (the same one whenever the same file is compressed in the same way), the
    derivation's description and code, and its source image (PS3.3 C.7.6.1.1.5). All other value
    bytes stay as they are, at every depth.

    Examples
    --------
    >>> import pydicom.data, tempfile
    >>> import spinekit as sk
    >>> source = pydicom.data.get_testdata_file("MR_small.dcm")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = sk.compress(source, f"{folder}/mr.dcm", mode="lossless")
    >>> report.records[0].verified, report.records[0].max_difference
    (True, 0)
    """
    settings = _checked_settings(mode, ratio, quality, codec, force_lossy)
    targets = {
        "lossless": _LOSSLESS[codec],
        "ratio": _core.Target.J2K_RATIO,
        "quality": _core.Target.J2K_QUALITY,
    }
    options = {
        "target": targets[settings["mode"]],
        "ratio": ratio or 0.0,
        "quality": quality or 0.0,
        "force_lossy": force_lossy,
    }
    batch = _Batch("compressed", options, settings, verify, resume, overwrite, others, workers, progress)
    if sample is not None and sample < 1:
        raise _core.ArgumentError(f"sample is {sample}, expected at least 1")
    if sample is not None:
        return batch.sample(_engine.path_of(source), sample)
    return batch.run(_engine.path_of(source), _target_path(target))


def decompress(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    verify: bool = True,
    resume: bool = True,
    overwrite: bool = False,
    others: Literal["copy", "skip"] = "copy",
    workers: int | None = None,
    progress: bool | None = None,
) -> Report:
    """Decompress DICOM images to Explicit VR Little Endian.

    Parameters, return value and errors are those of `compress`. UIDs stay; an image that was lossy
    stays marked as lossy. YBR_RCT and YBR_ICT become RGB, YBR_FULL_422 becomes YBR_FULL.

    Examples
    --------
    >>> import spinekit as sk
    >>> sk.decompress("small/", "plain/")  # doctest: +SKIP
    """
    settings = {"mode": "decompress"}
    options = {"target": _core.Target.NATIVE}
    batch = _Batch("decompressed", options, settings, verify, resume, overwrite, others, workers, progress)
    return batch.run(_engine.path_of(source), _target_path(target))


def _target_path(target: str | os.PathLike[str]) -> Path:
    path = _engine.path_of(target)
    if os.fspath(target).endswith(os.sep):
        _make_folder(path)  # "new/" is a folder, also before it exists
    return path


def _checked_settings(
    mode: str | None, ratio: float | None, quality: float | None, codec: str, force_lossy: bool
) -> dict[str, Any]:
    if mode is None:
        mode = "ratio" if ratio is not None else "quality" if quality is not None else "lossless"
    if mode in ("preview", "auto"):
        raise _core.UnsupportedError(
            f"mode {mode!r} does not exist yet; use 'ratio', 'lossless' or 'quality'"
        )
    if mode not in ("ratio", "lossless", "quality"):
        raise _core.ArgumentError(f"mode is {mode!r}, expected 'ratio', 'lossless' or 'quality'")
    if codec not in _LOSSLESS:
        raise _core.ArgumentError(f"codec is {codec!r}, expected 'j2k', 'jpegls' or 'htj2k'")
    if codec != "j2k" and mode != "lossless":
        raise _core.ArgumentError(
            f"codec {codec!r} with mode {mode!r}: it compresses without loss only; "
            "use mode 'lossless' or codec 'j2k'"
        )
    if (ratio is not None) != (mode == "ratio"):
        raise _core.ArgumentError(
            f"mode {mode!r} with ratio {ratio}: a ratio belongs to mode 'ratio', and only to it"
        )
    if (quality is not None) != (mode == "quality"):
        raise _core.ArgumentError(
            f"mode {mode!r} with quality {quality}: a quality belongs to mode 'quality', and only to it"
        )
    for name, value in (("ratio", ratio), ("quality", quality)):
        if value is not None and not isinstance(value, numbers.Real):
            raise _core.ArgumentError(f"{name} is {value!r}, expected a number")
    if ratio is not None and not 1 < ratio <= 10000:
        raise _core.ArgumentError(f"ratio is {ratio}, expected more than 1, at most 10000")
    if quality is not None and not 1 <= quality <= 100:
        raise _core.ArgumentError(f"quality is {quality}, expected 1 to 100")
    settings: dict[str, Any] = {"mode": mode, "codec": codec}
    if ratio is not None:
        settings |= {"ratio": float(ratio), "force_lossy": force_lossy}
    if quality is not None:
        settings["quality"] = float(quality)
    return settings


@dataclasses.dataclass
class _Batch:
    """One call of compress or decompress."""

    verb: Literal["compressed", "decompressed"]
    options: dict[str, Any]
    settings: dict[str, Any]
    verify: bool
    resume: bool
    overwrite: bool
    others: str
    workers: int | None
    progress: bool | None

    def __post_init__(self) -> None:
        if self.others not in ("copy", "skip"):
            raise _core.ArgumentError(f"others is {self.others!r}, expected 'copy' or 'skip'")
        self.cancel = _core.CancelToken()
        self.threads = _engine.worker_count(self.workers)
        self.executor = _engine.executor(self.threads)

    # ---- the three shapes of a call

    def run(self, source: Path, target: Path) -> Report:
        items = list_items(source)
        if not items:
            raise _core.ArgumentError(f"'{source}': no files")
        if not is_batch(source):
            return self._run_single(items[0], source, target)
        _check_apart(source, target)
        if target.suffix.lower() == ".zip":
            return self._run_into_zip(source, items, target)
        return self._run_into_folder(source, items, target)

    def _run_single(self, item: Item, source: Path, target: Path) -> Report:
        if target.is_dir():
            target = target / source.name
        if target.exists() and target.samefile(source):
            raise _core.ArgumentError(f"'{target}': source and target are the same file")
        if not self.overwrite and target.exists():
            raise _core.ResourceError(f"'{target}' exists; choose another name, or overwrite")
        if item.problem:
            raise _core.ResourceError(item.problem)
        started = time.perf_counter()
        _make_folder(target.parent)

        def work(cancel: _core.CancelToken) -> Record:
            self.cancel = cancel
            return self._transcode(item.read(), item.label, target, replace=self.overwrite)

        record = _engine.interruptible(work)
        sync_folder(target.parent)
        record.seconds = time.perf_counter() - started
        record.source, record.target = str(source), str(target)
        return Report([record], self.settings, record.seconds)

    def _run_into_zip(self, source: Path, items: list[Item], target: Path) -> Report:
        if target.exists() and not self.overwrite:
            raise _core.ResourceError(f"'{target}' exists; choose another name, or overwrite")
        # Kept until the ZIP is whole: after an interruption the next run goes on there.
        folder = target.with_name(target.name + _engine.PART_SUFFIX)
        report = self._run_into_folder(source, items, folder)
        _pack(folder, target)
        shutil.rmtree(folder)
        return report

    def _run_into_folder(self, source: Path, items: list[Item], target: Path) -> Report:
        started = time.perf_counter()
        _make_folder(target)
        records: list[Record] = []
        with (
            Journal(target) as log,
            Progress(len(items), self.progress, self.verb[:-2] + "ing") as bar,
        ):
            _remove_parts(target)
            earlier = self._earlier_records(source, target)
            if earlier is None:
                log.begin(self.settings, str(source.resolve()))
            else:
                log.go_on()
            for item, record in self._results(items, target, earlier or Earlier(), log):
                if not record.resumed:
                    log.add(record, item.modified)
                records.append(record)
                bar.advance("" if record.status != "failed" else f"failed: {item.name}")
            log.finish()
        sync_folder(target)
        records.sort(key=lambda r: (r.source, r.status == "failed"))
        return Report(records, self.settings, time.perf_counter() - started)

    def sample(self, source: Path, count: int) -> Report:
        started = time.perf_counter()
        items = [item for item in list_items(source) if not item.problem]
        likely = [item for item in items if _may_be_dicom(item)]
        chosen = likely[max(1, len(likely) // count) // 2 :: max(1, len(likely) // count)][:count]
        records: list[Record] = []
        with (
            tempfile.TemporaryDirectory(prefix="spinekit-sample-") as folder,
            Progress(len(chosen), self.progress, "sampling") as bar,
        ):
            for _, record in self._results(chosen, Path(folder), Earlier()):
                record.target = ""
                records.append(record)
                bar.advance()
        seconds = time.perf_counter() - started
        records.sort(key=lambda r: r.source)
        images = [r for r in records if r.status == self.verb]
        projection = None
        if images:
            total = sum(item.size for item in likely)
            tried = sum(r.source_bytes for r in images)
            ratio = tried / sum(r.target_bytes for r in images)
            projection = {
                "files": len(likely),
                "source_bytes": total,
                "target_bytes": round(total / ratio),
                "ratio": ratio,
                "seconds": seconds * total / tried,
                "sampled": len(records),
                "failed": len([r for r in records if r.status == "failed"]),
                "other_files": len(items) - len(likely),
                "other_bytes": sum(item.size for item in items) - total,
            }
        return Report(records, self.settings, seconds, projection)

    # ---- one file after the other

    def _earlier_records(self, source: Path, target: Path) -> Earlier | None:
        earlier = read_journal(target)
        if earlier is None or self.overwrite:
            # With other settings or another source everything is made anew, and replaced.
            same = earlier is not None and (earlier.settings, earlier.source) == (
                self.settings,
                str(source.resolve()),
            )
            return earlier if same and self.resume else None
        if not self.resume:
            problem = "an earlier run, which is not to be resumed"
        elif earlier.source != str(source.resolve()):
            problem = f"a run over another source ('{earlier.source}')"
        elif earlier.settings != self.settings:
            problem = f"a run with other settings ({earlier.settings})"
        else:
            return earlier
        raise _core.ArgumentError(
            f"'{target}' holds the output of {problem}; choose another folder, or overwrite"
        )

    def _results(
        self, items: list[Item], target: Path, earlier: Earlier, log: Journal | None = None
    ) -> Iterator[tuple[Item, Record]]:
        """Yield the records as the files get done; few files are in memory at any time."""
        waiting = iter(items)
        running: dict[concurrent.futures.Future[Record], Item] = {}
        pool = concurrent.futures.ThreadPoolExecutor(self.threads, "spinekit")
        try:
            while True:
                while len(running) < 2 * self.threads and (item := next(waiting, None)) is not None:
                    if log is not None and not item.problem and not (target / item.name).exists():
                        log.start(item.name)
                    running[pool.submit(self._one, item, target, earlier)] = item
                if not running:
                    return
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        finally:
            # On Ctrl-C too: what runs stops within a frame and leaves nothing behind.
            self.cancel.cancel()
            pool.shutdown(cancel_futures=True)

    def _one(self, item: Item, target: Path, earlier: Earlier) -> Record:
        started = time.perf_counter()
        place = target / item.name
        try:
            if item.problem:
                raise _core.ResourceError(item.problem)
            unchanged = _is_as_made(place, earlier.made(item.name))
            if unchanged or earlier.made(item.name) is None:
                kept = self._kept(item, earlier, unchanged)
                if kept is not None:
                    return kept
            if place.exists() and not (self.overwrite or unchanged or item.name in earlier.started):
                raise _core.ResourceError(
                    f"'{place}' exists and is not, or no longer, what a run made; move it away, or overwrite"
                )
            record = self._make(item, place, replace=place.exists())
        except _core.CancelledError:
            raise
        except _core.SpinekitError as failure:
            record = Record(item.name, error=str(failure), source_bytes=item.size)
        except OSError as failure:
            message = str(_engine.os_error(place, "cannot be made", failure))
            record = Record(item.name, error=message, source_bytes=item.size)
        except Exception as failure:  # whatever it is, it must not stop the other files
            _log.exception("%s", item.name)
            message = f"'{item.name}': {type(failure).__name__}: {failure}"
            record = Record(item.name, error=message, source_bytes=item.size)
        if record.error:
            _log.warning("%s", record.error)
        record.source = item.name
        record.target = item.name if record.status in DONE else ""
        record.seconds = time.perf_counter() - started
        return record

    def _make(self, item: Item, place: Path, *, replace: bool) -> Record:
        _make_folder(place.parent)
        data = item.read()
        if reason := _why_no_image(data, item.name):
            return self._carry_over(data, place, reason)
        return self._transcode(data, item.label, place, replace=replace)

    def _kept(self, item: Item, earlier: Earlier, unchanged: bool) -> Record | None:
        """Return the earlier record if it still says what this run would."""
        record = earlier.records.get(item.name)
        if record is None:
            return None
        same_source = record.source_bytes == item.size and earlier.modified[item.name] == item.modified
        wants_more = self.verify and record.status == self.verb and not record.verified
        carried = record.status == ("copied" if self.others == "copy" else "skipped")
        if not same_source or wants_more or not (record.status == self.verb or carried):
            return None
        if record.status in DONE and not unchanged:
            return None
        record.resumed = True
        return record

    def _transcode(self, data: bytes, name: str, place: Path, *, replace: bool) -> Record:
        options = _core.TranscodeOptions(
            **self.options, verify=self.verify, overwrite=replace, software=_engine.SOFTWARE
        )
        made = _core.transcode(
            data, os.fsencode(name), os.fsencode(place), options, self.executor, self.cancel
        )
        return record_of(name, str(place), self.verb, made)

    def _carry_over(self, data: bytes, place: Path, reason: str) -> Record:
        digest = _sha256(data)
        record = Record(
            "", status="copied", reason=reason, source_bytes=len(data), source_sha256=digest, ratio=math.nan
        )
        if self.others == "skip":
            record.status = "skipped"
            return record
        with _engine.appearing_whole(place) as part:
            _engine.write_synced(part, data)
            if part.read_bytes() != data:
                raise _core.ResourceError(f"'{place}': the copy is not the file")
        record.target_bytes, record.target_sha256, record.verified = len(data), digest, True
        return record


def _is_as_made(place: Path, record: Record | None) -> bool:
    """Return whether a target still is what its record says."""
    if record is None:
        return False
    try:
        if place.stat().st_size != record.target_bytes:
            return False
        return _sha256(place.read_bytes()) == record.target_sha256
    except OSError:
        return False


def _may_be_dicom(item: Item) -> bool:
    return item.head()[128:] == b"DICM" or item.name.lower().endswith(DICOM_SUFFIXES)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _why_no_image(data: bytes, name: str) -> str:
    """Return why a file of a batch is carried over instead of compressed; empty for images.

    What calls itself DICOM, by its bytes or its name, and cannot be read is not carried over in
    silence: it goes to the engine, which says what is wrong.
    """
    if not data.strip(b"\0"):
        return ""  # nothing or zeros: a file that was lost, not one to be carried over in silence
    if data[128:132] != b"DICM" and not name.lower().endswith(DICOM_SUFFIXES):
        with contextlib.suppress(_core.SpinekitError):
            if _core.read_header(data, os.fsencode(name), [(0x0028, 0x0010)])["has_pixels"]:
                return ""
        return "not a DICOM file"
    with contextlib.suppress(_core.SpinekitError):
        header = _core.read_header(data, os.fsencode(name), [(0x0028, 0x0010), (0x0002, 0x0002)])
        is_image = (0x0028, 0x0010) in header or str(header.get((2, 2))).startswith(_IMAGE_CLASSES)
        if not header["has_pixels"] and not is_image:
            return "DICOM without an image"
    return ""


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise _engine.os_error(folder, "cannot be created", failure) from failure


def _check_apart(source: Path, target: Path) -> None:
    inside, outside = target.resolve(), source.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise _core.ArgumentError(f"'{target}' and '{source}' lie within each other; choose a folder apart")


def _remove_parts(folder: Path) -> None:
    """Remove what a killed run left unfinished; the journal's lock keeps other runs out."""
    for part in folder.rglob("*" + _engine.PART_SUFFIX):
        with contextlib.suppress(OSError):
            part.unlink()


def _pack(folder: Path, target: Path) -> None:
    try:
        with (
            _engine.appearing_whole(target) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
        ):
            archive.write(folder / JOURNAL_NAME, JOURNAL_NAME)
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                if path.name != JOURNAL_NAME or path.parent != folder:
                    archive.write(path, path.relative_to(folder).as_posix())
    except OSError as failure:
        raise _engine.os_error(target, "cannot be written", failure) from failure
