"""Any two images side by side: what differs, and by how much."""

import dataclasses
import math
import os

import numpy as np
import numpy.typing as npt

from spinekit import _core, pixels
from spinekit.report import plain_values

#: Differences beyond this many grey values share the outermost bins of a histogram.
HISTOGRAM_REACH: int = _core.HISTOGRAM_REACH


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How image b differs from image a.

    Attributes
    ----------
    shape : of both images
    value_range : 2^BitsStored - 1, the dynamic range of `psnr` and `ssim`
    psnr : dB, infinity when identical
    ssim : mean structural similarity (Gaussian window, sigma 1.5), the mean over frames; NaN for
        pictures below 11 x 11 that are not identical
    max_difference, mean_difference : absolute, in grey values
    identical : share of identical samples, 0 ... 1
    histogram : counts of b - a from -32 to +32; the outermost bins hold everything beyond
    """

    shape: tuple[int, ...]
    value_range: int
    psnr: float
    ssim: float
    max_difference: int
    mean_difference: float
    identical: float
    histogram: tuple[int, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON: NaN becomes None, an infinite PSNR the text "infinity"."""
        values: dict[str, object] = plain_values(dataclasses.asdict(self))
        return values

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape))
        if self.max_difference == 0:
            return f"{size}: identical"
        return (
            f"{size}: PSNR {self.psnr:.2f} dB (of {self.value_range}), SSIM {self.ssim:.5f}, "
            f"largest difference {self.max_difference}, mean {self.mean_difference:.3f}, "
            f"{100 * self.identical:.1f} % identical"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("PSNR", "identical" if math.isinf(self.psnr) else f"{self.psnr:.2f} dB of {self.value_range}"),
            ("SSIM", f"{self.ssim:.6f}"),
            ("Largest difference", str(self.max_difference)),
            ("Mean difference", f"{self.mean_difference:.4f}"),
            ("Identical", f"{100 * self.identical:.2f} %"),
        ]
        body = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{v}</td></tr>" for k, v in rows)
        return f"<table>{body}</table>"


def compare(
    a: str | os.PathLike[str] | npt.ArrayLike,
    b: str | os.PathLike[str] | npt.ArrayLike,
    *,
    bits_stored: int | None = None,
) -> Comparison:
    """Compare two images, sample by sample.

    Parameters
    ----------
    a, b : DICOM files, or arrays of shape ([frames,] rows, columns[, 3]), uint8, int8, uint16 or
        int16; both of one shape and dtype. A last axis of 3 is taken as colour.
    bits_stored : dynamic range 2^bits_stored - 1; by default BitsStored of the file `a`, or the
        full range of the array's dtype

    Returns
    -------
    comparison : see `Comparison`

    Raises
    ------
    ArgumentError
        If shapes or dtypes differ, or bits_stored does not fit the dtype.
    MalformedDataError, UnsupportedError, ResourceError
        As `read_pixels`, for files.

    Notes
    -----
    SSIM as in Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, 2004,
    doi 10.1109/TIP.2003.819861, with the Gaussian window truncated at 3.5 sigma; equals
    ``skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False)`` within 1e-4.

    Examples
    --------
    >>> import numpy as np
    >>> import spinekit as sk
    >>> a = np.full((16, 16), 100, np.uint8)
    >>> sk.compare(a, a + np.uint8(1)).max_difference
    1
    """
    left, depth = _load(a)
    right, _ = _load(b)
    bits = depth if bits_stored is None else bits_stored
    if left.shape != right.shape or left.dtype != right.dtype:
        raise _core.ArgumentError(
            f"the images differ in kind: {left.shape} {left.dtype} and {right.shape} {right.dtype}"
        )
    if not 1 <= bits <= 8 * left.dtype.itemsize:
        raise _core.ArgumentError(f"bits_stored is {bits}, expected 1 to {8 * left.dtype.itemsize}")
    value_range = 2**bits - 1
    sums = _core.differences(left, right)
    return Comparison(
        shape=left.shape,
        value_range=value_range,
        psnr=sums.psnr(value_range),
        ssim=_mean_ssim(left, right, value_range, identical=sums.largest == 0),
        max_difference=sums.largest,
        mean_difference=sums.mean_absolute,
        identical=sums.identical / sums.count if sums.count else math.nan,
        histogram=tuple(sums.histogram),
    )


def _load(image: str | os.PathLike[str] | npt.ArrayLike) -> tuple[pixels.PixelArray, int]:
    if isinstance(image, str | os.PathLike):
        array, bits_stored, _ = pixels.read_with_depth(image)
        return array, bits_stored
    array = np.ascontiguousarray(image)
    if array.dtype not in (np.uint8, np.int8, np.uint16, np.int16) or array.ndim < 2:
        raise _core.ArgumentError(
            f"expected an image of uint8, int8, uint16 or int16, got {array.dtype} of shape {array.shape}"
        )
    return array, 8 * array.dtype.itemsize


def _mean_ssim(a: pixels.PixelArray, b: pixels.PixelArray, value_range: int, *, identical: bool) -> float:
    colour = a.ndim > 2 and a.shape[-1] == 3
    picture = 3 if colour else 2
    rows, columns = a.shape[-picture : a.ndim - 1 if colour else None]
    if identical:
        return 1.0
    if min(rows, columns) < 11:
        return math.nan
    frames_a = a.reshape(-1, *a.shape[-picture:])
    frames_b = b.reshape(-1, *b.shape[-picture:])
    values = [_core.structural_similarity(x, y, value_range) for x, y in zip(frames_a, frames_b, strict=True)]
    return float(np.mean(values))
