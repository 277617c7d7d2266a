"""A generated CT series that looks like the lumbar spine: for the demo, the notebook and first steps."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

_Image = npt.NDArray[np.floating[Any]]

_FIELD_MM = 380.0
_STEP_MM = 2.5
_LEVEL_MM = 38.0  # a vertebra and the disc above it
_BODY_MM = 28.0
_FIRST_BODY_MM = 10.0
_BEND_MM = 7.0  # more than the grid is ever bent
_AIR = -1000.0
_FAT = -105.0
_MUSCLE = 56.0


def write_series(
    folder: str | os.PathLike[str], *, slices: int = 24, size: int = 512, seed: int = 2024
) -> list[Path]:
    """Write a generated axial CT series of a lumbar spine as DICOM files.

    Parameters
    ----------
    folder : is made when missing; files ``slice-01.dcm`` ... in it are replaced
    slices : number of files, >= 1, 2.5 mm apart, from the feet up
    size : rows and columns, >= 64; the field of view is always 380 mm
    seed : the same seed gives the same pixels and UIDs

    Returns
    -------
    paths : in the order of the slices

    Notes
    -----
    12 bits stored, unsigned, HU = stored - 1024. Body, muscles, bones, bowel gas, vessels, table and
    correlated noise are made of simple shapes: nobody was scanned, and nothing here is anatomy to
    measure. About 50 ms for a slice of 512 x 512.

    Examples
    --------
    >>> import tempfile
    >>> from spinekit.demo import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(write_series(folder, slices=2, size=64))
    2
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    scanner = _Scanner(size, seed)
    digits = max(2, len(str(slices)))
    paths = []
    for index in range(slices):
        stored = scanner.stored(index)
        path = target / f"slice-{index + 1:0{digits}d}.dcm"
        _dataset(stored, index, seed).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _dataset(stored: npt.NDArray[np.uint16], index: int, seed: int) -> pydicom.Dataset:
    def uid(*parts: object) -> UID:
        return generate_uid(entropy_srcs=["spinekit demo", str(seed), *map(str, parts)])

    rows, columns = stored.shape
    spacing = _FIELD_MM / columns
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = uid(rows, "instance", index)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = uid(rows, "instance", index)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20240101"
    ds.StudyTime = ds.ContentTime = "120000"
    ds.AccessionNumber = ds.ReferringPhysicianName = ds.StudyID = ""
    ds.Modality = "CT"
    ds.Manufacturer = "spinekit"
    ds.ManufacturerModelName = "generated series"
    ds.SeriesDescription = "LUMBAR SPINE, GENERATED"
    ds.PatientName, ds.PatientID = "Generated^Lumbar", "GENERATED"
    ds.PatientBirthDate = ds.PatientSex = ""
    ds.BodyPartExamined, ds.PatientPosition = "LSPINE", "HFS"
    ds.SliceThickness, ds.KVP = _STEP_MM, 120
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(rows, "study"), uid(rows, "series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid(rows, "frame"), ""
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 1, 1, index + 1
    corner = round(-_FIELD_MM / 2 + spacing / 2, 6)
    ds.ImagePositionPatient = [corner, corner, index * _STEP_MM]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SliceLocation = index * _STEP_MM
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelSpacing = rows, columns, [round(spacing, 6)] * 2
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.BurnedInAnnotation = "NO"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = [50, 400], [450, 2000]
    ds.WindowCenterWidthExplanation = ["SOFT TISSUE", "BONE"]
    ds.PixelData = stored.astype("<u2").tobytes()
    return ds


class _Scanner:
    """The grid in mm (x to the patient's left, y to the back), what blurs it, and its noise."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.spacing = _FIELD_MM / size
        axis = ((np.arange(size) + 0.5) * self.spacing - _FIELD_MM / 2).astype(np.float32)
        self._axis = axis
        across = np.fft.rfftfreq(size)[None, :] ** 2
        squared = (across + np.fft.fftfreq(size)[:, None] ** 2) / self.spacing**2  # (cycles per mm)^2
        self._blur = np.exp(-2 * np.pi**2 * 0.5**2 * squared).astype(np.float32)
        # Filtered back projection: a ramp at low frequencies, a soft kernel at high ones.
        noise = np.sqrt(squared) * np.exp(-squared / 0.28**2)
        self._noise = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
        radius = np.hypot(axis[None, :] / 190, axis[:, None] / 150)
        self._sigma = (7 + 8 * np.exp(-(radius**2) / 0.5)).astype(np.float32)
        rng = np.random.default_rng(seed)
        # Nobody is symmetric: every shape is drawn on a gently bent grid.
        waves = [np.fft.rfft2(rng.standard_normal((size, size))) for _ in range(2)]
        bend = [self._unit(wave * np.exp(-squared / 0.009**2)) for wave in waves]
        self.x, self.y = axis[None, :] + 1.5 * bend[0], axis[:, None] + 1.5 * bend[1]
        grain = np.fft.rfft2(rng.standard_normal((size, size)))
        self._texture = self._unit(grain * np.exp(-squared / 0.06**2))
        self._trabeculae = self._unit(grain * np.exp(-squared / 0.22**2))

    def _unit(self, spectrum: npt.NDArray[np.complex128]) -> _Image:
        field = np.fft.irfft2(spectrum, (self.size, self.size))
        return np.asarray(field / field.std(), np.float32)

    def stored(self, index: int) -> npt.NDArray[np.uint16]:
        z = index * _STEP_MM
        image = self._anatomy(z, np.roll(self._texture, 2 * index, axis=1))
        rng = np.random.default_rng([self.seed, index])
        white = rng.standard_normal((self.size, self.size), dtype=np.float32)
        shape = (self.size, self.size)
        sharp = np.fft.irfft2(np.fft.rfft2(image) * self._blur, shape)
        noise = np.fft.irfft2(np.fft.rfft2(white) * self._noise, shape)
        hounsfield = sharp + noise * self._sigma
        return np.asarray(np.clip(np.rint(hounsfield) + 1024, 0, 4095), np.uint16)

    # ---- shapes

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        def cells(low: float, high: float) -> slice:
            first = int((low - _BEND_MM + _FIELD_MM / 2) / self.spacing)
            last = int((high + _BEND_MM + _FIELD_MM / 2) / self.spacing) + 1
            return slice(max(first, 0), min(max(last, 0), self.size))

        return cells(top, bottom), cells(left, right)

    def _ellipse(
        self,
        image: _Image,
        centre: tuple[float, float],
        radii: tuple[float, float],
        value: float | _Image,
        *,
        degrees: float = 0.0,
        above: float | None = None,
    ) -> None:
        """Draw an ellipse with soft edges; `above` keeps only what is in front of that y."""
        (cx, cy), (a, b) = centre, radii
        if min(a, b) <= 0.5:
            return
        reach = max(a, b)
        window = self._window(cx - reach, cy - reach, cx + reach, cy + reach)
        dx, dy = self.x[window] - cx, self.y[window] - cy
        if degrees:
            c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
            dx, dy = c * dx + s * dy, c * dy - s * dx
        distance = (np.sqrt((dx / a) ** 2 + (dy / b) ** 2) - 1) * min(a, b)
        if above is not None:
            distance = np.maximum(distance, self._axis[window[0], None] - above)
        self._paint(image, window, distance, value)

    def _paint(
        self, image: _Image, window: tuple[slice, slice], distance: _Image, value: float | _Image
    ) -> None:
        cover = np.clip(0.5 - distance / self.spacing, 0, 1)
        part = image[window]
        part += cover * ((value[window] if isinstance(value, np.ndarray) else value) - part)

    # ---- one slice

    def _anatomy(self, z: float, texture: _Image) -> _Image:
        image = np.full((self.size, self.size), _AIR, np.float32)
        self._table(image)
        fat = _FAT + 7 * texture
        muscle = _MUSCLE + 9 * texture
        everything = (slice(None), slice(None))
        x, y = self.x, self.y - 4
        body = ((np.abs(x / 166) ** 2.5 + np.abs(y / 110) ** 2.5) ** 0.4 - 1) * 110
        body = np.maximum(body, 3 * np.exp(-((x / 9) ** 2)) - (112 - self.y))  # the furrow of the back
        self._paint(image, everything, body.astype(np.float32), 35.0)
        self._paint(image, everything, (body + 2).astype(np.float32), fat)
        self._ellipse(image, (0, -8), (146, 88), muscle)
        self._ellipse(image, (0, -9), (144, 86), fat)
        self._ellipse(image, (0, -10), (142, 84), muscle)
        self._ellipse(image, (0, -10), (130, 75), fat)
        self._ellipse(image, (0, 72), (82, 32), fat)
        self._organs(image, z, muscle)
        self._muscles(image, z, muscle)
        self._bone(image, z)
        return image

    def _table(self, image: _Image) -> None:
        window = self._window(-180, 96, 180, 165)
        x, y = self._axis[None, window[1]], self._axis[window[0], None]
        top = 120 - 17 * (x / 180) ** 2
        distance = np.maximum(np.maximum(top - y, y - (147 - 6 * (x / 180) ** 2)), np.abs(x) - 176)
        self._paint(image, window, distance, -190.0)
        self._paint(image, window, distance + 2.2, -950.0)

    def _organs(self, image: _Image, z: float, muscle: _Image) -> None:
        self._ellipse(image, (-101, -24), (23, 33 * min(1.0, 0.35 + z / 60)), muscle + 4, degrees=14)
        for side in (-1, 1):
            pole = float(np.sqrt(np.clip((z + 14) / 60, 0, 1)))
            self._ellipse(image, (side * 84, 25), (23 * pole, 27 * pole), muscle - 22, degrees=side * 18)
            self._ellipse(image, (side * 76, 23), (9 * pole - 2, 12 * pole - 2), _FAT, degrees=side * 18)
        for cx, cy, a, b, gas, phase in _LOOPS:
            drift = np.array([5 * np.sin(z / 13 + phase), 4 * np.cos(z / 17 + 2 * phase)])
            centre = (cx + float(drift[0]), cy + float(drift[1]))
            turn = 40 * np.sin(phase + z / 30)
            self._ellipse(image, centre, (a, b), 52.0, degrees=float(turn))
            content = muscle - (30 if gas else 22)
            self._ellipse(image, centre, (a - 2.2, b - 2.2), content, degrees=float(turn))
            if gas:
                level = centre[1] + b * (gas - 0.5)
                self._ellipse(image, centre, (a - 2.4, b - 2.4), -960.0, degrees=float(turn), above=level)
        for k in range(14):
            along = 6.3 * k + z / 9
            self._ellipse(image, (58 * np.sin(along), -30 + 20 * np.cos(1.7 * along)), (1.9, 1.5), 42.0)
        self._ellipse(image, (-16, -5), (12.5, 8.5), 40.0, degrees=-12)
        self._ellipse(image, (11, -7), (9.5, 9.5), 44.0)
        self._ellipse(image, (16.5, -1.5), (2.4, 1.3), 620.0, degrees=-45)
        self._ellipse(image, (3.5, -11.0), (1.2, 2.2), 480.0, degrees=25)

    def _muscles(self, image: _Image, z: float, muscle: _Image) -> None:
        bulk = 1 + 0.06 * np.sin(z / 20)
        for side in (-1, 1):
            self._ellipse(image, (side * 39, 24), (13.5 * bulk, 20 / bulk), muscle + 5, degrees=side * -16)
            self._ellipse(image, (side * 66, 49), (17, 7.5), muscle, degrees=side * -38)
            self._ellipse(image, (side * 50, 71), (24, 18), muscle - 2, degrees=side * -14)
            self._ellipse(image, (side * 29, 76), (17, 20), muscle + 2, degrees=side * 6)
            self._ellipse(image, (side * 11.5, 73), (8.5, 15), muscle - 8, degrees=side * 8)
            for k in range(7):  # fat between the fascicles
                angle = 2.4 * k + z / 40
                where = (side * (34 + 20 * np.cos(angle)), 73 + 9 * np.sin(2.3 * angle))
                self._ellipse(image, where, (5.5, 0.9), -20.0, degrees=float(side * 25 * np.sin(3 * angle)))

    def _bone(self, image: _Image, z: float) -> None:
        window = self._window(-58, -4, 58, 102)
        x, y = self.x[window], self.y[window]
        above = (z - _FIRST_BODY_MM) % _LEVEL_MM  # mm over the lower endplate of the nearest vertebra
        t = above / _BODY_MM

        def capsule(a: tuple[float, float], b: tuple[float, float], r0: float, r1: float) -> _Image:
            (x0, y0), (x1, y1) = a, b
            length = (x1 - x0) ** 2 + (y1 - y0) ** 2
            along = np.clip(((np.abs(x) - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
            across = np.hypot(np.abs(x) - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
            return (across - (r0 + along * (r1 - r0))).astype(np.float32)

        def end(low: float, high: float, round_mm: float = 5.0) -> float:
            """Mm by which a part that spans t = low ... high shrinks here: it ends round."""
            inside = min(t - low, high - t) * _BODY_MM
            return max(0.0, round_mm - inside) if inside < round_mm else 0.0

        waist = 1 - 0.07 * np.sin(np.pi * min(t, 1.0))
        heart = np.hypot(x / (26 * waist), (y - 21) / (17.5 * waist)) - 1
        body = heart * 17 + 2.2 * np.exp(-((x / 9) ** 2)) * (y > 21)
        if t > 1:  # the disc, and beside it the facet joints of the next level
            self._paint(image, window, body - 0.6, 78.0)
            self._paint(image, window, body + 5.5, 96.0)
        arch = [
            capsule((16, 33), (18, 47), 4.6, 4.8) + end(0.45, 0.98),
            capsule((19, 45.5), (46, 48), 4.8, 3.2) + end(0.5, 0.92),
            capsule((17, 52), (0, 63), 4.0, 3.8) + end(0.02, 0.8),
            capsule((0, 62), (0, 86), 3.0, 4.2) + end(-0.1, 0.78),
            np.hypot(np.abs(x) - 20, y - 51) - 8 + end(-0.28, 0.3, 7),
            np.hypot(np.abs(x) - 20.5, y - 52) - 7.5 + end(0.6, 1.36, 6),
        ]
        bone = np.minimum.reduce(arch)
        plate = 0.0
        if t <= 1:
            bone = np.minimum(bone, body)
            plate = float(np.exp(-((min(above, _BODY_MM - above) / 1.6) ** 2)))
        trabecular = 175 + 420 * plate + 42 * self._trabeculae
        self._paint(image, window, bone, 820.0)
        self._paint(image, window, bone + 1.7, trabecular.astype(np.float32))
        if t > 0.75 or t < 0.3:  # the joint space, from front and middle to back and side
            gap = capsule((16, 47), (24, 55), 0.7, 0.7)
            self._paint(image, window, np.maximum(gap, bone), 70.0)
        canal = (np.hypot(x / 13.5, (y - 47) / 10.5) - 1) * 10.5
        canal = np.maximum(canal, (np.abs(x) * 0.55 + (y - 58.5)) / 1.14)
        canal = np.maximum(canal, -(body + 0.2))
        self._paint(image, window, canal.astype(np.float32), -70.0)
        self._ellipse(image, (0, 46.5), (9.5, 7.0), 24.0)
        for k in range(7):
            self._ellipse(image, (-6 + 2 * k, 49.3 - 0.22 * (k - 3) ** 2), (0.9, 0.9), 46.0)


# x, y, half-axes in mm, share filled with gas, phase of the drift.
_LOOPS = (
    (108.0, 2.0, 17.0, 19.0, 0.75, 0.3),
    (-103.0, 22.0, 19.0, 17.0, 0.55, 2.1),
    (-10.0, -67.0, 40.0, 11.0, 0.7, 1.2),
    (58.0, -55.0, 21.0, 14.0, 0.6, 4.4),
    (-56.0, -48.0, 17.0, 13.0, 0.0, 0.9),
    (28.0, -36.0, 14.0, 12.0, 0.0, 2.9),
    (66.0, -20.0, 15.0, 13.0, 0.0, 3.7),
    (-30.0, -32.0, 15.0, 11.0, 0.35, 5.5),
    (-60.0, -12.0, 14.0, 13.0, 0.0, 0.1),
    (86.0, -38.0, 13.0, 13.0, 0.0, 5.0),
    (2.0, -44.0, 12.0, 10.0, 0.0, 1.9),
    (36.0, -12.0, 10.0, 8.0, 0.0, 4.0),
)
