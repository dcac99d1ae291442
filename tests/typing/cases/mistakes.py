"""Mistakes that type checkers find: each line marked ``error`` has one."""

from __future__ import annotations

import cloudburst as cb
from cloudburst import Deferred


@cb.stage
def count(text: str) -> int:
    return len(text)


def mistakes(d: Deferred[int]) -> None:
    count.func(5)  # error
    count.func()  # error
    text: str = count("a").compute()  # error
    other: Deferred[str] = count("a")  # error
    more: Deferred[list[str]] = count.map(["a"])  # error
    count.options(size=5)  # error
    d.options(retries=5)  # error
    d.compute(5)  # error
    print(text, other, more)
    cb.stage(cpu=1.5)  # error
    cb.stage(5)  # error
