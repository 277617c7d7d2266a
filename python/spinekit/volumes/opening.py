"""Opening volumes, whatever they come from."""

import io
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spinekit import _core, _engine
from spinekit.volumes.filling import Filling
from spinekit.volumes.local import Wishes, fill_from_paths, path_names
from spinekit.volumes.order import Order
from spinekit.volumes.volume import Frame, Volume

#: So long `open_volume` itself waits, so that most mistakes are errors where they were made.
_GRACE = 0.05


def open_volume(
    source: Any,
    *,
    series: str | None = None,
    study: str | None = None,
    order: Order | Sequence[int] = "middle-out",
    coarse: bool | None = None,
    load: Literal["all", "on-demand"] = "all",
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    headers: dict[str, str] | None = None,
    on_volume_initialized: Callable[[Volume], object] | None = None,
    on_slice_processed: Callable[[int, int, int], object] | None = None,
    on_slice_coarse: Callable[[int, int, int], object] | None = None,
    on_frame: Callable[[Frame], object] | None = None,
) -> Volume:
    """Open a volume that fills itself, slice by slice, while it is used. Returns at once.

    Parameters
    ----------
    source : what holds the slices:

        - a folder, a ZIP, a DICOM file (multiframe too), a NIfTI file, or a list of such paths
        - a URL of a ZIP or of a DICOM or NIfTI file: by range requests where the server takes them,
          else as a stream; a DICOMweb URL ``.../studies/{uid}/series/{uid}``
        - a binary file object or `bytes`; what cannot seek (a pipe, a response) is read forward only
        - a ``dicomweb_client.DICOMwebClient``, with ``study=`` and ``series=``
        - a nibabel image
    series : SeriesInstanceUID; None takes the series with the most images
    study : StudyInstanceUID, for a DICOMweb client
    order : in which slices are loaded, see `spinekit.slice_order`; forward streams have their own
    coarse : first load the whole volume at a quarter of the resolution, where frames are J2K or
        HTJ2K, then in full; None does so over HTTP, where the source says what it takes
    load : "on-demand" keeps nothing: `Volume.read_slice` decodes what is asked for, in little memory
    dtype : of the voxels, where the default (see `Volume.array`) does not do: "float32"
    workers : decoding threads; None uses every core
    progress : a bar while waiting; None shows it on terminals and in notebooks
    headers : sent with HTTP requests, for instance ``{"Authorization": ...}``
    on_volume_initialized : called with the volume once shape and geometry are known
    on_slice_processed : called with (index, done, total) for each slice, broken ones included
    on_slice_coarse : the same when a slice is there at reduced resolution
    on_frame : called with a `Frame` for each image of a stream of which order and count are not
        known until its end

    Returns
    -------
    volume : see `Volume`; in a ``with`` statement, loading stops at its end

    Raises
    ------
    ArgumentError
        If the source holds no image, or no such series.
    ResourceError
        If it cannot be read, or the volume does not fit into memory.
    MalformedDataError
        If it is damaged as a whole. Broken slices do not raise: they keep their fill value and are
        in `Volume.errors`.
    UnsupportedError
        If it is of a kind that is not read.

    Notes
    -----
    What takes longer than 50 ms to show is raised where the volume is used: by `Volume.wait`,
    iteration, ``await`` and `Volume.array`. Only compressed bytes that are being decoded are in
    memory, and up to 32 MiB that coarse slices were made of; what a stream of unknown order must keep
    goes to a temporary file.

    Examples
    --------
    >>> import pydicom.data
    >>> import spinekit as sk
    >>> volume = sk.open_volume(pydicom.data.get_testdata_file("CT_small.dcm"))
    >>> volume.wait()
    True
    >>> volume.array.shape, volume.array.dtype
    ((1, 128, 128), dtype('int16'))
    """
    if load not in ("all", "on-demand"):
        raise _core.ArgumentError(f"load is {load!r}, expected 'all' or 'on-demand'")
    wishes = Wishes(series, order, coarse, load == "all", None if dtype is None else np.dtype(dtype))
    _check_order(order)
    name, work = _find_work(source, wishes, study, headers)
    filling = Filling(name, _engine.executor(_engine.worker_count(workers)))
    volume = Volume(
        filling,
        on_volume_initialized=on_volume_initialized,
        on_slice_processed=on_slice_processed,
        on_slice_coarse=on_slice_coarse,
        on_frame=on_frame,
        progress=progress,
    )
    filling.run(work, "opening")
    with filling.changed:
        filling.changed.wait_for(lambda: filling.content is not None or filling.ended, _GRACE)
    filling.raise_failure()
    return volume


def _check_order(order: Any) -> None:
    if isinstance(order, str) and order not in ("middle-out", "sequential", "interleaved"):
        raise _core.ArgumentError(
            f"order is {order!r}, expected 'middle-out', 'sequential', 'interleaved' or a list"
        )


def _find_work(
    source: Any, wishes: Wishes, study: str | None, headers: dict[str, str] | None
) -> tuple[str, Callable[[Filling], None]]:
    """Return a name for the source, and the work that fills a volume from it."""
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        from spinekit.volumes.remote import fill_from_url  # noqa: PLC0415 - only where it is needed

        return source, lambda filling: fill_from_url(filling, source, wishes, headers or {})
    if not isinstance(source, str | os.PathLike | bytes | bytearray | memoryview) and (
        isinstance(source, Iterable) and not hasattr(source, "read") and not hasattr(source, "dataobj")
    ):
        source = list(source)
        if not source:
            raise _core.ArgumentError("an empty list of paths: nothing matched?")
    if isinstance(source, str) and not source:
        raise _core.ArgumentError("an empty path")
    if isinstance(source, str | os.PathLike):
        return _path_work([source], wishes)
    if isinstance(source, list) and all(isinstance(s, str | os.PathLike) for s in source):
        return _path_work(source, wishes)
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if hasattr(source, "retrieve_series_metadata"):
        from spinekit.volumes.dicomweb import fill_from_dicomweb  # noqa: PLC0415

        return f"series {wishes.series}", lambda filling: fill_from_dicomweb(filling, source, study, wishes)
    if hasattr(source, "dataobj") and hasattr(source, "affine"):
        from spinekit.volumes.nifti import fill_from_nifti  # noqa: PLC0415

        name = source.get_filename() or "NIfTI image"
        return str(name), lambda filling: fill_from_nifti(filling, source, wishes)
    if hasattr(source, "read"):
        from spinekit.volumes.streams import fill_from_stream  # noqa: PLC0415

        name = getattr(source, "name", None) or getattr(source, "url", None) or "stream"
        return str(name), lambda filling: fill_from_stream(filling, source, wishes)
    raise _core.ArgumentError(
        f"cannot open a volume from {type(source).__name__}: expected a path, a list of paths, a URL, "
        "bytes, a binary file object, a DICOMweb client or a nibabel image"
    )


def _path_work(
    sources: Sequence[str | os.PathLike[str]], wishes: Wishes
) -> tuple[str, Callable[[Filling], None]]:
    paths = [_engine.path_of(path) for path in sources]
    for path in paths:
        try:
            path.stat()
        except OSError as failure:
            raise _engine.os_error(path, "cannot be read", failure) from failure
    if len(paths) == 1 and paths[0].name.lower().endswith((".nii", ".nii.gz")):
        from spinekit.volumes.nifti import fill_from_nifti  # noqa: PLC0415

        return str(paths[0]), lambda filling: fill_from_nifti(filling, paths[0], wishes)
    return path_names(sources), lambda filling: fill_from_paths(filling, paths, wishes)
