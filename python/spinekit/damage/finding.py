"""From a scan to its damaged pieces."""

import dataclasses
import time
from typing import Any, Literal

from spinekit import _engine
from spinekit._core import ArgumentError
from spinekit.damage.model import ColorModel
from spinekit.damage.piece import checked_scale
from spinekit.damage.pieces import DamagedPieces
from spinekit.damage.scans import Box, Image, Preview, opened_scan
from spinekit.damage.searching import DECODING_SHARE, Means, Search
from spinekit.damage.settings import MEMORY, DamageSettings, bytes_of


def find_damage(
    scan: Image,
    model: ColorModel,
    *,
    boundary: Literal["none", "brightness", "edges"] | Box = "none",
    at_boundary: Literal["keep", "remove"] = "keep",
    margin: int | None = None,
    kernel: int = 3,
    join: bool = False,
    morph_size: int = 9,
    min_area: int = 50,
    max_area: int | None = None,
    numbering: Literal["grid", "row", "column", "simple"] = "grid",
    grid: int = 500,
    epsilon: float = 0.9,
    scale: bool = True,
    contours: bool = False,
    mm_per_pixel: float | tuple[float, float] | None = None,
    memory_limit: int | str = MEMORY,
    workers: int | None = None,
    progress: bool | None = None,
) -> DamagedPieces:
    """Find the damaged pieces of a scan of any size, and number them.

    Parameters
    ----------
    scan : shape (rows, columns, 3) RGB or (rows, columns) grey, uint8 or uint16; or a TIFF, BigTIFF, PNG or
        JPEG, which is read by rows
    model : whose `damage` classes are sought
    boundary : where the artwork is. Beyond it nothing is damage

        - "none": everywhere; regions that touch the scan's border are left out
        - "brightness": the box of the largest region whose Lab b is above Otsu's threshold, if it has 30 %
          of the scan. Compressed files are read once, with a temporary file of 1.2 bytes a pixel, or, where
          there is no room for it, three times
        - "edges": the box of the ends of straight lines, nearly level or upright and 30 % of the shorter side
          or more, sought in a preview of at most 2048 pixels a side, whose pixels stand for several each
        - (x, y, width, height): given, in pixels of this scan

        Where none is found, a note says so, and it is "none".
    at_boundary : regions that touch the boundary: "keep" them, but for one that touches all four sides, which
        is what surrounds the artwork; or "remove" them
    margin : by which the boundary is drawn in on each side, pixels; None for 10 of one that was found, which
        can be a little too large, and 0 of a given box
    kernel : of the opening, the diameter of an ellipse, pixels; at least 3
    join : whether pieces near each other become one, by a closing with an ellipse of `morph_size`
    morph_size : see `join`; at least 5
    min_area, max_area : of pieces, pixels; None for no limit
    numbering : order of the pieces: "grid", by cell (row, column), inside by (y // 50, x); "row", in bands of
        cells by x; "column", by y; "simple", by (y, x). Places are centroids
    grid : side of a cell, pixels
    epsilon : of Ramer, Douglas and Peucker's simplification, pixels of this scan
    scale : whether sizes are meant for 7216 x 5412 pixels (39,061,392, the specification's divisor): areas
        grow with the scan's pixels, lengths with their root, whole numbers below, even kernels + 1. False:
        pixels of this scan
    contours : whether pieces keep every corner of their borders beside the simplified outline
    mm_per_pixel : of the scan, (x, y) or both; None for what the file says
    memory_limit : bytes, or "128 MB", that the work may take beside the process as it is, the result
        included; threads have half a megabyte each beside it
    workers : threads; all cores by default
    progress : whether a bar is shown; None where somebody looks

    Returns
    -------
    pieces : by number, from 1

    Raises
    ------
    ArgumentError
        If an option or the model cannot be; the message tells what is expected.
    UnsupportedError
        If the file is of a kind that cannot be read by rows: interlaced PNG, progressive JPEG above the
            limit, CMYK, float; the message tells the remedy.
    MalformedDataError
        If the file is cut off or damaged.
    ResourceError
        If the file cannot be read, or `memory_limit` does not suffice, as for a mask that is all noise.

    Notes
    -----
    The mask is closed with a 3 x 3 ellipse, blurred (Gaussian, 7 x 7), taken where above 127, opened,
    bounded, and cut into 8-connected regions, of which outer contours are traced; in strips, none of which
    is kept. The result is the same for any number of workers and any limit. Ctrl-C stops it.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> scan = rng.integers(150, 200, (400, 600, 3), np.uint8)
    >>> scan[100:140, 200:260] = rng.integers(235, 255, (40, 60, 3))
    >>> model = ColorModel.fit(scan, background=[(205, 105, 50, 30)], foreground=[(0, 0, 600, 90)])
    >>> [piece.box for piece in find_damage(scan, model)]
    [(200, 100, 60, 40)]
    """
    settings = DamageSettings(
        boundary=boundary,
        at_boundary=at_boundary,
        margin=margin,
        kernel=kernel,
        join=join,
        morph_size=morph_size,
        min_area=min_area,
        max_area=max_area,
        numbering=numbering,
        grid=grid,
        epsilon=epsilon,
        scale=scale,
    )
    found, _ = searched(
        scan,
        model,
        settings,
        contours=contours,
        mm_per_pixel=mm_per_pixel,
        memory_limit=memory_limit,
        workers=workers,
        progress=progress,
    )
    return found


def searched(
    scan: Image,
    model: ColorModel,
    settings: DamageSettings,
    *,
    contours: bool = False,
    mm_per_pixel: float | tuple[float, float] | None = None,
    memory_limit: int | str = MEMORY,
    workers: int | None = None,
    progress: bool | None = None,
    side: int = 0,
) -> tuple[DamagedPieces, Preview | None]:
    """Return what `find_damage` does, and the scan's preview of a longer side, unless that is 0."""
    started = time.perf_counter()
    check_model(model)
    scale = None if mm_per_pixel is None else checked_scale(mm_per_pixel)
    limit = bytes_of(memory_limit)
    executor = _engine.executor(_engine.worker_count(workers))
    opened = opened_scan(scan, executor, limit, DECODING_SHARE)
    preview = Preview(opened, side) if side else None
    search = Search(opened, model, settings, Means(limit, executor, progress, preview))
    box, notes = search.boundary()
    pieces, why_none = search.pieces(box, contours)
    found = DamagedPieces(
        pieces,
        width=opened.columns,
        height=opened.rows,
        source=opened.name,
        mm_per_pixel=opened.mm_per_pixel if scale is None else scale,
        boundary=box,
        settings=settings.to_dict(),
        notes=[*opened.notes, *notes, *why_none],
        seconds=time.perf_counter() - started,
    )
    return found, preview


def check_model(model: ColorModel) -> None:
    """Raise an ArgumentError where a model finds no damage, or all is damage to it."""
    if not isinstance(model, ColorModel):
        raise ArgumentError(
            f"model: {type(model).__name__}, expected a ColorModel; ColorModel.load reads files"
        )
    if not model.damage:
        raise ArgumentError("model: none of its classes is damage; name those that are, by damage=")
    if model.damage == model.classes and model.reject is None:
        raise ArgumentError("model: all of its classes are damage, and so is every pixel; add another")


def settings_of(**options: Any) -> DamageSettings:
    """Return settings of the options of `find_damage` that decide what is found.

    Raises
    ------
    ArgumentError
        If an option is unknown or cannot be.
    """
    try:
        return DamageSettings(**options)
    except TypeError:
        known = [one.name for one in dataclasses.fields(DamageSettings)]
        unknown = next(name for name in options if name not in known)
        raise ArgumentError(f"{unknown}: no such option, expected {', '.join(known)}") from None
