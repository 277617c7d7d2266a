"""Films of real people whose CT and vertebra labels are there: the same rays, through voxels."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit import _engine
from spinekit._core import ArgumentError
from spinekit.measurement.landmarks import BONES
from spinekit.phantom.ct import PHANTOM_LABELS, PhantomCT
from spinekit.phantom.fields import Field
from spinekit.phantom.film import LYING, Exposure, PhantomFilm, drawn_exposure, film_of
from spinekit.phantom.seeds import checked_seed
from spinekit.phantom.tissues import attenuation_of
from spinekit.phantom.view import View, columns_of, lateral

Numbers = Mapping[str, int | Sequence[int]]

#: TotalSegmentator's numbers (version 2). It has whole femurs, but no femoral heads.
TOTAL_SEGMENTATOR: Numbers = {"L1": 31, "L2": 30, "L3": 29, "L4": 28, "L5": 27, "sacrum": (25, 26)}

#: Below this there is air and its noise, HU.
_AIR_HU = -950.0
#: What lies so far above and below the bones is used, mm; where the CT ends before, it goes on as it ends.
_BEYOND = 70.0
#: Labels are smoothed by this standard deviation, voxels: steps vanish, edges stay in place.
_SMOOTH = 0.7
_AROUND = 3
_LEAST_VOXELS = 8
#: Sides of a voxel, mm, that a scanner of patients can have made, and voxels that rays go through at most.
_LEAST_SIDE, _MOST_SIDE = 0.02, 50.0
_MOST_VOXELS = 1 << 29


def from_ct(
    ct: Any,
    labels: Any = None,
    *,
    label_numbers: Numbers | None = None,
    affine: ArrayLike | None = None,
    workers: int | None = None,
) -> "ScannedSpine":
    """Take lateral films of a real CT in which the vertebrae are labelled.

    Parameters
    ----------
    ct : HU. Whatever `spinekit.open_volume` takes, such as the path of a NIfTI file or of a folder of DICOM
        files; an open volume; a phantom's CT; or an array, shape (slices, rows, columns), with `affine`
    labels : the same, of whole numbers; an array that has the CT's shape lies where the CT lies. None for
        a phantom's CT, which has its own
    label_numbers : numbers in `labels` by the names of `spinekit.measurement.BONES`; several numbers make
        one bone. By default TotalSegmentator's: L5 to L1 are 27 to 31, the sacrum is 25 or 26; of a
        phantom's CT its own. Bones that are not named or not there have empty masks.
    affine : shape (4, 4); (slice, row, column, 1) to RAS, mm, as `Geometry.affine_ras`; for arrays only
    workers : threads for reading; all cores by default

    Returns
    -------
    spine : with `view`, `radiograph` and `masks`

    Raises
    ------
    ArgumentError
        If it is not known where a volume lies, its voxels have sides that none has (0.02 to 50 mm), the CT
        has values that are not finite, labels are no whole numbers, hold none of the bones or lie elsewhere
        than the CT, or shapes do not fit.
    SpinekitError
        If a volume cannot be read.

    Notes
    -----
    Patients lie in CT and stand on films: discs and lordosis are those of the CT. Labels are taken as they
    are: TotalSegmentator's vertebrae have their arches and processes, a phantom's labels and masks are bodies
    alone. The midsagittal plane, where the scale holds, is that of the bones' middle; a phantom's CT lies
    where the phantom stands, so that views of both are the same. Where the CT ends above or below, its last
    slice goes on, so that the film does not end in air. NIfTI needs ``spinekit[nifti]``.

    Examples
    --------
    >>> import spinekit as sk
    >>> ct = sk.phantom.Spine.random(seed=7).ct(spacing=(6.0, 3.0, 3.0))
    >>> scanned = sk.phantom.from_ct(ct)
    >>> film = scanned.radiograph(rows=128)
    >>> scanned.masks(film).shape == (8, *film.shape)
    True
    """
    count = _engine.worker_count(workers)
    numbers = label_numbers
    if isinstance(ct, PhantomCT):
        numbers = PHANTOM_LABELS if numbers is None else numbers
        labels = ct.labels if labels is None else labels
    if labels is None:
        raise ArgumentError("labels: expected those of the CT's vertebrae")
    voxels = _field_of(ct, "ct", affine, count)
    if isinstance(labels, np.ndarray) and affine is None:
        if labels.shape != voxels.values.shape:
            raise ArgumentError(f"labels: shape {labels.shape}, expected the CT's {voxels.values.shape}")
        marked = Field(labels, voxels.lps)
    else:
        marked = _field_of(labels, "labels", affine, count)
    bones = _bones(marked, TOTAL_SEGMENTATOR if numbers is None else numbers)
    if not any(voxels.holds(bone.middle()) for bone in bones.values()):
        raise ArgumentError(
            "labels: every bone lies outside the CT; expected labels of this CT, in its space"
        )
    source = "a phantom's CT" if isinstance(ct, PhantomCT) else "a CT"
    return ScannedSpine(voxels, bones, source, plane=0.0 if isinstance(ct, PhantomCT) else None)


def _field_of(source: Any, name: str, affine: ArrayLike | None, workers: int) -> Field:
    from spinekit.volumes import Volume, open_volume  # noqa: PLC0415 - only where it is needed

    if isinstance(source, np.ndarray):
        if affine is None:
            raise ArgumentError(f"{name}: an array needs its affine, (slice, row, column, 1) to RAS in mm")
        return _checked(source, np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, np.float64), name)
    if isinstance(source, PhantomCT):
        return _checked(source.array, source.geometry.affine_lps, name)
    volume = source if isinstance(source, Volume) else open_volume(source, workers=workers)
    try:
        volume.wait()
        for failure in volume.errors.values():
            raise failure
        if volume.on_demand:
            raise ArgumentError(f"{name}: open the volume with load='all'")
        return _checked(volume.array, volume.geometry.affine_lps, name)
    finally:
        if volume is not source:
            volume.close()


def _checked(values: NDArray[Any], lps: NDArray[np.float64] | None, name: str) -> Field:
    if values.ndim != 3 or min(values.shape) < 2:
        raise ArgumentError(
            f"{name}: shape {values.shape}, expected (slices, rows, columns), 2 or more of each"
        )
    if lps is None or lps.shape != (4, 4) or not np.isfinite(lps).all():
        raise ArgumentError(f"{name}: it is not known where it lies in the patient")
    if not abs(np.linalg.det(lps[:3, :3])) > 1e-9:
        raise ArgumentError(f"{name}: its affine is singular")
    sides = np.sqrt((lps[:3, :3] ** 2).sum(0))
    if not (sides.min() >= _LEAST_SIDE and sides.max() <= _MOST_SIDE):
        raise ArgumentError(
            f"{name}: voxels of {' x '.join(f'{side:.3g}' for side in sides)} mm, expected sides of "
            f"{_LEAST_SIDE} to {_MOST_SIDE:g} mm; is the affine in mm?"
        )
    return Field(values, np.asarray(lps, np.float64))


def _bones(marked: Field, numbers: Numbers) -> dict[str, Field]:
    """Return the voxels of each bone that is there, 0 or 1, with some around it."""
    unknown = set(numbers) - set(BONES)
    if unknown:
        raise ArgumentError(f"label_numbers: {sorted(unknown)}, expected names of {', '.join(BONES)}")
    values = marked.values
    if values.dtype.kind not in "iub":
        whole = np.rint(values)
        if not np.array_equal(whole, values):
            raise ArgumentError(f"labels: {values.dtype} with fractions, expected whole numbers")
        values = whole.astype(np.int32)
    if (least := int(values.min())) < -1:  # some mark what nobody labelled by -1
        raise ArgumentError(f"labels: values down to {least}, expected 0 and more; is it the CT itself?")
    found = {}
    for name in BONES:
        if name not in numbers:
            continue
        inside = np.isin(values, np.atleast_1d(np.asarray(numbers[name])))
        if np.count_nonzero(inside) < _LEAST_VOXELS:
            continue
        low, high = [], []
        for axis in range(3):
            filled = np.flatnonzero(inside.any(tuple(other for other in range(3) if other != axis)))
            low.append(int(filled[0]))
            high.append(int(filled[-1]) + 1)
        box = np.pad(inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], _AROUND)
        lps = marked.lps.copy()
        lps[:3, 3] += lps[:3, :3] @ (np.array(low, np.float64) - _AROUND)
        found[name] = Field(box, lps)
    if not found:
        there = ", ".join(map(str, np.unique(values)[:20]))
        raise ArgumentError(f"labels: none of the bones is there; numbers found: {there}; see label_numbers")
    return found


class ScannedSpine:
    """A spine out of a CT, before the tube; made by `from_ct`.

    Attributes
    ----------
    bones : names of the bones that are labelled, of `spinekit.measurement.BONES`
    """

    def __init__(
        self, voxels: Field, bones: dict[str, Field], source: str, *, plane: float | None = None
    ) -> None:
        points = {name: bone.points(np.argwhere(bone.values)) for name, bone in bones.items()}
        everything = np.concatenate(list(points.values()))
        # Views have the midsagittal plane at x = 0.
        middle = [-float(np.median(everything[:, 0])) if plane is None else -plane, 0.0, 0.0]
        self._around = np.stack([everything.min(0), everything.max(0)]) + middle
        self._labelled = {name: bone.moved(middle) for name, bone in bones.items()}
        self._smooth: dict[str, Field] = {}
        self._attenuation = _attenuation(voxels.moved(middle), self._around)
        self._source = source
        self._real = plane is None

    @property
    def bones(self) -> tuple[str, ...]:
        """Names of the bones that are labelled."""
        return tuple(self._labelled)

    def view(
        self,
        rows: int = 1024,
        columns: int | None = None,
        *,
        facing: Literal["left", "right"] = "left",
        tilt: float = 0.0,
        aspect: float = 1.0,
        source_to_detector: float = 1500.0,
        spacing: tuple[float, float] | None = None,
        margins: tuple[float, float, float, float] = (25.0, 25.0, 45.0, 30.0),
    ) -> View:
        """Return a lateral view of the labelled bones.

        Parameters
        ----------
        rows, columns : of the film; as many columns as 0.82 times the rows by default
        facing : side of the film that the patient looks to
        tilt : degrees; the film is turned clockwise by it
        aspect : column spacing over row spacing
        source_to_detector : mm
        spacing : (row, column) mm in the midsagittal plane, instead of what shows all bones
        margins : mm above, below, in front of and behind the bones
        """
        return lateral(
            self._around,
            rows=rows,
            columns=columns_of(rows, aspect) if columns is None else columns,
            margins=margins,
            facing=facing,
            tilt=tilt,
            aspect=aspect,
            source_to_detector=source_to_detector,
            spacing=spacing,
        )

    def line_integrals(self, view: View, *, workers: int | None = None) -> NDArray[np.float32]:
        """Return the exponents of attenuation along a view's rays, shape (rows, columns)."""
        executor = _engine.executor(_engine.worker_count(workers))
        return self._attenuation.through(view, most=False, executor=executor)

    def radiograph(
        self,
        rows: int = 1024,
        columns: int | None = None,
        *,
        facing: Literal["left", "right"] = "left",
        tilt: float = 0.0,
        aspect: float = 1.0,
        spacing: tuple[float, float] | None = None,
        exposure: Exposure | None = None,
        seed: int = 0,
        view: View | None = None,
        workers: int | None = None,
    ) -> PhantomFilm:
        """Take a lateral film.

        Parameters
        ----------
        rows, columns, facing, tilt, aspect, spacing : as of `view`
        exposure : by default one that the seed draws
        seed : of exposure and noise
        view : instead of all of the first line
        workers : threads; all cores by default

        Returns
        -------
        film : pixels uint16 of 12 bits, dense bone bright; no finer than the CT is

        Notes
        -----
        Time grows with pixels times the voxels along a ray: about a second for 512 rows through 3 mm.
        """
        if view is None:
            view = self.view(rows, columns, facing=facing, tilt=tilt, aspect=aspect, spacing=spacing)
        seed = checked_seed(seed)
        if exposure is None:
            exposure = drawn_exposure(seed)
        integrals = self.line_integrals(view, workers=workers)
        film = film_of(integrals, view, exposure, seed=seed, source=self._source, words=LYING)
        film.notes |= {"posture": "recumbent", "real": self._real}
        return film

    def masks(
        self, film: PhantomFilm | View | None = None, *, workers: int | None = None
    ) -> NDArray[np.float32]:
        """Return the silhouettes of the labelled bones on a film.

        Parameters
        ----------
        film : a film of this spine, or a view; the standard view by default
        workers : threads; all cores by default

        Returns
        -------
        masks : shape (8, rows, columns), float32, in the order of `spinekit.measurement.BONES`; the part of
            each pixel that the bone covers. Bones without labels have empty masks.

        Notes
        -----
        The edge is where the greatest value of the smoothed label along a ray is one half; the slope there
        tells how far a pixel is from it.
        """
        if film is None:
            film = self.view()
        view = film if isinstance(film, View) else getattr(film, "view", None)
        if not isinstance(view, View):
            raise ArgumentError(f"film: {type(film).__name__}, expected a film of this spine, or a view")
        executor = _engine.executor(_engine.worker_count(workers))
        masks = np.zeros((len(BONES), view.beam.rows, view.beam.columns), np.float32)
        for place, name in enumerate(BONES):
            if name in self._labelled:
                most = self._smoothed(name).through(view, most=True, executor=executor)
                slope = np.hypot(*np.gradient(most))
                masks[place] = np.clip(0.5 + (most - 0.5) / np.maximum(slope, 1e-4), 0, 1)
        return masks

    def _smoothed(self, name: str) -> Field:
        if name not in self._smooth:
            from scipy import ndimage  # noqa: PLC0415 - slow to import

            bone = self._labelled[name]
            values = ndimage.gaussian_filter(bone.values.astype(np.float32), _SMOOTH)
            self._smooth[name] = Field(values, bone.lps)
        return self._smooth[name]

    def __repr__(self) -> str:
        return f"<ScannedSpine: {self._source}, {', '.join(self.bones)}>"


def _attenuation(voxels: Field, around: NDArray[np.float64]) -> Field:
    """Return the coefficients of what rays to the bones may meet."""
    upright = int(np.argmax(np.abs(voxels.lps[2, :3])))
    step = float(voxels.lps[2, upright])
    low = np.zeros(3, int)
    high = np.array(voxels.values.shape)
    # The axis need not be quite upright: measured in the middle of the others.
    middle = (high - 1) / 2.0
    middle[upright] = 0
    base = float(voxels.points(middle[None])[0, 2])
    ends = sorted((z - base) / step for z in (around[0, 2] - _BEYOND, around[1, 2] + _BEYOND))
    low[upright], high[upright] = int(np.floor(ends[0])), int(np.ceil(ends[1])) + 1
    if (count := np.prod(high - low, dtype=np.int64)) > _MOST_VOXELS:
        raise ArgumentError(f"ct: {count} voxels around the bones, expected at most 2^29; use a coarser CT")
    part = voxels.part(low, high)
    hounsfield = part.values.astype(np.float32)
    if not np.isfinite(hounsfield).all():
        raise ArgumentError("ct: values that are not finite, expected HU")
    values = np.where(hounsfield < _AIR_HU, 0, attenuation_of(hounsfield)).astype(np.float32)
    return Field(values, part.lps)
