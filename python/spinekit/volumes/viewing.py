"""Looking at volumes in Jupyter, while they fill."""

from typing import TYPE_CHECKING

from spinekit import _core
from spinekit.volumes.volume import Volume

if TYPE_CHECKING:
    from spinekit.volumes.volume_view import VolumeView


def show(volume: Volume, *, window: float | None = None, level: float | None = None) -> "VolumeView":
    """Return a view of a volume for Jupyter: slices to scroll through, which appear as they arrive.

    Parameters
    ----------
    volume : in any state; its slices need not be known yet
    window, level : what is shown black to white is level - window / 2 to level + window / 2, in values
        of the volume, HU for CT; None takes soft tissue (400, 40) for CT, else the 1st to 99th
        percentile of what is there

    Returns
    -------
    view : shown by Jupyter as the last value of a cell, or by ``display(view)``

    Raises
    ------
    ArgumentError
        If the window is not positive.
    UnsupportedError
        If ipywidgets is not installed.

    Notes
    -----
    A slice that is looked at before it is there is loaded next. The view follows the event loop of
    the kernel, and callbacks of the volume; while a cell computes without either, it stands still.
    A slice of 512 x 512 is drawn in about 15 ms. The view keeps its volume until it is closed.

    Examples
    --------
    >>> sk.show(sk.open_volume("CT/"), window=2000, level=500)  # doctest: +SKIP
    """
    if window is not None and not window > 0:
        raise _core.ArgumentError(f"window is {window}, expected more than 0")
    try:
        import ipywidgets  # noqa: PLC0415 - an extra, slow to import
    except ImportError as failure:
        raise _core.UnsupportedError("show needs ipywidgets: pip install 'spinekit[jupyter]'") from failure
    from spinekit.volumes.volume_view import VolumeView  # noqa: PLC0415 - imports Pillow

    return VolumeView(volume, ipywidgets, window, level)
