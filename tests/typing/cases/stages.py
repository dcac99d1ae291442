"""What type checkers know of stages and Deferreds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import pandas as pd

import cloudburst as cb
from cloudburst import Deferred, Run, Stage


@cb.stage
def count(text: str, times: int = 1) -> int:
    return len(text) * times


@cb.stage(cpu=1024, memory="2 GB", retries=1, timeout=5.0)
def load(path: str) -> pd.DataFrame:
    return pd.DataFrame({"path": [path]})


def calls() -> None:
    assert_type(count("a"), Deferred[int])
    assert_type(count(cb.defer("a"), times=load("b")["times"]), Deferred[int])
    assert_type(load("a"), Deferred[pd.DataFrame])
    assert_type(count("a").compute(), int)
    assert_type(load("a").compute(name="run", progress=False), pd.DataFrame)
    assert_type(count("a").submit(), Run[int])
    assert_type(count("a").submit().result(timeout=3), int)
    assert_type(count("a").persist(), Deferred[int])
    assert_type(load("a").options(memory=4096), Deferred[pd.DataFrame])


def maps() -> None:
    assert_type(count.map(["a", "b"]), Deferred[list[int]])
    assert_type(count.map(load("a")["names"], times=2), Deferred[list[int]])
    assert_type(count.map(["a"]).compute(), list[int])


def functions() -> None:
    plain: Callable[[str, int], int] = count.func
    assert_type(count.func("a", 2), int)
    assert_type(count.func("a", times=2), int)
    assert_type(load.func("a"), pd.DataFrame)
    assert_type(plain("a", 1), int)
    larger: Stage[[str], pd.DataFrame] = load.options(memory="8 GB")
    assert_type(larger("a"), Deferred[pd.DataFrame])
    assert_type(larger.func("a"), pd.DataFrame)
    assert_type(load.options(cpu=1024).func(path="a"), pd.DataFrame)


def values(d: Deferred[pd.DataFrame]) -> None:
    assert_type(d["a"], Deferred[Any])
    assert_type(d + 1, Deferred[Any])
    assert_type(1 + d, Deferred[Any])
    assert_type(d == 1, Deferred[Any])
    assert_type(d > d, Deferred[Any])
    assert_type(-d, Deferred[Any])
    assert_type(d @ d, Deferred[Any])
    assert_type(d.columns, Any)
    assert_type(d.query("a > 1").head(), Any)
    assert_type(hash(d), int)


async def awaits(run: Run[int]) -> None:
    assert_type(await run, int)


def covariance(d: Deferred[bool]) -> Deferred[int]:
    return d
