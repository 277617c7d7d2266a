"""CT of phantoms: tissues painted into slices, then what a scanner makes of them."""

import concurrent.futures
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.measurement.landmarks import BONES
from spinekit.phantom.meshes import Surface
from spinekit.phantom.patient import Patient
from spinekit.phantom.streaks import streaks
from spinekit.phantom.tissues import AIR, SPONGIOSA, Tissue
from spinekit.volumes.geometry import Geometry

#: What 12 bits hold above an intercept of -1024.
LEAST_HU, MOST_HU = -1024, 3071
#: Rows and columns that a scanner reconstructs at most, and voxels that we do.
_MOST_ACROSS = 512
_MOST_VOXELS = 1 << 29
#: mm seen above L1 and below the femoral heads, and around what is seen in a slice.
_BEYOND = 12.0
_AROUND = 8.0
#: A voxel is the mean of what is painted so far apart, mm: the engine is exact along its rows only.
_FINE = 0.5
_MOST_PARTS = 8
#: Standard deviation of the reconstruction kernel, mm, and the noise's cutoff, cycles per mm.
_KERNEL = 0.5
_CUTOFF = 0.45
#: Trabecular bone: HU, and mm over which it stays alike.
_TRABECULAE = 55.0
_GRAIN = 0.9
_BLOCK = 8

#: Numbers in a CT's labels.
PHANTOM_LABELS = {bone: number for number, bone in enumerate(BONES, 1)}

Spacing = tuple[float, float, float]


@dataclass(eq=False, repr=False)
class PhantomCT:
    """A CT of a phantom.

    Attributes
    ----------
    array : shape (slices, rows, columns), int16, HU in [-1024, 3071]; slices run upwards, rows to
        posterior, columns to the patient's left
    labels : the same shape, uint8; 0 background, 1 to 5 L1 to L5, 6 sacrum, 7 and 8 the left and the right
        femoral head: one more than the bone's place in `spinekit.measurement.BONES`
    geometry : where the voxels lie, as that of `spinekit.open_volume`
    seed : of the phantom
    sex, age : of the patient; "F" or "M", years
    source : what it was made from
    """

    array: NDArray[np.int16]
    labels: NDArray[np.uint8]
    geometry: Geometry
    seed: int = 0
    sex: str = ""
    age: float | None = None
    source: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Slices, rows, columns."""
        return self.array.shape

    def write(
        self, folder: str | os.PathLike[str], *, overwrite: bool = False, progress: bool | None = None
    ) -> list[Path]:
        """Write the slices as a CT series.

        Parameters
        ----------
        folder : is made when missing; files are ``slice-001.dcm`` and on, from the feet up
        overwrite : whether files of these names are replaced
        progress : whether a bar is shown; None where somebody looks

        Returns
        -------
        paths : in the order of the slices

        Raises
        ------
        ArgumentError
            If a file is there already and `overwrite` is false, or the folder is a file.
        ResourceError
            If a file cannot be written; a file appears whole or not at all.

        Notes
        -----
        CT Image Storage, Explicit VR Little Endian, 12 bits unsigned, HU = stored - 1024. The patient is
        called PHANTOM^SEED7 and the like; UIDs follow from the voxels, so that the same CT has the same.

        References
        ----------
        DICOM PS3.3 A.3 (CT Image IOD).
        """
        from spinekit.phantom.dicom import write_ct  # noqa: PLC0415 - imports pydicom

        return write_ct(self, folder, overwrite=overwrite, progress=progress)

    def __repr__(self) -> str:
        slices, rows, columns = self.array.shape
        spacing = " x ".join(f"{step:.4g}" for step in self.geometry.spacing if step is not None)
        return f"<PhantomCT {slices} x {rows} x {columns}, {spacing} mm, {self.source or 'no source'}>"


@dataclass(frozen=True)
class Grid:
    """An upright grid of voxels.

    Attributes
    ----------
    origin : (x, y, z) centre of voxel (0, 0, 0), LPS, mm
    spacing : (slice, row, column), mm
    shape : (slices, rows, columns)
    """

    origin: tuple[float, float, float]
    spacing: Spacing
    shape: tuple[int, int, int]

    @property
    def geometry(self) -> Geometry:
        """The same as volumes have it."""
        return Geometry(self.spacing, self.origin, np.eye(3)[:, ::-1].copy())

    def slab(self, first: int, end: int) -> "Grid":
        """Return slices `first` up to `end`."""
        origin = (*self.origin[:2], self.origin[2] + first * self.spacing[0])
        return Grid(origin, self.spacing, (end - first, *self.shape[1:]))


class Painter:
    """Paints layers, one over the other, into a grid's slices; keeps its memory for the next ones.

    With `odd`, voxels have an odd number of parts, so that a flat face seldom leaves just half of one.
    """

    def __init__(
        self,
        layers: Sequence[tuple[Surface, float]],
        start: float,
        executor: _core.Executor,
        *,
        odd: bool = False,
    ) -> None:
        self._layers = [
            (surface.engine, value, surface.vertices[:, 2].min(), surface.vertices[:, 2].max())
            for surface, value in layers
        ]
        self._start, self._executor, self._odd = start, executor, odd
        self._memory = np.empty(0, np.float32)

    def __call__(self, grid: Grid) -> Any:
        """Return float32 voxels (slices, rows, columns)."""
        parts = [min(_MOST_PARTS, max(1, round(step / _FINE))) for step in grid.spacing[:2]]
        parts = [count | self._odd for count in parts]
        z, y = (step / count for step, count in zip(grid.spacing[:2], parts, strict=True))
        slices, rows, columns = grid.shape
        size = slices * parts[0] * rows * parts[1] * columns
        if self._memory.size < size:
            self._memory = np.empty(size, np.float32)
        fine = self._memory[:size].reshape(slices * parts[0], rows * parts[1], columns)
        fine.fill(self._start)
        origin = (
            grid.origin[0],
            grid.origin[1] - (parts[1] - 1) / 2 * y,
            grid.origin[2] - (parts[0] - 1) / 2 * z,
        )
        top = origin[2] + z * len(fine)
        seen = [(mesh, value) for mesh, value, low, high in self._layers if high >= origin[2] and low <= top]
        meshes, values = [mesh for mesh, _ in seen], [value for _, value in seen]
        _core.paint(fine, meshes, values, origin, (grid.spacing[2], y, z), self._executor)
        return fine.reshape(slices, parts[0], rows, parts[1], columns).mean((1, 3))


def scan(
    patient: Patient,
    tissues: Sequence[Tissue],
    *,
    seed: int,
    spacing: Spacing = (2.0, 0.8, 0.8),
    noise: float = 12.0,
    texture: bool = True,
    metal_artefacts: bool = False,
    workers: int | None = None,
) -> PhantomCT:
    """Take a CT from L1 to the femoral heads; see `Spine.ct`.

    Parameters
    ----------
    patient : whose measured bones are labelled
    tissues : from the skin inwards; later ones take the place of earlier ones
    seed : of noise and texture
    spacing, noise, metal_artefacts, workers : as of `Spine.ct`
    texture : whether spongiosa is grained
    """
    if not (np.isfinite(noise) and 0 <= noise <= 500):
        raise ArgumentError(f"noise: {noise}, expected a standard deviation of 0 to 500 HU")
    count = _engine.worker_count(workers)
    executor = _engine.executor(count)
    grid = _grid(patient, tissues, spacing)
    layers = [layer for tissue in tissues for layer in tissue.layers]
    paint = Painter([(surface, material.hu) for surface, material, _ in layers], AIR.hu, executor)
    # How much of each voxel is spongiosa: what is painted before it makes no difference.
    spongy = [(surface, float(material.name == SPONGIOSA.name)) for surface, material, _ in layers]
    first = next((k for k, (_, value) in enumerate(spongy) if value), len(spongy))
    paint_spongy = Painter(spongy[first:], 0.0, executor) if texture else None
    artefacts = streaks(tissues, grid, seed=seed, workers=count) if metal_artefacts else {}
    finish = _Scanner(grid, seed, noise)
    array = np.empty(grid.shape, np.int16)
    with concurrent.futures.ThreadPoolExecutor(count, "spinekit") as pool:
        for first in range(0, grid.shape[0], _BLOCK):
            end = min(first + _BLOCK, grid.shape[0])
            slab = grid.slab(first, end)
            volume = paint(slab)
            if paint_spongy is not None:
                finish.grain(volume, paint_spongy(slab), first)

            def develop(index: int, volume: Any = volume, first: int = first) -> None:
                image = finish.slice(volume[index - first], index)
                if index in artefacts:
                    image += artefacts[index]
                array[index] = np.rint(image).clip(LEAST_HU, MOST_HU)

            for _ in pool.map(develop, range(first, end)):
                pass
    return PhantomCT(
        array,
        _labels(patient, grid, executor),
        grid.geometry,
        seed=seed,
        sex=patient.person.sex,
        age=patient.person.age,
        source=f"phantom, seed {seed}",
    )


def _grid(patient: Patient, tissues: Sequence[Tissue], spacing: Spacing) -> Grid:
    steps = tuple(float(step) for step in spacing)
    if len(steps) != 3 or not all(0.1 <= step <= 20 for step in steps):
        raise ArgumentError(f"spacing: {spacing}, expected (slice, row, column) of 0.1 to 20 mm")
    bones = np.concatenate([surface.vertices for surface in patient.measured()])
    everything = np.concatenate([tissue.surface.vertices for tissue in tissues])
    low, high = everything.min(0) - _AROUND, everything.max(0) + _AROUND
    low[2], high[2] = bones[:, 2].min() - _BEYOND, bones[:, 2].max() + _BEYOND
    shape, origin = [], []
    for axis, step in ((2, steps[0]), (1, steps[1]), (0, steps[2])):
        count = int(np.ceil((high[axis] - low[axis]) / step)) + 1
        middle = (low[axis] + high[axis]) / 2
        if axis != 2 and count > _MOST_ACROSS:
            # A narrow field: about the bones, as it is set by hand.
            count, middle = _MOST_ACROSS, (bones[:, axis].min() + bones[:, axis].max()) / 2
        shape.append(count)
        # DICOM has decimal strings of 16 characters: positions that they can say.
        origin.append(round(float(middle - (count - 1) / 2 * step), 1))
    if np.prod(shape, dtype=np.int64) > _MOST_VOXELS:
        raise ArgumentError(
            f"spacing: {spacing} mm would take {' x '.join(map(str, shape))} voxels; choose larger ones"
        )
    return Grid(
        (origin[2], origin[1], origin[0]), (steps[0], steps[1], steps[2]), (shape[0], shape[1], shape[2])
    )


def _labels(patient: Patient, grid: Grid, executor: _core.Executor) -> NDArray[np.uint8]:
    """Return what each voxel mostly is: a bone's number where it fills at least half."""
    labels = np.zeros(grid.shape, np.uint8)
    origin = np.array(grid.origin[::-1])
    steps = np.array(grid.spacing)
    for number, surface in enumerate(patient.measured(), 1):
        corners = (surface.vertices[:, ::-1] - origin) / steps
        low = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, grid.shape)
        if np.any(high <= low):
            continue
        x, y, z = (float(value) for value in (origin + low * steps)[::-1])
        slices, rows, columns = (int(count) for count in high - low)
        box = Grid((x, y, z), grid.spacing, (slices, rows, columns))
        inside = Painter([(surface, 1.0)], 0.0, executor, odd=True)(box)
        view = labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        view[inside >= 0.5] = number
    return labels


class _Scanner:
    """Blur of the reconstruction's kernel, its noise, and the grain of spongiosa."""

    def __init__(self, grid: Grid, seed: int, noise: float) -> None:
        from scipy import fft, ndimage  # noqa: PLC0415 - slow to import

        self._fft, self._ndimage = fft, ndimage
        self._grid, self._seed, self._noise = grid, seed, noise
        self._sigma = tuple(_KERNEL / step for step in grid.spacing[1:])
        self._padded = tuple(fft.next_fast_len(n, real=True) for n in grid.shape[1:])
        frequency = np.hypot(
            np.fft.fftfreq(self._padded[0], grid.spacing[1])[:, None],
            np.fft.rfftfreq(self._padded[1], grid.spacing[2])[None],
        )
        # Filtered back projection: noise grows with frequency, up to where the kernel cuts it off.
        power = frequency * np.exp(-((frequency / _CUTOFF) ** 2))
        self._filter = np.asarray(power / np.sqrt(np.mean(power**2)), np.float32)
        self._texture: Any = None

    def slice(self, image: Any, index: int) -> Any:
        """Return a slice as it is reconstructed."""
        image = self._ndimage.gaussian_filter(image, self._sigma, mode="nearest", truncate=3.0)
        if self._noise:
            rng = np.random.default_rng([self._seed, 31, index])
            white = self._fft.rfft2(rng.standard_normal(self._padded, np.float32))
            noise = self._fft.irfft2(white * self._filter, self._padded)
            rows, columns = image.shape
            image += self._noise * noise[:rows, :columns]
        return image

    def grain(self, volume: Any, part: Any, first: int) -> None:
        """Grain spongiosa, which fills `part` of each voxel; blocks come in order."""
        step, row, column = self._grid.spacing
        alike = np.exp(-step / (2 * _GRAIN))
        sigma = (_GRAIN / 2 / row, _GRAIN / 2 / column)
        for index in range(len(volume)):
            rng = np.random.default_rng([self._seed, 32, first + index])
            fresh = rng.standard_normal(volume.shape[1:], np.float32)
            if self._texture is None:
                self._texture = fresh
            else:
                self._texture = alike * self._texture + np.sqrt(1 - alike**2) * fresh
            filled = np.flatnonzero(part[index].any(1))
            if filled.size:
                rows = slice(filled[0], filled[-1] + 1)
                grain = self._ndimage.gaussian_filter(self._texture[rows], sigma)
                # A filter of white noise keeps this much of its spread.
                spread = 1 / np.sqrt(max(4 * np.pi * sigma[0] * sigma[1], 1.0))
                volume[index, rows] += _TRABECULAE / spread * grain * part[index, rows]
