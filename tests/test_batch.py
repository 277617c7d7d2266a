"""Folders and ZIPs: structure, other files, resuming, samples, audit, failures that do not spread."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile

import numpy as np
import pydicom
import pytest

import spinekit as sk
from conftest import body_picture, make_dataset, save


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


_LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from spinekit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def interruptible(*arguments):
    """Start a command that Ctrl-C reaches, also where the tests run in the background of a shell."""
    command = [sys.executable, "-c", _LISTENING, *map(str, arguments), "--workers", "1"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_folder_keeps_its_structure_and_lists_other_files(ct_folder, tmp_path):
    out = tmp_path / "out"
    report = sk.compress(ct_folder, out, mode="lossless")
    assert tree(out) == sorted([*tree(ct_folder), "spinekit-report.jsonl"])
    status = {r.source: r.status for r in report}
    assert status.pop("README.txt") == status.pop("report.dcm") == "copied"
    assert set(status.values()) == {"compressed"}
    assert {r.reason for r in report if r.status == "copied"} == {
        "not a DICOM file",
        "DICOM without an image",
    }
    assert (out / "report.dcm").read_bytes() == (ct_folder / "report.dcm").read_bytes()
    assert report.ok
    assert report.summary.images == report.summary.verified == 12


def test_other_files_can_be_skipped(ct_folder, tmp_path):
    report = sk.compress(ct_folder, tmp_path / "out", others="skip")
    assert not (tmp_path / "out" / "README.txt").exists()
    assert [r.source for r in report if r.status == "skipped"] == ["README.txt", "report.dcm"]


def test_broken_file_does_not_stop_the_batch(ct_folder, tmp_path):
    data = (ct_folder / "slice01.dcm").read_bytes()
    (ct_folder / "slice01.dcm").write_bytes(data[: len(data) // 2])
    (ct_folder / "empty.dcm").write_bytes(b"")
    report = sk.compress(ct_folder, tmp_path / "out", ratio=4)
    assert sorted(r.source for r in report.failed) == ["empty.dcm", "slice01.dcm"]
    for record in report.failed:
        assert record.source in record.error
        assert not (tmp_path / "out" / record.source).exists()
    assert report.summary.images == 11
    with pytest.raises(sk.SpinekitError, match="2 of 15 files failed"):
        report.raise_for_failures()


def test_resume_does_only_what_is_missing(ct_folder, tmp_path):
    out = tmp_path / "out"
    first = sk.compress(ct_folder, out, ratio=5)
    (out / "slice01.dcm").unlink()
    stat = (ct_folder / "slice04.dcm").stat()
    shutil.copy(ct_folder / "slice05.dcm", ct_folder / "slice04.dcm")
    assert stat.st_mtime_ns != (ct_folder / "slice04.dcm").stat().st_mtime_ns
    (out / "slice07.dcm.1-1.spinekit-part").write_bytes(b"left by a killed run")
    again = sk.compress(ct_folder, out, ratio=5)
    assert again.ok
    assert sorted(r.source for r in again if not r.resumed) == ["slice01.dcm", "slice04.dcm"]
    assert not list(out.glob("*.spinekit-part"))
    kept = {r.source: r.target_sha256 for r in first}
    assert all(r.target_sha256 == kept[r.source] for r in again if r.resumed)
    assert sk.verify(out).ok


def test_resume_refuses_other_settings(ct_folder, tmp_path):
    out = tmp_path / "out"
    sk.compress(ct_folder, out, ratio=5)
    with pytest.raises(sk.ArgumentError, match="run with other settings"):
        sk.compress(ct_folder, out, ratio=6)
    report = sk.compress(ct_folder, out, ratio=6, overwrite=True)
    assert report.ok
    assert {r.ratio > 5.9 for r in report.images} == {True}


def test_foreign_and_edited_files_in_the_target_are_left_alone_run_after_run(ct_folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "slice01.dcm").write_bytes(b"somebody else's")
    (out / "README.txt").write_bytes(b"somebody else's notes")
    for _ in range(3):
        report = sk.compress(ct_folder, out)
        assert sorted(r.source for r in report.failed) == ["README.txt", "slice01.dcm"]
    assert (out / "slice01.dcm").read_bytes() == b"somebody else's"
    assert (out / "README.txt").read_bytes() == b"somebody else's notes"
    edited = (out / "slice02.dcm").read_bytes() + b"edited"
    (out / "slice02.dcm").write_bytes(edited)
    for _ in range(2):
        report = sk.compress(ct_folder, out)
        assert "slice02.dcm" in {r.source for r in report.failed}
    assert (out / "slice02.dcm").read_bytes() == edited
    assert sk.compress(ct_folder, out, overwrite=True).ok
    assert sk.verify(out).ok


def test_another_source_or_a_fresh_run_never_replaces_an_archive(ct_folder, tmp_path):
    out = tmp_path / "out"
    first = sk.compress(ct_folder, out)
    other = shutil.copytree(ct_folder, tmp_path / "CT2")
    with pytest.raises(sk.ArgumentError, match="a run over another source"):
        sk.compress(other, out)
    with pytest.raises(sk.ArgumentError, match="not to be resumed"):
        sk.compress(ct_folder, out, resume=False)
    assert sk.verify(out).ok
    again = sk.compress(ct_folder, out, resume=False, overwrite=True)
    assert again.ok
    assert not any(r.resumed for r in again)
    assert (out / "spinekit-report.old.jsonl").exists()
    assert [r.target_sha256 for r in again] == [r.target_sha256 for r in first]


def test_verify_wants_a_finished_run(ct_folder, tmp_path):
    out = tmp_path / "out"
    sk.compress(ct_folder, out)
    journal = out / "spinekit-report.jsonl"
    whole = journal.read_text().splitlines(keepends=True)
    record = next(line for line in whole if '"slice01' in line and '"status"' in line)
    for cut in (whole[:-1], whole[:-5], [line for line in whole if line != record]):
        journal.write_text("".join(cut))
        audit = sk.verify(out)
        assert not audit.ok
        assert "never finished, or its report was cut" in str(audit)
    journal.write_text("".join(whole))
    assert sk.verify(out).ok


def test_verify_names_what_the_run_could_not_make(ct_folder, tmp_path):
    (ct_folder / "broken.dcm").write_bytes((ct_folder / "slice01.dcm").read_bytes()[:999])
    sk.compress(ct_folder, tmp_path / "out")
    audit = sk.verify(tmp_path / "out")
    assert not audit.ok
    assert "FAILED: broken.dcm" in str(audit)
    sk.compress(ct_folder, tmp_path / "fast", verify=False)
    assert "12 were never compared" in str(sk.verify(tmp_path / "fast"))


def test_file_names_that_are_no_utf8_or_hold_line_separators(ct_file, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [b"M\xfcller.dcm", "Gr\u00f6\u00dfe a\u2028b.dcm".encode(), b"plain.dcm"]
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(ct_file.read_bytes())
    with open(os.path.join(os.fsencode(folder), b"kaputt\xfc.dcm"), "wb") as file:
        file.write(ct_file.read_bytes()[:1000])
    for _ in range(2):
        report = sk.compress(folder, tmp_path / "out")
        assert len(report.images) == 3
        assert len(report.failed) == 1
    assert sorted(os.listdir(os.fsencode(tmp_path / "out"))) == sorted([*names, b"spinekit-report.jsonl"])
    assert sk.verify(tmp_path / "out").count("ok") == 3
    report.to_csv(tmp_path / "r.csv")
    report.to_json(tmp_path / "r.json")
    report.to_html(tmp_path / "r.html")
    run = subprocess.run(
        [sys.executable, "-m", "spinekit", "verify", str(tmp_path / "out")], capture_output=True
    )
    assert run.returncode == 1
    assert b"kaputt" in run.stdout


def test_links_to_folders_are_named_not_lost(ct_folder, tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "series").symlink_to(ct_folder)
    report = sk.compress(tmp_path / "top", tmp_path / "out")
    assert "a link to a folder, not followed" in report.failed[0].error


def test_lost_files_without_a_suffix_are_failures_not_copies(ct_file, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "I10").write_bytes(ct_file.read_bytes())
    (folder / "I20").write_bytes(b"")
    (folder / "I30").write_bytes(bytes(100000))
    report = sk.compress(folder, tmp_path / "out")
    assert [r.source for r in report.failed] == ["I20", "I30"]
    with pytest.raises(sk.MalformedDataError, match="I20"):
        sk.bundle(folder, tmp_path / "s.zip")


def test_journal_of_an_earlier_archive_travels_with_it(ct_folder, tmp_path):
    (tmp_path / "top").mkdir()
    sk.compress(ct_folder, tmp_path / "top" / "archive")
    report = sk.decompress(tmp_path / "top", tmp_path / "plain")
    assert report.ok
    assert (tmp_path / "plain" / "archive" / "spinekit-report.jsonl").exists()


def test_no_files_is_no_success(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(sk.ArgumentError, match="empty': no files"):
        sk.compress(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_home_is_meant_by_a_tilde(ct_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sk.compress("~/ct.dcm", "~/new/")
    assert (tmp_path / "new" / "ct.dcm").is_file()
    assert not (tmp_path / "~").exists()


def test_a_second_run_into_the_same_folder_waits_its_turn(ct_folder, tmp_path):
    from spinekit._journal import Journal

    out = tmp_path / "out"
    out.mkdir()
    with (
        Journal(out),
        pytest.raises(sk.ResourceError, match="another run is writing"),
    ):
        sk.compress(ct_folder, out)


def test_journal_survives_a_cut_off_last_line(ct_folder, tmp_path):
    out = tmp_path / "out"
    sk.compress(ct_folder, out)
    journal = out / "spinekit-report.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert "finished" in lines.pop()
    journal.write_text("".join(lines)[:-40])
    report = sk.compress(ct_folder, out)
    assert report.ok
    assert sum(not r.resumed for r in report) == 1
    assert sk.verify(out).ok
    journal.write_text(lines[0][:20])
    assert all("no longer, what a run made" in r.error for r in sk.compress(ct_folder, out).failed)


@pytest.mark.parametrize("target", ["inside/out", "."])
def test_source_and_target_must_lie_apart(ct_folder, target):
    with pytest.raises(sk.ArgumentError, match="lie within each other"):
        sk.compress(ct_folder, ct_folder / target)


def test_zip_in_folder_out_and_zip_out(ct_folder, tmp_path):
    archive = tmp_path / "ct.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in tree(ct_folder):
            packed.write(ct_folder / name, name)
    report = sk.compress(archive, tmp_path / "out", mode="lossless")
    assert report.ok
    assert tree(tmp_path / "out") == sorted([*tree(ct_folder), "spinekit-report.jsonl"])
    report = sk.compress(archive, tmp_path / "out.zip", mode="lossless")
    assert report.ok
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert sorted(packed.namelist()) == sorted([*tree(ct_folder), "spinekit-report.jsonl"])
        assert packed.testzip() is None
        assert {i.compress_type for i in packed.infolist()} == {zipfile.ZIP_STORED}
        assert packed.read("slice01.dcm") == (tmp_path / "out" / "slice01.dcm").read_bytes()
    assert not list(tmp_path.glob("*.spinekit-part"))


def test_zip_with_a_broken_file_is_made_of_the_others(ct_folder, tmp_path):
    (ct_folder / "broken.dcm").write_bytes((ct_folder / "slice01.dcm").read_bytes()[:5000])
    report = sk.compress(ct_folder, tmp_path / "out.zip")
    assert [r.source for r in report.failed] == ["broken.dcm"]
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert len(packed.namelist()) == 15
        assert b"broken.dcm" in packed.read("spinekit-report.jsonl")


def test_hostile_zip_entries_fail_alone(ct_file, tmp_path):
    archive = tmp_path / "ct.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(ct_file, "good.dcm")
        packed.write(ct_file, "../climbs.dcm")
        packed.writestr("bomb.dcm", bytes(200 << 20))
        packed.write(ct_file, "damaged.dcm")
    data = bytearray(archive.read_bytes())
    at = data.index(b"damaged.dcm") + 200
    data[at] ^= 0xFF
    archive.write_bytes(data)
    report = sk.compress(archive, tmp_path / "out")
    assert [r.source for r in report if r.status == "compressed"] == ["good.dcm"]
    errors = " ".join(r.error for r in report.failed)
    assert "climbs out of the folder" in errors
    assert "claims 209715200 bytes" in errors
    assert "damaged.dcm" in errors
    assert tree(tmp_path / "out") == ["good.dcm", "spinekit-report.jsonl"]
    assert not (tmp_path / "climbs.dcm").exists()


def test_zip_with_one_name_twice_keeps_the_first(ct_file, tmp_path):
    archive = tmp_path / "ct.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(ct_file, "a.dcm")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            packed.write(ct_file, "a.dcm")
    for overwrite in (False, True):
        report = sk.compress(archive, tmp_path / f"out{overwrite}", overwrite=overwrite)
        assert [r.status for r in report] == ["compressed", "failed"]
        assert "stands twice" in report.failed[0].error


def test_not_a_zip(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK nonsense")
    with pytest.raises(sk.MalformedDataError, match="not a ZIP file"):
        sk.compress(tmp_path / "x.zip", tmp_path / "out")


def test_sample_writes_nothing_and_tells_what_the_batch_gives(ct_folder, tmp_path):
    report = sk.compress(ct_folder, tmp_path / "out", ratio=5, sample=3)
    assert not (tmp_path / "out").exists()
    assert len(report) == 3
    assert (report.projection["files"], report.projection["other_files"]) == (13, 1)
    assert report.projection["ratio"] == pytest.approx(5, abs=0.01)
    whole = sk.compress(ct_folder, tmp_path / "out", mode="lossless")
    sampled = sk.compress(ct_folder, tmp_path / "out2", mode="lossless", sample=4)
    assert sampled.projection["ratio"] == pytest.approx(whole.summary.ratio, rel=0.05)


def test_verify_finds_every_kind_of_damage(ct_folder, tmp_path):
    out = tmp_path / "out"
    sk.compress(ct_folder, out, mode="lossless")
    assert sk.verify(out).ok
    data = bytearray((out / "slice01.dcm").read_bytes())
    data[-50] ^= 1
    (out / "slice01.dcm").write_bytes(data)
    (out / "slice02.dcm").unlink()
    (out / "new.txt").write_text("unlisted")
    audit = sk.verify(out)
    assert not audit.ok
    found = {r.path: r.status for r in audit if r.status != "ok"}
    assert found == {"slice01.dcm": "changed", "slice02.dcm": "missing", "new.txt": "unlisted"}
    with pytest.raises(sk.ArgumentError, match=r"no spinekit-report\.jsonl"):
        sk.verify(ct_folder)


def test_verify_also_decodes(ct_folder, tmp_path):
    out = tmp_path / "out"
    sk.compress(ct_folder, out, mode="lossless")
    journal = out / "spinekit-report.jsonl"
    lines = journal.read_text().splitlines()
    k, record = next((k, r) for k, r in enumerate(map(json.loads, lines)) if r.get("pixel_sha256"))
    lines[k] = json.dumps(record | {"pixel_sha256": "0" * 64})
    journal.write_text("\n".join(lines) + "\n")
    assert sk.verify(out).count("undecodable") == 1
    assert sk.verify(out, decode=False).count("undecodable") == 0


def test_report_in_every_form(ct_folder, tmp_path):
    report = sk.compress(ct_folder, tmp_path / "out", ratio=5)
    report.to_csv(tmp_path / "r.csv")
    report.to_json(tmp_path / "r.json")
    report.to_html(tmp_path / "r.html")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert len(lines) == 15
    values = json.loads((tmp_path / "r.json").read_text())
    assert values["summary"]["images"] == 12
    assert len(values["uid_map"]) == 12
    assert values["uid_map"] == report.uid_map
    for old, new in report.uid_map.items():
        assert old != new
    text = (tmp_path / "r.html").read_text() + str(report)
    assert "Pérson" not in text
    assert "12 read back, decoded and compared" in text
    summary = report.summary
    assert summary.psnr > summary.worst_psnr - 1e-9
    assert sum(summary.histogram) == 12 * 256 * 256


def test_summed_psnr_is_that_of_all_samples(ct_folder, tmp_path):
    report = sk.compress(ct_folder, tmp_path / "out", ratio=6)
    squares = count = 0
    for r in report.images:
        a = pydicom.dcmread(ct_folder / r.source).pixel_array.astype(float)
        b = pydicom.dcmread(tmp_path / "out" / r.target).pixel_array
        squares += ((a - b) ** 2).sum()
        count += a.size
    assert report.summary.psnr == pytest.approx(10 * np.log10(4095**2 / (squares / count)))


def test_interrupt_leaves_whole_files_only_and_the_next_run_goes_on(ct_folder, tmp_path):
    large = save(make_dataset(body_picture(512, 512), bits_stored=12), tmp_path / "large.dcm")
    for k in range(150):
        shutil.copy(large, ct_folder / f"a{k}.dcm")
    out = tmp_path / "out"
    process = interruptible("compress", ct_folder, out)
    while not (out.exists() and len(tree(out)) > 4):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "goes on from there" in errors
    assert not [name for name in tree(out) if name.endswith("part")]
    done = len(tree(out)) - 1
    assert 0 < done < 164
    report = sk.compress(ct_folder, out)
    assert report.ok
    assert sum(r.resumed for r in report) >= done - 1
    assert sk.verify(out).ok


def test_interrupt_stops_a_single_file_too(tmp_path):
    frames = np.stack([body_picture(512, 512, seed=k % 3) for k in range(300)])
    source = save(make_dataset(frames, bits_stored=12, frames=300), tmp_path / "a.dcm")
    process = interruptible("compress", source, tmp_path / "b.dcm")
    time.sleep(2.5)  # it has begun, and has seconds of work left
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.dcm"]


def test_memory_does_not_grow_with_the_number_of_files(ct_folder, tmp_path):
    def peak(count):
        many = tmp_path / f"many{count}"
        many.mkdir()
        for k in range(count):
            shutil.copy(ct_folder / "slice01.dcm", many / f"{k}.dcm")
        code = (
            "import resource, spinekit as sk;"
            f"sk.compress({str(many)!r}, {str(tmp_path / f'o{count}')!r}, workers=2);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert peak(160) < 1.15 * peak(20)
