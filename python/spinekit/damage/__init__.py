"""Damage in very large scans: places told from the rest by their colour."""

from spinekit.damage.model import ColorModel

__all__ = ["ColorModel"]
