"""Volumes out of streams that cannot go back: bundles and foreign ZIPs, whole, cut, damaged, hostile."""

import io
import json
import os
import struct
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from pydicom.uid import RLELossless

import spinekit as sk
from made_series import COLUMNS, ROWS, forward, make_series, multiframe, rle_frame, zip_folder


@pytest.fixture
def bundle(tmp_path):
    """Return the bytes of a bundle of nine slices, and what they hold."""
    truth = make_series(tmp_path / "ct", order=[5, 0, 7, 2, 8, 1, 3, 6, 4])
    sk.bundle(tmp_path / "ct", tmp_path / "ct.zip")
    return (tmp_path / "ct.zip").read_bytes(), truth


@pytest.fixture
def foreign(tmp_path):
    """Return the folder of a shuffled series with a text file in it, and what it holds."""
    truth = make_series(tmp_path / "ct", order=[5, 0, 7, 2, 8, 1, 3, 6, 4])
    (tmp_path / "ct" / "README.txt").write_text("not an image")
    return tmp_path / "ct", truth


def entries_of(data):
    """Return (name, first byte, byte behind) of each entry of a ZIP with stored entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        out = []
        for info in archive.infolist():
            name, extra = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + 30 + name + extra
            out.append((info.filename, start, start + info.compress_size))
        return out


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
def test_a_bundle_fills_the_volume_as_it_arrives(bundle, chunk):
    data, truth = bundle
    volume = sk.open_volume(forward(data, chunk=chunk))
    assert volume.wait()
    np.testing.assert_array_equal(volume.array, truth)
    assert volume.geometry.origin == (-100, -90, 0)
    assert volume.geometry.spacing[0] == 2.5
    assert not volume.errors
    assert volume.order == sk.slice_order(9)


def test_the_first_picture_needs_the_manifest_and_one_slice(bundle):
    data, truth = bundle
    _, _, end = entries_of(data)[1]
    gate = threading.Event()

    class Slow:
        def __init__(self):
            self.at = 0

        def read(self, size=-1):
            if self.at >= end:
                gate.wait(10)
            step = min(4096, end - self.at if self.at < end else len(data))
            part = data[self.at : self.at + step]
            self.at += len(part)
            return part

    volume = sk.open_volume(Slow())
    try:
        assert next(iter(volume)) == 4
        np.testing.assert_array_equal(volume.array[4], truth[4])
        assert volume.loaded.sum() == 1
        assert (volume.array[~volume.loaded] == -1000).all()
    finally:
        gate.set()
    assert volume.wait()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_foreign_stream_is_handed_out_and_then_put_in_order(foreign, method, streamed):
    folder, truth = foreign
    frames, calls = [], []
    volume = sk.open_volume(
        forward(zip_folder(folder, method=method, streamed=streamed)),
        on_frame=lambda f: frames.append((f.name, f.position[2], f.pixels)),
        on_volume_initialized=lambda v: calls.append(len(frames)),
    )
    assert volume.wait()
    np.testing.assert_array_equal(volume.array, truth)
    assert calls == [9]
    assert len(frames) == 9
    for _, z, pixels in frames:
        np.testing.assert_array_equal(pixels, truth[round(z / 2.5)])


def test_two_series_in_one_stream(tmp_path):
    make_series(tmp_path / "s" / "a", count=2)
    second = make_series(tmp_path / "s" / "b", count=3, SeriesInstanceUID="1.2.3.9")
    volume = sk.open_volume(forward(zip_folder(tmp_path / "s")))
    volume.wait()
    np.testing.assert_array_equal(volume.array, second)
    assert [s.images for s in volume.series] == [3, 2]


def test_a_cut_bundle_keeps_what_came_and_names_the_rest(bundle):
    data, truth = bundle
    _, start, _ = entries_of(data)[4]
    volume = sk.open_volume(forward(data[: start + 100]))
    assert volume.wait()
    assert volume.loaded.sum() == 3
    assert sorted(k for k in volume.errors if isinstance(k, int)) == sorted(set(range(9)) - {4, 3, 5})
    assert "cut off" in str(volume.errors["stream"])
    np.testing.assert_array_equal(volume.array[3:6], truth[3:6])
    assert (volume.array[0] == -1000).all()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_cut_foreign_stream_keeps_what_came(foreign, part):
    folder, truth = foreign
    data = zip_folder(folder)
    cut = data[: int(len(data) * part)]
    if part == 0.0:
        with pytest.raises(sk.MalformedDataError, match="the stream is empty"):
            sk.open_volume(forward(cut)).wait()
        return
    volume = sk.open_volume(forward(cut))
    assert volume.wait()
    assert "cut off" in str(volume.errors["stream"])
    assert 1 <= volume.shape[0] < 9
    for plane in volume.array:
        assert any(np.array_equal(plane, t) for t in truth)


def test_cut_anywhere_nothing_hangs_and_nothing_is_wrong(bundle):
    data, truth = bundle
    for length in range(1, len(data), 1777):
        try:
            volume = sk.open_volume(forward(data[:length]))
            assert volume.wait(timeout=20)
        except sk.MalformedDataError:
            continue
        for k in range(9):
            if volume.loaded[k]:
                np.testing.assert_array_equal(volume.array[k], truth[k])
            else:
                assert k in volume.errors
                assert (volume.array[k] == -1000).all()


def test_a_crc_that_does_not_match_costs_its_slice_alone(bundle, tmp_path):
    data, truth = bundle
    _, start, end = entries_of(data)[2]
    damaged = bytearray(data)
    damaged[end - 10] ^= 1
    del start
    for source in (forward(bytes(damaged)), bytes(damaged), self_made(tmp_path, damaged)):
        volume = sk.open_volume(source)
        assert volume.wait()
        assert list(volume.errors) == [3]
        assert "CRC" in str(volume.errors[3])
        assert (volume.array[3] == -1000).all()
        np.testing.assert_array_equal(volume.array[4], truth[4])


def self_made(folder, data):
    (folder / "damaged.zip").write_bytes(bytes(data))
    return folder / "damaged.zip"


def test_hostile_entries_are_passed_over(foreign):
    folder, truth = foreign
    out = io.BytesIO(zip_folder(folder))
    with zipfile.ZipFile(out, "a") as archive:
        slice_ = (folder / "000.dcm").read_bytes()
        archive.writestr("../climbs.dcm", slice_)
        archive.writestr("/absolute.dcm", slice_)
        archive.writestr("folder/", b"")
    for source in (forward(out.getvalue()), out.getvalue()):
        volume = sk.open_volume(source)
        volume.wait()
        np.testing.assert_array_equal(volume.array, truth)
        assert sorted(str(key).rsplit("/", 1)[-1] for key in volume.errors) == ["absolute.dcm", "climbs.dcm"]
        assert any("climbs out of the folder" in str(e) for e in volume.errors.values())


def test_an_entry_that_claims_ten_gigabytes_takes_none(bundle):
    data, _ = bundle
    name, start, _ = entries_of(data)[3]
    header = start - 30 - len(name)
    lying = bytearray(data)
    lying[header + 18 : header + 26] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    before = peak()
    volume = sk.open_volume(forward(bytes(lying)))
    assert volume.wait()
    assert volume.loaded.sum() == 2
    assert peak() - before < 64 << 20


def peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def with_manifest(data, change):
    """Return a bundle whose manifest was changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "spinekit.json":
                fields = json.loads(content)
                content = json.dumps(change(fields) or fields)
            new.writestr(info.filename, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(count=10**9), "expected an integer"),
        (lambda m: m.update(count=8), "from 0 to 7"),
        (lambda m: m.update(rows=65535, columns=65535), "voxels from"),
        (lambda m: m.update(rows=-1), "expected an integer"),
        (lambda m: m.update(rows="48"), "expected an integer"),
        (lambda m: m.update(dtype="object"), "dtype"),
        (lambda m: m["entries"].append(m["entries"][0]), "each once"),
        (lambda m: m["entries"][0].update(index=3), "each once"),
        (lambda m: {k: v for k, v in m.items() if k != "entries"}, "KeyError: 'entries'"),
        (lambda m: m["geometry"].update(origin=[1, 2]), "expected 3 numbers"),
        (lambda m: m["geometry"].update(direction=None), "manifest"),
        (lambda m: {k: v for k, v in m.items() if k != "spinekit"}, "no manifest of spinekit"),
        (lambda m: [1, 2], "no manifest of spinekit"),
    ],
)
def test_a_lying_manifest_is_refused(bundle, change, message):
    data = with_manifest(bundle[0], change)
    before = peak()
    for source in (forward(data), data):
        with pytest.raises(sk.MalformedDataError, match=message):
            sk.open_volume(source).wait()
    assert peak() - before < 64 << 20


def test_a_later_format_is_told_apart_from_damage(bundle):
    data = with_manifest(bundle[0], lambda m: m.update(format=2))
    with pytest.raises(sk.UnsupportedError, match="format 2; this spinekit knows 1, update it"):
        sk.open_volume(forward(data)).wait()


def test_a_manifest_of_other_slices_costs_those_slices(bundle):
    data = with_manifest(bundle[0], lambda m: m.update(rows=ROWS + 1))
    volume = sk.open_volume(forward(data))
    assert volume.wait()
    assert len(volume.errors) == 9
    assert f"is {ROWS} x {COLUMNS}, the volume's are {ROWS + 1} x {COLUMNS}" in str(volume.errors[0])
    missing = with_manifest(bundle[0], lambda m: m["entries"][0].update(name="slices/other.dcm"))
    volume = sk.open_volume(forward(missing))
    assert volume.wait()
    assert "does not hold this slice" in str(volume.errors[4])
    assert "not in the manifest" in str(volume.errors["slices/4.dcm"])


def test_a_broken_slice_within_a_bundle(bundle, tmp_path):
    data, truth = bundle
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, content[:700] if info.filename.endswith("/2.dcm") else content)
    volume = sk.open_volume(forward(out.getvalue()))
    assert volume.wait()
    assert list(volume.errors) == [2]
    assert "slices/2.dcm" in str(volume.errors[2])
    np.testing.assert_array_equal(volume.array[3], truth[3])


def test_a_foreign_zip_is_repacked_middle_out(foreign, tmp_path):
    folder, truth = foreign
    (tmp_path / "foreign.zip").write_bytes(zip_folder(folder, method=zipfile.ZIP_DEFLATED))
    sk.bundle(tmp_path / "foreign.zip", tmp_path / "ours.zip")
    volume = sk.open_volume(forward((tmp_path / "ours.zip").read_bytes()))
    assert next(iter(volume)) in (3, 4, 5)
    assert volume.wait()
    np.testing.assert_array_equal(volume.array, truth)


def test_what_is_no_stream_of_slices(tmp_path):
    with pytest.raises(sk.MalformedDataError, match="no ZIP"):
        sk.open_volume(forward(b"hello world " * 100)).wait()
    with pytest.raises(sk.ArgumentError, match="read\\(\\) gave str"):
        sk.open_volume(_Text()).wait()
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(sk.ArgumentError, match="an empty ZIP"):
        sk.open_volume(forward(empty.getvalue() + bytes(200))).wait()
    only_text = io.BytesIO()
    with zipfile.ZipFile(only_text, "w") as archive:
        archive.writestr("a.txt", "x" * 500)
    with pytest.raises(sk.ArgumentError, match="no DICOM image"):
        sk.open_volume(forward(only_text.getvalue())).wait()


class _Text:
    def read(self, size=-1):
        return "text"


def test_a_stream_that_fails_says_so_and_keeps_what_came(bundle):
    data, truth = bundle
    _, _, end = entries_of(data)[2]

    class Failing:
        at = 0

        def read(self, size=-1):
            if self.at >= end:
                raise OSError("the line went dead")
            part = data[self.at : min(self.at + 1000, end)]
            self.at += len(part)
            return part

    volume = sk.open_volume(Failing())
    assert volume.wait()
    assert volume.loaded.sum() == 2
    assert "the line went dead" in str(volume.errors["stream"])
    np.testing.assert_array_equal(volume.array[4], truth[4])


def test_a_pipe_from_another_process(bundle, tmp_path):
    data, truth = bundle
    (tmp_path / "b.zip").write_bytes(data)
    command = [
        sys.executable,
        "-c",
        "import shutil,sys;shutil.copyfileobj(open(sys.argv[1],'rb'),sys.stdout.buffer)",
    ]
    with subprocess.Popen([*command, tmp_path / "b.zip"], stdout=subprocess.PIPE) as process:
        volume = sk.open_volume(process.stdout)
        assert volume.wait()
    np.testing.assert_array_equal(volume.array, truth)


def test_streams_are_not_read_on_demand_nor_as_another_series(bundle):
    data, _ = bundle
    with pytest.raises(sk.ArgumentError, match="needs a source that can seek"):
        sk.open_volume(forward(data), load="on-demand").wait()
    with pytest.raises(sk.ArgumentError, match=r"no series 1\.2; there is"):
        sk.open_volume(forward(data), series="1.2").wait()


def test_bytes_and_file_objects_are_sought_in(bundle, foreign):
    data, truth = bundle
    folder, _ = foreign
    packed = zip_folder(folder, method=zipfile.ZIP_DEFLATED)
    for source in (data, io.BytesIO(data), packed, io.BytesIO(packed)):
        volume = sk.open_volume(source)
        assert volume.wait()
        np.testing.assert_array_equal(volume.array, truth)
        np.testing.assert_array_equal(volume.read_slice(2), truth[2])
    late = sk.open_volume(io.BytesIO(packed), load="on-demand")
    np.testing.assert_array_equal(late.read_slice(8), truth[8])


@pytest.mark.parametrize("source", [forward, bytes])
def test_a_multiframe_file_that_arrives(source):
    frames = [np.full((16, 24), k + 1, np.uint16) for k in range(5)]
    data = multiframe(frames, RLELossless, shape=(16, 24), encoder=rle_frame)
    volume = sk.open_volume(source(data))
    assert volume.wait()
    assert [int(p[0, 0]) for p in volume.array] == [k + 1 - 1024 for k in range(5)]


def test_a_full_temporary_folder_is_an_error_not_a_hang(foreign, tmp_path, monkeypatch):
    folder, _ = foreign
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(sk.ResourceError, match="set TMPDIR to another folder"):
        sk.open_volume(forward(zip_folder(folder))).wait()


def test_dropping_a_volume_on_a_silent_stream(bundle):
    data, _ = bundle
    read_end, write_end = os.pipe()
    os.write(write_end, data[:3000])
    stream = os.fdopen(read_end, "rb", buffering=0)
    volume = sk.open_volume(stream)
    volume.cancel()
    assert volume.wait() is False
    os.close(write_end)
    volume.close()
    stream.close()


def test_a_manifest_that_unpacks_to_much_is_not_read(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("spinekit.json", b"[" + b"{}," * 2_000_000 + b"{}]")
    before = peak()
    for source in (forward(out.getvalue()), out.getvalue()):
        with pytest.raises(sk.MalformedDataError, match="at most 4194304 are read"):
            sk.open_volume(source).wait()
    assert peak() - before < 64 << 20


def test_bytes_of_a_cut_zip_are_kept_as_far_as_they_go(foreign):
    folder, truth = foreign
    data = zip_folder(folder)
    volume = sk.open_volume(data[: len(data) * 2 // 3])
    assert volume.wait()
    assert 3 <= volume.shape[0] < 9
    assert "cut off" in str(volume.errors["stream"])
    assert all(any(np.array_equal(plane, t) for t in truth) for plane in volume.array)
