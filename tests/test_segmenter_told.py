"""Segmenter: what cannot be is told, and it lives beside torch and others."""

import math
import pathlib
import pickle
import re
import sys

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import made_film
from spinekit.filters import PenSettings

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("spinekit._infer")

import made_weights  # noqa: E402
from made_networks import (  # noqa: E402
    BONES,
    FILM,
    SIZE,
    of_model,
    random_network,
    run,
    settled_network,
)
from spinekit import nn  # noqa: E402

# ---- what is told


def test_a_segmenter_says_what_it_is(seg, weights):
    assert repr(seg) == (
        "<Segmenter transunet 'tiny.safetensors', 6 channels of 96 x 64, 8 classes, fp32, threads: 2, cpu>"
    )
    assert (seg.path, seg.labels, seg.size, seg.channels) == (weights, BONES, SIZE, 6)
    assert (seg.precision, seg.threads, seg.device) == ("fp32", 2, "cpu")
    assert seg.filters == PenSettings(levels="film", bits=8)
    configuration = seg.configuration
    assert configuration["hidden"] == 128
    assert PenSettings.from_dict(configuration["filters"]) == seg.filters
    configuration["size"] = None
    assert seg.configuration["size"] == [96, 64]


def test_a_segmenter_pickles_as_its_file(seg, weights):
    again = pickle.loads(pickle.dumps(seg))
    assert (again.path, again.threads) == (weights, 2)
    np.testing.assert_array_equal(again.predict(FILM), seg.predict(FILM))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "fp16"}, sk.ArgumentError, "precision: 'fp16', expected 'fp32' or 'bf16'"),
        ({"threads": 0}, sk.ArgumentError, "threads: 0, expected at least 1"),
        ({"device": "tpu"}, sk.ArgumentError, "device: 'tpu'"),
        ({"size": 224}, sk.ArgumentError, r"size: 224, expected \(rows, columns\)"),
        ({"size": (224, 100)}, sk.ArgumentError, "multiples of 16"),
        ({"labels": "L1"}, sk.ArgumentError, "labels: 'L1', expected a name for each class"),
        ({"channels": 3}, sk.ArgumentError, "has 6 channels, not 3"),
        (
            {"filters": PenSettings(channels=5)},
            sk.ArgumentError,
            "filters make 5 channels, the network takes 6",
        ),
    ],
)
def test_refuses_options_that_cannot_be(weights, options, error, message):
    with pytest.raises(error, match=message):
        sk.Segmenter(weights, **options)


def test_refuses_weights_that_are_none(tmp_path):
    with pytest.raises(sk.UnsupportedError, match="'demo': no trained weights are shipped yet"):
        sk.Segmenter("demo")
    with pytest.raises(sk.ResourceError, match=r"gone.safetensors' cannot be read: No such file"):
        sk.Segmenter(tmp_path / "gone.safetensors")
    with pytest.raises(sk.ResourceError, match="expected a file, got a folder"):
        sk.Segmenter(tmp_path)
    with pytest.raises(sk.ArgumentError, match="weights: dict, expected the path"):
        sk.Segmenter({})
    for name, content, message in (
        ("a.safetensors", b"", "a.safetensors': empty"),
        ("b.pth", b"hello hello hello", "b.pth': no weights"),
        ("c.pt", b"PK\x03\x04 and no more", "c.pt': cut off or damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(sk.MalformedDataError, match=message):
            sk.Segmenter(tmp_path / name)


def test_pretrained_weights_are_for_training(tmp_path):
    np.savez(tmp_path / "R50.npz", **made_weights.google())
    with pytest.raises(sk.UnsupportedError, match=r"R50.npz': .*spinekit.nn.load_checkpoint, train"):
        sk.Segmenter(tmp_path / "R50.npz")


def test_weights_that_do_not_fit_are_named(tmp_path, model):
    from safetensors.torch import load_file, save_file

    nn.save(model, tmp_path / "m.safetensors")
    with __import__("safetensors").safe_open(tmp_path / "m.safetensors", "pt") as file:
        metadata = file.metadata()
    state = load_file(tmp_path / "m.safetensors")
    state["pen.conv.weight"] = torch.zeros(3, 6, 5, 5)
    save_file(state, tmp_path / "odd.safetensors", metadata)
    with pytest.raises(sk.MalformedDataError, match=r"odd.safetensors': .*pen.conv.weight.*5, 5.*7, 7"):
        sk.Segmenter(tmp_path / "odd.safetensors")
    torch.save({"transformer.embeddings.position_embeddings": torch.zeros(1, 16, 64)}, tmp_path / "odd.pth")
    with pytest.raises(sk.MalformedDataError, match=r"odd.pth': .*no '.*root.conv.weight'"):
        sk.Segmenter(tmp_path / "odd.pth")


def test_filters_that_are_not_ours_are_told(tmp_path):
    model = random_network()
    model.filters = {"clip": 2.5}
    nn.save(model, tmp_path / "m.safetensors")
    with pytest.raises(
        sk.MalformedDataError, match=r"m.safetensors': its filters .*unknown settings: \['clip'\]"
    ):
        sk.Segmenter(tmp_path / "m.safetensors")
    sk.Segmenter(tmp_path / "m.safetensors", filters=PenSettings())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 6, 96, 64), np.uint8), "films: uint8, expected float32; sk.segmentation.prepare"),
        (np.full((1, 6, 96, 64), np.nan, np.float32), "films: NaN or infinite"),
        (np.zeros((6, 96, 64), np.float32), r"3 dimensions, expected \(n, channels, rows, columns\)"),
        (np.zeros((1, 5, 96, 64), np.float32), "5 channels, expected 6"),
        (np.zeros((1, 6, 90, 64), np.float32), "90 x 64 pixels"),
        (np.zeros((0, 6, 96, 64), np.float32), "expected"),
    ],
)
def test_forward_refuses_what_is_no_input(seg, inputs, message):
    with pytest.raises(sk.ArgumentError, match=message):
        seg.forward(inputs)


@pytest.mark.parametrize(
    ("film", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 8, 3\), expected \(rows, columns\); sk.read_radiograph"),
        (np.zeros((0, 8), np.uint8), r"shape \(0, 8\)"),
        (np.zeros((8, 8), complex), "an array of complex128"),
        (5, "film: int, expected a Radiograph, an array"),
        ([5], "film: int, expected"),
    ],
)
def test_predict_refuses_what_is_no_film(seg, film, message):
    with pytest.raises(sk.ArgumentError, match=message):
        seg.predict(film)


def test_a_film_that_is_too_large_is_refused_first(seg):
    film = np.broadcast_to(np.uint16(0), (20_000, 20_000))
    with pytest.raises(
        sk.ResourceError,
        match=r"20000 x 20000 pixels, .*take 12.8 GB; give it smaller, .*film.pixels\[.*max_pixels=400000000",
    ):
        seg.predict(film)
    with pytest.raises(sk.ResourceError, match=r"predict\(\.\.\., max_pixels=55296\)"):
        seg.predict([FILM], max_pixels=100)


def test_max_pixels_holds_for_files_before_they_are_decoded(seg, tmp_path):
    Image.fromarray(FILM).save(tmp_path / "a.png")
    for film in (tmp_path / "a.png", [tmp_path / "a.png"]):
        with pytest.raises(sk.ResourceError, match="288 x 192 pixels, expected at most 100; max_pixels="):
            seg.predict(film, max_pixels=100)


def test_maps_of_many_classes_count(tmp_path):
    seg = of_model(settled_network([0.0] * 16), tmp_path / "m.safetensors")
    film = made_film((40, 30))
    assert seg.predict(film, max_pixels=2400).shape == (16, 40, 30)
    with pytest.raises(sk.ResourceError, match="40 x 30 pixels, whose probabilities would take"):
        seg.predict(film, max_pixels=2399)


def test_an_input_beyond_any_use_is_refused_first(seg, tmp_path):
    huge = np.broadcast_to(np.float32(0), (1, 6, 1 << 14, 1 << 14))
    for call in (
        lambda: seg.predict(FILM, size=(1 << 14, 1 << 14)),
        lambda: sk.Segmenter(seg.path, size=(1 << 14, 1 << 14)).predict(FILM),
        lambda: seg.forward(huge),
        lambda: of_model(random_network("unet"), tmp_path / "u.safetensors", size=(1 << 14, 1 << 14)),
    ):
        with pytest.raises(sk.ResourceError, match=r"size: 16384 x 16384 pixels in 6 channels and 8 classes"):
            call()


def test_weights_that_give_no_numbers_give_no_masks(tmp_path):
    seg = of_model(settled_network([math.nan] * 8), tmp_path / "m.safetensors")
    with pytest.raises(sk.MalformedDataError, match=r"m.safetensors': the network gives NaN"):
        seg.predict(FILM)


# ---- beside others


def test_nothing_of_torch_is_imported_unasked():
    code = """
        import sys, spinekit as sk
        sk.Segmenter, sk.segmentation.prepare
        print([name for name in ("torch", "spinekit._infer", "scipy.ndimage") if name in sys.modules])
    """
    assert run(code) == "[]"


def test_without_torch_it_says_what_to_install(weights):
    code = """
        import sys
        sys.modules["torch"] = None
        import spinekit as sk
        try:
            sk.Segmenter(sys.argv[1])
        except sk.UnsupportedError as failure:
            print(failure)
        print(sk.info()["segmentation"]["ready"])
    """
    assert run(code, weights) == "segmentation needs torch: pip install 'spinekit[models]'\nFalse"


@pytest.mark.parametrize(
    "failure", ["ImportError('libc10.so: undefined symbol')", "OSError('libcudart')", "AttributeError('_C')"]
)
def test_a_broken_torch_is_told(weights, tmp_path, failure):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"raise {failure}\n")
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        import spinekit as sk
        try:
            sk.Segmenter(sys.argv[1])
        except sk.UnsupportedError as failure:
            print(failure)
        print(sk.info()["segmentation"]["why not"])
    """
    first, second = run(code, weights, tmp_path).splitlines()
    kind, reason = failure.removesuffix("')").split("('")
    assert first == second
    assert f"torch is installed and cannot be imported: {kind}: {reason}; install it again" in first


def test_another_torch_is_told(weights, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.11.0+cu126")
    with pytest.raises(
        sk.UnsupportedError, match=r"built for torch \d.*, this is torch 2.11.0\+cu126; pip install"
    ):
        sk.Segmenter(weights)


def test_an_installation_without_the_engine_is_told(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "spinekit._infer", None)
    monkeypatch.delattr(sk, "_infer")
    with pytest.raises(sk.UnsupportedError, match="was built without torch, and cannot segment") as raised:
        sk.Segmenter(weights)
    project = pathlib.Path(__file__).parents[1] / "pyproject.toml"
    built_for = re.search(r'"(torch==[0-9.]+)"', project.read_text())[1]
    assert f"pip install {built_for}' and then \"pip install --no-build-isolation '.[models]'" in str(
        raised.value
    )


def test_it_goes_on_after_fork(weights):
    code = """
        import os, sys
        import numpy as np
        import spinekit as sk
        seg = sk.Segmenter(sys.argv[1], threads=2)
        film = np.random.default_rng(0).integers(0, 4096, (120, 90), np.uint16)
        before = seg.predict(film)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.allclose(seg.predict(film), before, atol=1e-5) else 9)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), np.array_equal(seg.predict(film), before))
    """
    assert run(code, weights) == "0 True"


@pytest.mark.parametrize("torch_threads", [0, 2])
def test_children_of_fork_open_weights_and_unpickle(weights, torch_threads):
    code = """
        import multiprocessing, os, sys
        import numpy as np
        import torch
        import spinekit as sk
        if int(sys.argv[2]):
            torch.set_num_threads(int(sys.argv[2]))
        seg = sk.Segmenter(sys.argv[1], threads=2)
        film = np.random.default_rng(0).integers(0, 4096, (120, 90), np.uint16)
        before = seg.predict(film)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            same = [np.allclose(one, before, atol=1e-5) for one in pool.map(seg.predict, [film] * 3)]
        child = os.fork()
        if child == 0:
            fresh = sk.Segmenter(sys.argv[1], threads=2).predict(film)
            os._exit(0 if np.allclose(fresh, before, atol=1e-5) else 9)
        _, status = os.waitpid(child, 0)
        print(same, os.waitstatus_to_exitcode(status), torch.get_num_threads() >= 1)
    """
    assert run(code, weights, torch_threads) == "[True, True, True] 0 True"


@pytest.mark.parametrize(
    "order",
    [
        ("torch", "cv2", "SimpleITK", "spinekit"),
        ("spinekit", "SimpleITK", "cv2", "torch"),
        ("SimpleITK", "spinekit", "torch", "cv2"),
    ],
)
def test_in_any_order_of_imports(weights, seg, order):
    pytest.importorskip("cv2")
    pytest.importorskip("SimpleITK")
    code = """
        import sys
        for name in sys.argv[2:]:
            __import__(name)
        import numpy as np
        import spinekit as sk
        seg = sk.Segmenter(sys.argv[1], threads=1)
        print(float(seg.predict(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64)).mean()))
    """
    expected = seg.predict(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64)).mean()
    assert float(run(code, weights, *order)) == pytest.approx(float(expected), abs=1e-5)


def test_info_says_what_segmentation_runs_on():
    found = sk.info()["segmentation"]
    assert found["ready"] is True
    assert found["built for torch"].split(".")[:2] == torch.__version__.split(".")[:2]
    assert found["weights"] == "none are shipped"


def test_the_file_of_the_weights_is_no_longer_needed(model, weights, tmp_path):
    films = np.random.default_rng(4).normal(size=(1, 6, 64, 64)).astype(np.float32)
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights.read_bytes())
    seg = sk.Segmenter(path)
    expected = seg.forward(films)
    path.write_bytes(bytes(path.stat().st_size))
    assert np.array_equal(seg.forward(films), expected)
