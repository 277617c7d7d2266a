"""Volumes that fill themselves, slice by slice, while they are used."""

from spinekit._core import SliceState
from spinekit.volumes.filling import SeriesInfo
from spinekit.volumes.geometry import Geometry
from spinekit.volumes.opening import open_volume
from spinekit.volumes.viewing import show
from spinekit.volumes.volume import Frame, Volume

__all__ = ["Frame", "Geometry", "SeriesInfo", "SliceState", "Volume", "open_volume", "show"]
