"""Damage in very large scans: places told from the rest by their colour, numbered, and cut."""

from spinekit.damage.batch import DamagedScans, find_damage_files
from spinekit.damage.finding import find_damage
from spinekit.damage.model import ColorModel
from spinekit.damage.picking import BoxPicker, pick_boxes
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.pieces import DamagedPieces

__all__ = [
    "BoxPicker",
    "ColorModel",
    "DamagedPiece",
    "DamagedPieces",
    "DamagedScans",
    "find_damage",
    "find_damage_files",
    "pick_boxes",
]
