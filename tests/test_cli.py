"""The command line: exit codes, help with an example, JSON for machines."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit.cli import main

COMMANDS = [
    "compress",
    "decompress",
    "compare",
    "verify",
    "bundle",
    "volume",
    "film",
    "phantom",
    "measure",
    "agreement",
    "demo",
    "info",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"Example: spinekit {command}" in capsys.readouterr().out


def test_compress_verify_decompress_compare_bundle(ct_folder, tmp_path, capsys):
    out, plain = str(tmp_path / "out"), str(tmp_path / "plain")
    report = tmp_path / "r.csv"
    assert main(["compress", str(ct_folder), out, "--ratio", "5", "--report", str(report)]) == 0
    assert "12 images" in capsys.readouterr().out
    assert len(report.read_text().splitlines()) == 15
    assert main(["verify", out]) == 0
    assert "14 of 14 files ok" in capsys.readouterr().out
    assert main(["decompress", out, plain, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["images"] == 12
    assert main(["compare", f"{ct_folder}/slice01.dcm", f"{plain}/slice01.dcm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["psnr"] > 40
    assert main(["bundle", out, str(tmp_path / "s.zip")]) == 0
    assert "12 slices of 256 x 256, spacing 2.5" in capsys.readouterr().out


def test_sample_needs_no_target(ct_folder, capsys):
    assert main(["compress", str(ct_folder), "--sample", "2", "--ratio", "5"]) == 0
    assert "the whole batch of 13 DICOM files" in capsys.readouterr().out


def test_failed_files_give_exit_code_1_and_are_named(ct_folder, tmp_path, capsys):
    (ct_folder / "bad.dcm").write_bytes(b"\0" * 128 + b"DICM")
    assert main(["compress", str(ct_folder), str(tmp_path / "out")]) == 1
    assert "bad.dcm" in capsys.readouterr().out
    assert main(["compress", str(ct_folder / "bad.dcm"), str(tmp_path / "x.dcm")]) == 1
    assert "bad.dcm" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "x"],
        ["compress", "x", "y", "--ratio", "0.5"],
        ["compress", "x", "y", "--report", "r.pdf"],
        ["verify", "."],
        ["volume", ".", "--out", "x.pdf"],
        ["volume", ".", "--out", "nowhere/x.npy"],
        ["volume", ".", "--out", "x.npy", "--series", "1.2"],
    ],
)
def test_wrong_usage_gives_exit_code_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert f"spinekit {arguments[0]}:" in capsys.readouterr().err


def test_volume_prints_series_geometry_and_times(ct_folder, capsys):
    other = save(
        make_dataset(body_picture(64, 64), SeriesInstanceUID="1.2.3", Modality="MR"), ct_folder / "o.dcm"
    )
    assert main(["volume", str(ct_folder)]) == 0
    printed = capsys.readouterr().out
    for words in (
        "CT, 12 x 256 x 256 int16",
        "* ",
        "1.2.3: MR, 1 images of 64 x 64",
        "spacing 2.5 x 0.661468 x 0.661468 mm",
        "axes    slices (0, 0, 1), rows (0, 1, 0), columns (1, 0, 0)",
        "2 series, the largest is open",
        "12 of 12 slices",
    ):
        assert words in printed
    assert main(["volume", str(ct_folder), "--series", "1.2.3", "--order", "sequential", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["shape"], found["modality"], found["errors"]) == ([1, 64, 64], "MR", {})
    assert [series["uid"] for series in found["series"] if series["chosen"]] == ["1.2.3"]
    assert set(found["timing"]) == {"initialized", "first_slice", "last_slice"}
    assert found["geometry"]["spacing"][1:] == [0.661468, 0.661468]
    assert other.exists()


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".npy", ".png"])
def test_volume_is_written(ct_folder, tmp_path, capsys, suffix):
    target = tmp_path / f"out{suffix}"
    if suffix.startswith(".nii"):
        pytest.importorskip("nibabel")
    assert main(["volume", str(ct_folder), "--out", str(target)]) == 0
    volume = sk.open_volume(ct_folder)
    volume.wait()
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(target), volume.array)
    elif suffix == ".png":
        with Image.open(target) as sheet:
            assert sheet.size == (4 * 228 - 4, 3 * 228 - 4)
    else:
        assert main(["volume", str(target), "--json"]) == 0
        assert '"shape": [\n  12' in capsys.readouterr().out
    before = target.read_bytes()
    assert main(["volume", str(ct_folder), "--out", str(target)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert main(["volume", str(ct_folder), "--out", str(target), "--overwrite"]) == 0
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == [target.name]


def test_volume_with_a_broken_file_gives_exit_code_1_and_names_it(ct_folder, capsys):
    damaged = ct_folder / "slice04.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    assert main(["volume", str(ct_folder)]) == 1
    printed = capsys.readouterr().out
    assert "ERROR: " in printed
    assert "slice04.dcm" in printed
    assert main(["volume", str(ct_folder / "README.txt")]) == 1
    assert "README.txt" in capsys.readouterr().err


def test_volume_from_stdin(ct_folder, tmp_path):
    pytest.importorskip("spinekit.volumes.streams")
    sk.bundle(ct_folder, tmp_path / "s.zip")
    command = f"cat {tmp_path / 's.zip'} | {sys.executable} -m spinekit volume - --json"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["shape"] == [12, 256, 256]


def test_ratio_and_lossless_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["compress", "a", "b", "--ratio", "3", "--lossless"])
    assert caught.value.code == 2


def test_info_names_every_library(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == sk.info() | {"codecs": found["codecs"]}
    assert {"OpenJPEG", "CharLS", "GDCM", "zlib", "OpenSSL", "OpenCV"} <= set(found["libraries"])
    assert main(["info"]) == 0
    assert "not yet:" in capsys.readouterr().out


def test_module_runs_as_the_command():
    run = subprocess.run([sys.executable, "-m", "spinekit", "--version"], capture_output=True, text=True)
    assert run.stdout.strip() == f"spinekit {sk.__version__}"


def test_closed_pipe_is_no_error(ct_file):
    command = f"{sys.executable} -m spinekit info --json | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert run.stderr == ""
