"""What finding damage gives: numbered pieces, for a look, for statistics and for a laser cutter."""

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError
from spinekit._png import png_bytes
from spinekit.annotations.reading import read_json
from spinekit.damage import cutting, piece_files, piece_table, svg
from spinekit.damage.cutting import SvgFiles
from spinekit.damage.dxf import dxf_file
from spinekit.damage.formats import OVERLAY_NAME, OVERLAY_SIDE, check_formats
from spinekit.damage.geojson import geojson_text
from spinekit.damage.overlay import draw, preview_of
from spinekit.damage.piece import DamagedPiece, FoundPiece, area_text, checked_scale
from spinekit.damage.scans import DECODING, Preview

Scale = float | tuple[float, float]

#: In messages.
_MOST_NUMBERS = 12


class DamagedPieces(Sequence[DamagedPiece]):
    """The damaged pieces of a scan, by number.

    Does not change; safe to use from many threads; can be pickled. ``pieces[0]`` is the first one,
    ``pieces.by_number(7)`` the one that is called 7.

    Parameters
    ----------
    found : in the order of their numbers, which differ
    width, height : of the scan, pixels
    source : of the scan; what comes before the file's name is not kept
    mm_per_pixel : of the scan, (x, y); None where it is unknown
    boundary : of the artwork, (x, y, width, height) in pixels; None where none was asked for or found
    settings : what the pieces were found with, as JSON can hold it
    notes : what should be known of them
    seconds : that it took

    Raises
    ------
    ArgumentError
        If the scale is not finite and above 0.
    """

    def __init__(
        self,
        found: Sequence[FoundPiece],
        *,
        width: int,
        height: int,
        source: str | None,
        mm_per_pixel: Scale | None,
        boundary: tuple[int, int, int, int] | None,
        settings: dict[str, Any],
        notes: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> None:
        self._found = tuple(found)
        self._places = {piece.number: place for place, piece in enumerate(self._found)}
        self.width = width
        self.height = height
        # Bytes of names that are no text come as surrogates, which no file can hold.
        name = None if source is None else PurePath(source).name
        self.source = None if name is None else name.encode("utf-8", "replace").decode()
        self.mm_per_pixel = None if mm_per_pixel is None else checked_scale(mm_per_pixel)
        self.boundary = boundary
        self.settings = settings
        self.notes = tuple(notes)
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[DamagedPiece]:
        return (DamagedPiece(found, self.mm_per_pixel) for found in self._found)

    @overload
    def __getitem__(self, place: int) -> DamagedPiece: ...
    @overload
    def __getitem__(self, place: slice) -> list[DamagedPiece]: ...
    def __getitem__(self, place: int | slice) -> DamagedPiece | list[DamagedPiece]:
        if isinstance(place, slice):
            return [DamagedPiece(found, self.mm_per_pixel) for found in self._found[place]]
        return DamagedPiece(self._found[place], self.mm_per_pixel)

    def by_number(self, number: int) -> DamagedPiece:
        """Return the piece of a number.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        if number not in self._places:
            there = ", ".join(map(str, [*self._places][:_MOST_NUMBERS])) or "none"
            more = ", ..." if len(self) > _MOST_NUMBERS else ""
            raise ArgumentError(f"number: {number!r}, there is no such piece; numbers are {there}{more}")
        return self[self._places[number]]

    @property
    def area(self) -> float:
        """Of all pieces, pixels."""
        return float(sum(found.area for found in self._found))

    @property
    def pixels(self) -> int | None:
        """Damaged pixels of all pieces, without holes; None where those of one are unknown."""
        counts = [found.pixels for found in self._found if found.pixels is not None]
        return sum(counts) if len(counts) == len(self) else None

    @property
    def area_mm2(self) -> float | None:
        """Of all pieces, mm²; None where the scale is unknown."""
        return None if self.mm_per_pixel is None else self.area * self.mm_per_pixel[0] * self.mm_per_pixel[1]

    def with_scale(self, mm_per_pixel: Scale) -> "DamagedPieces":
        """Return the same pieces with another scale.

        Parameters
        ----------
        mm_per_pixel : mm of a pixel's side, or (x, y); finite and above 0. 25.4 / dpi
        """
        made = object.__new__(DamagedPieces)  # pieces go by dictionaries where they are copied as others are
        made.__dict__.update(self.__dict__)
        made.mm_per_pixel = checked_scale(mm_per_pixel)
        return made

    def to_svg(
        self,
        folder: str | os.PathLike[str],
        *,
        mm_per_pixel: Scale | None = None,
        overwrite: bool = False,
    ) -> SvgFiles:
        """Write an SVG file for each piece, for a laser cutter, and a sheet of all with their numbers.

        Parameters
        ----------
        folder : made where it is missing. Pieces are ``piece-0001.svg`` and so on, the sheet ``pieces.svg``
        mm_per_pixel : one number or (x, y); None takes that of the pieces. Without any, files are in pixels
        overwrite : remove files of an earlier run that this one does not write

        Returns
        -------
        files : what was written. Pieces with fewer than three points are `left_out`, of all files

        Raises
        ------
        ArgumentError
            If the scale cannot be, if the folder holds files of an earlier run that this one does not write
            and not `overwrite`, or if a file that spinekit did not write, or that was changed since, is in
            the way; nothing is written then.
        ResourceError
            If a file cannot be written.

        Notes
        -----
        A piece's outline is moved to the origin; its file is as large as the outline. On the sheet, as large
        as the scan, outlines are where they are in the scan, whose corner is the origin: the centre of its
        first pixel is at half a pixel. Layers are ``pieces`` (hairlines; a path has the id ``piece-7``),
        ``numbers`` (text) and ``boundary`` (dashed: the scan's edge, and the artwork's box where it is
        known); a cutter needs the first one alone. Outlines go through the centres of border pixels: what is
        cut is a pixel narrower and lower than the damage, and whole islands within it are cut out with it.
        Files of an earlier run are known by their names and their contents. 20,000 pieces take seconds.
        """
        scaled = self._scaled(mm_per_pixel)
        return cutting.write_folder(folder, scaled._svg(), scaled._drawable()[1], overwrite)

    def to_dxf(self, path: str | os.PathLike[str], *, mm_per_pixel: Scale | None = None) -> None:
        """Write all outlines as one DXF file, AutoCAD 2010, for cutters and CAD.

        Parameters
        ----------
        path : of the file
        mm_per_pixel : see `to_svg`

        Raises
        ------
        ArgumentError
            If the scale cannot be.
        UnsupportedError
            If ezdxf is not installed.
        ResourceError
            If the file cannot be written.

        Notes
        -----
        Outlines are closed LWPOLYLINEs on the layer PIECES, numbers are TEXT on the layer NUMBERS. Drawings
        have y upwards: the origin is the lower left corner of the scan. In mm ($INSUNITS 4), or unitless in
        pixels (0) without a scale. Pieces with fewer than three points are left out.
        """
        _engine.write_file(_engine.path_of(path), self._scaled(mm_per_pixel)._dxf())

    def to_geojson(self, path: str | os.PathLike[str], *, axes: Literal["image", "map"] = "image") -> None:
        """Write the pieces as a FeatureCollection of polygons.

        Parameters
        ----------
        path : of the file
        axes : "image", pixels as everywhere here and in napari: y down, centres of pixels at whole numbers;
            "map", as QGIS lays a picture without a place on earth: y up, the scan's upper left corner at
            (0, 0), so that y is below 0

        Raises
        ------
        ArgumentError
            If there are no such axes.
        ResourceError
            If the file cannot be written.

        Notes
        -----
        Rings are closed and counter-clockwise where y goes up, as RFC 7946 demands; with y down that looks
        clockwise. They are pixels, not degrees: ``crs`` is null, and ``scan`` tells what coordinates are.
        Properties are number, area_px, area_mm2, pixels, centroid and box, the last two as everywhere here
        whatever the axes. A piece with fewer than three points has a geometry of null. Where a piece is one
        pixel wide, its outline touches itself, which geographic software calls invalid and can repair.

        References
        ----------
        Butler et al., The GeoJSON Format, 2016, RFC 7946.
        """
        _engine.write_file(_engine.path_of(path), self._geojson(axes))

    def table(self) -> NDArray[Any]:
        """Return a record for each piece; ``pandas.DataFrame(pieces.table())`` takes it.

        Returns
        -------
        table : shape (pieces,), with the fields number, area_px, area_mm2 (NaN where the scale is unknown),
            pixels (-1 where unknown), pixels_mm2, centroid_x, centroid_y, and x, y, width, height of the box,
            pixels. Where the scale is known, the last six in mm too, as centroid_x_mm, from the upper left
            corner of the scan: the centre of its first pixel is at half a pixel.
        """
        return piece_table.table(self[:], self.mm_per_pixel)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each piece, with the columns of `table`; what is unknown stays empty.

        Raises
        ------
        ResourceError
            If the file cannot be written.
        """
        _engine.write_file(_engine.path_of(path), self._csv())

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON that `from_json` reads, a line for each piece.

        Raises
        ------
        ResourceError
            If the file cannot be written.
        """
        _engine.write_file(_engine.path_of(path), self._json())

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> "DamagedPieces":
        """Read pieces that `to_json` wrote, and that people may have corrected.

        Parameters
        ----------
        path : of the file. Pieces can be taken out and added there, and their outlines changed: points
            [x, y], whole numbers within the scan. A new piece needs a number and an outline alone

        Returns
        -------
        pieces : by number. Of a piece whose outline is not the one that was found, area, centroid and box are
            those of its outline, pixels are None, and a note tells so

        Raises
        ------
        MalformedDataError
            If it is no such file; the message names the file and the key.
        ResourceError
            If it cannot be read.
        """
        place = _engine.path_of(path)
        found = read_json(place)
        try:
            return cls.from_dict(found)
        except MalformedDataError as failure:
            raise MalformedDataError(f"'{place.name}': {failure}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, outlines as lists."""
        head = {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "mm_per_pixel": self.mm_per_pixel,
            "boundary": self.boundary,
            "settings": self.settings,
            "notes": self.notes,
            "seconds": self.seconds,
        }
        return piece_files.written(head, self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "DamagedPieces":
        """Return the pieces that `to_dict` gave; see `from_json`."""
        arguments = piece_files.read(found)
        return cls(arguments.pop("found"), **arguments)

    def overlay(
        self, scan: Any, *, side: int = OVERLAY_SIDE, memory_limit: int | str = DECODING
    ) -> NDArray[np.uint8]:
        """Return the scan made small, with damage tinted and outlined, and its numbers.

        Parameters
        ----------
        scan : that the pieces were found in, an array or a path, see `find_damage`
        side : pixels at most of the picture's longer side
        memory_limit : bytes, or "64 MB", that decoding a file may hold

        Returns
        -------
        picture : shape (rows // n, columns // n, 3), uint8, RGB, where each pixel is the mean of n x n of the
            scan. Numbers that would lie over others or hide damage are left out, those of smaller pieces
            first; there is room for more in a larger picture

        Raises
        ------
        ArgumentError
            If the scan is of another size than that of the pieces, or `side` is below 16.
        """
        return draw(self[:], preview_of(scan, (self.width, self.height), side, memory_limit))

    def files(
        self, formats: Sequence[str], scan: Any = None, preview: Preview | None = None
    ) -> dict[str, bytes]:
        """Return the files that other functions write, by their names, to be kept elsewhere.

        Parameters
        ----------
        formats : of "svg", "csv", "json", "geojson", "dxf", "overlay"
        scan : for the overlay
        preview : of the scan, if there is one already

        Raises
        ------
        ArgumentError
            If there is no such format, or the scan is missing or another.
        UnsupportedError
            If ezdxf is wanted and not installed.
        """
        check_formats(formats)
        if "overlay" in formats and scan is None and preview is None:
            raise ArgumentError("scan: missing; an overlay shows it")
        makers = {"csv": self._csv, "json": self._json, "geojson": self._geojson, "dxf": self._dxf}
        found = self._svg() if "svg" in formats else {}
        found |= {f"pieces.{name}": make() for name, make in makers.items() if name in formats}
        if "overlay" in formats:
            found[OVERLAY_NAME] = png_bytes(draw(self[:], preview) if preview else self.overlay(scan))
        return found

    def _svg(self) -> dict[str, bytes]:
        drawn, _ = self._drawable()
        sheet = svg.sheet_svg(
            drawn, (self.width, self.height), self.mm_per_pixel, self.boundary, self._title()
        )
        return cutting.contents({piece.number: piece.svg() for piece in drawn}, sheet)

    def _dxf(self) -> bytes:
        return dxf_file(self._drawable()[0], (self.width, self.height), self.mm_per_pixel)

    def _geojson(self, axes: Literal["image", "map"] = "image") -> bytes:
        head = {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "mm_per_pixel": self.mm_per_pixel,
            "boundary": self.boundary,
        }
        return geojson_text(self, head, axes).encode("utf-8", "replace")

    def _csv(self) -> bytes:
        return piece_table.csv_text(self.table()).encode()

    def _json(self) -> bytes:
        return piece_files.json_text(self.to_dict()).encode("utf-8", "replace")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DamagedPieces):
            return NotImplemented
        return self.to_dict() | {"seconds": 0} == other.to_dict() | {"seconds": 0}

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return DamagedPieces.from_dict, (self.to_dict(),)

    def __str__(self) -> str:
        return "\n".join(piece_table.summary(self))

    def __repr__(self) -> str:
        return f"<DamagedPieces: {len(self)} of {self.width} x {self.height} pixels, {self._area_text()}>"

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in piece_table.summary(self))
        return f"<ul>{lines}</ul>" + (piece_table.html_table(self[:]) if self._found else "")

    def _area_text(self) -> str:
        return area_text(self.area, self.area_mm2)

    def _name(self) -> str:
        return "a scan" if self.source is None else f"'{self.source}'"

    def _title(self) -> str:
        return f"Damaged pieces of {self._name()}"

    def _scaled(self, mm_per_pixel: Scale | None) -> "DamagedPieces":
        return self if mm_per_pixel is None else self.with_scale(mm_per_pixel)

    def _drawable(self) -> tuple[list[DamagedPiece], tuple[int, ...]]:
        """Return the pieces with an area to cut, and the numbers of the others."""
        drawn = [piece for piece in self if len(piece.outline) >= 3]
        left_out = {piece.number for piece in self} - {piece.number for piece in drawn}
        return drawn, tuple(sorted(left_out))
