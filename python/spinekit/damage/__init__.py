"""Damage in very large scans: places told from the rest by their colour."""

from spinekit.damage.model import ColorModel
from spinekit.damage.picking import BoxPicker, pick_boxes

__all__ = ["BoxPicker", "ColorModel", "pick_boxes"]
