"""Mistakes, and what is said of them: what happened, where, and how to mend it."""

from __future__ import annotations

import contextvars
import os
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb


@cb.stage
def same(x: Any) -> Any:
    return x


def test_a_size_that_fargate_lacks_names_the_nearest() -> None:
    with pytest.raises(cb.ResourceError, match=r"memory goes from 2048 to 8192.*Nearest: cpu=1024, memory=8192"):
        cb.stage(cpu=1024, memory=9000)


@pytest.mark.parametrize(("setting", "value"), [("timeout", -1), ("timeout", 0), ("retries", -1), ("outputs", 0)])
def test_numbers_that_cannot_be_are_refused_at_decoration(setting: str, value: int) -> None:
    with pytest.raises(cb.ResourceError, match=f"{setting}={value} cannot be"):
        cb.stage(**{setting: value})


def test_wrong_arguments_are_refused_when_calling() -> None:
    with pytest.raises(TypeError, match=r"same\(\) cannot be called so: missing a required argument: 'x'.*same\(x"):
        same()
    with pytest.raises(cb.ArgumentError, match="unexpected keyword argument 'z'"):
        same(1, z=2)


def test_an_argument_that_holds_itself_is_refused_when_calling() -> None:
    loop: list[Any] = [cb.defer(1)]
    loop.append(loop)
    with pytest.raises(cb.UsageError, match="holds itself"):
        same(loop)


def test_an_argument_that_cannot_travel_is_refused_when_calling() -> None:
    with pytest.raises(cb.CaptureError, match="lock"):
        same(threading.Lock())


def test_a_deferred_in_a_cell_is_refused_when_calling() -> None:
    with pytest.raises(cb.DeferredError, match="cell"):
        same(pd.DataFrame({"a": [cb.defer(1)]}, dtype=object))


connection = sqlite3.connect(":memory:", check_same_thread=False)
lock = threading.Lock()
numbers = (n for n in range(3))
plug = socket.socket()
plug.close()
total = cb.defer(5)
context: contextvars.ContextVar[int] = contextvars.ContextVar("context")


@cb.stage
def uses_connection() -> Any:
    return connection.execute("select 1")


@cb.stage
def uses_lock() -> Any:
    return lock


@cb.stage
def uses_numbers() -> Any:
    return list(numbers)


@cb.stage
def uses_plug() -> Any:
    return plug


@pytest.mark.parametrize(
    ("stage", "name", "kind"),
    [
        (uses_connection, "connection", "sqlite3.Connection"),
        (uses_lock, "lock", "lock"),
        (uses_numbers, "numbers", "generator"),
        (uses_plug, "plug", "socket"),
    ],
)
def test_a_global_that_cannot_travel_is_named(stage: Any, name: str, kind: str) -> None:
    with pytest.raises(cb.CaptureError, match=rf"'uses_{name}' uses '{name}' \(.*{kind}\) as a global"):
        stage().compute()


@cb.stage
def uses_total() -> Any:
    return total + 1


def test_a_captured_deferred_is_named_with_its_mend() -> None:
    with pytest.raises(cb.DeferredError, match=r"uses the Deferred 'total' as a global: pass `total` as an argument"):
        uses_total().compute()

    @cb.stage
    def closes_over(other: Any = cb.defer(1)) -> Any:
        return other

    with pytest.raises(cb.DeferredError, match="other"):
        closes_over().compute()


def test_a_result_that_cannot_be_stored_says_why() -> None:
    @cb.stage
    def opens() -> Any:
        return socket.socket()

    with pytest.raises(cb.StageError, match=r"stage opens \(test_bad_input.py:\d+\).*socket"):
        opens().compute()


def test_a_stage_that_returns_a_deferred_is_told_so() -> None:
    @cb.stage
    def defers() -> Any:
        return cb.defer(1)

    with pytest.raises(cb.StageError, match=r"returned a Deferred.*\.func"):
        defers().compute()


def test_a_stage_called_in_itself_is_told_to_use_func() -> None:
    @cb.stage
    def down(n: int) -> Any:
        return down(n - 1)

    with pytest.raises(cb.DeferredError, match=r"called inside a stage.*down\.func"):
        down(3).compute()

    @cb.stage
    def factorial(n: int) -> int:
        return 1 if n == 0 else n * factorial.func(n - 1)

    assert factorial(5).compute() == 120


def test_compute_inside_a_stage_is_refused() -> None:
    @cb.stage
    def inside() -> Any:
        return cb.defer(sum)([1]).compute()

    with pytest.raises(cb.DeferredError, match="inside a stage"):
        inside().compute()


def test_the_users_own_exception_arrives_with_its_story() -> None:
    class Special(Exception):
        def __init__(self, code: int) -> None:
            super().__init__(code)
            self.code = code

    @cb.stage
    def breaks() -> Any:
        print("half way")
        raise Special(7)

    with pytest.raises(Special) as caught:
        breaks().compute()
    assert caught.value.code == 7
    story = caught.value.__cause__
    assert isinstance(story, cb.StageError)
    assert story.stage == "breaks"
    assert story.attempt == 1
    assert "half way" in story.log_tail
    assert "raise Special(7)" in story.remote_traceback
    assert "steps.py" not in story.remote_traceback


def test_an_exception_with_an_init_of_its_own_arrives_as_itself() -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")
            self.two = two

    @cb.stage
    def breaks() -> Any:
        raise Odd(1, 2)

    with pytest.raises(Odd, match="1 and 2") as caught:
        breaks().compute()
    assert caught.value.two == 2
    with pytest.raises(NameError, match="nope"):
        same(pd.DataFrame({"a": [1]})).query("nope > 1").compute()


def test_an_exception_that_does_not_survive_pickling_arrives_as_text() -> None:
    class Odd(Exception):
        pass

    @cb.stage
    def breaks() -> Any:
        raise Odd("one", threading.Lock())

    with pytest.raises(cb.StageError, match="Odd: .*one"):
        breaks().compute()


def test_one_failing_item_of_ten_thousand() -> None:
    @cb.stage
    def check(i: int) -> int:
        if i == 7_777:
            raise KeyError("seven")
        return i

    @cb.stage
    def many() -> list[int]:
        return list(range(10_000))

    with pytest.raises(KeyError, match="seven") as caught:
        check.map(range(10_000)).compute()
    assert isinstance(caught.value.__cause__, cb.StageError)
    with pytest.raises(KeyError, match="seven") as caught:
        check.map(many()).compute()
    assert "item 7777" in str(caught.value.__cause__)


def test_keep_going_raises_all_errors_and_names_what_was_skipped() -> None:
    @cb.stage
    def breaks(n: int) -> int:
        raise ValueError(n)

    run = same([same(1), breaks(1), breaks(2)]).submit(keep_going=True)
    with pytest.raises(cb.ComputeError) as caught:
        run.result()
    assert [str(error) for error in caught.value.exceptions] == ["1", "2"]
    assert [name.partition("-")[0] for name in caught.value.skipped] == ["same"]
    assert len(run.errors) == 2


def test_the_first_error_in_plan_order_is_raised_and_others_are_noted() -> None:
    @cb.stage
    def breaks(n: int) -> int:
        raise ValueError(n)

    with pytest.raises(ValueError, match="0") as caught:
        cb.compute([breaks(n) for n in range(4)])
    notes = getattr(caught.value, "__notes__", [])
    assert all("failed too" in note for note in notes)


@pytest.mark.parametrize(("how", "said"), [("exit", "exit code 3"), ("kill", "SIGKILL"), ("segv", "SIGSEGV")])
def test_a_worker_that_dies_is_tried_again_and_then_told(how: str, said: str, tmp_path: Path) -> None:
    @cb.stage
    def dies() -> None:
        import signal
        import tempfile

        tempfile.mkstemp(dir=tmp_path)
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSEGV)

    with pytest.raises(cb.WorkerLost, match=f"stage dies.*lost its worker after 2 attempts: .*{said}") as caught:
        dies().compute()
    assert caught.value.attempt == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_worker_that_dies_once_costs_nothing_but_time(tmp_path: Path) -> None:
    @cb.stage
    def dies_once(n: int) -> int:
        mark = tmp_path / str(n)
        if not mark.exists():
            mark.touch()
            os._exit(1)
        return n

    assert dies_once.map(range(3)).compute() == [0, 1, 2]


def test_retries_are_for_the_users_own_exceptions(tmp_path: Path) -> None:
    @cb.stage(retries=2)
    def third_time() -> int:
        attempts = len(list(tmp_path.iterdir()))
        (tmp_path / str(attempts)).touch()
        if attempts < 2:
            raise OSError("not yet")
        return attempts

    assert third_time().compute() == 2


def test_a_stage_that_takes_too_long_is_stopped() -> None:
    @cb.stage(timeout=0.3)
    def sleeps() -> None:
        import time

        time.sleep(60)

    with pytest.raises(cb.TaskTimeout, match=r"timeout=0.3 s"):
        sleeps().compute()


def test_exit_and_interrupt_inside_a_stage_are_its_failure() -> None:
    @cb.stage
    def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(cb.StageError, match="SystemExit"):
        leaves().compute()


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_storage_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(cb.SettingsError, match="storage="):
        cb.init_local(storage=tmp_path)


def test_a_storage_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(cb.SettingsError, match=r"storage=.*Choose a directory"):
        cb.init_local(storage=tmp_path / "file")


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_a_number_of_workers_that_cannot_be_is_refused(workers: Any) -> None:
    with pytest.raises(cb.SettingsError, match="workers="):
        cb.init_local(workers=workers)


def test_mapping_over_a_frame_says_what_to_do() -> None:
    with pytest.raises(cb.UsageError, match=r"same\.map needs a list"):
        same.map(pd.DataFrame({"a": [1]}))
    with pytest.raises(cb.StageError, match="needs a list, got DataFrame"):
        same.map(same(pd.DataFrame({"only_here": [1]}))).compute()


def test_plain_numpy_given_a_deferred_says_what_to_do() -> None:
    with pytest.raises(cb.DeferredError, match=r"make that call deferred too"):
        np.asarray(same(1))
    with pytest.raises(cb.DeferredError, match=r"no value yet"):
        bool(same(1))
