"""A spine whose truth is known, and masks as a network would find them."""

from spinekit.phantom.degrade import degrade

__all__ = ["degrade"]
