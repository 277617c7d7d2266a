"""Weights from files that are damaged, lie, or are something else: errors that name them; nothing is run."""

import io
import json
import os
import zipfile

import numpy as np
import pytest

import spinekit as sk

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from made_weights import assert_same, google, network, official  # noqa: E402 - what follows needs torch
from spinekit import nn  # noqa: E402


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_pickled_code_is_not_run(new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(1), "b": Evil()}, "a.pth", _use_new_zipfile_serialization=new)
    with pytest.raises(
        sk.MalformedDataError, match=r"a\.pth': holds code or objects .* not run; expected a state dict"
    ):
        nn.read_weights("a.pth")
    assert os.listdir() == ["a.pth"]


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_cut_off_state_dicts_are_errors(new, tmp_path):
    path = tmp_path / "a.pth"
    torch.save(official(), path, _use_new_zipfile_serialization=new)
    whole = path.read_bytes()
    for length in (1, 3, 17, 100, 1000, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:length])
        with pytest.raises(sk.MalformedDataError, match=r"a\.pth': (cut off or damaged|no weights)"):
            nn.read_weights(path)


def test_damaged_state_dicts_are_errors_or_read(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(4), "b": torch.zeros(2, 2)}, path)
    whole = path.read_bytes()
    random = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 4):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            nn.read_weights(path)
        except sk.SpinekitError as failure:
            assert "a.pth" in str(failure)


def test_a_state_dict_that_unfolds_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 16)}, buffer)
    with (
        zipfile.ZipFile(buffer) as stored,
        zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as folded,
    ):
        for name in stored.namelist():
            folded.writestr(name, stored.read(name))
    with pytest.raises(sk.MalformedDataError, match="its entries are larger than the file"):
        nn.read_weights(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([torch.zeros(1)], "holds a list, expected a state dict"),
        (torch.zeros(1), "holds a Tensor, expected a state dict"),
        ({}, "no weights by name, expected a state dict; it has nothing"),
        ({"epoch": 3, "net": {"a": torch.zeros(1)}}, "no weights by name, .* it has 'epoch', 'net'"),
        ({3: torch.zeros(1)}, "no weights by name"),
        ({"a": torch.eye(3).to_sparse()}, "'a' is sparse, quantised or without values"),
        ({"a": torch.ones(3, device="meta")}, "'a' is sparse, quantised or without values"),
        ({"a": torch.ones(1).expand(1 << 20, 1 << 10)}, "'a' is 4294967296 bytes out of 4 in the file"),
        ({"a": torch.ones(9).as_strided((5, 5), (1, 1))}, "'a' is 100 bytes out of 36 in the file"),
        (dict.fromkeys(map(str, range(100)), torch.ones(1 << 12)), "1638400 bytes of weights are more than"),
    ],
)
def test_files_without_a_state_dict_are_errors(held, message, tmp_path):
    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(sk.MalformedDataError, match=message):
        nn.read_weights(tmp_path / "a.pth")


def test_entries_that_are_no_tensors_are_left_out(tmp_path):
    torch.save({"a": torch.ones(2), "mask_values": [0, 1]}, tmp_path / "a.pth")
    state, configuration = nn.read_weights(tmp_path / "a.pth")
    assert list(state) == ["a"]
    assert configuration is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty, expected weights"),
        (b"GIF89a, and some more bytes", r"no weights, expected a \.safetensors, \.pth, \.pt or \.npz file"),
        (b"PK\x03\x04" + bytes(60), "cut off or damaged"),
        (b"\x80\x02garbage", "cut off or damaged"),
        ((1 << 60).to_bytes(8, "little") + b'{"a"', "cut off or damaged"),
        ((2).to_bytes(8, "little") + b"{]", "cut off or damaged"),
    ],
)
def test_files_of_another_kind_are_errors(data, message, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    for read in (nn.read_weights, nn.load, lambda p: nn.load_checkpoint(network(), p)):
        with pytest.raises(sk.MalformedDataError, match=rf"a\.safetensors': {message}"):
            read(path)


def test_a_zip_without_weights_and_torchscript_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(sk.MalformedDataError, match="a ZIP file without weights"):
        nn.read_weights(tmp_path / "a.zip")
    nn.export_torchscript(nn.UNet(width=8), tmp_path / "a.pt", 32)
    with pytest.raises(sk.UnsupportedError, match=r"a TorchScript file, expected a \.safetensors file or"):
        nn.load(tmp_path / "a.pt")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(sk.ResourceError, match=r"missing\.pth' cannot be read: .*check the path"):
        nn.load_checkpoint(network(), tmp_path / "missing.pth")
    with pytest.raises(sk.ResourceError, match="expected a file, got a folder"):
        nn.read_weights(tmp_path)


def rewritten(path, tensors=None, **change):
    """Change a file's description, and optionally its weights."""
    state, described = nn.read_weights(path)
    metadata = {"spinekit": json.dumps(described | change)}
    safetensors_torch.save_file(state | (tensors or {}), path, metadata)


def test_safetensors_that_lie_or_end_early_are_errors(tmp_path):
    path = tmp_path / "a.safetensors"
    nn.save(network(), path)
    whole = path.read_bytes()
    for length in (9, 100, len(whole) - 5):
        path.write_bytes(whole[:length])
        with pytest.raises(sk.MalformedDataError, match=r"a\.safetensors': cut off or damaged"):
            nn.load(path)
    path.write_bytes(whole)
    rewritten(path, mlp=25)
    with pytest.raises(
        sk.MalformedDataError,
        match=r"6 of another shape: .*layer\.0\.ffn\.fc1\.weight': \(24, 16\), expected \(25, 16\)",
    ):
        nn.load(path)
    # Asks for terabytes; nothing may be allocated before it is compared with what is there.
    rewritten(path, mlp=1 << 16, hidden=1 << 16, layers=256, decoder=[1 << 16] * 4)
    with pytest.raises(sk.MalformedDataError, match=r"not those of its configuration: .* expected .*65536"):
        nn.load(path)
    rewritten(path, architecture="vgg")
    with pytest.raises(sk.MalformedDataError, match=r"a\.safetensors': architecture: 'vgg', expected one of"):
        nn.load(path)
    path.write_bytes(whole)
    rewritten(path, {"segmentation_head.0.bias": torch.zeros(9, dtype=torch.int32)})
    with pytest.raises(
        sk.MalformedDataError, match=r"'segmentation_head\.0\.bias' is torch\.int32, expected torch\.float32"
    ):
        nn.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "its configuration is no JSON"), ("[1]", "its configuration is a list, expected")],
)
def test_descriptions_that_are_no_json_object_are_errors(text, message, tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors_torch.save_file({"a": torch.zeros(1)}, path, {"spinekit": text})
    with pytest.raises(sk.MalformedDataError, match=message):
        nn.load(path)


def test_weights_without_a_description_are_loaded_into_a_network(tmp_path):
    path = tmp_path / "a.safetensors"
    state = official()
    safetensors_torch.save_file({f"module.{name}": tensor for name, tensor in state.items()}, path)
    model = network()
    nn.load_checkpoint(model, path)
    assert_same(model.state_dict(), state)
    safetensors_torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(sk.MalformedDataError, match=r"no spinekit configuration .*load_checkpoint"):
        nn.load(path)


def test_weights_that_share_memory_are_saved(tmp_path):
    flat = torch.arange(1000.0)
    state = {
        name: flat[: t.numel()].reshape(t.shape).to(t.dtype)
        for name, t in network().state_dict().items()
        if t.numel() <= 1000
    }
    model = network()
    model.load_state_dict(state, strict=False, assign=True)
    nn.save(model, tmp_path / "a.safetensors")
    assert_same(nn.load(tmp_path / "a.safetensors").state_dict(), state)


def with_entry(path, name, data, compressed=False):
    """Write google()'s arrays with the bytes of one replaced."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for other, array in google().items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{other}.npy", data if other == name else buffer.getvalue())


def npy(array, **described):
    """Return the bytes of an .npy file whose header says something else than its data."""
    header = {"descr": "<f4", "fortran_order": False, "shape": array.shape} | described
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            npy(np.zeros(3), shape=(1 << 40,)),
            sk.ArgumentError,
            r"'embedding/bias': \(1099511627776\), expected",
        ),
        (npy(np.zeros(3, np.float32), shape=(16,)), sk.MalformedDataError, r"a\.npz': cut off or damaged"),
        (
            npy(np.zeros(16), descr="|O"),
            sk.MalformedDataError,
            "'embedding/bias' holds object, expected numbers",
        ),
        (npy(np.zeros(16), shape=(-16,)), sk.MalformedDataError, "cut off or damaged"),
        (b"\x93NUMPY\x09\x00", sk.MalformedDataError, "cut off or damaged"),
        (b"", sk.MalformedDataError, "cut off or damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff{", sk.MalformedDataError, "cut off or damaged"),
    ],
)
def test_arrays_that_lie_are_errors(data, error, message, tmp_path):
    with_entry(tmp_path / "a.npz", "embedding/bias", data)
    with pytest.raises(error, match=message):
        nn.load_checkpoint(network(), tmp_path / "a.npz")


def test_a_damaged_npz_changes_nothing(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **google())
    whole = path.read_bytes()
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for damaged in (whole[: len(whole) // 2], whole[:5000] + bytes(300) + whole[5300:]):
        path.write_bytes(damaged)
        with pytest.raises(sk.MalformedDataError, match=r"a\.npz': cut off or damaged .*download it again"):
            nn.load_checkpoint(model, path)
    assert_same(model.state_dict(), before)
