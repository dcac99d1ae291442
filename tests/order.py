"""In which order tests run, so that no worker of ``pytest -n`` waits for the others at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def dealt(tests: Sequence[T], is_long: Callable[[T], bool], workers: int) -> list[T]:
    """Long tests first, for each worker its share of them. Else tests keep their order, and so modules stay together.

    ``--dist worksteal`` gives each worker the same number of tests, one stretch after the other. Who is through with
    its own takes from the end of another's, which are short ones then, to the last.

    >>> dealt([1, 2, 30, 4, 50, 6], lambda one: one > 9, 2)
    [30, 1, 2, 50, 4, 6]
    """
    long = [test for test in tests if is_long(test)]
    short = [test for test in tests if not is_long(test)]
    order: list[T] = []
    for left in range(workers, 0, -1):
        share = (len(long) + len(short)) // left
        longs = min(len(long) // left, share)
        order += long[:longs] + short[: share - longs]
        long, short = long[longs:], short[share - longs :]
    return order
