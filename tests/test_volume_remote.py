"""Volumes over HTTP: by ranges, as streams, from DICOMweb; servers that lie, cut off, refuse."""

import io
import threading
import time
import zipfile

import numpy as np
import pytest
from pydicom.uid import RLELossless

import spinekit as sk
from made_series import STEP, Server, dicomweb_routes, make_series, multiframe, rle_frame, zip_folder


@pytest.fixture
def ct(tmp_path):
    """Return a folder of a series, and what it holds."""
    truth = make_series(tmp_path / "ct", count=12, rows=128, columns=128)
    return tmp_path / "ct", truth


@pytest.fixture
def bundles(ct, tmp_path):
    """Return the bytes of an uncompressed and of a J2K bundle, and what both hold."""
    folder, truth = ct
    sk.compress(folder, tmp_path / "j2k", mode="lossless", progress=False)
    sk.bundle(folder, tmp_path / "a.zip")
    sk.bundle(tmp_path / "j2k", tmp_path / "b.zip")
    return (tmp_path / "a.zip").read_bytes(), (tmp_path / "b.zip").read_bytes(), truth


@pytest.mark.parametrize("ranges", [True, False])
def test_a_bundle_comes_as_a_stream_in_one_request(bundles, ranges):
    plain, _, truth = bundles
    with Server({"/ct.zip": plain}, ranges=ranges) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip")
        assert volume.wait()
        np.testing.assert_array_equal(volume.array, truth)
        assert len(server.requests) == 1


def test_a_j2k_bundle_comes_coarse_by_ranges_and_then_in_full(bundles):
    _, j2k, truth = bundles
    coarse = []
    with Server({"/ct.zip": j2k}) as server:
        volume = sk.open_volume(
            f"{server.url}/ct.zip",
            on_slice_coarse=lambda k, *_: coarse.append((k, server.sent)),
        )
        assert volume.wait()
        np.testing.assert_array_equal(volume.array, truth)
    assert {k for k, _ in coarse} == set(range(12))
    assert not volume.errors


def test_a_coarse_picture_resembles_the_full_one(bundles):
    _, j2k, truth = bundles
    gate = threading.Event()
    coarse = {}

    def routes(path, headers):
        # The first answer, and short ranges: the coarse pictures. Long ones wait.
        first, _, last = (headers.get("Range") or "bytes=0-0")[6:].partition("-")
        if int(last) - int(first) > 8000:
            gate.wait(20)

    with Server({"/ct.zip": j2k}, routes=routes) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip")
        try:
            deadline = time.monotonic() + 20
            while (volume.states != sk.SliceState.COARSE).any() and time.monotonic() < deadline:
                time.sleep(0.01)
            coarse = volume.array.copy()
            assert not volume.loaded.any()
        finally:
            gate.set()
        assert volume.wait()
    for k in range(12):
        assert np.corrcoef(coarse[k].ravel(), truth[k].ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(volume.array, truth)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_foreign_zip(ct, method, ranges):
    folder, truth = ct
    data = zip_folder(folder, method=method)
    with Server({"/ct.zip": data}, ranges=ranges) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip", workers=1)
        assert volume.wait()
        np.testing.assert_array_equal(volume.array, truth)
        assert volume.geometry.spacing[0] == STEP
        assert (len(server.requests) == 1) == (not ranges)


def test_one_slice_on_demand_costs_its_bytes_alone(bundles):
    plain, _, truth = bundles
    with Server({"/ct.zip": plain}) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip", load="on-demand")
        assert volume.shape == truth.shape
        before = server.sent
        np.testing.assert_array_equal(volume.read_slice(9), truth[9])
        assert server.sent - before < 1.2 * truth[9].nbytes


def rle_file(count):
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 4096, (64, 64), np.uint16) for _ in range(count)]
    return frames, rle_frame, RLELossless


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_frames_of_a_multiframe_file_by_ranges(table):
    frames, rle, syntax = rle_file(20)
    data = multiframe(
        frames, syntax, shape=(64, 64), encoder=rle, table=table == "basic", extended=table == "extended"
    )
    with Server({"/cine": data}) as server:
        volume = sk.open_volume(f"{server.url}/cine", load="on-demand")
        assert volume.shape == (20, 64, 64)
        opened = server.sent
        np.testing.assert_array_equal(volume.read_slice(13), frames[13].astype(np.int16) - 1024)
        assert server.sent - opened < 4 * frames[0].nbytes
        whole = sk.open_volume(f"{server.url}/cine")
        assert whole.wait()
        np.testing.assert_array_equal(whole.array, np.stack(frames).astype(np.int16) - 1024)


def test_middle_first_and_prioritised(ct):
    folder, _ = ct
    with Server({"/ct.zip": zip_folder(folder)}, bytes_per_second=2e6) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip", workers=1)
        arrived = iter(volume)
        first = next(arrived)
        assert abs(first - 6) <= 4  # six connections fetch at a time
        volume.prioritise(0)
        rest = list(arrived)
        assert set(rest) | {first} == set(range(12))


def test_dicomweb_middle_first(ct):
    pytest.importorskip("dicomweb_client")
    from dicomweb_client import DICOMwebClient

    folder, truth = ct
    with Server({}, routes=dicomweb_routes(folder)) as server:
        volume = sk.open_volume(f"{server.url}/studies/1.2.3/series/1.2.3.4", workers=1)
        assert list(volume) == sk.slice_order(12)
        np.testing.assert_array_equal(volume.array, truth)
        assert volume.geometry.spacing[0] == STEP
        client = DICOMwebClient(server.url)
        again = sk.open_volume(client, study="1.2.3", series="1.2.3.4")
        assert again.wait()
        np.testing.assert_array_equal(again.array, truth)
        with pytest.raises(sk.ArgumentError, match="study= and series="):
            sk.open_volume(client).wait()
        with pytest.raises(sk.ResourceError, match="gives no metadata"):
            sk.open_volume(client, study="1.2.3", series="9").wait()


def test_dicomweb_instances_that_are_missing(ct):
    pytest.importorskip("dicomweb_client")
    folder, truth = ct
    routes = dicomweb_routes(folder)
    count = [0]

    def broken(path, headers):
        if "/instances/" in path:
            count[0] += 1
            if count[0] == 3:
                return "text/plain", b"sorry"
        return routes(path, headers)

    with Server({}, routes=broken) as server:
        volume = sk.open_volume(f"{server.url}/studies/1.2.3/series/1.2.3.4")
        assert volume.wait()
    assert len(volume.errors) == 1
    (index,) = volume.errors
    assert "does not give it" in str(volume.errors[index])
    keep = np.arange(12) != index
    np.testing.assert_array_equal(volume.array[keep], truth[keep])


def test_headers_are_sent():
    seen = []

    def routes(path, headers):
        seen.append(headers.get("Authorization"))

    with Server({}, routes=routes) as server, pytest.raises(sk.ResourceError):
        sk.open_volume(f"{server.url}/x.zip", headers={"Authorization": "Bearer t"}).wait()
    assert seen == ["Bearer t"]


def test_servers_that_refuse(bundles):
    with Server({}) as server:
        with pytest.raises(sk.ResourceError, match="the server says 404"):
            sk.open_volume(f"{server.url}/nothing.zip").wait()
        gone = server.url
    with Server({}, status=401) as server, pytest.raises(sk.ResourceError, match=r"401.*pass headers="):
        sk.open_volume(f"{server.url}/x.zip").wait()
    with pytest.raises(sk.ResourceError, match=r"cannot be opened: .*check the address"):
        sk.open_volume(f"{gone}/x.zip").wait()


def test_an_answer_that_is_cut_off(bundles):
    plain, _, truth = bundles
    with Server({"/ct.zip": plain}, ranges=False, cut=len(plain) // 2) as server:
        volume = sk.open_volume(f"{server.url}/ct.zip")
        assert volume.wait()
    there = volume.loaded
    assert 0 < there.sum() < 12
    np.testing.assert_array_equal(volume.array[there], truth[there])
    assert "stream" in volume.errors


def test_ranges_that_the_server_forgets(ct):
    """A server that offers ranges and then answers whole, or with errors."""
    folder, truth = ct
    data = zip_folder(folder)
    count = [0]

    def routes(path, headers):
        if headers.get("Range"):
            count[0] += 1
            if count[0] % 5 == 0:
                return "text/plain", b"everything"
        return None

    with Server({"/ct.zip": data}, routes=routes) as server:
        try:
            volume = sk.open_volume(f"{server.url}/ct.zip")
            assert volume.wait(timeout=60)
        except sk.SpinekitError as failure:
            assert "expected 206" in str(failure)
            return
    for k in range(volume.shape[0]):
        if volume.loaded[k]:
            assert any(np.array_equal(volume.array[k], t) for t in truth)
        else:
            assert "206" in str(volume.errors[k])


def test_dropping_a_volume_hangs_up(bundles):
    plain, _, _ = bundles
    with Server({"/ct.zip": plain}, bytes_per_second=50_000) as server:
        started = time.monotonic()
        volume = sk.open_volume(f"{server.url}/ct.zip")
        assert volume.shape[0] == 12
        volume.close()
        assert time.monotonic() - started < 3
        assert volume.wait() is False


def test_a_nifti_file_by_its_url(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    pixels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(6, 5, 4)
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), tmp_path / "v.nii.gz")
    with Server({"/v.nii.gz": (tmp_path / "v.nii.gz").read_bytes()}) as server:
        volume = sk.open_volume(f"{server.url}/v.nii.gz")
        assert volume.wait()
    np.testing.assert_array_equal(volume.array, pixels.T)


def test_a_file_object_whose_reads_are_short():
    class Short(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1000) if size > 0 else size)

    frames, rle, syntax = rle_file(3)
    data = multiframe(frames, syntax, shape=(64, 64), encoder=rle)
    volume = sk.open_volume(io.BytesIO(data))
    assert volume.wait()
    slow = sk.open_volume(Short(data))
    assert slow.wait()
    np.testing.assert_array_equal(slow.array, volume.array)


def test_credentials_stay_with_the_server_that_they_are_for(bundles):
    plain, j2k, truth = bundles
    seen = []

    def note(path, headers):
        seen.append(headers.get("Authorization"))

    for data in (plain, j2k):
        with (
            Server({"/ct.zip": data}, routes=note) as other,
            Server({}, redirect=f"{other.url}/ct.zip") as server,
        ):
            volume = sk.open_volume(f"{server.url}/x", headers={"Authorization": "Bearer secret"})
            assert volume.wait()
            np.testing.assert_array_equal(volume.array, truth)
    assert set(seen) == {None}


def test_an_answer_longer_than_asked_for_is_not_read(ct):
    folder, _ = ct
    data = zip_folder(folder)
    import resource

    def routes(path, headers):
        return ("long", bytes(200 << 20)) if headers.get("Range") else None

    with Server({"/ct.zip": data}, routes=routes) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(sk.MalformedDataError, match=r"more than the .* bytes that it was asked for"):
            sk.open_volume(f"{server.url}/ct.zip").wait()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 260 << 10
