"""Pictures of volumes, and the view of them in a real kernel."""

import io
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import make_dataset, save
from spinekit.volumes import pictures

nibabel = pytest.importorskip("nibabel")


def loaded(source, **wishes):
    volume = sk.open_volume(source, **wishes)
    assert volume.wait(30)
    return volume


# ---- pictures


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_cuts_look_the_same_however_the_volume_is_stored(axes, flips):
    # RAS: x to the right, y to the front, z to the head, 2 x 3 x 5 mm.
    data = np.random.default_rng(1).integers(0, 1000, (4, 5, 6), np.int16)
    image = nibabel.Nifti1Image(data, np.diag([2.0, 3.0, 5.0, 1.0]))
    ornt = np.array([[axes[i], flips[i]] for i in range(3)], float)
    volume = loaded(image.as_reoriented(ornt))
    planes = {plane.name: plane for plane in pictures.planes_of(volume.geometry, volume.shape)}
    assert sorted(planes) == ["axial", "coronal", "sagittal"]
    # Radiological: the patient's right is left, front and head are up.
    expected = {
        "axial": (2, data[::-1, ::-1, :].transpose(2, 1, 0), (3, 2), ("R", "L", "A", "P")),
        "coronal": (1, data[::-1, :, ::-1].transpose(1, 2, 0), (5, 2), ("R", "L", "S", "I")),
        "sagittal": (0, data[:, ::-1, ::-1].transpose(0, 2, 1), (5, 3), ("A", "P", "S", "I")),
    }
    for name, (_, cuts, spacing, edges) in expected.items():
        plane = planes[name]
        found = [pictures.cut(volume, plane, k) for k in range(plane.count)]
        turned = found[0].tolist() != cuts[0].tolist()
        np.testing.assert_array_equal(found[::-1] if turned else found, cuts)
        assert plane.spacing == pytest.approx(spacing)
        assert plane.edges == edges


def test_pictures_have_true_proportions():
    image = nibabel.Nifti1Image(np.zeros((40, 20, 10), np.int16), np.diag([1.0, 2.0, 8.0, 1.0]))
    volume = loaded(image)
    sizes = {
        plane.name: pictures.picture(
            pictures.cut(volume, plane, 0), plane, 1, 0, side=200, letters=False
        ).size
        for plane in pictures.planes_of(volume.geometry, volume.shape)
    }
    assert sizes == {"axial": (200, 200), "coronal": (100, 200), "sagittal": (100, 200)}


def test_window_and_level():
    values = np.array([[-500, -160, 40, 240, 3000]], np.int16)
    np.testing.assert_array_equal(pictures.grey(values, 400, 40), [[0, 0, 127, 255, 255]])
    assert pictures.grey(np.array([[np.nan, 1.0]], np.float32), 1, 0.5).tolist() == [[0, 255]]


def test_default_windows(ct_folder):
    assert pictures.default_window(loaded(ct_folder)) == (400, 40)
    data = np.arange(101, dtype=np.float32).repeat(20).reshape(-1, 20, 1)
    window, level = pictures.default_window(loaded(nibabel.Nifti1Image(data, np.eye(4))))
    assert (window, level) == (pytest.approx(98, abs=2), pytest.approx(50, abs=2))


@pytest.fixture
def truncated(tmp_path):
    """Return a file of 12 slices of which the last four are not whole."""
    path = tmp_path / "a.nii"
    data = np.random.default_rng(0).integers(0, 100, (64, 64, 12), np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[: 352 + 8 * 64 * 64 * 2 + 100])
    return path


def test_strip_tells_what_is_there(truncated):
    volume = loaded(truncated)
    strip = np.asarray(pictures.state_strip(volume, 2, width=120))
    middles = [tuple(strip[-1, 10 * k + 5]) for k in range(12)]
    assert middles == [pictures._FULL] * 8 + [pictures._BROKEN] * 4
    assert strip[0, 24].tolist() == [0, 0, 0]


def test_contact_sheet(ct_folder):
    sheet = pictures.contact_sheet(loaded(ct_folder), most=6, side=64)
    assert sheet.size == (3 * 68 - 4, 2 * 68 - 4)
    assert np.asarray(sheet).std() > 20


# ---- the view


@pytest.fixture
def show():
    pytest.importorskip("ipywidgets")
    return sk.show


def png(widget):
    return np.asarray(Image.open(io.BytesIO(widget.value)))


def test_view_shows_what_is_there(show, ct_folder):
    volume = loaded(ct_folder)
    view = show(volume)
    assert "12 of 12 slices" in view.status.value
    assert (view.window.value, view.level.value) == (400, 40)
    assert view.index.value == 6
    first = png(view.image)
    view.index.value = 2
    assert (png(view.image) != first).any()
    view.window.value = 2000
    view.presets.children[1].click()
    assert (view.window.value, view.level.value) == (2000, 500)
    view.plane.value = "coronal"
    assert (view.index.max, view.index.value) == (255, 128)
    wide, high = png(view.image).shape[::-1]
    assert high / wide == pytest.approx(12 * 2.5 / (256 * 0.661468), abs=0.01)
    view.close()


def test_view_fills_while_a_script_waits(show, ct_folder):
    volume = sk.open_volume(ct_folder)
    view = show(volume)
    volume.wait()
    assert "12 of 12 slices" in view.status.value


def test_window_and_level_can_be_given(show, ct_folder):
    view = show(loaded(ct_folder), window=1500, level=-600)
    assert (view.window.value, view.level.value) == (1500, -600)
    with pytest.raises(sk.ArgumentError, match="window is 0"):
        show(loaded(ct_folder), window=0)


def test_view_of_a_volume_on_demand(show, ct_folder):
    view = show(sk.open_volume(ct_folder, load="on-demand"))
    assert list(view.plane.options) == ["axial"]
    assert png(view.image).std() > 20
    assert "decoded when it is looked at" in view.status.value


def test_view_of_colours(show, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    view = show(loaded(save(make_dataset(pixels, Modality="US"), tmp_path / "us.dcm")))
    assert png(view.image).shape[2] == 3
    assert view.index.disabled


def test_broken_slices_are_told(show, truncated):
    view = show(loaded(truncated))
    assert "8 of 12 slices" in view.status.value
    assert "4 errors" in view.status.value
    assert "broken: " not in view.status.value
    view.index.value = 9
    assert "broken: " in view.status.value
    assert "ends within slice 8 of 12" in view.status.value


def test_missing_ipywidgets_is_named_with_its_remedy(ct_folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    with pytest.raises(sk.UnsupportedError, match=r"spinekit\[jupyter\]"):
        sk.show(sk.open_volume(ct_folder))


def test_view_left_open_does_not_disturb_the_end_of_the_process(show, ct_folder):
    code = f"import spinekit as sk; v = sk.open_volume({str(ct_folder)!r}); view = sk.show(v); v.wait()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


KERNEL_CELLS = [
    """
import asyncio, io, threading
import nibabel, numpy as np
from PIL import Image
import spinekit as sk

gate = threading.Semaphore(0)

class Slow(np.ndarray):
    def __getitem__(self, place):
        assert gate.acquire(timeout=20)
        return np.full((32, 32), 10 * place[2], np.int16)

image = nibabel.Nifti1Image(np.zeros((32, 32, 20), np.int16).view(Slow), np.eye(4))
volume = sk.open_volume(image, order="sequential")
view = sk.show(volume, window=200, level=100)
view
""",
    """
view.index.value = 15
[gate.release() for _ in range(3)]
""",
    """
for _ in range(100):
    await asyncio.sleep(0.05)
    if "3 of 20" in view.status.value:
        break
seen = np.asarray(Image.open(io.BytesIO(view.image.value)))
print(np.flatnonzero(volume.loaded).tolist(), int(seen[100, 100]), view.status.value.count("loading"))
""",
    """
[gate.release() for _ in range(30)]
await volume
await asyncio.sleep(0.6)
print(view.status.value.count("20 of 20"), view.status.value.count("loaded in"))
""",
]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_view_follows_in_a_real_kernel(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in KERNEL_CELLS])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = notebook.cells[0].outputs[-1]
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    there, seen, loading = notebook.cells[2].outputs[0]["text"].strip().rsplit(" ", 2)
    # The first slice was begun before the slider moved; those around 15 came next.
    assert json.loads(there) == [0, 14, 15]
    assert int(seen) == pytest.approx(255 * 150 / 200, abs=1)
    assert loading == "1"
    assert notebook.cells[3].outputs[0]["text"].split() == ["1", "1"]
