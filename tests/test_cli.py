"""The command line: exit codes, help with an example, JSON for machines."""

import json
import subprocess
import sys

import pytest

import spinekit as sk
from spinekit.cli import main

COMMANDS = ["compress", "decompress", "compare", "verify", "bundle", "demo", "info"]


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
    ],
)
def test_wrong_usage_gives_exit_code_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert f"spinekit {arguments[0]}:" in capsys.readouterr().err


def test_ratio_and_lossless_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["compress", "a", "b", "--ratio", "3", "--lossless"])
    assert caught.value.code == 2


def test_info_names_every_library(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == sk.info() | {"codecs": found["codecs"]}
    assert {"OpenJPEG", "CharLS", "GDCM", "zlib", "OpenSSL"} <= set(found["libraries"])
    assert main(["info"]) == 0
    assert "not yet:" in capsys.readouterr().out


def test_module_runs_as_the_command():
    run = subprocess.run([sys.executable, "-m", "spinekit", "--version"], capture_output=True, text=True)
    assert run.stdout.strip() == f"spinekit {sk.__version__}"


def test_closed_pipe_is_no_error(ct_file):
    command = f"{sys.executable} -m spinekit info --json | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert run.stderr == ""
