"""Runs under way: waiting for them, cancelling them, and what they printed."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import pytest

import cloudburst as cb


@cb.stage
def talks(n: int) -> int:
    print(f"hello {n}")
    logging.getLogger("pipeline").warning("careful")
    sys.stderr.write("to stderr\n")
    return n


@cb.stage
def sleeps() -> None:
    time.sleep(60)


def test_a_run_gives_its_value_and_status() -> None:
    run = talks(1).submit(name="small")
    assert run.result() == run.result() == 1
    assert (run.status, run.name, repr(run)) == ("done", "small", "<Run small: done>")
    assert run.errors == ()


def test_waiting_has_a_limit_and_the_run_goes_on() -> None:
    run = sleeps().submit()
    with pytest.raises(TimeoutError, match=r"no result after 0\.1 s; it goes on"):
        run.result(timeout=0.1)
    assert run.status == "running"
    run.cancel()
    with pytest.raises(cb.Cancelled, match="cancelled by the user"):
        run.result(timeout=10)
    assert run.status == "cancelled"
    run.cancel()
    assert run.status == "cancelled"


def test_what_tasks_print_and_log_is_kept_by_task() -> None:
    run = cb.defer(lambda *parts: sum(parts))(talks(1), talks(2)).submit()
    assert run.result() == 3
    logs = run.logs("talks")
    assert len(logs) == 2
    assert all(name.startswith("talks-") for name in logs)
    text = "".join(logs.values())
    assert all(part in text for part in ("hello 1", "hello 2", "careful", "to stderr"))
    assert run.logs("nothing") == {}


def test_a_run_can_be_awaited_more_than_once() -> None:
    async def main() -> list[int]:
        run = talks(4).submit()
        return list(await asyncio.gather(run, run))

    assert asyncio.run(main()) == [4, 4]


def test_a_cancelled_waiter_leaves_the_run_alone() -> None:
    async def main() -> int:
        run = talks(5).submit()
        waiter = asyncio.ensure_future(run)
        waiter.cancel()
        return await run

    assert asyncio.run(main()) == 5


def test_a_failed_run_keeps_its_errors() -> None:
    @cb.stage
    def breaks() -> None:
        raise ValueError("no")

    run = breaks().submit()
    with pytest.raises(ValueError, match="no"):
        run.result()
    assert run.status == "failed"
    assert [type(error) for error in run.errors] == [ValueError]
