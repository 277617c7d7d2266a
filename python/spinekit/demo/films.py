"""What the demo does with films: a phantom, its truth, and what measuring makes of its masks."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

import spinekit as sk
from spinekit._figures import new_figure
from spinekit.demo import pictures

SEED, ROWS = 7, 1024
DICE = 0.93
#: Phantoms of the comparison: seed of the first, how many, the rows of their films.
FIRST, COUNT, SMALL = 100, 20, 512
#: Parameters of the comparison.
COMPARED = ("pi", "pt", "ss", "ll")
#: Of the exact masks: more is a problem, degrees.
_MOST_ERROR = 1.0


@dataclasses.dataclass
class Shown:
    """A measurement beside its picture; `picture` is empty where nothing can draw."""

    measurement: sk.Measurement
    picture: str
    seconds: float


@dataclasses.dataclass
class Compared:
    """One method on all phantoms.

    Attributes
    ----------
    agreement : with the truth
    covered, known : intervals that hold the truth, and all
    picture : Bland and Altman's
    """

    title: str
    method: str
    agreement: sk.Agreement | None
    covered: int = 0
    known: int = 0
    picture: str = ""


@dataclasses.dataclass
class Films:
    """Everything that the page tells about films.

    Attributes
    ----------
    film : with implants
    own, truth : parameters of the patient, and on the film
    plain, operated, outlined : names of pictures
    exact, degraded : measured from the exact masks, and from some like a network's
    compared : methods on degraded masks
    times : what took how long, seconds
    note : why there are no drawings
    """

    film: Any
    own: dict[str, float]
    truth: dict[str, float]
    plain: str
    operated: str
    outlined: str
    exact: Shown
    degraded: Shown
    compared: list[Compared]
    times: list[tuple[str, float]]
    seconds: float
    note: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)


def show_films(folder: Path, workers: int | None) -> Films:
    """Make films and masks, measure them, and draw everything into a folder."""
    started = time.perf_counter()
    times: list[tuple[str, float]] = []

    def timed(what: str, since: float) -> None:
        times.append((what, time.perf_counter() - since))

    spine = sk.phantom.Spine.random(seed=SEED)
    begun = time.perf_counter()
    film = spine.radiograph(rows=ROWS, implants=True, workers=workers)
    timed(f"Two films of {film.shape[0]} x {film.shape[1]}, with implants and without", begun)
    begun = time.perf_counter()
    masks = spine.masks(film, workers=workers)
    timed("Its eight masks", begun)
    begun = time.perf_counter()
    par = sk.measure(masks, spacing=film.spacing, workers=workers)
    timed("Measuring them, with intervals", begun)
    begun = time.perf_counter()
    like_network = sk.phantom.degrade(masks, dice=DICE, seed=SEED)
    timed("Degrading them", begun)
    begun = time.perf_counter()
    par_degraded = sk.measure(like_network, spacing=film.spacing, workers=workers)
    timed("Measuring those", begun)
    plain = film.without_implants
    if plain is None:
        raise sk.SpinekitError("the film has no other without implants")
    made = Films(
        film=film,
        own=spine.parameters.to_dict(),
        truth=spine.parameters_on(film).to_dict(),
        plain=_film_picture(folder, "film.png", plain),
        operated=_film_picture(folder, "film-implants.png", film),
        outlined="",
        exact=Shown(par, "", 0.0),
        degraded=Shown(par_degraded, "", 0.0),
        compared=[],
        times=times,
        seconds=0.0,
    )
    try:
        new_figure("the demo's drawings", (1, 1))
        begun = time.perf_counter()
        made.outlined = _outlined(folder / "film-truth.png", spine.landmarks(film), plain, masks)
        made.exact.picture = _drawn(folder / "measured.png", par.plot(plain, masks))
        made.degraded.picture = _drawn(
            folder / "measured-degraded.png", par_degraded.plot(film, like_network)
        )
        timed("Drawing three pictures", begun)
    except sk.UnsupportedError as failure:
        made.note = str(failure)
    begun = time.perf_counter()
    made.compared = _compare(workers)
    timed(f"{COUNT} phantoms: masks, degrading, measuring in two ways, agreement", begun)
    best = made.compared[0].agreement
    if not made.note and best is not None and best["pi"].n >= 2:
        begun = time.perf_counter()
        made.compared[0].picture = _drawn(folder / "agreement.png", best.plot(["pi"]), dpi=120)
        timed("Drawing agreement", begun)
    made.problems = _problems(par, made.truth)
    made.seconds = time.perf_counter() - started
    return made


def _problems(par: sk.Measurement, truth: dict[str, float]) -> list[str]:
    """Return what exact masks must not do."""
    wrong = []
    for name in COMPARED:
        value = par.values[name]
        if math.isnan(value):
            wrong.append(f"measured: no {name.upper()} from exact masks: {par.reasons[name]}")
        elif abs(value - truth[name]) > _MOST_ERROR:
            wrong.append(f"measured: {name.upper()} is {value:.1f}, the truth {truth[name]:.1f} degrees")
    return wrong


def _compare(workers: int | None) -> list[Compared]:
    """Measure degraded masks of many phantoms in both ways."""
    truth, measured = {}, {"robust": {}, "report": {}}  # type: ignore[var-annotated]
    for seed in range(FIRST, FIRST + COUNT):
        spine = sk.phantom.Spine.random(seed=seed)
        view = spine.view(SMALL)
        masks = sk.phantom.degrade(spine.masks(view, workers=workers), dice=DICE, seed=seed)
        known = spine.parameters_on(view).to_dict()
        truth[seed] = {name: known[name] for name in COMPARED}
        for method, found in measured.items():
            found[seed] = sk.measure(masks, view.spacing, method=method, workers=workers)
    titles = {"robust": "spinekit", "report": "The report's algorithms"}
    compared = []
    for method, found in measured.items():
        try:
            agreement = sk.agreement(found, truth, parameters=COMPARED, names=("measured", "truth"))
        except sk.ArgumentError:  # nothing completed
            agreement = None
        spans = [
            (*par.intervals[name], truth[seed][name])
            for seed, par in found.items()
            for name in COMPARED
            if name in par.intervals
        ]
        covered = sum(low <= value <= high for low, high, value in spans)
        compared.append(Compared(titles[method], method, agreement, covered, len(spans)))
    return compared


# ---- pictures


def _film_picture(folder: Path, name: str, film: sk.Radiograph) -> str:
    dark, bright = np.percentile(film.pixels[::4, ::4], (0.5, 99.7))
    shown = (film.pixels - dark) * (255 / max(bright - dark, 1e-6))
    pictures.write_png(folder / name, np.asarray(np.clip(np.rint(shown), 0, 255), np.uint8))
    return name


def _outlined(path: Path, landmarks: sk.Landmarks, film: sk.Radiograph, masks: Any) -> str:
    """Draw masks and key points on a film, without margins: as large as the films beside it."""
    rows, columns = film.shape
    # The smaller the figure, the thicker its lines once it is as large as the film.
    inches = 3.6
    figure = new_figure("the demo's drawings", (inches, inches * rows / columns))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    points = sk.measure_points(landmarks, film.spacing)
    points.plot(film, masks, axes, angles=(), discs=False)
    figure.savefig(path, dpi=columns / inches)
    return path.name


def _drawn(path: Path, figure: Any, dpi: int = 140) -> str:
    figure.savefig(path, dpi=dpi, bbox_inches="tight", pad_inches=0.08, facecolor="white")
    return path.name
