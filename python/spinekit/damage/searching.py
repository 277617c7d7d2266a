"""What looks through a scan: for the artwork's boundary, then for its damaged pieces."""

import contextlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ResourceError
from spinekit._progress import Progress
from spinekit._temporary import NamelessFile
from spinekit.damage.model import ColorModel, damage_mask
from spinekit.damage.scans import Box, Preview, Scan, checked_box
from spinekit.damage.settings import DamageSettings

#: Pixels along the longer side of what lines are sought in.
EDGES_SIDE = 2048

#: Of the memory limit, what decoding a file and the pieces may have; rows and tables have the rest.
DECODING_SHARE, _PIECES_SHARE = 3 / 8, 1 / 2

#: Bytes of rows that are read from a temporary file at a time.
_ROWS = 2 << 20

_Rows = NDArray[Any]
_Work = Callable[[_Rows, _core.CancelToken], None]


@dataclass(frozen=True)
class Means:
    """What a search may use.

    Attributes
    ----------
    limit : bytes of all
    executor : does the work
    progress : whether bars are shown; None where somebody looks
    preview : that gets the rows of the scan, as they are read anyway
    """

    limit: int
    executor: _core.Executor
    progress: bool | None
    preview: Preview | None = None


class Search:
    """One scan, and what is sought in it.

    Parameters
    ----------
    scan, model, settings : see `spinekit.find_damage`
    means : what it may use
    """

    def __init__(self, scan: Scan, model: ColorModel, settings: DamageSettings, means: Means) -> None:
        self._scan, self._model, self._settings = scan, model, settings
        self._limit, self._executor = int(means.limit * _PIECES_SHARE), means.executor
        self._progress, self._preview = means.progress, means.preview
        self._words = -(-scan.columns // 64)
        self._packed = np.empty((0, self._words), np.uint64)
        self._masks: _Spool | None = None

    def boundary(self) -> tuple[Box | None, list[str]]:
        """Return the artwork's box, if there is one, and what there is to say of it."""
        mode = self._settings.boundary
        if not isinstance(mode, str):
            return checked_box(mode, self._scan, "boundary"), []
        if mode == "none":
            return None, []
        if self._scan.dear:
            self._masks = _Spool(self._scan.name or "", self._words, np.dtype(np.uint64))
        found, notes = (self._by_brightness(), []) if mode == "brightness" else self._by_edges()
        if found is None:
            notes.append(f"no boundary found by {mode}: the whole scan was searched")
        elif found == (0, 0, self._scan.columns, self._scan.rows):
            notes.append(f"the boundary found by {mode} is the whole scan")
        return found, notes

    def pieces(self, box: Box | None, contours: bool) -> tuple[list[_core.Piece], list[str]]:
        """Return the pieces inside a boundary, and why there are none."""
        scan, settings = self._scan, self._settings
        options = settings.options(scan.rows, scan.columns)
        options.keep_contours = contours
        options.memory_limit = self._limit
        if box is not None:
            margin = settings.sizes(scan.rows, scan.columns)["margin"]
            options.boundary = inside = _drawn_in(box, margin)
            if not (inside[2] and inside[3]):
                return [], [f"nothing is left of the boundary {box} within a margin of {margin} pixels"]
            options.at_boundary = _core.AtBoundary[settings.at_boundary.upper()]
        finder = _core.PieceFinder(scan.columns, scan.rows, options)
        damaged = False

        def find(rows: _Rows) -> None:
            nonlocal damaged
            damaged = damaged or bool(rows.any())
            finder.add_rows(rows)

        if self._masks is not None and self._masks.whole:
            self._pass("pieces", self._masks.strips(), lambda rows, _: find(rows))
        else:
            self._read("pieces", lambda strip, cancel: find(self._mask(strip, cancel)))
        found = finder.finish()
        if found:
            return found, []
        if not damaged:
            return found, ["no pixel is of the damage's colours: do the model's boxes fit this scan?"]
        most = f" to {options.max_area}" if options.max_area else ""
        where = "at the scan's border" if box is None else "beyond the boundary"
        return found, [
            f"there are damaged pixels, but no piece is left of them: those {where} do not count, an opening "
            f"of {options.cleaning.opening} pixels takes what is thinner, and areas are from "
            f"{options.min_area}{most}"
        ]

    def _by_brightness(self) -> Box | None:
        scan, executor = self._scan, self._executor
        finder = _core.ArtworkFinder(scan.columns, scan.rows, self._limit)
        if not scan.dear:
            self._read("brightness", lambda strip, cancel: finder.count(strip, executor, cancel))
            self._read("boundary", lambda strip, cancel: finder.add(strip, executor, cancel))
            return finder.finish()
        spool = _Spool(scan.name or "", scan.columns, np.dtype(np.uint8))

        def count(strip: _Rows, cancel: _core.CancelToken) -> None:
            levels = np.empty(strip.shape[:2], np.uint8)
            finder.count(strip, executor, cancel, levels)
            spool.add(levels)
            self._keep_mask(strip, cancel)

        self._read("brightness", count)
        if spool.whole:
            self._pass(
                "boundary", spool.strips(), lambda rows, cancel: finder.add_levels(rows, executor, cancel)
            )
        else:
            self._read("boundary", lambda strip, cancel: finder.add(strip, executor, cancel))
        return finder.finish()

    def _by_edges(self) -> tuple[Box | None, list[str]]:
        preview = Preview(self._scan, EDGES_SIDE)

        def look(strip: _Rows, cancel: _core.CancelToken) -> None:
            preview.add(strip)
            self._keep_mask(strip, cancel)

        self._read("edges", look)
        found = _core.edges_boundary(preview.pixels)
        if found is None:
            return None, []
        step = preview.step
        x, y, width, height = (step * side for side in found)
        seen = f"the boundary was sought in a preview, each pixel of which stands for {step} x {step}"
        return (x, y, width, height), [seen] if step > 1 else []

    def _mask(self, strip: _Rows, cancel: _core.CancelToken) -> _Rows:
        if len(self._packed) < len(strip):
            self._packed = np.empty((len(strip), self._words), np.uint64)
        rows = self._packed[: len(strip)]
        damage_mask(self._model, self._scan, self._executor, cancel).packed(
            strip, rows, self._executor, cancel
        )
        return rows

    def _keep_mask(self, strip: _Rows, cancel: _core.CancelToken) -> None:
        if self._masks is not None and self._masks.whole:
            self._masks.add(self._mask(strip, cancel))

    def _read(self, what: str, work: _Work) -> None:
        """Hand every strip of the scan to some work, from the top."""
        preview, self._preview = self._preview, None

        def look(strip: _Rows, cancel: _core.CancelToken) -> None:
            if preview is not None:
                preview.add(strip)
            work(strip, cancel)

        self._pass(what, self._strips(), look)

    def _pass(self, what: str, strips: Generator[_Rows, None, None], work: _Work) -> None:
        done = shown = 0

        def run(cancel: _core.CancelToken) -> None:
            nonlocal done
            for strip in strips:
                if cancel.cancelled:
                    return
                work(strip, cancel)
                done += len(strip)

        def show() -> None:
            nonlocal shown
            now = done
            bar.advance(count=now - shown)
            shown = now

        with contextlib.closing(strips), Progress(self._scan.rows, self._progress, what, unit="row") as bar:
            _engine.interruptible(run, show)

    def _strips(self) -> Generator[_Rows, None, None]:
        """Yield strips; while one is worked on, the next is decoded, if there is a worker for that."""
        strips: Iterator[tuple[int, _Rows]] = self._scan.strips(bounded=True)
        if self._executor.workers == 1:
            yield from (strip for _, strip in strips)
            return
        with ThreadPoolExecutor(1, "spinekit-rows") as decoder:
            ahead = decoder.submit(next, strips, None)
            while (found := ahead.result()) is not None:
                ahead = decoder.submit(next, strips, None)
                yield found[1]


class _Spool:
    """Rows that need not be made again, in a temporary file, as long as there is room for them."""

    def __init__(self, name: str, columns: int, dtype: np.dtype[Any]) -> None:
        self._columns, self._dtype = columns, dtype
        self._rows = 0
        self._file: NamelessFile | None = None
        with contextlib.suppress(ResourceError):
            self._file = NamelessFile(name)

    @property
    def whole(self) -> bool:
        """Whether every row found room."""
        return self._file is not None

    def add(self, rows: _Rows) -> None:
        """Take the next rows."""
        if self._file is None:
            return
        try:
            self._file.write(rows.data.cast("B"))
            self._rows += len(rows)
        except ResourceError:
            self._file = None

    def strips(self) -> Generator[_Rows, None, None]:
        """Yield the rows some at a time; each strip is overwritten by the next."""
        assert self._file is not None
        step = max(1, _ROWS // (self._columns * self._dtype.itemsize))
        buffer = np.empty((step, self._columns), self._dtype)
        for start in range(0, self._rows, step):
            rows = buffer[: min(step, self._rows - start)]
            self._file.read_into(rows.data.cast("B"), start * buffer.strides[0])
            yield rows


def _drawn_in(box: Box, margin: int) -> Box:
    x, y, width, height = box
    return x + margin, y + margin, max(0, width - 2 * margin), max(0, height - 2 * margin)
