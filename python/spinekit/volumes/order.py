"""In which order slices are handed out."""

from collections.abc import Sequence
from typing import Literal

from spinekit import _core

Order = Literal["middle-out", "sequential", "interleaved"]


def slice_order(count: int, order: Order | Sequence[int] = "middle-out") -> list[int]:
    """Return the order in which slices are handed out, 0-based.

    Parameters
    ----------
    count : number of slices, >= 0
    order : "middle-out": n // 2, then one before, one behind, two before ...; "sequential";
        "interleaved": the middle, first and last, then every 4th, every 2nd, the rest; or the order
        itself, each index once

    Raises
    ------
    ArgumentError
        If the order is unknown or not a permutation.

    Examples
    --------
    >>> import spinekit as sk
    >>> sk.slice_order(5)
    [2, 1, 3, 0, 4]
    """
    if count < 0:
        raise _core.ArgumentError(f"count is {count}, expected at least 0")
    if not isinstance(order, str):
        given = [int(k) for k in order]
        if sorted(given) != list(range(count)):
            raise _core.ArgumentError(f"the order is not each of 0 ... {count - 1} once")
        return given
    middle = count // 2
    if order == "sequential":
        return list(range(count))
    if order == "middle-out":
        steps = (k for d in range(1, count + 1) for k in (middle - d, middle + d))
        return [k for k in (middle, *steps) if 0 <= k < count]
    if order == "interleaved":
        stages = [middle, 0, count - 1, *range(0, count, 4), *range(0, count, 2), *range(count)]
        return list(dict.fromkeys(k for k in stages if 0 <= k < count))
    raise _core.ArgumentError(
        f"order is {order!r}, expected 'middle-out', 'sequential', 'interleaved' or a list"
    )
