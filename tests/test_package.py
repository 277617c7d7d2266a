"""The package as such: what importing costs, threads and forks, errors, arrays, examples."""

import concurrent.futures
import doctest
import importlib
import os
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit import _core, _engine


def test_import_brings_nothing_heavy():
    heavy = ("torch", "pydicom", "matplotlib", "tqdm", "PIL")
    code = f"import sys, spinekit; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_errors_are_what_python_users_catch():
    assert issubclass(sk.ArgumentError, ValueError)
    assert issubclass(sk.MalformedDataError, ValueError)
    assert issubclass(sk.UnsupportedError, NotImplementedError)
    assert issubclass(sk.ResourceError, RuntimeError)
    for name in ("Argument", "MalformedData", "Unsupported", "Resource", "Cancelled"):
        error = getattr(sk, f"{name}Error")
        assert issubclass(error, sk.SpinekitError)
        assert error.__module__ == "spinekit"
        assert str(pickle.loads(pickle.dumps(error("x")))) == "x"


def test_public_names_have_docstrings():
    for name in sk.__all__:
        if name != "__version__":
            assert getattr(sk, name).__doc__, name


MODULES = [
    m.name
    # Nothing below a package whose extra is missing.
    for m in pkgutil.walk_packages(sk.__path__, "spinekit.", onerror=lambda _: None)
    if m.name not in ("spinekit.__main__", "spinekit._core")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    if module.startswith("spinekit.nn"):
        pytest.importorskip("torch")
        pytest.importorskip("safetensors")
    found = importlib.import_module(module)
    assert doctest.testmod(found).failed == 0


def test_examples_of_packages_within_are_found():
    # testmod does not follow what a package takes from its modules.
    assert "spinekit.phantom.spine" in MODULES
    finder = doctest.DocTestFinder()
    assert any(test.examples for test in finder.find(importlib.import_module("spinekit.phantom.degrade")))


def test_array_owns_its_memory(ct_file):
    pixels = sk.read_pixels(ct_file)
    expected = pixels.copy()
    ct_file.unlink()
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, expected)


def test_many_threads_at_once(ct_file, tmp_path):
    before = sk.read_pixels(ct_file)

    def job(k):
        sk.compress(ct_file, tmp_path / f"{k}.dcm", mode="lossless")
        return np.array_equal(sk.read_pixels(tmp_path / f"{k}.dcm"), before)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(job, range(24)))
    assert len({(tmp_path / f"{k}.dcm").read_bytes() for k in range(24)}) == 1


def test_engine_works_after_fork(tmp_path):
    frames = np.stack([body_picture(64, 64, seed=k) for k in range(8)])
    source = save(make_dataset(frames, bits_stored=12, frames=8), tmp_path / "a.dcm")
    code = f"""
import os, sys
import spinekit as sk
sk.read_pixels({str(source)!r}, workers=4)
pid = os.fork()
if pid == 0:
    ok = sk.read_pixels({str(source)!r}, workers=4).shape == (8, 64, 64)
    os._exit(0 if ok else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(sk.read_pixels({str(source)!r}, workers=4).shape)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.split("\n")[:2] == ["0", "(8, 64, 64)"], run.stderr


def test_cancelled_work_stops_and_leaves_nothing(ct_file, tmp_path):
    cancel = _core.CancelToken()
    cancel.cancel()
    options = _core.TranscodeOptions(_core.Target.J2K_LOSSLESS)
    with pytest.raises(sk.CancelledError):
        _core.transcode(
            ct_file.read_bytes(), "a", str(tmp_path / "b.dcm"), options, _engine.executor(2), cancel
        )
    assert list(tmp_path.iterdir()) == [ct_file]


def test_inputs_are_refused_not_converted():
    a = np.zeros((20, 40), np.uint16)
    for wrong in (a[:, ::2], a.T, a.astype(">u2"), a.astype(np.float32)):
        with pytest.raises((sk.ArgumentError, TypeError)):
            _core.differences(wrong, wrong)


def test_objects_are_collected(ct_file):
    import gc
    import weakref

    pixels = sk.read_pixels(ct_file)
    view = pixels[10:20]
    watcher = weakref.ref(pixels)
    del pixels
    gc.collect()
    assert watcher() is None or view.base is watcher()
    assert view.sum() > 0


@pytest.mark.parametrize("other", ["SimpleITK", "pydicom", "skimage", "openjpeg"])
@pytest.mark.parametrize("first", [True, False])
def test_works_beside_other_libraries_in_any_order(other, first, ct_file, tmp_path):
    pytest.importorskip(other)
    names = ["spinekit", other] if first else [other, "spinekit"]
    code = f"import {', '.join(names)}; spinekit.compress({str(ct_file)!r}, {str(tmp_path / 'b.dcm')!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=os.environ)


def test_figures_in_readme_are_those_of_the_benchmarks():
    root = Path(__file__).resolve().parents[1]
    tables = {p.stem for p in (root / "benchmarks" / "results").glob("*.json")}
    readme = (root / "README.md").read_text()
    assert {name for name in tables if f"from benchmarks/results/{name}.json" in readme} == tables
    assert tables >= {"compression", "volumes"}
    command = [sys.executable, str(root / "benchmarks" / "readme.py"), "--check"]
    assert subprocess.run(command).returncode == 0, "run python benchmarks/readme.py"
