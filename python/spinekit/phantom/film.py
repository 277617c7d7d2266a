"""Films of phantoms: rays through all tissues, then what tube, detector and processing make of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.phantom.tissues import CORTEX, SOFT, SPONGIOSA, Tissue
from spinekit.phantom.view import View
from spinekit.radiograph import Radiograph

if TYPE_CHECKING:
    from spinekit.phantom.dicom import Photometric

Image = NDArray[np.float32]
Levels = tuple[float, float]
_MOST = 4095
#: What clinics write on lateral films.
STANDING = ("LATERAL  STANDING", "L-SPINE LAT", "LWS seitl. stehend", "RACHIS LOMBAIRE PROFIL")
LYING = ("LATERAL", "L-SPINE LAT", "LWS seitl.", "RACHIS LOMBAIRE PROFIL")


@dataclass(frozen=True)
class Exposure:
    """How a film is exposed and processed.

    Attributes
    ----------
    photons : that would reach a pixel of 0.2 mm without a patient; the fewer, the more noise
    scatter : scattered over primary intensity behind the patient (with a grid)
    blur_mm : of focus and detector, in the plane of the film's scale
    detail : how much processing raises small structures over large ones; 1 leaves them
    texture : relative depth of the trabecular pattern
    collimation : whether the field is cut to a rectangle within the film
    text : whether a side marker and words are burnt into the margin
    """

    photons: float = 6e5
    scatter: float = 0.7
    blur_mm: float = 0.25
    detail: float = 2.2
    texture: float = 0.45
    collimation: bool = True
    text: bool = True

    def __post_init__(self) -> None:
        numbers = (self.photons, self.scatter, self.blur_mm, self.detail, self.texture)
        if not (self.photons > 0 and all(0 <= number < np.inf for number in numbers)):
            raise ArgumentError(
                f"{self}: photons must be positive, the other numbers finite and not negative"
            )

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Exposure":
        """Draw an exposure as clinics make them."""
        return cls(
            photons=float(np.exp(rng.uniform(np.log(1.5e5), np.log(2e6)))),
            scatter=float(rng.uniform(0.3, 1.1)),
            blur_mm=float(rng.uniform(0.15, 0.4)),
            detail=float(rng.uniform(1.5, 3.0)),
            texture=float(rng.uniform(0.3, 0.6)),
            collimation=bool(rng.random() < 0.6),
            text=bool(rng.random() < 0.7),
        )


@dataclass(eq=False, kw_only=True, repr=False)
class PhantomFilm(Radiograph):
    """A film of a phantom.

    Attributes
    ----------
    view : how it was taken
    implant_mask : shape (rows, columns), float32; part of each pixel that metal covers, or None
    without_implants : the same film without them, or None
    """

    view: View
    implant_mask: Image | None = None
    without_implants: "PhantomFilm | None" = None

    def write(
        self,
        path: str | os.PathLike[str],
        photometric: "Photometric" = "MONOCHROME2",
        *,
        overwrite: bool = False,
    ) -> Path:
        """Write the film as DICOM, Digital X-Ray Image Storage; see `spinekit.phantom.dicom.write_film`.

        Parameters
        ----------
        path : of the new file
        photometric : "MONOCHROME2" or "MONOCHROME1": whether high stored values are bright or dark
        overwrite : whether a file of this name is replaced

        Returns
        -------
        path : the same
        """
        from spinekit.phantom.dicom import write_film  # noqa: PLC0415 - it imports this module

        return write_film(self, path, photometric, overwrite=overwrite)


def _enlarged(picture: NDArray[Any], shape: tuple[int, int]) -> Image:
    """Return a picture at another size, interpolated bilinearly."""
    from PIL import Image as Pictures  # noqa: PLC0415

    small = Pictures.fromarray(np.ascontiguousarray(picture, np.float32))
    rows, columns = shape
    return np.asarray(small.resize((columns, rows), Pictures.Resampling.BILINEAR))


def _noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Image:
    """Return smooth noise of deviation 1, `scale` pixels wide."""
    from scipy import ndimage  # noqa: PLC0415 - scipy takes long to import

    step = max(1, int(scale / 2))
    small = tuple(size // step + 4 for size in shape)
    field = ndimage.gaussian_filter(rng.standard_normal(small, np.float32), scale / step / 2, mode="wrap")
    return _enlarged(field / max(float(field.std()), 1e-6), shape)


def trabeculae(view: View, rng: np.random.Generator) -> Image:
    """Return the trabecular pattern of a film, deviation about 1: mostly vertical strands, and patches."""
    from scipy import ndimage  # noqa: PLC0415 - scipy takes long to import

    shape = (view.beam.rows, view.beam.columns)
    row, column = view.spacing
    fine = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (1.6 / row, 0.35 / column))
    fine /= max(float(fine.std()), 1e-6)
    return np.asarray(0.8 * fine + 0.6 * _noise(rng, shape, 5.0 / row), np.float32)


def line_integrals(
    tissues: Sequence[Tissue],
    view: View,
    rng: np.random.Generator,
    texture: float,
    workers: int | None = None,
) -> Image:
    """Return what weakens each pixel's ray: shape (rows, columns), float32, the exponent of attenuation."""
    meshes, channels, weights = [], [], []

    def add(mesh: _core.Mesh, channel: int, weight: float) -> None:
        meshes.append(mesh)
        channels.append(channel)
        weights.append(weight)

    for tissue in tissues:
        for surface, material, outside in tissue.layers:
            if material is SPONGIOSA and outside is CORTEX:
                add(surface.engine, 1, 1.0)
            else:
                add(surface.engine, 0, material.attenuation - outside.attenuation)
    executor = _engine.executor(_engine.worker_count(workers))
    total, marrow = _core.ray_sums(meshes, channels, weights, 2, view.beam, executor)
    total += np.float32(SPONGIOSA.attenuation - CORTEX.attenuation) * marrow
    if texture > 0:
        # Strands side by side average out along the ray.
        depth = np.float32(SPONGIOSA.attenuation - SOFT.attenuation) * marrow
        depth /= np.sqrt(1 + np.abs(depth) / np.float32(0.1))
        total += np.float32(texture) * trabeculae(view, rng) * depth
    return np.asarray(total, np.float32)


def develop(
    integrals: Image,
    view: View,
    rng: np.random.Generator,
    exposure: Exposure,
    *,
    words: Sequence[str] = STANDING,
    levels: Levels | None = None,
) -> tuple[NDArray[np.uint16], Levels]:
    """Make a film of line integrals.

    Parameters
    ----------
    integrals : shape (rows, columns), float32; exponents of attenuation
    view : for the scale
    rng : of the noise, the collimation and the text
    exposure : how
    words : one of them is burnt in at the lower edge
    levels : processed values that become dark and bright; None takes them from the patient's own

    Returns
    -------
    pixels : shape (rows, columns), uint16, 0 to 4095; dense is bright
    levels : those that were taken
    """
    from scipy import ndimage  # noqa: PLC0415 - scipy takes long to import

    row, column = view.spacing
    primary = np.exp(-integrals)
    if exposure.blur_mm > 0:
        primary = ndimage.gaussian_filter(primary, (exposure.blur_mm / row, exposure.blur_mm / column))
    # Scattered light spreads over centimetres: a coarse picture of it will do.
    step = max(1, int(6 / row))
    behind = np.minimum(primary[::step, ::step], np.quantile(primary[::step, ::step], 0.6))
    wide = ndimage.gaussian_filter(behind, (45 / row / step, 45 / column / step), mode="nearest")
    light = primary + np.float32(exposure.scatter) * _enlarged(wide, primary.shape)
    photons = np.float32(exposure.photons * (row * column) / 0.04)
    grain = rng.standard_normal(integrals.shape, np.float32)
    light += np.sqrt(light / photons) * grain
    raw = -np.log(np.maximum(light, 1e-6))
    # Processing compresses what is large and raises what is small; the air around makes no halo.
    held = np.maximum(raw[::step, ::step], 2.0)
    held = ndimage.gaussian_filter(held, (22 / row / step, 22 / column / step), mode="nearest")
    coarse = _enlarged(held, raw.shape)
    shown = 0.55 * coarse + exposure.detail * (raw - coarse)
    if levels is None:
        some = shown[::3, ::3]
        body = some[raw[::3, ::3] > 1.5]
        low, high = np.quantile(body if body.size else some, (0.02, 0.995))
        levels = float(low), float(high)
    level = (shown - levels[0]) / max(levels[1] - levels[0], 1e-6)
    pixels = np.clip(0.08 + 0.86 * level, 0, 1)
    field = np.ones(pixels.shape, bool)
    if exposure.collimation:
        field = _field(view, rng)
        pixels = np.where(field, pixels, 0)
    if exposure.text:
        _burn_text(pixels, rng, view.facing, words)
    return np.asarray(np.round(_MOST * pixels), np.uint16), levels


def _field(view: View, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where the collimator lets light through: a rectangle, a little askew."""
    rows, columns = view.beam.rows, view.beam.columns
    top, bottom = rng.uniform(0, 0.025, 2) * rows
    left, right = rng.uniform(0, 0.03, 2) * columns
    lean = np.tan(np.radians(rng.normal(0, 0.4)))
    y = np.arange(rows)[:, None] + lean * (np.arange(columns)[None] - columns / 2)
    x = np.arange(columns)[None] - lean * (np.arange(rows)[:, None] - rows / 2)
    return np.asarray((y >= top) & (y < rows - bottom) & (x >= left) & (x < columns - right))


def _burn_text(pixels: NDArray[Any], rng: np.random.Generator, facing: str, words: Sequence[str]) -> None:
    from PIL import Image as Pictures  # noqa: PLC0415
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415

    rows, columns = pixels.shape
    size = max(8, rows // 28)
    mask = Pictures.new("L", (columns, rows))
    pen = ImageDraw.Draw(mask)
    font = ImageFont.load_default(size)
    small = ImageFont.load_default(max(7, size // 2))
    edge = int(0.03 * columns)
    behind = columns - edge - 2 * size if facing == "left" else edge
    pen.text((behind, int(0.04 * rows)), str(rng.choice(["L", "R"])), 255, font=font)
    pen.text((edge, rows - int(0.04 * rows)), str(rng.choice(words)), 255, font=small)
    pixels[np.asarray(mask) > 127] = 1.0


def drawn_exposure(seed: int) -> Exposure:
    """Return the exposure that a film's seed draws."""
    return Exposure.random(np.random.default_rng([seed, 3]))


def film_of(
    integrals: Image,
    view: View,
    exposure: Exposure,
    *,
    seed: int,
    source: str,
    words: Sequence[str] = STANDING,
    levels: Levels | None = None,
) -> PhantomFilm:
    """Return the film that line integrals make, with its noise and text from `seed`; see `develop`."""
    rng = np.random.default_rng([seed, 5])
    pixels, levels = develop(integrals, view, rng, exposure, words=words, levels=levels)
    notes = {"exposure": exposure, "levels": levels, "facing": view.facing}
    return PhantomFilm(pixels, view.spacing, "phantom", f"{source}, seed {seed}", notes, view=view)


def expose(
    tissues: Sequence[Tissue],
    view: View,
    *,
    seed: int,
    exposure: Exposure | None = None,
    levels: Levels | None = None,
    workers: int | None = None,
) -> PhantomFilm:
    """Take a film of tissues; with metal among them the same but for it, given the `levels` without."""
    if exposure is None:
        exposure = drawn_exposure(seed)
    integrals = line_integrals(tissues, view, np.random.default_rng([seed, 4]), exposure.texture, workers)
    film = film_of(integrals, view, exposure, seed=seed, source="phantom", levels=levels)
    film.notes["seed"] = seed
    return film
