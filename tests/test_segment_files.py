"""Films in, masks out: what is written is what was predicted, is measured as it lies, and is never lost."""

import json

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import made_film, make_dataset, save
from spinekit.cli import main
from spinekit.filters import PenSettings

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("spinekit._infer")

import torch

from made_networks import foreign, of_model, settled_network

BONES = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")
#: Probabilities .88 for all but L3 and FH2, which are .12.
LOGITS = [2.0, 2.0, -2.0, 2.0, 2.0, 2.0, 2.0, -2.0]


class Bands(torch.nn.Module):
    """Finds each bone where the film has a grey level of its own: k + 1 ninths of full."""

    def forward(self, films):
        levels = (torch.arange(8, device=films.device).view(1, 8, 1, 1) + 1) / 9
        return 40 * (0.03 - (films[:, :1] - levels).abs()) / 0.03


@pytest.fixture
def seg(tmp_path):
    return of_model(settled_network(LOGITS), tmp_path / "settled.safetensors")


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(made_film((90, 60))).save(folder / "a.png")
    Image.fromarray(made_film((60, 90))).save(folder / "more" / "b.png")
    pixels = made_film((80, 50), np.uint16) >> 4
    dataset = make_dataset(
        pixels, bits_stored=12, Modality="DX", RescaleIntercept="0", PixelSpacing=[0.5, 0.5]
    )
    save(dataset, folder / "more" / "c")
    return folder


def test_masks_of_a_folder(seg, films, tmp_path):
    out = tmp_path / "out"
    found = sk.segment_files(films, out, seg)
    assert found.ok
    assert found.names == ["a", "more/b", "more/c"]
    assert found.pixels["a"] == {bone: 0 if bone in ("L3", "FH2") else 5400 for bone in BONES}
    assert found.empty["more/b"] == ["L3", "FH2"]
    assert str(found).startswith(f"3 of 3 films segmented to '{out}' in ")
    assert "a: nothing found of L3, FH2" in str(found)
    masks = sk.read_masks(out / "a")
    np.testing.assert_array_equal(masks, 255 * (seg.predict(films / "a.png") >= 0.5))
    note = json.loads((out / "more" / "c" / "segmentation.json").read_text())
    assert (note["film"], note["spacing"], note["labels"]) == ("c", [0.5, 0.5], list(BONES))
    assert note["made_with"]["filters"] == PenSettings(levels="film", bits=8).to_dict()
    with Image.open(out / "more" / "c.overlay.png") as picture:
        assert picture.size == (50, 80)


def test_a_phantom_from_its_film_to_its_angles(tmp_path):
    """A network that reads grey levels finds the masks that were drawn; files bring them to `measure`."""
    spine = sk.phantom.Spine.random(seed=7)
    truth = spine.radiograph(rows=480, columns=400)
    bones = spine.masks(truth)
    drawn = np.zeros(truth.shape, np.uint16)
    for k, mask in enumerate(bones):
        drawn[(mask >= 0.5) & (drawn == 0)] = round(65535 * (k + 1) / 9)
    film = tmp_path / "film.png"
    Image.fromarray(drawn).save(film)
    network = foreign(Bands(), tmp_path / "bands.pt", size=truth.shape)
    settings = PenSettings(levels=(0, 65535), bits=16)
    seg = sk.Segmenter(network, channels=1, labels=BONES, size=truth.shape, filters=settings)
    found = sk.segment_files(film, tmp_path / "out", seg, spacing=truth.spacing)
    assert found.pixels["film"]["sacrum"] == (drawn == round(65535 * 6 / 9)).sum()
    measured = sk.measure_files(tmp_path / "out").measurements["film"]
    assert measured.unit == "mm"
    expected = spine.parameters_on(truth)
    assert measured.ss == pytest.approx(expected.ss, abs=2)
    assert measured.ll == pytest.approx(expected.ll, abs=4)


@pytest.mark.parametrize("kind", ["png", "npz", "nifti"])
def test_what_is_written_is_measured_as_it_lies(seg, films, tmp_path, kind):
    out = tmp_path / "out"
    sk.segment_files(films, out, seg, format=kind)
    found = sk.measure_files(out)
    assert list(found.measurements) == ["a", "more/b", "more/c"]
    assert found.measurements["more/c"].spacing == (0.5, 0.5)
    assert found.measurements["a"].spacing is None


@pytest.mark.parametrize("kind", ["png", "npz", "nifti"])
def test_a_detectors_spacing_is_told(seg, tmp_path, kind):
    dataset = make_dataset(made_film((80, 50)), Modality="DX", ImagerPixelSpacing=[0.2, 0.2])
    del dataset.PixelSpacing
    save(dataset, tmp_path / "d.dcm")
    sk.segment_files(tmp_path / "d.dcm", tmp_path / "out", seg, format=kind)
    measured = sk.measure_files(tmp_path / "out").measurements["d"]
    assert measured.spacing == (0.2, 0.2)
    assert (
        "lengths are those on the detector: so is the spacing that came with the masks" in measured.warnings
    )


def test_nifti_is_read_as_it_was_found(seg, films, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    named = sk.Segmenter(seg.path, threads=1, labels=[*BONES[:6], "FH2", "FH1"])
    for probabilities, limit in ((False, 0), (True, 1e-6)):
        out = tmp_path / str(probabilities)
        sk.segment_files(films / "more" / "c", out, named, format="nifti", probabilities=probabilities)
        expected = named.predict(films / "more" / "c")[[*range(6), 7, 6]]
        expected = expected if probabilities else expected >= 0.5
        np.testing.assert_allclose(sk.read_masks(out / "c.nii.gz"), expected, atol=limit)
    # Volumes beside masks are no cases, and say so where they are named.
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), out / "ct.nii.gz")
    assert list(sk.measure_files(out).measurements) == ["c"]
    with pytest.raises(sk.MalformedDataError, match=r"ct\.nii\.gz': shape \(4, 4, 4\), expected \(columns"):
        sk.read_masks(out / "ct.nii.gz")
    for content in (b"", b"no", (out / "c.nii.gz").read_bytes()[:200]):
        (out / "bad.nii.gz").write_bytes(content)
        with pytest.raises(sk.SpinekitError, match=r"bad\.nii\.gz'"):
            sk.read_masks(out / "bad.nii.gz")


def test_probabilities(seg, films, tmp_path):
    share = 1 / (1 + np.exp(-2))
    sk.segment_files(films / "a.png", tmp_path / "png", seg, probabilities=True, overlay=False)
    assert (sk.read_masks(tmp_path / "png" / "a")[0] == round(255 * share)).all()
    sk.segment_files(films / "a.png", tmp_path / "npz", seg, probabilities=True, format="npz")
    np.testing.assert_allclose(sk.read_masks(tmp_path / "npz" / "a.npz")[0], share, atol=1e-3)
    assert not (tmp_path / "png" / "a.overlay.png").exists()
    assert (tmp_path / "npz" / "a.overlay.png").exists()


def test_nifti_keeps_overlaps_and_spacing(seg, films, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    sk.segment_files(films / "more" / "c", tmp_path / "out", seg, format="nifti", threshold=0.9)
    assert not np.asarray(nibabel.load(tmp_path / "out" / "c.nii.gz").dataobj).any()
    sk.segment_files(films / "more" / "c", tmp_path / "two", seg, format="nifti")
    image = nibabel.load(tmp_path / "two" / "c.nii.gz")
    assert image.shape == (50, 80, 1, 8)
    assert image.get_data_dtype() == np.uint8
    assert [int(image.dataobj[..., k].sum()) for k in range(8)] == [4000 * (logit > 0) for logit in LOGITS]
    np.testing.assert_allclose(image.affine, np.diag([0.5, -0.5, 1, 1]))
    sk.segment_files(films / "more" / "c", tmp_path / "three", seg, format="nifti", probabilities=True)
    image = nibabel.load(tmp_path / "three" / "c.nii.gz")
    np.testing.assert_array_equal(image.get_fdata()[:, :, 0, 0].T, seg.predict(films / "more" / "c")[0])


def test_the_same_call_goes_on(seg, films, tmp_path):
    out = tmp_path / "out"
    sk.segment_files(films / "a.png", out, seg)
    before = (out / "a" / "L1.png").stat().st_mtime_ns
    again = sk.segment_files(films, out, seg)
    assert again.kept == ["a"]
    assert again.pixels["a"]["L1"] == 5400
    assert (out / "a" / "L1.png").stat().st_mtime_ns == before
    (out / "a" / "L2.png").unlink()
    assert sk.segment_files(films, out, seg).kept == ["more/b", "more/c"]
    assert (out / "a" / "L2.png").exists()


def test_masks_of_other_weights_are_not_replaced_unasked(seg, films, tmp_path):
    out = tmp_path / "out"
    sk.segment_files(films, out, seg)
    other = of_model(settled_network([3.0, 3.0], seed=5), tmp_path / "other.safetensors", labels=["x", "y"])
    for options, told in (
        ({}, "other weights, labels"),
        ({"format": "npz"}, "format png, now npz"),
        ({"threshold": 0.4}, "threshold 0.5, now 0.4"),
    ):
        found = sk.segment_files(films, out, other, **options)
        assert list(found.failures) == ["a", "more/b", "more/c"]
        assert "was made with other weights, " in found.failures["a"]
        assert told.split()[-1] in found.failures["a"]
        assert "(--overwrite)" in found.failures["a"]
    assert (sk.read_masks(out / "a")[0] == 255).all()
    found = sk.segment_files(films, out, other, overwrite=True)
    assert found.ok
    assert sorted(path.name for path in (out / "a").iterdir()) == ["segmentation.json", "x.png", "y.png"]


def test_files_of_others_stay(seg, films, tmp_path):
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "L1.png").write_bytes(b"by hand")
    found = sk.segment_files(films, out, seg)
    assert "L1.png' is there and not of an earlier run" in found.failures["a"]
    assert (out / "a" / "L1.png").read_bytes() == b"by hand"
    assert list(found.pixels) == ["more/b", "more/c"]


def test_masks_that_were_corrected_by_hand_stay(seg, films, tmp_path):
    out = tmp_path / "out"
    sk.segment_files(films / "a.png", out, seg)
    (out / "a" / "L1.png").write_bytes(b"by hand")
    (out / "a" / "L2.png").unlink()
    found = sk.segment_files(films / "a.png", out, seg)
    assert "L1.png' is there and not of an earlier run, or was changed since" in found.failures["a"]
    assert (out / "a" / "L1.png").read_bytes() == b"by hand"
    assert (out / "a" / "L3.png").exists()
    # The same where a run was cut off before its end.
    journal = out / "spinekit-segment.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    assert not sk.segment_files(films / "a.png", out, seg).ok
    assert (out / "a" / "L1.png").read_bytes() == b"by hand"
    assert sk.segment_files(films / "a.png", out, seg, overwrite=True).ok
    assert (sk.read_masks(out / "a")[0] == 255).all()


def test_masks_under_other_labels_are_others(seg, films, tmp_path):
    other = sk.Segmenter(seg.path, threads=1, labels=[*BONES[:6], "FH2", "FH1"])
    for kind in ("png", "npz"):
        out = tmp_path / kind
        sk.segment_files(films / "a.png", out, seg, format=kind)
        before = {path: path.read_bytes() for path in out.rglob("*.*") if path.suffix != ".jsonl"}
        found = sk.segment_files(films / "a.png", out, other, format=kind)
        assert "was made with other labels; choose another folder" in found.failures["a"]
        assert {path: path.read_bytes() for path in before} == before
        assert sk.segment_files(films / "a.png", out, other, format=kind, overwrite=True).ok
        masks = sk.read_masks(out / ("a" if kind == "png" else "a.npz"))
        assert [bool(mask.any()) for mask in masks] == [logit > 0 for logit in [*LOGITS[:6], -1, 1]]


def test_a_run_over_other_masks_that_was_cut_off_is_not_taken_for_them(seg, films, tmp_path):
    out = tmp_path / "out"
    sk.segment_files(films / "a.png", out, seg)
    other = of_model(settled_network([-2.0] * 8), tmp_path / "other.safetensors")
    sk.segment_files(films / "a.png", out, other, overwrite=True)
    journal = out / "spinekit-segment.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    found = sk.segment_files(films / "a.png", out, seg)
    assert (found.ok, found.kept) == (True, [])
    assert (sk.read_masks(out / "a")[0] == 255).all()


def test_a_run_that_was_cut_off_goes_on(seg, films, tmp_path):
    out = tmp_path / "out"
    sk.segment_files(films / "a.png", out, seg)
    journal = out / "spinekit-segment.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1][:20])
    found = sk.segment_files(films / "a.png", out, seg)
    assert (found.ok, found.kept) == (True, [])
    journal.write_bytes(b"{}\n" + journal.read_bytes())
    with pytest.raises(
        sk.MalformedDataError, match=r"spinekit-segment.jsonl', line 1: not a journal of results"
    ):
        sk.segment_files(films / "a.png", out, seg)


def test_what_is_no_film_is_named_and_the_rest_goes_on(seg, films, tmp_path):
    (films / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (films / "notes.txt").write_text("no film")
    found = sk.segment_files(films, tmp_path / "out", seg)
    assert list(found.failures) == ["bad"]
    assert "bad.png'" in found.failures["bad"]
    assert len(found.pixels) == 3
    found = sk.segment_files(films, tmp_path / "small", seg, max_pixels=4500)
    assert "90 x 60 pixels, expected at most 4500; max_pixels=" in found.failures["a"]
    assert list(found.pixels) == ["more/c"]


def test_results_within_the_films_are_passed_over(seg, films):
    assert len(sk.segment_files(films, films / "out", seg).names) == 3
    assert len(sk.segment_files(films, films / "out", seg).kept) == 3


def test_results_are_no_films_wherever_they_lie(seg, films, tmp_path):
    sk.segment_files(films, films / "one", seg)
    sk.segment_files(films / "a.png", films / "two", seg, format="npz")
    assert sk.segment_files(films, tmp_path / "out", seg).names == ["a", "more/b", "more/c"]
    with pytest.raises(sk.ArgumentError, match=r"no films in .*outside of folders with results"):
        sk.segment_files(films / "one", tmp_path / "again", seg)
    # Masks that were moved, without the journal.
    (films / "kept").mkdir()
    for name in ("a", "a.overlay.png"):
        (films / "one" / name).rename(films / "kept" / name)
    Image.fromarray(made_film((20, 20))).save(films / "kept" / "other.overlay.png")
    found = sk.segment_files(films, tmp_path / "out", seg)
    assert found.names == ["a", "kept/other.overlay", "more/b", "more/c"]


def test_masks_do_not_go_among_the_films(seg, films):
    (films.parent / "link").symlink_to(films)
    for out in (films, films.parent / "link"):
        with pytest.raises(sk.ArgumentError, match="holds the films; name another folder for the masks"):
            sk.segment_files([films], out, seg)
    assert not (films / "spinekit-segment.jsonl").exists()


def test_masks_do_not_go_to_a_folder_that_holds_films(seg, films, tmp_path):
    for source, out in ((films / "a.png", films), (films, films / "more")):
        with pytest.raises(sk.ArgumentError, match=r"holds .*films.*; name another folder for the masks"):
            sk.segment_files(source, out, seg)
        assert main(["segment", str(source), "--out", str(out), "--weights", str(tmp_path / "no.pth")]) != 0
        assert not (out / "spinekit-segment.jsonl").exists()


@pytest.mark.parametrize("kind", ["png", "npz"])
def test_a_namesake_that_comes_later_gets_the_longer_name(seg, films, tmp_path, kind):
    out = tmp_path / "out"
    sk.segment_files(films, out, seg, format=kind)
    for suffix in (".bmp", ".tif"):  # one before .png, one after
        Image.fromarray(made_film((20, 20))).save(films / f"a{suffix}")
    for kept in (["a", "more/b", "more/c"], ["a", "a.bmp", "a.tif", "more/b", "more/c"]):
        found = sk.segment_files(films, out, seg, format=kind)
        assert (found.ok, sorted(found.kept)) == (True, kept)
    assert sorted(sk.measure_files(out).measurements) == ["a", "a.bmp", "a.tif", "more/b", "more/c"]
    (films / "a.png").unlink()
    (films / "a.bmp").unlink()
    assert sk.segment_files(films, out, seg, format=kind).kept == ["a.tif", "more/b", "more/c"]


def test_names_without_ending_keep_their_dots(seg, films, tmp_path):
    for name in ("1.2.840.77", "1.2.840.78", "1.2.840.79.dcm"):
        (films / name).write_bytes((films / "more" / "c").read_bytes())
    found = sk.segment_files(films, tmp_path / "out", seg, format="npz")
    assert found.names[:3] == ["1.2.840.77", "1.2.840.78", "1.2.840.79"]
    assert (tmp_path / "out" / "1.2.840.77.npz").exists()
    assert "1.2.840.78" in sk.measure_files(tmp_path / "out").measurements


def test_names_of_single_files(seg, films, tmp_path):
    Image.fromarray(made_film((20, 20))).save(films / "a.tif")
    found = sk.segment_files(
        [films / "a.png", films / "more" / "b.png", films / "a.tif"], tmp_path / "1", seg
    )
    assert found.names == ["a.png", "more/b", "a.tif"]
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes((films / "a.png").read_bytes())
    with pytest.raises(sk.ArgumentError, match=r"both be called a\.png; write them to two --out folders"):
        sk.segment_files([films, tmp_path / "x"], tmp_path / "2", seg)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "tiff"}, sk.ArgumentError, "format: 'tiff', expected png, npz, nifti"),
        ({"threshold": 1.5}, sk.ArgumentError, "threshold: 1.5"),
        ({"tilts": (90,)}, sk.ArgumentError, "tilts: "),
        ({"spacing": (0, 1)}, sk.ArgumentError, "spacing: "),
        ({"precision": "bf16"}, sk.ArgumentError, "precision: the Segmenter has its own"),
        ({"source": "nowhere.png"}, sk.ResourceError, "'nowhere.png' cannot be read: no such file or folder"),
    ],
)
def test_refuses_before_anything_is_computed(seg, films, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        sk.segment_files(options.pop("source", films), tmp_path / "out", seg, **options)
    assert not (tmp_path / "out").exists()


def test_refuses_places_and_labels_that_cannot_be(seg, films, tmp_path):
    with pytest.raises(sk.ArgumentError, match="is a file; name a folder"):
        sk.segment_files(films, films / "a.png", seg)
    (tmp_path / "empty").mkdir()
    with pytest.raises(sk.ArgumentError, match=r"no films in .*empty'; expected DICOM or pictures"):
        sk.segment_files(tmp_path / "empty", tmp_path / "out", seg)
    odd = of_model(settled_network([0.0, 0.0]), tmp_path / "odd.safetensors", labels=["../x", "y"])
    with pytest.raises(sk.ArgumentError, match=r"label '\.\./x' cannot be a file's name"):
        sk.segment_files(films, tmp_path / "out", odd)
    assert sk.segment_files(films, tmp_path / "out", odd, format="npz").ok


# ---- command line


def test_the_command_writes_what_measure_reads(seg, films, tmp_path, capsys):
    out = str(tmp_path / "out")
    command = ["segment", str(films), "--weights", str(seg.path), "--out", out, "--threads", "1"]
    assert main([*command, "--tilts", "-5", "5", "--precision", "fp32", "--no-progress"]) == 0
    assert "3 of 3 films segmented" in capsys.readouterr().out
    assert main(["measure", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["films"]["more/c"]["spacing"] == [0.5, 0.5]
    assert main([*command, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["failures"]) == 3
    assert main([*command, "--overwrite", "--size", "64", "64", "--no-overlay"]) == 0
    assert not list((tmp_path / "out").glob("*.overlay.png"))


def test_the_command_says_what_is_wrong(films, tmp_path, capsys):
    command = ["segment", str(films), "--out", str(tmp_path / "out"), "--weights"]
    assert main([*command, "demo"]) == 1
    assert "no trained weights are shipped yet" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["segment", "--help"])
    assert "Example: spinekit segment films/ --weights" in " ".join(capsys.readouterr().out.split())


def test_info_tells_of_segmentation(capsys):
    assert main(["info"]) == 0
    assert "segmentation: torch " in capsys.readouterr().out
