"""What the demo does with networks: what they see, what segmenting writes, the engine beside torch."""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import spinekit as sk
from spinekit import _engine
from spinekit.demo import pictures
from spinekit.demo.films import SEED
from spinekit.filters import VERSIONS
from spinekit.measurement.landmarks import BONES
from spinekit.segmentation.engine import ability, engine
from spinekit.segmentation.finding import OVERLAY_SUFFIX
from spinekit.segmentation.writing import Form, Segmented, encoded

#: Small enough that the page shows the overlay pixel by pixel: its letters do not shrink with a film.
ROWS = 620
PRESET = "tiny"
#: Of the network's input: multiples of 16, about the proportions of the film.
SIZE = (320, 256)
#: Of the film whose masks are written.
NAME = "film"
REPEATS = 5
#: Seconds after which no more of them begin: on a machine that is slow or busy the page must stay quick.
ENOUGH = 2.0
#: Largest difference from torch's logits over the largest of these: more is a problem.
_MOST_DIFFERENCE = {"fp32": 1e-4, "bf16": 2e-2}

_Logits = NDArray[np.float32]


@dataclasses.dataclass
class Timed:
    """One way through the network.

    Attributes
    ----------
    precision : "" of torch's own way, else that of the engine
    threads : of the network
    loading : seconds from a file to a network that is ready, NaN of torch's own way
    seconds : of one film, each time
    difference : largest from torch's logits, over the largest of these
    """

    precision: str
    threads: int
    loading: float = float("nan")
    seconds: list[float] = dataclasses.field(default_factory=list)
    difference: float = 0.0

    @property
    def median(self) -> float:
        """Seconds of one film."""
        return statistics.median(self.seconds)


@dataclasses.dataclass
class Beside:
    """The engine beside torch.

    Attributes
    ----------
    found : torch and what it runs on, as `spinekit.info` tells
    parameters, size : of the network, and bytes of its file
    ways : torch's own first
    """

    found: dict[str, Any]
    parameters: int
    size: int
    ways: list[Timed]


@dataclasses.dataclass
class Networks:
    """Everything that the page tells about filters and segmentation.

    Attributes
    ----------
    shape : of the film, with implants
    versions : a picture of each of the filters' versions, by its name
    filtering : seconds of all versions
    overlay : picture of the true masks as segmenting draws them
    beside : None where no network can run
    note : why not
    """

    shape: tuple[int, int]
    versions: dict[str, str]
    filtering: float
    overlay: str
    beside: Beside | None = None
    note: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def show_networks(folder: Path, workers: int | None) -> Networks:
    """Filter a film, write its true masks as segmenting would, run a network; pictures go into a folder."""
    started = time.perf_counter()
    spine = sk.phantom.Spine.random(seed=SEED)
    film = spine.radiograph(rows=ROWS, implants=True, workers=workers)
    masks = spine.masks(film, workers=workers)
    begun = time.perf_counter()
    versions = sk.filters.pen(film, levels="film", bits=8, dtype="same")
    filtering = time.perf_counter() - begun
    named = {name: f"pen-{name}.png" for name in VERSIONS}
    for picture, version in zip(named.values(), versions, strict=True):
        pictures.write_png(folder / picture, version)
    files = encoded(NAME, Segmented(film, masks, BONES, {}), Form()).contents
    overlay = "segmented.png"
    (folder / overlay).write_bytes(files[f"{NAME}{OVERLAY_SUFFIX}"])
    made = Networks(film.shape, named, filtering, overlay)
    try:
        made.beside = _beside(film, workers)
    except sk.UnsupportedError as failure:
        made.note = str(failure)
    except sk.SpinekitError as failure:
        made.note = str(failure)
        made.problems = [f"segmentation: {failure}"]
    else:
        made.problems = _problems(made.beside.ways)
    made.seconds = time.perf_counter() - started
    return made


def _problems(ways: list[Timed]) -> list[str]:
    """Return what the engine must not do; a difference that is NaN is one."""
    return [
        f"segmentation: logits in {way.precision} differ by {way.difference:.1e} of the largest from torch's"
        for way in ways
        if way.precision and not way.difference <= _MOST_DIFFERENCE[way.precision]
    ]


def _beside(film: sk.Radiograph, workers: int | None) -> Beside:
    """Run one network in torch and in the engine, on one film.

    Raises
    ------
    UnsupportedError
        If torch, safetensors or the engine's part for it is missing; the message says what helps.
    """
    engine()
    import torch  # noqa: PLC0415 - an extra, slow to import

    from spinekit import nn  # noqa: PLC0415 - imports torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # that of the processor alone, which was put aside
        model = nn.TransUNet(PRESET, size=SIZE).eval()
    stack, _ = sk.segmentation.prepare(film, SIZE, workers=workers)
    films = stack[np.newaxis]

    def in_torch() -> _Logits:
        with torch.inference_mode():
            logits: _Logits = model(torch.from_numpy(films)).numpy()
        return logits

    ways = [Timed("", torch.get_num_threads())]
    runs: list[Callable[[], _Logits]] = [in_torch]
    with tempfile.TemporaryDirectory(prefix="spinekit-demo-") as name:
        weights = Path(name) / f"{PRESET}.safetensors"
        nn.save(model, weights)
        size = weights.stat().st_size
        for precision in _MOST_DIFFERENCE:
            begun = time.perf_counter()
            seg = sk.Segmenter(weights, precision=precision, threads=_engine.worker_count(workers))
            ways.append(Timed(precision, seg.threads, time.perf_counter() - begun))
            runs.append(lambda seg=seg: seg.forward(films))  # type: ignore[misc]
    _run(ways, runs)
    return Beside(ability(), sum(p.numel() for p in model.parameters()), size, ways)


def _run(ways: list[Timed], runs: list[Callable[[], Any]]) -> None:
    """Fill in differences from the first way, and times."""
    expected = runs[0]()
    for way, run in zip(ways, runs, strict=True):
        way.difference = float(np.abs(run() - expected).max() / np.abs(expected).max())
    # In turns: whatever else the machine does then slows all of them.
    started = time.perf_counter()
    for _ in range(REPEATS):
        if ways[0].seconds and time.perf_counter() - started > ENOUGH:
            break
        for way, run in zip(ways, runs, strict=True):
            begun = time.perf_counter()
            run()
            way.seconds.append(time.perf_counter() - begun)
