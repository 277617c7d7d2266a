"""Seeds as users give them."""

import operator

from spinekit._core import ArgumentError


def checked_seed(seed: int) -> int:
    """Return a seed as NumPy takes it; an ArgumentError for anything but a whole number from 0 on."""
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if value < 0:
        raise ArgumentError(f"seed: {seed!r}, expected a whole number, 0 or more")
    return value
