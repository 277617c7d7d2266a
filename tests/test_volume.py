"""Volumes of local files: what is in them, when it comes, and what happens to what is broken."""

import asyncio
import gc
import io
import os
import threading
import time
import weakref
import zipfile

import numpy as np
import pydicom
import pydicom.data
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import generate_uid

import spinekit as sk
from conftest import body_picture, make_dataset, save
from made_series import COLUMNS, ROWS, STEP, make_series, multiframe, zip_folder

MIDDLE_OUT_9 = [4, 3, 5, 2, 6, 1, 7, 0, 8]


@pytest.fixture
def ct(tmp_path):
    """Return a folder of nine shuffled slices, and what they hold."""
    return tmp_path / "ct", make_series(tmp_path / "ct", order=[5, 0, 7, 2, 8, 1, 3, 6, 4])


def test_a_folder_becomes_hu_in_patient_order(ct):
    folder, truth = ct
    volume = sk.open_volume(folder)
    assert volume.wait() is True
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, truth)
    assert volume.loaded.all()
    assert volume.modality == "CT"
    assert volume.geometry.spacing == pytest.approx((STEP, 0.661468, 0.661468))
    assert volume.geometry.origin == (-100, -90, 0)
    np.testing.assert_array_equal(volume.geometry.direction, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert not volume.errors
    assert not volume.warnings


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_the_same_as_its_folder(ct, tmp_path, method):
    folder, truth = ct
    (tmp_path / "ct.zip").write_bytes(zip_folder(folder, method=method))
    volume = sk.open_volume(tmp_path / "ct.zip")
    volume.wait()
    np.testing.assert_array_equal(volume.array, truth)


def test_indices_come_middle_out_with_one_worker(ct):
    assert list(sk.open_volume(ct[0], workers=1)) == MIDDLE_OUT_9
    assert list(sk.open_volume(ct[0], workers=1, order="sequential")) == list(range(9))
    assert list(sk.open_volume(ct[0], workers=1, order="interleaved")) == [4, 0, 8, 2, 6, 1, 3, 5, 7]
    own = [8, 0, 1, 2, 3, 4, 5, 6, 7]
    assert list(sk.open_volume(ct[0], workers=1, order=own)) == own
    with pytest.raises(sk.ArgumentError, match=r"not each of 0 \.\.\. 8 once"):
        sk.open_volume(ct[0], order=[0, 1]).wait()
    with pytest.raises(sk.ArgumentError, match="order is 'backwards'"):
        sk.open_volume(ct[0], order="backwards")


def test_what_has_not_come_is_air_and_what_has_is_whole(tmp_path):
    truth = make_series(tmp_path / "s", count=60, rows=128, columns=128)
    volume = sk.open_volume(tmp_path / "s", workers=1)
    seen = 0
    for index in volume:
        np.testing.assert_array_equal(volume.array[index], truth[index])
        waiting = ~volume.loaded
        if waiting.any():
            rest = volume.array[waiting & ~volume.loaded]
            # A slice may be in the middle of being written; those not begun hold air throughout.
            assert rest.size == 0 or (rest == -1000).any()
        seen += 1
    assert seen == 60


def test_callbacks_run_in_the_thread_that_waits(ct):
    calls, threads = [], set()

    def initialized(volume):
        threads.add(threading.current_thread())
        calls.append(volume.shape)

    def processed(index, done, total):
        threads.add(threading.current_thread())
        calls.append((index, done, total))

    volume = sk.open_volume(ct[0], workers=1, on_volume_initialized=initialized, on_slice_processed=processed)
    volume.wait()
    assert threads == {threading.current_thread()}
    assert calls[0] == (9, ROWS, COLUMNS)
    assert calls[1:] == [(k, i + 1, 9) for i, k in enumerate(MIDDLE_OUT_9)]


def test_an_event_loop_calls_back_and_awaits(ct):
    async def main():
        calls = []
        volume = sk.open_volume(ct[0], on_slice_processed=lambda *a: calls.append(a))
        assert await volume is volume
        assert len(calls) == 9
        again = sk.open_volume(ct[0], workers=1)
        assert [k async for k in again] == MIDDLE_OUT_9
        # Nobody waits for this one: the loop alone calls back.
        alone = []
        kept = sk.open_volume(ct[0], on_slice_processed=lambda *a: alone.append(a))
        for _ in range(400):
            if len(alone) == 9:
                break
            await asyncio.sleep(0.01)
        assert len(alone) == 9
        assert kept.finished

    asyncio.run(main())


def test_a_raising_callback_does_not_stop_the_rest(ct):
    def processed(index, done, total):
        if index == 4:
            raise RuntimeError("mine")

    def initialized(volume):
        raise ValueError("mine too")

    volume = sk.open_volume(ct[0], on_slice_processed=processed, on_volume_initialized=initialized)
    assert volume.wait()
    assert volume.loaded.all()
    assert isinstance(volume.errors[4], RuntimeError)
    assert isinstance(volume.errors["on_volume_initialized"], ValueError)


def test_a_broken_slice_stays_air_and_is_named(ct):
    folder, truth = ct
    names = sorted(p.name for p in folder.iterdir())
    victim = next(n for n in names if float(pydicom.dcmread(folder / n).ImagePositionPatient[2]) == 5.0)
    ds = pydicom.dcmread(folder / victim)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51garbage!"])
    ds["PixelData"].VR = "OB"
    ds.save_as(folder / victim)
    done = []
    volume = sk.open_volume(folder, on_slice_processed=lambda *a: done.append(a))
    assert volume.wait()
    assert list(volume.errors) == [2]
    assert isinstance(volume.errors[2], sk.MalformedDataError)
    assert victim in str(volume.errors[2])
    assert (volume.array[2] == -1000).all()
    assert not volume.loaded[2]
    assert done[-1][1:] == (9, 9)
    keep = np.arange(9) != 2
    np.testing.assert_array_equal(volume.array[keep], truth[keep])


def test_other_files_are_passed_over_and_broken_headers_named(ct):
    folder, truth = ct
    (folder / "notes.txt").write_text("hello")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._000.dcm").write_bytes(b"Mac OS X        " * 20)
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "cut.dcm").write_bytes((folder / "000.dcm").read_bytes()[:300])
    volume = sk.open_volume(folder)
    volume.wait()
    np.testing.assert_array_equal(volume.array, truth)
    assert {str(k).rsplit("/", 1)[-1] for k in volume.errors} == {"empty.dcm", "cut.dcm"}


def test_a_slice_that_is_cut_off_leaves_a_hole_in_its_place(ct):
    folder, truth = ct
    victim = folder / "008.dcm"
    index = round(float(pydicom.dcmread(victim).ImagePositionPatient[2]) / STEP)
    victim.write_bytes(victim.read_bytes()[:-1000])
    volume = sk.open_volume(folder)
    volume.wait()
    assert volume.shape == truth.shape
    assert list(volume.errors) == [index]
    assert "cut off" in str(volume.errors[index])
    assert (volume.array[index] == -1000).all()
    assert volume.geometry.regular


def test_frames_before_the_cut_of_a_multiframe_file_are_read(tmp_path):
    frames = np.stack([body_picture(32, 32, seed=k) for k in range(8)])
    path = save(make_dataset(frames, bits_stored=12, frames=8), tmp_path / "cine.dcm")
    path.write_bytes(path.read_bytes()[:-3000])
    volume = sk.open_volume(path)
    volume.wait()
    assert sorted(volume.errors) == [6, 7]
    np.testing.assert_array_equal(volume.array[:6], frames[:6].astype(np.int16) - 1024)


def test_the_largest_series_is_open_and_all_are_listed(tmp_path):
    first = make_series(tmp_path / "s" / "a", count=3)
    other = generate_uid()
    second = make_series(tmp_path / "s" / "b", count=5, SeriesInstanceUID=other, SeriesDescription="bone")
    volume = sk.open_volume(tmp_path / "s")
    volume.wait()
    np.testing.assert_array_equal(volume.array, second)
    assert [(s.images, s.chosen) for s in volume.series] == [(5, True), (3, False)]
    assert volume.series[0].description == "bone"
    assert any("2 series" in w for w in volume.warnings)
    smaller = sk.open_volume(tmp_path / "s", series=volume.series[1].uid)
    smaller.wait()
    np.testing.assert_array_equal(smaller.array, first)
    with pytest.raises(sk.ArgumentError, match=r"no series 1\.2"):
        sk.open_volume(tmp_path / "s", series="1.2").wait()


def test_doubled_missing_and_odd_sized_slices_are_reported(ct):
    folder, truth = ct
    (folder / "twin.dcm").write_bytes((folder / "000.dcm").read_bytes())
    save(make_dataset(body_picture(16, 16), bits_stored=12, InstanceNumber=50), folder / "scout.dcm")
    missing = next(
        p for p in sorted(folder.glob("0*.dcm")) if float(pydicom.dcmread(p).ImagePositionPatient[2]) == 10
    )
    missing.unlink()
    volume = sk.open_volume(folder)
    volume.wait()
    np.testing.assert_array_equal(volume.array, np.delete(truth, 4, 0))
    text = "\n".join(volume.warnings)
    assert "1 files are copies of others (same SOPInstanceUID)" in text
    assert "1 images of 16 x 16 have another size and are left out: 'scout.dcm'" in text
    assert "slices are missing behind slice 3" in text
    assert volume.geometry.gaps == (3,)
    assert volume.geometry.spacing[0] == STEP


def test_slices_at_one_place_are_counted(ct):
    folder, _ = ct
    ds = pydicom.dcmread(folder / "000.dcm")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(folder / "phase2.dcm")
    volume = sk.open_volume(folder)
    volume.wait()
    assert volume.shape[0] == 10
    assert volume.geometry.duplicates == 1
    assert volume.geometry.spacing[0] == STEP
    assert not volume.geometry.regular


def test_tilt_is_said_and_positions_stay_true(tmp_path):
    def tilt(ds, k):
        ds.ImagePositionPatient = [-100.0, -90.0 + 1.0 * k, 2.0 * k]

    make_series(tmp_path / "t", edit=tilt)
    geometry = sk.open_volume(tmp_path / "t").geometry
    assert geometry.tilt == pytest.approx(np.degrees(np.arctan2(1, 2)))
    assert geometry.spacing[0] == pytest.approx(5**0.5)
    for k in range(9):
        position = geometry.affine_lps @ [k, 0, 0, 1]
        np.testing.assert_allclose(position[:3], [-100, -90 + k, 2 * k], atol=1e-9)
    np.testing.assert_allclose(geometry.affine_ras, np.diag([-1, -1, 1, 1]) @ geometry.affine_lps)
    assert any("tilted gantry" in f for f in geometry.findings)


def test_rescale_is_each_slices_own(tmp_path):
    def vary(ds, k):
        ds.RescaleSlope, ds.RescaleIntercept = str(1 + k % 2), str(-1024 + k)

    truth = make_series(tmp_path / "s", edit=vary)
    volume = sk.open_volume(tmp_path / "s")
    volume.wait()
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, truth)


def test_fractions_and_overflow_become_float32(tmp_path):
    def fraction(ds, k):
        ds.RescaleSlope = "0.5"

    make_series(tmp_path / "f", count=2, edit=fraction)
    volume = sk.open_volume(tmp_path / "f")
    volume.wait()
    assert volume.array.dtype == np.float32
    stored = body_picture(ROWS, COLUMNS, seed=1)
    np.testing.assert_array_equal(volume.array[1], (stored * 0.5 - 1024).astype(np.float32))

    def wide(ds, k):
        ds.BitsStored, ds.HighBit = 16, 15

    make_series(tmp_path / "w", count=2, edit=wide)
    assert sk.open_volume(tmp_path / "w").dtype == np.float32
    # Signed 16 bit with an intercept of -1024 is what many scanners write: no HU lies so low.
    pixels = body_picture(ROWS, COLUMNS).astype(np.int16)
    (tmp_path / "i").mkdir()
    save(make_dataset(pixels, bits_stored=16), tmp_path / "i" / "a.dcm")
    signed = sk.open_volume(tmp_path / "i")
    signed.wait()
    assert signed.array.dtype == np.int16
    pixels[0, 0] = -32768
    save(make_dataset(pixels, bits_stored=16), tmp_path / "i" / "a.dcm")
    low = sk.open_volume(tmp_path / "i")
    low.wait()
    assert "do not fit" in str(low.errors[0])
    assert (low.array == -1000).all()
    as_float = sk.open_volume(tmp_path / "i", dtype="float32")
    as_float.wait()
    assert as_float.array[0, 0, 0] == -32768 - 1024


def test_other_modalities_keep_their_dtype_and_start_at_zero(tmp_path):
    (tmp_path / "mr").mkdir()
    pixels = body_picture(ROWS, COLUMNS)
    ds = make_dataset(pixels, bits_stored=12, Modality="MR")
    del ds.RescaleSlope
    del ds.RescaleIntercept
    save(ds, tmp_path / "mr" / "a.dcm")
    volume = sk.open_volume(tmp_path / "mr")
    volume.wait()
    assert volume.array.dtype == np.uint16
    np.testing.assert_array_equal(volume.array[0], pixels)
    assert volume.modality == "MR"


def test_colour_adds_an_axis_and_becomes_rgb(tmp_path):
    volume = sk.open_volume(pydicom.data.get_testdata_file("examples_ybr_color.dcm"))
    volume.wait()
    assert volume.array.shape == (30, 240, 320, 3)
    assert volume.array.dtype == np.uint8
    palette = sk.open_volume(pydicom.data.get_testdata_file("examples_palette.dcm"))
    palette.wait()
    ds = pydicom.dcmread(pydicom.data.get_testdata_file("examples_palette.dcm"))
    from pydicom.pixels import apply_color_lut

    expected = apply_color_lut(ds.pixel_array, ds)
    np.testing.assert_array_equal(palette.array[0], (expected >> 8).astype(np.uint8))


def test_prioritise_goes_on_from_there(tmp_path):
    make_series(tmp_path / "s", count=20, rows=64, columns=64)
    gate = threading.Event()

    class Gated(io.BytesIO):
        """Gives headers at once, whole slices only once the gate is open."""

        def read(self, size=-1):
            if size is not None and size > 6000:
                gate.wait(20)
            return super().read(size)

    volume = sk.open_volume(Gated(zip_folder(tmp_path / "s")), workers=1, order="sequential")
    assert volume.shape[0] == 20
    volume.prioritise(15)
    gate.set()
    order = list(volume)
    begun = order.index(15)
    assert begun <= 1  # the one that was being fetched
    assert order[begun : begun + 5] == [15, 14, 16, 13, 17]
    with pytest.raises(sk.ArgumentError, match=r"slice 20, expected 0 \.\.\. 19"):
        volume.prioritise(20)


def test_coarse_first_then_full(tmp_path):
    truth = make_series(tmp_path / "s", count=6, rows=128, columns=128)
    sk.compress(tmp_path / "s", tmp_path / "j", mode="lossless", progress=False)
    coarse, full = [], []
    volume = sk.open_volume(
        tmp_path / "j",
        workers=1,
        coarse=True,
        on_slice_coarse=lambda k, *_: coarse.append((k, len(full), volume.array[k].copy())),
        on_slice_processed=lambda k, *_: full.append(k),
    )
    while len(coarse) < 6:
        volume.dispatch()
    volume.wait()
    assert [k for k, _, _ in coarse] == sk.slice_order(6)
    assert full == sk.slice_order(6)
    np.testing.assert_array_equal(volume.array, truth)
    assert volume.state(0) == sk.SliceState.FULL
    assert set(volume.states) == {sk.SliceState.FULL}


def test_dropping_a_loading_volume_stops_its_threads(tmp_path):
    make_series(tmp_path / "s", count=40, rows=256, columns=256)
    sk.open_volume(tmp_path / "s").wait()
    gc.collect()
    threads = threading.active_count()
    native = _native_threads()
    for _ in range(20):
        volume = sk.open_volume(tmp_path / "s")
        dropped = weakref.ref(volume)
        del volume
        assert dropped() is None
    assert threading.active_count() <= threads
    assert _native_threads() <= native + 1


def _native_threads():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


@pytest.mark.slow
def test_dropping_a_thousand_volumes_leaks_nothing(tmp_path):
    make_series(tmp_path / "s", count=40, rows=128, columns=128)

    def churn(times):
        for _ in range(times):
            sk.open_volume(tmp_path / "s")

    churn(50)
    gc.collect()
    before, native, objects = _resident(), _native_threads(), len(gc.get_objects())
    churn(1000)
    gc.collect()
    # Objects, not traced bytes: the interpreter's own tables grow in large steps.
    assert len(gc.get_objects()) - objects < 1000
    assert _resident() - before < 32 << 20
    assert _native_threads() <= native + 1


def _resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_the_array_outlives_its_volume(ct):
    folder, truth = ct
    volume = sk.open_volume(folder)
    volume.wait()
    array = volume.array
    del volume
    gc.collect()
    np.testing.assert_array_equal(array, truth)


def test_cancel_keeps_what_is_there(tmp_path):
    make_series(tmp_path / "s", count=60, rows=256, columns=256)
    volume = sk.open_volume(tmp_path / "s", workers=1)
    next(iter(volume))
    volume.cancel()
    assert volume.wait() is False
    assert 1 <= volume.loaded.sum() < 60
    with sk.open_volume(tmp_path / "s") as inside:
        inside.wait(timeout=0)
    assert inside.finished


def test_wait_gives_up_after_its_timeout(tmp_path):
    make_series(tmp_path / "s", count=80, rows=256, columns=256)
    volume = sk.open_volume(tmp_path / "s", workers=1)
    started = time.monotonic()
    assert volume.wait(timeout=0.0) is False
    assert time.monotonic() - started < 0.5
    assert volume.wait() is True


def test_on_demand_keeps_nothing(ct):
    folder, truth = ct
    volume = sk.open_volume(folder, load="on-demand")
    assert volume.shape == truth.shape
    np.testing.assert_array_equal(volume.read_slice(7), truth[7])
    with pytest.raises(sk.ArgumentError, match="use read_slice"):
        _ = volume.array
    with pytest.raises(sk.ArgumentError, match=r"slice 9, expected 0 \.\.\. 8"):
        volume.read_slice(9)
    assert volume.wait() is True


def test_exchange_with_numpy(ct):
    folder, truth = ct
    volume = sk.open_volume(folder)
    volume.wait()
    assert np.shares_memory(np.asarray(volume), volume.array)
    assert np.shares_memory(np.from_dlpack(volume), volume.array)
    np.testing.assert_array_equal(np.asarray(volume, dtype=np.float32), truth.astype(np.float32))
    assert len(volume) == 9
    assert "9 x 48 x 40 int16, 9 of 9 slices" in repr(volume)
    assert set(volume.timing) == {"initialized", "first_slice", "last_slice"}


def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(sk.ResourceError, match="No such file or directory; check the path"):
        sk.open_volume(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(sk.ArgumentError, match="none of 0 files"):
        sk.open_volume(tmp_path / "empty").wait()
    (tmp_path / "notes.txt").write_text("hello, this is no image")
    with pytest.raises(sk.MalformedDataError, match=r"notes\.txt.*no DICOM file"):
        sk.open_volume(tmp_path / "notes.txt").wait()
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(sk.MalformedDataError, match=r"bad\.zip.*cut off"):
        sk.open_volume(tmp_path / "bad.zip").wait()
    with pytest.raises(sk.ArgumentError, match="cannot open a volume from int"):
        sk.open_volume(3)
    for nothing in ([], (path for path in ())):
        with pytest.raises(sk.ArgumentError, match="an empty list of paths"):
            sk.open_volume(nothing)
    with pytest.raises(sk.ArgumentError, match="an empty path"):
        sk.open_volume("")
    with (tmp_path / "notes.txt").open() as text, pytest.raises(sk.ArgumentError, match="open as text"):
        sk.open_volume(text).wait()
    with pytest.raises(sk.ArgumentError, match="load is 'some'"):
        sk.open_volume(tmp_path, load="some")


def test_a_zip_without_its_directory_is_read_as_far_as_it_goes(ct, tmp_path):
    folder, truth = ct
    data = zip_folder(folder, method=zipfile.ZIP_DEFLATED)
    (tmp_path / "cut.zip").write_bytes(data[: len(data) * 2 // 3])
    volume = sk.open_volume(tmp_path / "cut.zip")
    assert volume.wait()
    assert 3 <= volume.shape[0] < 9
    assert "cut off" in str(volume.errors["stream"])
    for plane in volume.array:
        assert any(np.array_equal(plane, t) for t in truth)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_multiframe_file_in_a_zip(tmp_path, method):
    frames = np.stack([body_picture(32, 32, seed=k) for k in range(8)])
    (tmp_path / "m").mkdir()
    save(make_dataset(frames, bits_stored=12, frames=8), tmp_path / "m" / "cine.dcm")
    (tmp_path / "m.zip").write_bytes(zip_folder(tmp_path / "m", method=method))
    volume = sk.open_volume(tmp_path / "m.zip")
    assert volume.wait()
    np.testing.assert_array_equal(volume.array, frames.astype(np.int16) - 1024)
    del volume
    damaged = bytearray((tmp_path / "m.zip").read_bytes())
    damaged[5000] ^= 1
    (tmp_path / "d.zip").write_bytes(damaged)
    if method == zipfile.ZIP_DEFLATED:
        with pytest.raises(sk.SpinekitError, match=r"d\.zip.*(CRC|invalid|incorrect)"):
            sk.open_volume(tmp_path / "d.zip").wait()


def test_a_volume_beyond_memory_is_refused_before_it_is_taken(tmp_path, monkeypatch):
    make_series(tmp_path / "s", count=2)
    monkeypatch.setattr("spinekit.volumes.choosing.available_memory", lambda: 1000)
    with pytest.raises(sk.ResourceError, match="open it with load='on-demand'"):
        sk.open_volume(tmp_path / "s").wait()


def test_a_multiframe_file_that_claims_too_much_is_refused(tmp_path):
    data = multiframe([b"\xff\x4f\xff\x51" + bytes(60)] * 2, pydicom.uid.JPEG2000Lossless, shape=(8, 8))
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.Rows = ds.Columns = 65535
    ds.save_as(tmp_path / "bomb.dcm")
    before = _resident()
    volume = sk.open_volume(tmp_path / "bomb.dcm")
    volume.wait()
    assert len(volume.errors) == 2
    assert "claims" in str(volume.errors[0])
    assert _resident() - before < 64 << 20


def test_the_same_folder_twice_at_once(ct):
    folder, truth = ct
    volumes = [sk.open_volume(folder) for _ in range(8)]
    for volume in volumes:
        assert volume.wait()
        np.testing.assert_array_equal(volume.array, truth)


@pytest.mark.parametrize(
    ("stored", "signed", "hu"), [(0x0FFF, True, -1025), (0x1400, False, 0 - 1024 + 0x400)]
)
def test_bits_above_bits_stored_are_no_part_of_the_value(tmp_path, stored, signed, hu):
    pixels = np.full((16, 16), stored, np.uint16).view(np.int16 if signed else np.uint16)
    path = save(make_dataset(pixels, bits_stored=12), tmp_path / "a.dcm")
    volume = sk.open_volume(path)
    volume.wait()
    itk = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert volume.array[0, 0, 0] == hu == itk.ravel()[0]
    assert any("bits above BitsStored 12" in w for w in volume.warnings)


def test_slices_of_another_pixel_spacing_are_left_out(tmp_path):
    def other(ds, k):
        if k >= 6:
            ds.PixelSpacing = ["0.5", "0.5"]

    make_series(tmp_path / "s", edit=other)
    volume = sk.open_volume(tmp_path / "s")
    volume.wait()
    assert volume.shape[0] == 6
    assert any("another orientation, PixelSpacing or colours" in w for w in volume.warnings)


def test_reading_slices_apart_takes_none_from_the_loader(tmp_path):
    truth = make_series(tmp_path / "s", count=60)
    data = zip_folder(tmp_path / "s")
    for _ in range(3):
        volume = sk.open_volume(io.BytesIO(data))
        for k in range(60):
            np.testing.assert_array_equal(volume.read_slice(59 - k), truth[59 - k])
        assert volume.wait()
        assert not volume.errors
        assert volume.loaded.all()


def test_volumes_that_failed_are_let_go():
    kept = []
    for _ in range(5):
        source = io.BytesIO(b"no image" * 100)
        kept.append(weakref.ref(source))
        with pytest.raises(sk.MalformedDataError):
            sk.open_volume(source).wait()
        del source
    deadline = time.monotonic() + 10
    while any(r() is not None for r in kept) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert all(r() is None for r in kept)


def test_a_forked_child_leaves_its_parents_volume_alone(tmp_path):
    truth = make_series(tmp_path / "s", count=30, rows=64, columns=64)
    gate = threading.Event()

    class Gated(io.BytesIO):
        def read(self, size=-1):
            if size is not None and size > 6000:
                gate.wait(20)
            return super().read(size)

    volume = sk.open_volume(Gated(zip_folder(tmp_path / "s")), workers=1, order="sequential")
    assert volume.shape[0] == 30
    child = os.fork()
    if child == 0:
        volume.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    gate.set()
    assert volume.wait()
    np.testing.assert_array_equal(volume.array, truth)


def test_monochrome1_stays_as_stored_and_is_drawn_inverted(tmp_path):
    from spinekit.volumes.pictures import contact_sheet

    pixels = np.tile(np.arange(64, dtype=np.uint16) * 60, (64, 1))
    sheets = {}
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        ds = make_dataset(pixels, bits_stored=12, photometric=kind, Modality="DX")
        del ds.RescaleIntercept
        del ds.RescaleSlope
        volume = sk.open_volume(save(ds, tmp_path / f"{kind}.dcm"))
        volume.wait()
        assert volume.photometric == kind
        np.testing.assert_array_equal(volume.array[0], pixels)
        sheets[kind] = np.asarray(contact_sheet(volume))[100, :200, 0].astype(int)
    assert sheets["MONOCHROME2"][10] < sheets["MONOCHROME2"][190]
    assert sheets["MONOCHROME1"][10] > sheets["MONOCHROME1"][190]
