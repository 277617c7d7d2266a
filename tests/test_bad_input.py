"""Files that are cut off, lie or are hostile: a clear error that names them, and nothing else."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

import spinekit as sk
from conftest import body_picture, make_dataset, save


def failure(source, tmp_path, kind=sk.SpinekitError):
    """Return the message of the one error that compressing the file must raise."""
    before = source.read_bytes() if source.is_file() else None
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    with pytest.raises(kind) as caught:
        sk.compress(source, out / "b.dcm")
    assert source.name in str(caught.value)
    assert list(out.iterdir()) == []
    if before is not None:
        assert source.read_bytes() == before
    return str(caught.value)


def changed(tmp_path, **attributes):
    ds = make_dataset(body_picture(64, 64), bits_stored=12)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return save(ds, tmp_path / "a.dcm")


_EVERY_CUT = """
import resource, sys
import spinekit as sk
from pathlib import Path
source, step, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
data = source.read_bytes()
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cut = Path(out / "cut.dcm")
for end in [*range(0, 2048, 37), *range(0, len(data), step)]:
    cut.write_bytes(data[:end])
    try:
        sk.compress(cut, out / "b.dcm", workers=1)
    except sk.SpinekitError as error:
        assert "cut.dcm" in str(error), error
    else:
        raise SystemExit(f"cut at {end} was accepted")
    assert not (out / "b.dcm").exists()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "j2k", "rle"])
def test_cut_at_every_kilobyte(tmp_path, syntax):
    picture = body_picture(200, 180)
    uids = {"implicit": ImplicitVRLittleEndian, "deflated": DeflatedExplicitVRLittleEndian}
    source = save(
        make_dataset(picture, bits_stored=12),
        tmp_path / "a.dcm",
        syntax=uids.get(syntax, pydicom.uid.ExplicitVRLittleEndian),
    )
    if syntax in ("j2k", "rle"):
        ds = pydicom.dcmread(source)
        ds.compress(JPEG2000Lossless if syntax == "j2k" else RLELossless)
        ds.save_as(source)
    size = source.stat().st_size
    run = subprocess.run(
        [sys.executable, "-c", _EVERY_CUT, str(source), "1024", str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(run.stdout) * 1024 < 4 * size + 100e6


_EVERY_FLIP = """
import random, resource, sys
import spinekit as sk
from pathlib import Path
source, out = Path(sys.argv[1]), Path(sys.argv[2])
data = source.read_bytes()
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
random.seed(1)
bad = out / "bad.dcm"
errors = 0
for k in range(int(sys.argv[3])):
    copy = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 20))):
        where = random.randrange(2500 if k % 2 else len(copy))
        copy[min(where, len(copy) - 1)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
    bad.write_bytes(copy)
    try:
        sk.compress(bad, out / "b.dcm", workers=1, overwrite=True)
    except sk.SpinekitError as error:
        assert "bad.dcm" in str(error), error
        errors += 1
        assert not list(out.glob("*.spinekit-part"))
print(errors, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


@pytest.mark.parametrize("name", ["native", "j2k", "rle", "jpeg", "jpegls"])
def test_flipped_bytes_never_crash(tmp_path, shared_data, name):
    source = save(make_dataset(body_picture(96, 96), bits_stored=12), tmp_path / "a.dcm")
    if name in ("j2k", "rle"):
        ds = pydicom.dcmread(source)
        ds.compress(JPEG2000Lossless if name == "j2k" else RLELossless)
        ds.save_as(source)
    elif name != "native":
        files = {"jpeg": "MR1_JPLY.dcm", "jpegls": "CT2_JLSL.dcm"}
        source = shared_data("dicom_codecs_wg04") / files[name]
    tries = 250 if name in ("jpeg", "jpegls") else 400
    run = subprocess.run(
        [sys.executable, "-c", _EVERY_FLIP, str(source), str(tmp_path), str(tries)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]
    errors, grown = map(int, run.stdout.split())
    assert errors > 10
    assert grown * 1024 < 4 * source.stat().st_size + 100e6


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 0}, "Rows is 0, expected 1 to 65535"),
        ({"Rows": 60000, "Columns": 60000}, "the pixel data holds 8192 bytes, 60000 rows x 60000 columns"),
        ({"NumberOfFrames": 2}, "x 2 frames need 16384"),
        ({"NumberOfFrames": 2000000000}, "the pixel data holds 8192 bytes"),
        ({"NumberOfFrames": -1}, "NumberOfFrames is -1"),
        ({"BitsAllocated": 32}, "BitsAllocated is 32, expected 8 or 16"),
        ({"BitsAllocated": 12}, "BitsAllocated is 12, expected 8 or 16"),
        ({"BitsStored": 17}, "BitsStored is 17, expected 1 to 16"),
        ({"HighBit": 15}, "HighBit is 15, expected BitsStored - 1 = 11"),
        ({"SamplesPerPixel": 2}, "SamplesPerPixel is 2, expected 1 or 3"),
        ({"PhotometricInterpretation": "RGB"}, "RGB with SamplesPerPixel 1"),
        ({"PixelRepresentation": 7}, "PixelRepresentation is 7"),
        ({"PixelData": b""}, "the pixel data .* is empty"),
        ({"PixelData": b"\x00" * 8190}, "the pixel data holds 8190 bytes"),
    ],
)
def test_lying_headers_are_named(tmp_path, attributes, message):
    import re

    assert re.search(message, failure(changed(tmp_path, **attributes), tmp_path))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "BitsStored", "PixelData"])
def test_missing_attributes_are_named(tmp_path, keyword):
    ds = make_dataset(body_picture(64, 64), bits_stored=12)
    delattr(ds, keyword)
    message = failure(save(ds, tmp_path / "a.dcm"), tmp_path, sk.MalformedDataError)
    assert ("no pixel data" if keyword == "PixelData" else f"no {keyword} (0028,") in message


def test_codestream_and_header_must_agree(tmp_path):
    ds = pydicom.dcmread(save(make_dataset(body_picture(64, 64), bits_stored=12), tmp_path / "a.dcm"))
    ds.compress(JPEG2000Lossless)
    for rows, columns, message in [
        (64, 65, "J2K codestream of 64 x 64 x 1, the header says 64 x 65 x 1"),
        (65535, 65535, "bytes claims 4294836225 samples, more than it can hold"),
    ]:
        ds.Rows, ds.Columns = rows, columns
        ds.save_as(tmp_path / "a.dcm")
        assert message in failure(tmp_path / "a.dcm", tmp_path)


def test_j2k_that_claims_gigapixels_is_refused_before_memory_is_taken(tmp_path):
    from spinekit import _core

    codestream = bytearray(_core.encode_j2k(np.zeros((64, 64), np.uint16), 12))
    for at in (8, 12, 24, 28):
        codestream[at : at + 4] = (65535).to_bytes(4, "big")
    ds = make_dataset(np.zeros((1, 1), np.uint16), bits_stored=12, Rows=65535, Columns=65535)
    ds.PixelData = encapsulate([bytes(codestream)])
    ds["PixelData"].is_undefined_length = True
    source = save(ds, tmp_path / "a.dcm", syntax=JPEG2000Lossless)
    assert "more than it can hold" in failure(source, tmp_path, sk.MalformedDataError)


def test_deflate_bomb_is_refused(tmp_path):
    ds = make_dataset(body_picture(64, 64), bits_stored=12)
    source = save(ds, tmp_path / "a.dcm", syntax=DeflatedExplicitVRLittleEndian)
    data = source.read_bytes()
    head = data[: 132 + 12 + int.from_bytes(data[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    source.write_bytes(head + packer.compress(bytes(300 << 20)) + packer.flush())
    assert "expands more than 100 times" in failure(source, tmp_path, sk.MalformedDataError)


def test_transfer_syntax_that_is_not_the_real_one(tmp_path):
    ds = make_dataset(body_picture(64, 64), bits_stored=12)
    source = save(ds, tmp_path / "a.dcm")
    data = source.read_bytes()
    wrong = data.replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2\x00\x00\x00", 1)
    source.write_bytes(wrong)
    failure(source, tmp_path)
    compressed = data.replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.5\x00", 1)
    source.write_bytes(compressed)
    assert "with native pixel data: one of the two is wrong" in failure(source, tmp_path)


def test_unknown_transfer_syntax_is_named(tmp_path):
    source = save(make_dataset(body_picture(64, 64), bits_stored=12), tmp_path / "a.dcm")
    data = source.read_bytes().replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.7\x00", 1)
    source.write_bytes(data)
    assert "transfer syntax 1.2.840.10008.1.2.7" in failure(source, tmp_path, sk.UnsupportedError)


def test_not_dicom_empty_missing_and_folders(tmp_path):
    (tmp_path / "text.dcm").write_text("hello " * 100)
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert "'DICM' is missing at byte 128" in failure(tmp_path / "text.dcm", tmp_path)
    assert "the file is empty" in failure(tmp_path / "empty.dcm", tmp_path)
    assert "check the path" in failure(tmp_path / "nowhere.dcm", tmp_path, sk.ResourceError)
    (tmp_path / "folder").mkdir()
    with pytest.raises(sk.ResourceError, match="folder' cannot be read: Is a directory; expected a file"):
        sk.read_pixels(tmp_path / "folder")


def test_fifo_in_a_folder_does_not_hang(tmp_path):
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe")
    report = sk.compress(tmp_path / "in", tmp_path / "out")
    assert "neither a file nor a folder" in report.records[0].error


@pytest.mark.skipif(os.geteuid() != 0, reason="runs the command as another user, which only root can")
def test_no_permission_is_said(ct_folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (ct_folder / "slice01.dcm").chmod(0)
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path != Path("/tmp"):
            path.chmod(0o755)
    code = (
        "import os, sys, concurrent.futures.thread; import spinekit as sk;"
        "os.setgid(65534); os.setuid(65534);"
        f"r = sk.compress({str(ct_folder)!r}, {str(out)!r}) if os.access({str(out)!r}, os.W_OK) else None;"
        "print(r.failed[0].error if r else 'none')"
    )
    denied = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert denied.stdout.strip() == "none", denied.stderr
    os.chown(out, 65534, 65534)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "slice01.dcm' cannot be read: Permission denied; ask for permission" in run.stdout, run.stderr


_LIMITED = """
import resource, sys
import spinekit as sk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
sys.exit(__import__("spinekit.cli").cli.main(["compress", sys.argv[1], sys.argv[2], "--workers", "2"]))
"""


def test_file_size_limit_fails_the_file_and_leaves_nothing(ct_folder, tmp_path):
    large = save(make_dataset(body_picture(512, 512), bits_stored=12), ct_folder / "large.dcm")
    before = large.read_bytes()
    out = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(ct_folder), str(out), "100000"], capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    assert "large.dcm" in run.stdout
    assert "ulimit -f" in run.stdout
    assert "12 images" in run.stdout
    assert not (out / "large.dcm").exists()
    assert not list(out.rglob("*.spinekit-part"))
    assert large.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which only root can")
def test_full_disk_fails_the_files_and_leaves_nothing_half_written(ct_folder, tmp_path):
    out = tmp_path / "disk"
    out.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(out)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "spinekit", "compress", str(ct_folder), str(out / "o")],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 1, run.stderr
        text = run.stdout + run.stderr
        assert "No space left on device" in text
        assert "free some space" in text
        assert not list(out.rglob("*.spinekit-part"))
        for path in (out / "o").rglob("*.dcm"):
            if path.name != "report.dcm":
                assert sk.read_pixels(path).shape == (256, 256)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_real_malformed_files_never_crash(shared_data, tmp_path):
    folder = shared_data("malformed_dicom")
    report = sk.compress(folder, tmp_path / "out")
    assert len(report) == len([p for p in folder.iterdir() if p.is_file()])
    status = {Path(r.source).name: r for r in report}
    assert "Rows" in status["dwv-test_no-number-rows.dcm"].error
    assert status["emri_small_jpeg_2k_lossless_too_short.dcm"].status == "failed"


def test_real_malformed_codestreams_never_crash(shared_data, tmp_path):
    folder = shared_data("malformed_j2k")
    code = (
        "import sys; from pathlib import Path; from spinekit import _core; import spinekit as sk;\n"
        "from conftest import make_dataset, save; import numpy as np\n"
        "from pydicom.encaps import encapsulate; from pydicom.uid import JPEG2000\n"
        "for f in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    data = f.read_bytes(); at = data.find(b'\\xffO\\xffQ')\n"
        "    siz = data[at + 8:at + 24] if at >= 0 else bytes(16)\n"
        "    w, h, x, y = (int.from_bytes(siz[4*k:4*k+4], 'big') for k in range(4))\n"
        "    for samples in (1, 3):\n"
        "        shape = (1, 1, 3) if samples == 3 else (1, 1)\n"
        "        ds = make_dataset(np.zeros(shape, np.uint8), Rows=min(max(h - y, 1), 65535),\n"
        "                          Columns=min(max(w - x, 1), 65535))\n"
        "        ds.PixelData = encapsulate([data]); ds['PixelData'].is_undefined_length = True\n"
        "        p = save(ds, Path(sys.argv[2]) / 'a.dcm', syntax=JPEG2000)\n"
        "        try: sk.read_pixels(p)\n"
        "        except sk.SpinekitError as e: assert 'a.dcm' in str(e)\n"
        "print('all')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )
    assert run.stdout.strip() == "all", run.stderr[-3000:]
