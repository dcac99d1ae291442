"""Byte ranges of an object: few large requests instead of many small ones, and none too large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""From the first byte to the one behind the last."""

GAP = 64 * 1024
"""Bytes that are rather read and thrown away than left out by a request of their own."""


def coalesced(ranges: Iterable[Range], gap: int = GAP) -> list[Range]:
    """The fewest ranges that cover these and lie more than ``gap`` bytes apart, in order.

    Parameters
    ----------
    ranges : iterable of (start, end)
        In any order; they may overlap or be empty.
    gap : int, default GAP
        Neighbours that are no farther apart than this become one.

    Returns
    -------
    list of (start, end)

    Examples
    --------
    >>> coalesced([(90, 95), (0, 10), (12, 20), (5, 5)], gap=4)
    [(0, 20), (90, 95)]
    """
    runs: list[Range] = []
    for start, end in sorted(one for one in ranges if one[0] < one[1]):
        if runs and start - runs[-1][1] <= gap:
            runs[-1] = runs[-1][0], max(end, runs[-1][1])
        else:
            runs.append((start, end))
    return runs


def pieces(start: int, end: int, most: int) -> Iterator[Range]:
    """A range in pieces of ``most`` bytes; the last may be shorter.

    >>> list(pieces(0, 25, 10))
    [(0, 10), (10, 20), (20, 25)]
    """
    return ((one, min(one + most, end)) for one in range(start, end, most))
