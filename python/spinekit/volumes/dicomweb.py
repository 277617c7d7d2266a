"""Volumes out of DICOMweb servers (DICOM PS3.18), through dicomweb-client."""

import io
import re
from typing import Any

import numpy as np
import pydicom

from spinekit import _core
from spinekit.volumes.choosing import Source, choose, content_of
from spinekit.volumes.filling import Filling
from spinekit.volumes.local import Wishes
from spinekit.volumes.ranged import Fetching, start_fetching

#: PixelSpacing, else ImagerPixelSpacing, else NominalScannedPixelSpacing.
_SPACINGS = ("00280030", "00181164", "00182010")


def fill_from_dicomweb_url(
    filling: Filling, url: re.Match[str], wishes: Wishes, headers: dict[str, str]
) -> None:
    """Fill a volume from the series at a DICOMweb URL."""
    try:
        from dicomweb_client import DICOMwebClient  # noqa: PLC0415 - an extra
    except ImportError as failure:
        raise _core.UnsupportedError(
            "DICOMweb needs dicomweb-client: pip install 'spinekit[web]'"
        ) from failure
    client = DICOMwebClient(url["base"], headers=headers or None)
    fill_from_series(filling, client, url["study"], url["series"], wishes)


def fill_from_dicomweb(filling: Filling, client: Any, study: str | None, wishes: Wishes) -> None:
    """Fill a volume from a series of a ``dicomweb_client.DICOMwebClient``."""
    if study is None or wishes.series is None:
        raise _core.ArgumentError("a DICOMweb client needs study= and series=, the UIDs of both")
    fill_from_series(filling, client, study, wishes.series, wishes)


def fill_from_series(filling: Filling, client: Any, study: str, series: str, wishes: Wishes) -> None:
    """Fill a volume from one series: its metadata first, then its instances, each when it is wanted."""
    try:
        found = client.retrieve_series_metadata(study, series)
    except Exception as failure:  # requests' errors, which are not a dependency
        raise _core.ResourceError(f"'{filling.name}': the server gives no metadata: {failure}") from failure
    sources = []
    for fields in found:
        try:
            sources.append(Source(f"{filling.name}/instances/{_text(fields, '00080018')}", _header(fields)))
        except (ValueError, TypeError, KeyError, AttributeError) as failure:
            filling.note(_text(fields, "00080018") or "instance", _core.MalformedDataError(str(failure)))
    stack = choose(filling.name, sources, None, wishes.dtype)
    if any(len(sources[n].frames) > 1 for n, _ in stack.origins):
        raise _core.UnsupportedError(f"'{filling.name}': a multiframe instance; fetch it and open the file")
    instances = [sources[n].header.sop_instance_uid for n, _ in stack.origins]
    content = content_of(filling.name, stack, wishes.order, keep=wishes.keep)

    def give(frames: _core.FetchedFrames, index: int, reduction: int) -> None:
        try:
            instance = client.retrieve_instance(study, series, instances[index])
            out = io.BytesIO()
            pydicom.dcmwrite(out, instance, enforce_file_format=True)
        except Exception as failure:
            raise _core.ResourceError(f"the server does not give it: {failure}") from failure
        data = out.getbuffer()
        frames.give_file(index, reduction, data, len(data))

    start_fetching(filling, content, Fetching(lambda: _core.FetchedFrames(stack.labels), give, parallel=1))


def _values(fields: dict[str, Any], tag: str) -> list[Any]:
    return fields.get(tag, {}).get("Value") or []


def _text(fields: dict[str, Any], tag: str) -> str:
    values = _values(fields, tag)
    return str(values[0]) if values else ""


def _numbers(fields: dict[str, Any], tag: str, count: int) -> list[float] | None:
    values = [float(value) for value in _values(fields, tag)]
    return values if len(values) == count and np.all(np.isfinite(values)) else None


def _header(fields: dict[str, Any]) -> _core.ImageHeader:
    """Return what the DICOM JSON model says of an instance."""

    def integer(tag: str, otherwise: int | None = None) -> int:
        values = _values(fields, tag)
        if not values and otherwise is None:
            raise ValueError(f"the metadata lacks ({tag[:4]},{tag[4:]})")
        return int(values[0]) if values else int(otherwise or 0)

    def number(tag: str, otherwise: float) -> float:
        values = _numbers(fields, tag, 1)
        return otherwise if values is None else values[0]

    count = integer("00280008", 1)
    frame = _core.FrameHeader(
        position=_numbers(fields, "00200032", 3),
        orientation=_numbers(fields, "00200037", 6),
        spacing=next((s for tag in _SPACINGS if (s := _numbers(fields, tag, 2)) is not None), None),
        number=None if (instance := _numbers(fields, "00200013", 1)) is None else instance[0],
        slope=number("00281053", 1.0) or 1.0,
        intercept=number("00281052", 0.0),
    )
    samples = integer("00280002", 1)
    return _core.ImageHeader(
        series=_text(fields, "0020000E"),
        modality=_text(fields, "00080060"),
        rows=integer("00280010"),
        columns=integer("00280011"),
        samples=samples,
        bits_allocated=integer("00280100"),
        bits_stored=integer("00280101", integer("00280100")),
        is_signed=integer("00280103", 0) == 1,
        photometric=_text(fields, "00280004") or ("RGB" if samples == 3 else "MONOCHROME2"),
        sop_instance=_text(fields, "00080018"),
        frames=[frame] * count,
    )
