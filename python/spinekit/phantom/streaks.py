"""Streaks of metal in CT: what reconstruction makes of rays that are weakened too much.

The model is that of parallel rays and filtered back projection, which is linear: the streaks are the
reconstruction of the errors alone, those of rays that cross metal. Two errors are made. A beam hardens in
metal, so that its line integral saturates; and hardly a photon comes through, so that it is noisy. The rays
are the engine's, through the surfaces themselves, for 120 directions: fewer than a scanner takes, which makes
single streaks coarser than real ones.

References
----------
De Man et al., IEEE Trans Nucl Sci 1999;46:691-696, doi 10.1109/23.775600: causes of metal streaks.
Kak & Slaney, Principles of Computerized Tomographic Imaging, 1988, chapter 3: filtered back projection.
"""

import concurrent.futures
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit.phantom.tissues import Tissue

if TYPE_CHECKING:
    from spinekit.phantom.ct import Grid

#: Of water at the effective energy of 120 kV (about 70 keV), 1/mm (NIST XCOM: 0.0193).
WATER = 0.0193
#: From here on a tissue is metal, HU.
METAL = 3000.0
_DIRECTIONS = 120
#: The line integral that metal alone never exceeds, for the beam hardens; photons of an unweakened ray; and
#: the line integral at which the detector gives up.
_HARDENED = 6.0
_PHOTONS = 2.0e5
_DARKEST = 11.0
#: Distance of the source, mm: rays as good as parallel.
_FAR = 1.0e6
#: Streaks are reconstructed on a coarser grid, mm.
_COARSE = 1.6


def streaks(
    tissues: Sequence[Tissue], grid: "Grid", *, seed: int, workers: int
) -> dict[int, NDArray[np.float32]]:
    """Return what metal adds to slices, in HU.

    Parameters
    ----------
    tissues : of the patient, metal among them
    grid : of the volume
    seed : of the noise
    workers : threads

    Returns
    -------
    images : shape (rows, columns) each, by the number of the slice; only slices with metal
    """
    metals = [tissue for tissue in tissues if tissue.material.hu > METAL]
    if not metals:
        return {}
    heights = np.concatenate([tissue.surface.vertices[:, 2] for tissue in metals])
    first = max(0, int(np.floor((heights.min() - grid.origin[2]) / grid.spacing[0])))
    end = min(grid.shape[0], int(np.ceil((heights.max() - grid.origin[2]) / grid.spacing[0])) + 1)
    if end <= first:
        return {}
    rays = _Rays(grid, first, end)
    executor = _engine.executor(workers)
    meshes: list[_core.Mesh] = []
    channels: list[int] = []
    weights: list[float] = []
    for tissue in tissues:
        for surface, material, within in tissue.layers:
            meshes.append(surface.engine)
            channels.append(int(tissue.material.hu > METAL))
            weights.append(WATER * (material.hu - within.hu) / 1000)
    # What the trunk lies in is air; a tissue says what it lies in itself.
    errors = np.empty((_DIRECTIONS, rays.count, end - first), np.float32)
    for number, angle in enumerate(rays.angles):
        body, metal = _core.ray_sums(meshes, channels, weights, 2, rays.beam(angle), executor)
        rng = np.random.default_rng([seed, 33, number])
        errors[number] = _errors(body, metal, rng).T
    touched = np.flatnonzero(np.any(errors != 0, axis=(0, 1)))
    images = _back_projected(_filtered(errors[..., touched], rays.step), rays, workers)
    zoomed = rays.zoomed(images)
    return {first + int(index): image for index, image in zip(touched, zoomed, strict=True)}


def _errors(body: Any, metal: Any, rng: np.random.Generator) -> Any:
    """Return by how much line integrals are wrong; rays without metal are right."""
    true = np.maximum(body + metal, 0)
    hard = np.maximum(body, 0) + _HARDENED * -np.expm1(-metal / _HARDENED)
    measured = np.minimum(hard, _DARKEST)
    spread = np.sqrt(np.exp(measured) / _PHOTONS)
    measured += spread * rng.standard_normal(measured.shape, np.float32)
    measured = np.minimum(measured, _DARKEST)
    # Soft where a ray just grazes metal.
    return (measured - true) * np.clip(metal / 0.2, 0, 1)


class _Rays:
    """Parallel rays across slices, and the coarse grid that they are projected back to."""

    def __init__(self, grid: "Grid", first: int, end: int) -> None:
        self.grid, self.first, self.end = grid, first, end
        _, rows, columns = grid.shape
        _, row, column = grid.spacing
        self.middle = np.array(
            [grid.origin[0] + (columns - 1) / 2 * column, grid.origin[1] + (rows - 1) / 2 * row]
        )
        self.angles = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
        self.step = min(row, column, 1.0)
        self.count = int(np.hypot(rows * row, columns * column) / self.step) + 2
        self.x = np.arange(0, columns * column, _COARSE) - (columns - 1) / 2 * column
        self.y = np.arange(0, rows * row, _COARSE) - (rows - 1) / 2 * row

    def beam(self, angle: float) -> _core.Beam:
        """Return rays along `angle`: a row for each slice, a column for each ray."""
        along = np.array([np.cos(angle), np.sin(angle), 0.0])
        across = np.array([-np.sin(angle), np.cos(angle), 0.0])
        bottom = self.grid.origin[2] + self.first * self.grid.spacing[0]
        top = self.grid.origin[2] + (self.end - 1) * self.grid.spacing[0]
        middle = np.array([*self.middle, (bottom + top) / 2])
        corner = middle + 1000 * along - (self.count - 1) / 2 * self.step * across
        corner[2] = bottom
        return _core.Beam(
            tuple(middle - _FAR * along),
            tuple(corner),
            (0.0, 0.0, self.grid.spacing[0]),
            tuple(self.step * across),
            self.end - self.first,
            self.count,
        )

    def zoomed(self, images: Any) -> Any:
        """Return coarse images (slices, y, x) on the volume's grid."""
        from scipy import ndimage  # noqa: PLC0415 - slow to import

        _, rows, columns = self.grid.shape
        _, row, column = self.grid.spacing
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        places = np.stack([y * row / _COARSE, x * column / _COARSE])
        return [
            ndimage.map_coordinates(image, places, order=1, mode="nearest", output=np.float32)
            for image in images
        ]


def _filtered(errors: Any, step: float) -> Any:
    """Return sinograms (directions, rays, slices) through the ramp, a Hann window upon it."""
    from scipy import fft  # noqa: PLC0415 - slow to import

    count = errors.shape[1]
    padded = fft.next_fast_len(2 * count, real=True)
    frequency = np.fft.rfftfreq(padded, step)
    most = 0.5 / _COARSE
    ramp = frequency * np.where(frequency < most, 0.5 + 0.5 * np.cos(np.pi * frequency / most), 0)
    spectrum = fft.rfft(errors, padded, axis=1) * ramp.astype(np.float32)[None, :, None]
    return fft.irfft(spectrum, padded, axis=1)[:, :count]


def _back_projected(sinograms: Any, rays: _Rays, workers: int) -> Any:
    """Return images (slices, y, x) in HU."""
    out = np.zeros((len(rays.y), len(rays.x), sinograms.shape[2]), np.float32)

    def row(index: int) -> None:
        for angle, sinogram in zip(rays.angles, sinograms, strict=True):
            place = (rays.y[index] * np.cos(angle) - rays.x * np.sin(angle)) / rays.step
            place += (rays.count - 1) / 2
            low = np.clip(np.floor(place).astype(np.intp), 0, rays.count - 2)
            part = (place - low).astype(np.float32)[:, None]
            out[index] += (1 - part) * sinogram[low] + part * sinogram[low + 1]

    with concurrent.futures.ThreadPoolExecutor(workers, "spinekit") as pool:
        for _ in pool.map(row, range(len(rays.y))):
            pass
    scale = np.pi / _DIRECTIONS * 1000 / WATER
    return np.moveaxis(out, 2, 0) * np.float32(scale)
