"""`Spine`: one patient before the tube, with the truth about what is seen."""

import functools
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.measurement.landmarks import Landmarks
from spinekit.phantom import truth
from spinekit.phantom.anatomy import tissues
from spinekit.phantom.ct import PhantomCT, scan
from spinekit.phantom.film import Exposure, PhantomFilm, expose
from spinekit.phantom.implants import implants as implants_of
from spinekit.phantom.patient import Patient
from spinekit.phantom.population import Person, draw
from spinekit.phantom.seeds import checked_seed
from spinekit.phantom.tissues import Tissue
from spinekit.phantom.view import View, columns_of, lateral

Masks = NDArray[np.float32]


class Spine:
    """A parametric lumbar spine with sacrum, pelvis and femurs: known truth for films and CT.

    Parameters
    ----------
    person : what it is built from; `random` draws one from the population
    seed : of everything that chance decides in its films

    Examples
    --------
    >>> import spinekit as sk
    >>> spine = sk.phantom.Spine.random(seed=7)
    >>> film = spine.radiograph(rows=256)
    >>> spine.masks(film).shape == (8, *film.shape)
    True
    >>> spine.parameters.pi == spine.parameters.pt + spine.parameters.ss
    True
    """

    def __init__(self, person: Person | None = None, *, seed: int = 0) -> None:
        self.person = person if person is not None else Person()
        self.seed = checked_seed(seed)

    @classmethod
    def random(
        cls, seed: int, *, osteophytes: bool = True, rotation: bool = True, pathology: bool = True
    ) -> "Spine":
        """Draw a spine from the population; the same for the same seed and options.

        Parameters
        ----------
        seed : of the source of chance, 0 or more
        osteophytes : whether beaks may grow at the rims
        rotation : whether the patient may stand rotated or oblique and the spine be scoliotic
        pathology : whether discs may be narrow, vertebrae slipped, pelves retroverted
        """
        rng = np.random.default_rng([checked_seed(seed), 0])
        return cls(draw(rng, osteophytes=osteophytes, rotation=rotation, pathology=pathology), seed=seed)

    @functools.cached_property
    def patient(self) -> Patient:
        """Its bones in patient coordinates (LPS, mm)."""
        return Patient.of(self.person)

    @functools.cached_property
    def tissues(self) -> list[Tissue]:
        """All that a film or a CT of it shows, without implants."""
        return tissues(self.patient, self.seed)

    @functools.cached_property
    def implants(self) -> list[Tissue]:
        """The metal that `implants=True` puts in; the seed decides which."""
        return implants_of(self.patient, self.seed)

    @functools.cached_property
    def _measured(self) -> list[_core.Mesh]:
        return [surface.engine for surface in self.patient.measured()]

    @functools.cached_property
    def parameters(self) -> truth.Parameters:
        """Its own parameters, those of the midsagittal plane; `parameters_on` tells what a film shows."""
        return truth.own_parameters(self.patient.plane)

    def view(
        self,
        rows: int = 1024,
        columns: int | None = None,
        *,
        facing: Literal["left", "right"] = "left",
        tilt: float = 0.0,
        aspect: float = 1.0,
        source_to_detector: float | None = None,
        spacing: tuple[float, float] | None = None,
    ) -> View:
        """Return a lateral view of L1 to the femoral heads; what is not given, the seed decides.

        Parameters
        ----------
        rows, columns : of the film; as many columns as 0.82 times the rows by default
        facing : side of the film that the patient looks to
        tilt : degrees; the film is turned clockwise by it
        aspect : column spacing over row spacing
        source_to_detector : mm; by default 1150 to 1830
        spacing : (row, column) mm in the midsagittal plane, instead of what shows all bones

        Raises
        ------
        ArgumentError
            If there is no such view, or `spacing` and `aspect` are both given.
        """
        rng = np.random.default_rng([self.seed, 1])
        distance = float(rng.uniform(1150, 1830))
        margins = cast(
            "tuple[float, float, float, float]", tuple(rng.uniform((18, 12, 12, 12), (55, 45, 60, 60)))
        )
        centring = rng.uniform((-35, -30), (35, 70))
        bones = np.concatenate([surface.vertices for surface in self.patient.measured()])
        s1 = self.patient.sacrum.rim.mean(0)
        return lateral(
            bones,
            rows=rows,
            columns=columns_of(rows, aspect) if columns is None else columns,
            margins=margins,
            facing=facing,
            tilt=tilt,
            aspect=aspect,
            source_to_detector=distance if source_to_detector is None else source_to_detector,
            plane_to_detector=float(rng.uniform(200, 300)),
            central=(float(s1[1] + centring[0]), float(s1[2] + centring[1])),
            spacing=spacing,
        )

    def radiograph(
        self,
        rows: int = 1024,
        columns: int | None = None,
        *,
        facing: Literal["left", "right"] = "left",
        tilt: float = 0.0,
        implants: bool = False,
        aspect: float = 1.0,
        spacing: tuple[float, float] | None = None,
        exposure: Exposure | None = None,
        workers: int | None = None,
    ) -> PhantomFilm:
        """Take a lateral film.

        Parameters
        ----------
        rows, columns, facing, tilt, aspect, spacing : as of `view`
        implants : whether screws, rods, cages or plates are in place
        exposure : by default one that the seed draws
        workers : threads; all cores by default

        Returns
        -------
        film : pixels uint16 of 12 bits, dense bone bright; spacing in mm in the midsagittal plane. With
            implants it has `implant_mask`, and the same film `without_implants`: far from metal they differ
            by little more than scatter.
        """
        view = self.view(rows, columns, facing=facing, tilt=tilt, aspect=aspect, spacing=spacing)
        film = expose(self.tissues, view, seed=self.seed, exposure=exposure, workers=workers)
        film.notes["person"] = self.person
        if not implants:
            return film
        tissues = [*self.tissues, *self.implants]
        # Levels found again would make all of the film darker beside so much white.
        levels = film.notes["levels"]
        operated = expose(tissues, view, seed=self.seed, exposure=exposure, levels=levels, workers=workers)
        operated.notes["person"] = self.person
        executor = _engine.executor(_engine.worker_count(workers))
        metal = [tissue.surface.engine for tissue in self.implants]
        operated.implant_mask = _core.silhouettes(metal, [0] * len(metal), 1, view.beam, executor)[0]
        operated.without_implants = film
        return operated

    def masks(self, film: PhantomFilm | View | None = None, *, workers: int | None = None) -> Masks:
        """Return the silhouettes of the eight measured bones on a film.

        Parameters
        ----------
        film : a film of this spine, or a view; the standard view by default
        workers : threads; all cores by default

        Returns
        -------
        masks : shape (8, rows, columns), float32; the part of each pixel that the bone covers, in the order
            of `spinekit.measurement.BONES`. They may overlap.
        """
        executor = _engine.executor(_engine.worker_count(workers))
        return _core.silhouettes(self._measured, list(range(8)), 8, self._view_of(film).beam, executor)

    def ct(
        self,
        *,
        spacing: tuple[float, float, float] = (2.0, 0.8, 0.8),
        implants: bool = False,
        metal_artefacts: bool = False,
        noise: float = 12.0,
        workers: int | None = None,
    ) -> PhantomCT:
        """Take a CT from L1 to the femoral heads, of the same tissues as the films.

        Parameters
        ----------
        spacing : (slice, row, column), mm; slices are as thick as they are far apart
        implants : whether screws, rods, cages or plates are in place
        metal_artefacts : whether metal causes streaks; see `spinekit.phantom.streaks` for the model
        noise : standard deviation in HU, the same everywhere
        workers : threads; all cores by default, the result is the same

        Returns
        -------
        ct : ``ct.array`` in HU, ``ct.labels``, ``ct.geometry``; ``ct.write(folder)`` writes DICOM. The
            patient has the posture of the films, and there is no table.

        Raises
        ------
        ArgumentError
            If spacing is not 0.1 to 20 mm, makes too many voxels, or noise is not 0 to 500 HU.

        Notes
        -----
        The field is what the trunk needs, but at most 512 rows and columns about the bones. Values beyond
        12 bits are cut off: metal is at 3071 HU. About 4 s and 0.5 GB for the default on 2 cores.

        Examples
        --------
        >>> import spinekit as sk
        >>> ct = sk.phantom.Spine.random(seed=7).ct(spacing=(8.0, 3.0, 3.0))
        >>> ct.array.dtype, ct.array.shape == ct.labels.shape
        (dtype('int16'), True)
        """
        return scan(
            self.patient,
            [*self.tissues, *self.implants] if implants else self.tissues,
            seed=self.seed,
            spacing=spacing,
            noise=noise,
            metal_artefacts=metal_artefacts,
            workers=workers,
        )

    def landmarks(self, film: PhantomFilm | View | None = None) -> Landmarks:
        """Return the key points on a film, from the geometry: (x, y) pixels.

        An endplate's ends are the corners of the body's silhouette without osteophytes: the points of its rim
        that lie farthest to anterior and posterior along it.
        """
        return truth.landmarks_on(self.patient, self._view_of(film))

    def parameters_on(self, film: PhantomFilm | View | None = None) -> truth.Parameters:
        """Return the parameters of what a film shows: its beam spreads, it may be turned."""
        view = self._view_of(film)
        return truth.parameters_on(self.landmarks(view), view)

    def _view_of(self, film: PhantomFilm | View | None) -> View:
        if film is None:
            return self.view()
        if isinstance(film, View):
            return film
        if not isinstance(film, PhantomFilm):
            raise ArgumentError(f"film: {type(film).__name__}, expected a film of this spine, or a view")
        # Films of a phantom's CT do not say whose they are.
        person = film.notes.get("person")
        if isinstance(person, Person) and not person.same_as(self.person):
            raise ArgumentError(
                f"film: it shows another spine ({film.source}), expected a film of this spine"
            )
        return film.view

    def __repr__(self) -> str:
        p = self.parameters
        return (
            f"<Spine: PI {p.pi:.1f}, PT {p.pt:.1f}, SS {p.ss:.1f}, LL {p.ll:.1f} degrees; seed {self.seed}>"
        )
