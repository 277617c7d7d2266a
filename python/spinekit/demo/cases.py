"""What the demo shows: a phantom's CT and real files, or the series of the user's folder."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data

import spinekit as sk
from spinekit import _sources
from spinekit.demo.runs import Case

_MOST_SERIES = 6
_MOST_FILES = 120
_MOST_FORCED = 64 << 20  # bytes of a file without preamble that is still tried as DICOM

#: Of the phantom's CT: (slice, row, column), mm.
CT_SPACING = (5.0, 0.8, 0.8)

_TAGS = [
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
]

_SAMPLES = (
    (
        "CT_small.dcm",
        "ct",
        "CT, 128 x 128",
        "A small real CT image. A sixth of the file is its header: with ratio 10 nothing would be left for "
        "pixels. spinekit says so, names the ratio that it can reach, and writes nothing.",
    ),
    (
        "MR_small.dcm",
        "mr",
        "MR, 64 x 64",
        "A small real MR image, with the same limit.",
    ),
    (
        "examples_jpeg2k.dcm",
        "jpeg2k",
        "Ultrasound in colour, JPEG 2000 already",
        "This file arrives compressed without loss. Its ratios are measured against that small file: a "
        "lossless ratio close to 1 means that there is nothing more to win, and ratio 10 on top of it is a "
        "harsh demand, shown here because what it costs should be seen.",
    ),
    (
        "examples_ybr_color.dcm",
        "ybr_color",
        "Ultrasound loop in colour, JPEG already",
        "30 frames in YBR_FULL_422, lossy JPEG. Without loss the file can only grow: keep such files as they "
        "are. Stored values stay YBR; only these pictures are converted to RGB.",
    ),
)


@dataclasses.dataclass
class Plan:
    """The cases, and what was left aside.

    Attributes
    ----------
    notes : what is not shown, and why
    odd : folder of the files that belong to no series, None when there are none
    odd_names : as `Case.names`
    """

    cases: list[Case]
    notes: list[str] = dataclasses.field(default_factory=list)
    odd: Path | None = None
    odd_names: dict[str, str] = dataclasses.field(default_factory=dict)


def own_cases(work: Path, workers: int | None) -> Plan:
    """Return the CT of a phantom and the files that pydicom brings along."""
    folder = work / "series"
    ct = sk.phantom.Spine.random(seed=7).ct(spacing=CT_SPACING, workers=workers)
    paths = ct.write(folder, progress=False)
    slices, rows, columns = ct.shape
    cases = [
        Case(
            key="phantom-ct",
            title="A phantom's CT",
            text=(
                f"{slices} axial slices from L1 to the hips, {rows} x {columns}, 12 bits, with noise as a "
                "scanner makes it, of the spine whose films are shown below. It is a model: nobody was "
                "scanned. It is smoother than patients, so only your own series shows what holds for you: "
                "spinekit demo FOLDER."
            ),
            folder=folder,
            names={p.name: p.name for p in paths},
            typed="series/",
            setup=(f'sk.phantom.Spine.random(seed=7).ct(spacing={CT_SPACING}).write("series/")',),
            shown=paths[len(paths) // 2].name,
            down=0.07,
        )
    ]
    for name, example, title, text in _SAMPLES:
        found = pydicom.data.get_testdata_file(name, download=False)
        if found is None:
            continue
        one = work / f"sample-{example}"
        one.mkdir()
        shutil.copyfile(str(found), one / name)
        cases.append(
            Case(
                key=f"sample-{example}",
                title=title,
                text=f"{text} From pydicom's test files ({name}).",
                folder=one,
                names={name: name},
                typed=f"{example}/",
                setup=(
                    "import pathlib, shutil, pydicom.examples",
                    f'pathlib.Path("{example}").mkdir()',
                    f'shutil.copy(pydicom.examples.get_path("{example}"), "{example}/")',
                ),
                shown=name,
            )
        )
    return Plan(cases)


@dataclasses.dataclass
class _Found:
    path: Path
    name: str
    header: pydicom.Dataset

    def place(self) -> tuple[float, str]:
        """Return where the slice lies, for sorting."""
        position = self.header.get("ImagePositionPatient") or []
        axes = self.header.get("ImageOrientationPatient") or []
        try:
            if len(position) == 3 and len(axes) == 6:
                normal = np.cross([float(v) for v in axes[:3]], [float(v) for v in axes[3:]])
                return float(np.dot(normal, [float(v) for v in position])), self.name
            return float(self.header.get("InstanceNumber") or 0), self.name
        except (TypeError, ValueError):
            return 0.0, self.name


def folder_cases(source: Path, out: Path, work: Path) -> Plan:
    """Return the series below a folder, in a ZIP, or of one file.

    Files are linked into `work` under numbers: names on the page could name a patient.

    Raises
    ------
    ArgumentError
        If there is no DICOM image at all.
    """
    series: dict[str, list[_Found]] = {}
    odd: list[_Found] = []
    unread: list[str] = []
    unpacked = source.is_file() and _sources.is_batch(source)
    for number, item in enumerate(_sources.list_items(source)):
        path = (source / item.name if source.is_dir() else source).resolve()
        if out.resolve() in path.parents:
            continue
        if unpacked and not item.problem:
            path = work / f"unpacked-{number}"
            path.write_bytes(item.read())
        if item.problem:
            unread.append(item.problem)
            continue
        header = _header(path)
        found = _Found(path, item.name, header or pydicom.Dataset())
        if header is None:
            odd.append(found)
        else:
            series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(found)
    if not series:
        raise sk.ArgumentError(f"'{source}': no DICOM image in it")
    plan = Plan([])
    if unread:
        plan.notes.append(f"{len(unread)} entries cannot be read: " + "; ".join(unread[:3]))
    ranked = sorted(series.values(), key=len, reverse=True)
    for number, members in enumerate(ranked[:_MOST_SERIES], 1):
        plan.cases.append(_series_case(number, len(ranked), sorted(members, key=_Found.place), work))
    if len(ranked) > _MOST_SERIES:
        left = sum(map(len, ranked[_MOST_SERIES:]))
        plan.notes.append(
            f"{len(ranked)} series are here; the {_MOST_SERIES} with the most files are shown, "
            f"{left} files are left out."
        )
    if odd:
        plan.odd = work / "odd"
        plan.odd_names = _link(odd, plan.odd)
    return plan


def _header(path: Path) -> pydicom.Dataset | None:
    """Return the elements that sort a file into its series, None when it is no DICOM image."""
    try:
        force = path.stat().st_size < _MOST_FORCED
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS), force=force)
    except Exception:  # whatever pydicom makes of foreign bytes
        return None
    return header if header.get("Rows") else None


def _link(files: list[_Found], folder: Path) -> dict[str, str]:
    folder.mkdir()
    names = {}
    for number, found in enumerate(files, 1):
        suffix = found.path.suffix.lower()
        name = f"{number:04d}{suffix if suffix in _sources.DICOM_SUFFIXES else ''}"
        (folder / name).symlink_to(found.path)
        names[name] = found.name
    return names


def _series_case(number: int, count: int, members: list[_Found], work: Path) -> Case:
    kind: Any = members[0].header.get("Modality") or "no modality"
    text = f"{len(members)} files." if len(members) > 1 else "One file."
    if len(members) > _MOST_FILES:
        first = (len(members) - _MOST_FILES) // 2
        text = f"{len(members)} files; the demo takes the middle {_MOST_FILES}."
        members = members[first : first + _MOST_FILES]
    folder = work / f"series-{number}"
    names = _link(members, folder)
    return Case(
        key=f"series-{number}",
        title=f"Series {number} of {count}: {kind}",
        text=f"{text} Numbers stand for file names here, counted along the "
        "slice axis; CT/ stands for the folder of this series.",
        folder=folder,
        names=names,
        typed="CT/",
        shown=list(names)[len(names) // 2],
        own=True,
    )
