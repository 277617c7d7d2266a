"""
The engine of spinekit; use the functions of the package instead.
"""

from __future__ import annotations

import collections.abc
import enum
import os
import typing

import numpy
import numpy.typing
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

    HTJ2K_LOSSLESS = 2
    J2K_LOSSLESS = 0
    J2K_QUALITY = 4
    J2K_RATIO = 3
    JPEGLS_LOSSLESS = 1
    NATIVE = 5

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

class ZipEntry:
    """
    An entry out of a ZIP stream; its unpacked bytes as a buffer.
    """
    def __len__(self) -> int: ...
    def tobytes(self) -> bytes: ...
    @property
    def directory(self) -> bool: ...
    @property
    def name(self) -> str: ...
    @property
    def problem(self) -> str: ...

class ZipStream:
    """
    A ZIP read forward only, from chunks.
    """
    def __init__(self) -> None: ...
    def feed(self, chunk: typing_extensions.Buffer) -> None: ...
    def finish(self) -> None: ...
    def next(self) -> ZipEntry | None: ...
    @property
    def consumed(self) -> int: ...
    @property
    def directory_reached(self) -> bool: ...

class SliceState(enum.IntEnum):
    """
    How much of a slice is there: nothing, a picture of reduced resolution brought to full size, everything.
    """

    COARSE = 1
    EMPTY = 0
    FULL = 2

class VolumeMemory:
    """
    Voxels that fill, and the record of what came.
    """
    def __init__(
        self,
        slices: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        columns: typing.SupportsInt | typing.SupportsIndex,
        samples: typing.SupportsInt | typing.SupportsIndex,
        dtype: numpy.dtype[typing.Any],
        fill: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    def arrivals(
        self,
        first: typing.SupportsInt | typing.SupportsIndex,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
    ) -> list[tuple[int, SliceState, float]]: ...
    def close(self) -> None: ...
    def fail(self, index: typing.SupportsInt | typing.SupportsIndex, error: str | typing.Any) -> None: ...
    def place_voxels(
        self, index: typing.SupportsInt | typing.SupportsIndex, voxels: typing_extensions.Buffer
    ) -> None: ...
    @property
    def array(self) -> numpy.ndarray: ...
    @property
    def closed(self) -> bool: ...
    @property
    def failures(self) -> list[tuple[int, typing.Any]]: ...
    @property
    def loaded(self) -> numpy.ndarray: ...
    @property
    def states(self) -> numpy.ndarray: ...
    @property
    def warnings(self) -> list[tuple[int, str]]: ...

class FrameHeader:
    """
    Place and rescale of one frame.
    """
    def __init__(
        self,
        position: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
        ]
        | None = None,
        orientation: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(6)"
        ]
        | None = None,
        spacing: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"
        ]
        | None = None,
        number: typing.SupportsFloat | typing.SupportsIndex | None = None,
        slope: typing.SupportsFloat | typing.SupportsIndex = 1.0,
        intercept: typing.SupportsFloat | typing.SupportsIndex = 0.0,
    ) -> None: ...
    def same_orientation(self, arg0: FrameHeader) -> bool: ...
    @property
    def intercept(self) -> float: ...
    @property
    def number(self) -> float | None: ...
    @property
    def orientation(self) -> typing.Annotated[list[float], "FixedSize(6)"] | None: ...
    @property
    def position(self) -> typing.Annotated[list[float], "FixedSize(3)"] | None: ...
    @property
    def slope(self) -> float: ...
    @property
    def spacing(self) -> typing.Annotated[list[float], "FixedSize(2)"] | None: ...

class SliceGeometry:
    """
    Where the slices of a volume lie; LPS, mm.
    """
    def findings(self) -> list[str]: ...
    @property
    def axes(
        self,
    ) -> typing.Annotated[list[typing.Annotated[list[float], "FixedSize(3)"]], "FixedSize(3)"]: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def gaps(self) -> list[int]: ...
    @property
    def origin(self) -> typing.Annotated[list[float], "FixedSize(3)"] | None: ...
    @property
    def regular(self) -> bool: ...
    @property
    def spacing(self) -> typing.Annotated[list[float | None], "FixedSize(3)"]: ...
    @property
    def tilt(self) -> float: ...

class FileLocation:
    """
    Where a DICOM file's bytes are.
    """
    @typing.overload
    def __init__(self, path: bytes, label: bytes) -> None: ...
    @typing.overload
    def __init__(
        self,
        path: bytes,
        label: bytes,
        offset: typing.SupportsInt | typing.SupportsIndex,
        packed_bytes: typing.SupportsInt | typing.SupportsIndex,
        size: typing.SupportsInt | typing.SupportsIndex,
        method: typing.SupportsInt | typing.SupportsIndex,
        crc: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    @property
    def deflated(self) -> bool: ...

class ImageHeader:
    """
    What a volume needs to know of an image.
    """
    def __init__(
        self,
        series: str,
        modality: str,
        rows: typing.SupportsInt | typing.SupportsIndex,
        columns: typing.SupportsInt | typing.SupportsIndex,
        samples: typing.SupportsInt | typing.SupportsIndex,
        bits_allocated: typing.SupportsInt | typing.SupportsIndex,
        bits_stored: typing.SupportsInt | typing.SupportsIndex,
        is_signed: bool,
        photometric: str,
        sop_instance: str,
        frames: collections.abc.Sequence[FrameHeader],
    ) -> None: ...
    @property
    def columns(self) -> int: ...
    @property
    def frames(self) -> list[FrameHeader]: ...
    @property
    def modality(self) -> str: ...
    @property
    def photometric(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def series_description(self) -> str: ...
    @property
    def series_instance_uid(self) -> str: ...
    @property
    def series_number(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def stored_dtype(self) -> numpy.dtype[typing.Any]: ...
    @property
    def study_instance_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...

class FrameSource:
    """
    Where the slices of a volume come from.
    """
    def read(
        self, slice: typing.SupportsInt | typing.SupportsIndex, dtype: numpy.dtype[typing.Any]
    ) -> numpy.ndarray:
        """
        One slice, decoded and rescaled, as an array of its own.
        """

class DicomFrames(FrameSource):
    """
    Slices out of local files.
    """
    def __init__(
        self,
        files: collections.abc.Sequence[FileLocation],
        slices: collections.abc.Sequence[
            tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]
        ],
    ) -> None: ...
    def prepare(self, slice: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        Find the frames of a slice's file, so that the first read need not.
        """

class DicomFile:
    """
    A file whose header is read, its frames are not.
    """
    def __init__(self, source: typing.Any) -> None: ...
    def extent(self, frame: typing.SupportsInt | typing.SupportsIndex) -> tuple[int, int]:
        """
        Offset and length of a frame's bytes.
        """
    @property
    def header(self) -> ImageHeader: ...

class FetchedFrames(FrameSource):
    """
    Slices whose bytes somebody else fetches.
    """
    @typing.overload
    def __init__(self, labels: collections.abc.Sequence[str]) -> None: ...
    @typing.overload
    def __init__(
        self,
        labels: collections.abc.Sequence[str],
        file: DicomFile,
        frames: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
    ) -> None: ...
    def give_entry(self, slice: typing.SupportsInt | typing.SupportsIndex, entry: ZipEntry) -> None:
        """
        A whole file; the entry is empty afterwards.
        """
    def give_extent(
        self,
        slice: typing.SupportsInt | typing.SupportsIndex,
        reduction: typing.SupportsInt | typing.SupportsIndex,
        bytes: typing_extensions.Buffer,
    ) -> None: ...
    def give_file(
        self,
        slice: typing.SupportsInt | typing.SupportsIndex,
        reduction: typing.SupportsInt | typing.SupportsIndex,
        bytes: typing_extensions.Buffer,
        file_bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class FrameSpool:
    """
    Decoded frames in a temporary file.
    """
    def __init__(self, folder: bytes) -> None: ...
    def add(self, file: typing_extensions.Buffer, label: str, header: ImageHeader) -> int: ...

class SpooledFrames(FrameSource):
    """
    Slices out of a spool.
    """
    def __init__(
        self, spool: FrameSpool, numbers: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]
    ) -> None: ...

class Loader:
    """
    Fills a volume on threads of the engine.
    """
    def __init__(
        self,
        volume: VolumeMemory,
        source: FrameSource,
        executor: Executor,
        order: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        coarse_reduction: typing.SupportsInt | typing.SupportsIndex = 0,
        supplied: bool = False,
    ) -> None: ...
    def cancel(self) -> None: ...
    def end_supply(self, error: str | typing.Any) -> None: ...
    def fail(self, index: typing.SupportsInt | typing.SupportsIndex, error: str | typing.Any) -> None: ...
    def join(self) -> None: ...
    def next_wanted(self) -> tuple[int, int] | None: ...
    def prioritise(self, index: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def supply(
        self,
        index: typing.SupportsInt | typing.SupportsIndex,
        reduction: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...

class Facing(enum.Enum):
    """
    The side that the patient looks to.
    """

    LEFT = 1
    RIGHT = 2
    UNKNOWN = 0

class ParameterUnit(enum.Enum):
    """
    What a number counts.
    """

    DEGREE = 0
    LENGTH = 1
    PERCENT = 3
    RATIO = 2

class ParameterInfo:
    """
    Name, unit and needs of one number.
    """
    @property
    def bones(self) -> int:
        """
        Bit k: BONES[k]; bit 6: any femoral head.
        """
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> ParameterUnit: ...

class KeyPoints:
    """
    Key points in pixels; NaN where unknown.
    """
    def __init__(
        self,
        vertebrae: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        sacrum: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        heads: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        radii: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> None: ...
    @property
    def heads(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def radii(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def sacrum(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def vertebrae(self) -> numpy.typing.NDArray[numpy.float64]: ...

class MeasuredFilm:
    """
    What eight masks gave.
    """
    @property
    def facing(self) -> Facing: ...
    @property
    def facing_problem(self) -> str: ...
    @property
    def intervals(self) -> list[tuple[float, float]]:
        """
        As measured_parameters(), or empty.
        """
    @property
    def missing(self) -> typing.Annotated[list[str], "FixedSize(8)"]:
        """
        Why a bone gave no points, by bone.
        """
    @property
    def points(self) -> KeyPoints: ...
    @property
    def values(self) -> list[float]:
        """
        As measured_parameters().
        """
    @property
    def warnings(self) -> list[str]: ...

class Mesh:
    """
    A closed surface, its triangles counterclockwise as seen from outside.
    """
    def __init__(
        self, vertices: numpy.typing.NDArray[numpy.float64], triangles: numpy.typing.NDArray[numpy.int32]
    ) -> None: ...
    @property
    def triangles(self) -> numpy.typing.NDArray[numpy.int32]: ...
    @property
    def vertices(self) -> numpy.typing.NDArray[numpy.float64]: ...

class Beam:
    """
    A point source and a flat detector; patient coordinates, mm.
    """
    def __init__(
        self,
        source: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
        ],
        corner: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
        ],
        row_step: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
        ],
        column_step: typing.Annotated[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
        ],
        rows: typing.SupportsInt | typing.SupportsIndex,
        columns: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def project(
        self, points: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Where points (n, 3) fall, in pixels (column, row), shape (n, 2).
        """
    @property
    def column_step(self) -> typing.Annotated[list[float], "FixedSize(3)"]: ...
    @property
    def columns(self) -> int: ...
    @property
    def corner(self) -> typing.Annotated[list[float], "FixedSize(3)"]: ...
    @property
    def row_step(self) -> typing.Annotated[list[float], "FixedSize(3)"]: ...
    @property
    def rows(self) -> int: ...
    @property
    def source(self) -> typing.Annotated[list[float], "FixedSize(3)"]: ...

class GreyMapping:
    """
    Which grey levels become which integers.
    """
    def __init__(
        self,
        levels: tuple[
            typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
        ]
        | None,
        of_film: bool,
        bits: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class PenOptions:
    """
    Of the preprocessing ensemble.
    """
    def __init__(
        self,
        mapping: GreyMapping,
        clip_limit: typing.SupportsFloat | typing.SupportsIndex,
        tiles: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex],
        sharpening: typing.SupportsFloat | typing.SupportsIndex,
        percentiles: tuple[
            typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
        ],
        versions: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class Letterbox:
    """
    Where a film lies in a network's input.
    """
    def __init__(
        self,
        film: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex],
        input: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex],
        spacing: tuple[
            typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
        ],
    ) -> None: ...
    @property
    def film(self) -> tuple[int, int]: ...
    @property
    def fitted(self) -> tuple[int, int]: ...
    @property
    def input(self) -> tuple[int, int]: ...
    @property
    def left(self) -> int: ...
    @property
    def scale(self) -> tuple[float, float]: ...
    @property
    def top(self) -> int: ...

class ScanInfo:
    """
    What a scan's header says.
    """
    @property
    def bits(self) -> int: ...
    @property
    def compression(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def mm_per_pixel(self) -> tuple[float, float] | None:
        """
        (x, y), or None where the file does not say.
        """
    @property
    def notes(self) -> list[str]: ...
    @property
    def samples(self) -> int: ...
    @property
    def width(self) -> int: ...

class ScanReader:
    """
    A scan of any size, by rows, in bounded memory.
    """
    def __enter__(self) -> ScanReader: ...
    def __exit__(self, arg0: typing.Any, arg1: typing.Any, arg2: typing.Any) -> None: ...
    def __init__(
        self,
        path: os.PathLike[str] | str | bytes,
        memory_limit: typing.SupportsInt | typing.SupportsIndex = 67108864,
        executor: Executor | None = None,
        share: typing.SupportsFloat | typing.SupportsIndex = 1.0,
    ) -> None: ...
    def close(self) -> None: ...
    def read(self, rows: typing.SupportsInt | typing.SupportsIndex) -> numpy.ndarray:
        """
        The next rows, (rows, columns, 3), uint8 or uint16; fewer at the end.
        """
    def read_into(self, out: numpy.ndarray) -> int:
        """
        Fill an array with the next rows; how many of its rows that were.
        """
    def rewind(self) -> None: ...
    @property
    def info(self) -> ScanInfo: ...
    @property
    def next_row(self) -> int: ...

class ColourComponent:
    """
    Colours of one box.
    """
    @property
    def covariance(
        self,
    ) -> typing.Annotated[list[typing.Annotated[list[float], "FixedSize(4)"]], "FixedSize(4)"]: ...
    @property
    def inverse(
        self,
    ) -> typing.Annotated[list[typing.Annotated[list[float], "FixedSize(4)"]], "FixedSize(4)"]: ...
    @property
    def label(self) -> int: ...
    @property
    def log_determinant(self) -> float: ...
    @property
    def mean(self) -> typing.Annotated[list[float], "FixedSize(4)"]: ...
    @property
    def offset(self) -> float:
        """
        Of the score from the squared distance.
        """
    @property
    def weight(self) -> float: ...

class ColourModel:
    """
    Classes of colours.
    """
    def __init__(
        self,
        gaussians: collections.abc.Sequence[
            tuple[
                typing.Annotated[
                    collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"
                ],
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                typing.SupportsFloat | typing.SupportsIndex,
                typing.SupportsInt | typing.SupportsIndex,
            ]
        ],
        qda: bool,
        reject: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    @property
    def classes(self) -> int: ...
    @property
    def components(self) -> list[ColourComponent]: ...

class ColourLabels:
    """
    Labels of pixels in one format.
    """
    def __init__(
        self,
        model: ColourModel,
        bits: typing.SupportsInt | typing.SupportsIndex,
        colour: bool,
        executor: Executor,
        cancel: CancelToken,
    ) -> None: ...
    def picture(
        self, picture: numpy.ndarray, out: numpy.ndarray, executor: Executor, cancel: CancelToken
    ) -> None:
        """
        Fill bytes (rows, columns).
        """

class DamageMask:
    """
    Which pixels in one format are damage.
    """
    def __init__(
        self,
        model: ColourModel,
        damage: collections.abc.Sequence[bool],
        bits: typing.SupportsInt | typing.SupportsIndex,
        colour: bool,
        executor: Executor,
        cancel: CancelToken,
    ) -> None: ...
    def packed(
        self, picture: numpy.ndarray, out: numpy.ndarray, executor: Executor, cancel: CancelToken
    ) -> None:
        """
        Fill packed rows, uint64 (rows, words): pixel k of a row is bit k % 64 of word k // 64.
        """
    def picture(
        self, picture: numpy.ndarray, out: numpy.ndarray, executor: Executor, cancel: CancelToken
    ) -> None:
        """
        Fill bytes (rows, columns).
        """

class Numbering(enum.Enum):
    """
    The order of pieces.
    """

    COLUMN = 2
    GRID = 0
    ROW = 1
    SIMPLE = 3

class AtBoundary(enum.Enum):
    """
    What is done with regions at the sides of the boundary.
    """

    KEEP = 0
    REMOVE = 1

class CleaningOptions:
    """
    Diameters of ellipses in pixels of the mask; 0 leaves a step out.
    """

    smooth: bool
    def __init__(
        self,
        *,
        closing: typing.SupportsInt | typing.SupportsIndex = 3,
        smooth: bool = True,
        opening: typing.SupportsInt | typing.SupportsIndex = 3,
        join: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    @property
    def closing(self) -> int: ...
    @closing.setter
    def closing(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def join(self) -> int: ...
    @join.setter
    def join(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def opening(self) -> int: ...
    @opening.setter
    def opening(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...

class PieceOptions:
    """
    Sizes are pixels of the mask.
    """

    cleaning: CleaningOptions
    keep_contours: bool
    numbering: Numbering
    def __init__(self) -> None: ...
    @property
    def at_boundary(self) -> AtBoundary:
        """
        KEEP: regions that touch all its sides are left out; REMOVE: any side.
        """
    @at_boundary.setter
    def at_boundary(self, arg0: AtBoundary) -> None: ...
    @property
    def boundary(self) -> tuple[int, int, int, int] | None:
        """
        (x, y, width, height), or None: regions at the border of the mask are left out.
        """
    @boundary.setter
    def boundary(
        self,
        arg1: tuple[
            typing.SupportsInt | typing.SupportsIndex,
            typing.SupportsInt | typing.SupportsIndex,
            typing.SupportsInt | typing.SupportsIndex,
            typing.SupportsInt | typing.SupportsIndex,
        ]
        | None,
    ) -> None: ...
    @property
    def cell(self) -> int: ...
    @cell.setter
    def cell(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def epsilon(self) -> float: ...
    @epsilon.setter
    def epsilon(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def max_area(self) -> int:
        """
        0: no limit.
        """
    @max_area.setter
    def max_area(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def memory_limit(self) -> int:
        """
        Bytes.
        """
    @memory_limit.setter
    def memory_limit(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def min_area(self) -> int: ...
    @min_area.setter
    def min_area(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...

class Piece:
    """
    One piece of a mask.
    """
    @property
    def area(self) -> float: ...
    @property
    def box(self) -> tuple[int, int, int, int]:
        """
        (x, y, width, height)
        """
    @property
    def centroid(self) -> tuple[float, float]:
        """
        (x, y)
        """
    @property
    def contour(self) -> numpy.typing.NDArray[numpy.int32]:
        """
        (n, 2), (x, y); empty unless kept.
        """
    @property
    def number(self) -> int: ...
    @property
    def outline(self) -> numpy.typing.NDArray[numpy.int32]: ...
    @property
    def pixels(self) -> int: ...

class PieceFinder:
    """
    Mask rows in, numbered pieces out.
    """
    def __init__(
        self,
        width: typing.SupportsInt | typing.SupportsIndex,
        height: typing.SupportsInt | typing.SupportsIndex,
        options: PieceOptions,
    ) -> None: ...
    def add_rows(self, mask: numpy.ndarray) -> None:
        """
        The next rows, (rows, width) of bool or uint8, or (rows, words) of packed uint64.
        """
    def finish(self) -> list[Piece]:
        """
        The pieces by number, once.
        """
    @property
    def peak_memory(self) -> int: ...
    @property
    def rows(self) -> int: ...

class ArtworkFinder:
    """
    Rows of a scan in, twice; the artwork's box out.
    """
    def __init__(
        self,
        width: typing.SupportsInt | typing.SupportsIndex,
        height: typing.SupportsInt | typing.SupportsIndex,
        memory_limit: typing.SupportsInt | typing.SupportsIndex = 134217728,
    ) -> None: ...
    def add(self, picture: numpy.ndarray, executor: Executor, cancel: CancelToken) -> None:
        """
        The next rows of the second pass.
        """
    def add_levels(
        self, levels: numpy.typing.NDArray[numpy.uint8], executor: Executor, cancel: CancelToken
    ) -> None:
        """
        The same, of what count made of them.
        """
    def count(
        self,
        picture: numpy.ndarray,
        executor: Executor,
        cancel: CancelToken,
        levels: numpy.typing.NDArray[numpy.uint8] | None = None,
    ) -> None:
        """
        The next rows of the first pass; levels, uint8 (rows, columns), gets what add_levels takes.
        """
    def finish(self) -> tuple[int, int, int, int] | None:
        """
        (x, y, width, height), or None where nothing is large enough; once.
        """
    @property
    def peak_memory(self) -> int: ...
    @property
    def threshold(self) -> int | None:
        """
        The b of Lab above which pixels are paper, once all are counted.
        """

def arrange(frames: collections.abc.Sequence[FrameHeader]) -> tuple[list[int], SliceGeometry]:
    """
    Numbers of the frames in slice order, and their geometry.
    """

def clahe(
    film: numpy.ndarray,
    clip_limit: typing.SupportsFloat | typing.SupportsIndex,
    tiles: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex],
) -> numpy.ndarray:
    """
    Contrast-limited adaptive histogram equalisation of integers.
    """

def cleaned_mask(mask: numpy.ndarray, options: CleaningOptions) -> numpy.ndarray:
    """
    The cleaned mask, bool.
    """

def coarse_bytes(
    files: collections.abc.Sequence[FileLocation],
    reduction: typing.SupportsInt | typing.SupportsIndex,
    executor: Executor,
    cancel: CancelToken,
) -> list[int]:
    """
    How many first bytes of each file decode at reduced size; 0 where it is not J2K.
    """

def codec_versions() -> list[tuple[str, str]]:
    """
    Names and versions of the codec libraries.
    """

def colour_confidence(
    picture: numpy.ndarray, model: ColourModel, executor: Executor, cancel: CancelToken
) -> numpy.typing.NDArray[numpy.float32]:
    """
    How clear the decision is, (rows, columns).
    """

def colour_distances(
    picture: numpy.ndarray, model: ColourModel, executor: Executor, cancel: CancelToken
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Least squared distance to each class, (rows, columns, classes).
    """

def colour_features(
    picture: numpy.ndarray, executor: Executor, cancel: CancelToken
) -> numpy.typing.NDArray[numpy.float64]:
    """
    L, a, b and S of each pixel, (rows, columns, 4).
    """

def dicom_versions() -> list[tuple[str, str]]:
    """
    Names and versions of the DICOM libraries.
    """

def differences(a: numpy.ndarray, b: numpy.ndarray) -> Differences:
    """
    Differences b - a of two integer arrays of one shape and dtype.
    """

def edges_boundary(preview: numpy.ndarray) -> tuple[int, int, int, int] | None:
    """
    The box of the straight edges of an RGB preview of 8 bits, or None.
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

def filter_versions() -> list[tuple[str, str]]:
    """
    Names and versions of the filters' libraries.
    """

def image_header(file: typing_extensions.Buffer, label: str) -> ImageHeader:
    """
    The header of a file that is in memory.
    """

def letterbox_fit(
    film: numpy.ndarray, box: Letterbox, executor: Executor, cancel: CancelToken
) -> numpy.ndarray:
    """
    The film at its fitted size, without padding.
    """

def letterbox_pad(
    stack: numpy.typing.NDArray[numpy.float32],
    box: Letterbox,
    value: typing.SupportsFloat | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    (channels, fitted) amid (channels, input).
    """

def letterbox_unfit(
    maps: numpy.typing.NDArray[numpy.float32],
    box: Letterbox,
    logits: bool,
    executor: Executor,
    cancel: CancelToken,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    (maps, input) to (maps, film).
    """

def local_header_bytes(first30: typing_extensions.Buffer) -> int:
    """
    So far behind a local header's offset its entry's bytes begin.
    """

def map_levels(film: numpy.ndarray, mapping: GreyMapping) -> numpy.ndarray:
    """
    A film as integers.
    """

def mask_pieces(mask: numpy.ndarray, options: PieceOptions) -> list[Piece]:
    """
    The numbered pieces of a mask, (rows, columns) of bool or uint8.
    """

def measure_key_points(
    points: KeyPoints,
    spacing: tuple[typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex],
) -> tuple[list[float], Facing]:
    """
    Numbers, as measured_parameters(), and the facing.
    """

def measure_masks(
    masks: numpy.ndarray,
    spacing: tuple[typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex],
    as_reported: bool,
    replicates: typing.SupportsInt | typing.SupportsIndex,
    executor: Executor,
    cancel: CancelToken,
) -> MeasuredFilm:
    """
    Key points and numbers from masks, shape (8, rows, columns).
    """

def measured_parameters() -> list[ParameterInfo]:
    """
    Every number that measuring gives, in order.
    """

def paint(
    volume: numpy.typing.NDArray[numpy.float32],
    meshes: collections.abc.Sequence[Mesh],
    values: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    origin: typing.Annotated[
        collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
    ],
    spacing: typing.Annotated[
        collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
    ],
    executor: Executor,
) -> None:
    """
    Paint the inside of meshes into a float32 volume (z, y, x), one over the other; origin and spacing are (x, y, z).
    """

def pen(film: numpy.ndarray, options: PenOptions) -> numpy.typing.NDArray[numpy.float32]:
    """
    Versions of a film in [0, 1], (channels, rows, columns).
    """

def pen_batch(
    films: collections.abc.Sequence[numpy.ndarray],
    options: PenOptions,
    executor: Executor,
    cancel: CancelToken,
) -> list[numpy.typing.NDArray[numpy.float32]]:
    """
    Versions of each film in [0, 1].
    """

def pen_levels(film: numpy.ndarray, options: PenOptions) -> numpy.ndarray:
    """
    The same as integers.
    """

def pen_versions() -> list[str]:
    """
    What the ensemble is of, in the order of the channels.
    """

def ray_sums(
    meshes: collections.abc.Sequence[Mesh],
    channels: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
    weights: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    count: typing.SupportsInt | typing.SupportsIndex,
    beam: Beam,
    executor: Executor,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Lengths of each pixel's ray within meshes, in mm times their weights, added up per channel: float32 (count, rows, columns).
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

def scaled_sizes(
    width: typing.SupportsInt | typing.SupportsIndex,
    height: typing.SupportsInt | typing.SupportsIndex,
    *,
    min_area: typing.SupportsInt | typing.SupportsIndex = 50,
    max_area: typing.SupportsInt | typing.SupportsIndex = 0,
    kernel: typing.SupportsInt | typing.SupportsIndex = 3,
    join: typing.SupportsInt | typing.SupportsIndex = 9,
    cell: typing.SupportsInt | typing.SupportsIndex = 500,
    margin: typing.SupportsInt | typing.SupportsIndex = 0,
) -> dict[str, int]:
    """
    Sizes meant at the reference, for a mask of width x height.
    """

def scan_headers(
    files: collections.abc.Sequence[FileLocation], executor: Executor, cancel: CancelToken
) -> list[ImageHeader | typing.Any]:
    """
    The header of each file, or the exception that says why there is none.
    """

def sharpen(film: numpy.ndarray, amount: typing.SupportsFloat | typing.SupportsIndex) -> numpy.ndarray:
    """
    Sharpening of integers.
    """

def silhouettes(
    meshes: collections.abc.Sequence[Mesh],
    groups: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
    count: typing.SupportsInt | typing.SupportsIndex,
    beam: Beam,
    executor: Executor,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Part of each pixel that the union of a group's meshes covers: float32 (count, rows, columns).
    """

def stretch(
    film: numpy.ndarray,
    percentiles: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
) -> numpy.ndarray:
    """
    Contrast stretching of integers.
    """

def structural_similarity(
    a: numpy.ndarray, b: numpy.ndarray, range: typing.SupportsFloat | typing.SupportsIndex
) -> float:
    """
    Mean SSIM of two images, shape (rows, columns[, samples]).
    """

def through(
    volume: numpy.typing.NDArray[numpy.float32],
    origin: typing.Annotated[
        collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
    ],
    axes: typing.Annotated[
        collections.abc.Sequence[
            typing.Annotated[
                collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"
            ]
        ],
        "FixedSize(3)",
    ],
    beam: Beam,
    most: bool,
    executor: Executor,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Integral along each pixel's ray through a float32 volume (k, j, i), or the greatest value: float32 (rows, columns).
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

def unpack_entry(
    raw: typing_extensions.Buffer,
    method: typing.SupportsInt | typing.SupportsIndex,
    size: typing.SupportsInt | typing.SupportsIndex,
    crc: typing.SupportsInt | typing.SupportsIndex,
) -> ZipEntry:
    """
    The unpacked bytes of an entry whose packed bytes are `raw`.
    """

def unpack_prefix(
    raw: typing_extensions.Buffer,
    method: typing.SupportsInt | typing.SupportsIndex,
    want: typing.SupportsInt | typing.SupportsIndex,
) -> bytes:
    """
    The first unpacked bytes of an entry, from its first packed ones.
    """

def voxel_dtype(
    header: ImageHeader, frames: collections.abc.Sequence[FrameHeader]
) -> numpy.dtype[typing.Any]:
    """
    dtype of a volume of such frames.
    """

HISTOGRAM_REACH: int = 32
__version__: str = "0.1.0"
