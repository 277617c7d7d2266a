"""
The engine of spinekit; use the functions of the package instead.
"""

from __future__ import annotations

import collections.abc
import enum
import typing

import numpy
import typing_extensions

class SpinekitError(Exception):
    """
    Base of every error that spinekit raises on purpose.
    """

class ArgumentError(SpinekitError, ValueError):
    """
    An argument, or a combination of arguments, cannot be.
    """

class MalformedDataError(SpinekitError, ValueError):
    """
    The data contradicts itself or its standard, or is cut off.
    """

class UnsupportedError(SpinekitError, NotImplementedError):
    """
    The data is valid but of a kind that is not handled.
    """

class ResourceError(SpinekitError, RuntimeError):
    """
    Disk, memory or permissions do not suffice.
    """

class CancelledError(SpinekitError):
    """
    The work was stopped before it was done.
    """

class CancelToken:
    """
    Stops the work that it was handed to.
    """
    def __init__(self) -> None: ...
    def cancel(self) -> None:
        """
        Stop as soon as possible; from any thread.
        """
    @property
    def cancelled(self) -> bool: ...

class Executor:
    """
    A bounded set of threads shared by its callers.
    """
    def __init__(self, workers: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def workers(self) -> int: ...

class Differences:
    """
    Sums over the differences of two images.
    """
    def psnr(self, range: typing.SupportsFloat | typing.SupportsIndex) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def histogram(self) -> list[int]: ...
    @property
    def identical(self) -> int: ...
    @property
    def largest(self) -> int: ...
    @property
    def mean_absolute(self) -> float: ...
    @property
    def sum_absolute(self) -> int: ...
    @property
    def sum_squared(self) -> float: ...

class Target(enum.Enum):
    """
    What transcode() makes.
    """

    J2K_LOSSLESS = 0
    J2K_QUALITY = 2
    J2K_RATIO = 1
    NATIVE = 3

class TranscodeOptions:
    """
    How transcode() makes it.
    """
    def __init__(
        self,
        target: Target,
        ratio: typing.SupportsFloat | typing.SupportsIndex = 0.0,
        quality: typing.SupportsFloat | typing.SupportsIndex = 0.0,
        force_lossy: bool = False,
        verify: bool = True,
        overwrite: bool = False,
        software: str = "spinekit",
    ) -> None: ...

class Transcoded:
    """
    What transcode() made, measured.
    """
    @property
    def bits_stored(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def derived(self) -> bool: ...
    @property
    def differences(self) -> Differences: ...
    @property
    def encode_seconds(self) -> float: ...
    @property
    def encodes(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def is_signed(self) -> bool: ...
    @property
    def lossless(self) -> bool: ...
    @property
    def padding_bytes(self) -> int: ...
    @property
    def photometric(self) -> str: ...
    @property
    def pixel_bytes(self) -> int: ...
    @property
    def pixel_sha256(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def source_bytes(self) -> int: ...
    @property
    def source_lossy(self) -> bool: ...
    @property
    def source_sha256(self) -> str: ...
    @property
    def source_sop_instance_uid(self) -> str: ...
    @property
    def source_transfer_syntax(self) -> str: ...
    @property
    def structural_similarity(self) -> float: ...
    @property
    def target_bytes(self) -> int: ...
    @property
    def target_pixel_bytes(self) -> int: ...
    @property
    def target_sha256(self) -> str: ...
    @property
    def target_sop_instance_uid(self) -> str: ...
    @property
    def target_transfer_syntax(self) -> str: ...
    @property
    def verified(self) -> bool: ...
    @property
    def verify_seconds(self) -> float: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def write_seconds(self) -> float: ...

def codec_versions() -> list[tuple[str, str]]:
    """
    Names and versions of the codec libraries.
    """

def dicom_versions() -> list[tuple[str, str]]:
    """
    Names and versions of the DICOM libraries.
    """

def differences(a: numpy.ndarray, b: numpy.ndarray) -> Differences:
    """
    Differences b - a of two integer arrays of one shape and dtype.
    """

def encode_j2k(
    frame: numpy.ndarray,
    bits_stored: typing.SupportsInt | typing.SupportsIndex,
    reversible: bool = True,
    target_bytes: typing.SupportsInt | typing.SupportsIndex = 0,
    quality: typing.SupportsFloat | typing.SupportsIndex = 0.0,
    bypass: bool = True,
) -> bytes:
    """
    One J2K codestream of one frame.
    """

def read_header(
    source: typing_extensions.Buffer,
    name: str | bytes,
    tags: collections.abc.Sequence[
        tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]
    ],
) -> dict[typing.Any, typing.Any]:
    """
    Text or integer of the named elements that are there.
    """

def read_pixels(
    source: typing_extensions.Buffer, name: str | bytes, executor: Executor, cancel: CancelToken
) -> tuple[numpy.ndarray, int, list[str]]:
    """
    Stored values, BitsStored and warnings of one DICOM file.
    """

def structural_similarity(
    a: numpy.ndarray, b: numpy.ndarray, range: typing.SupportsFloat | typing.SupportsIndex
) -> float:
    """
    Mean SSIM of two images, shape (rows, columns[, samples]).
    """

def transcode(
    source: typing_extensions.Buffer,
    name: str | bytes,
    target: str | bytes,
    options: TranscodeOptions,
    executor: Executor,
    cancel: CancelToken,
) -> Transcoded:
    """
    Compress or decompress the bytes of one DICOM file into the file `target`.
    """

HISTOGRAM_REACH: int = 32
__version__: str = "0.1.0"
