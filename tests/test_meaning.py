"""What a program means: when things run, how often, with which values, and who sees what is written."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.providers.local import LocalProvider
from cloudburst.settings import local_settings


def counted(folder: Path) -> Any:
    """A stage that leaves a file for every time it runs."""

    @cb.stage
    def mark(value: Any) -> Any:
        import tempfile

        tempfile.mkstemp(dir=folder)
        return value

    return mark


def times(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_calling_a_stage_computes_nothing(tmp_path: Path) -> None:
    counted(tmp_path)(1)
    assert times(tmp_path) == 0


def test_equal_expressions_run_once(tmp_path: Path) -> None:
    mark = counted(tmp_path)
    assert cb.compute(mark(1) + mark(1), [mark(1)], mark(True)) == (2, [1], True)
    assert times(tmp_path) == 2


def test_impure_calls_each_run(tmp_path: Path) -> None:
    mark = counted(tmp_path).options(pure=False)
    assert cb.compute([mark(1), mark(1), mark(1)]) == [1, 1, 1]
    assert times(tmp_path) == 3


def test_one_impure_call_used_twice_runs_once(tmp_path: Path) -> None:
    once = counted(tmp_path).options(pure=False)(1)
    assert (once + once).compute() == 2
    assert times(tmp_path) == 1


def test_sampling_without_a_seed_is_never_merged() -> None:
    frame = cb.defer(pd.DataFrame({"x": range(1000)}))
    first, second = cb.compute(frame.sample(5), frame.sample(5))
    assert list(first.index) != list(second.index)
    seeded, again = frame.sample(5, random_state=1), frame.sample(5, random_state=1)
    assert seeded._expr == again._expr


def test_merging_a_stage_that_uses_chance_warns() -> None:
    @cb.stage
    def dice() -> float:
        return random.random()

    with pytest.warns(UserWarning, match=r"dice was called 2 times .* random.*pure=False"):
        cb.compute(dice(), dice())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = dice()
        (one + one).compute()


rate = 1


@cb.stage
def scaled(x: int) -> int:
    return x * rate


def test_globals_are_read_when_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    later = scaled(5)
    monkeypatch.setitem(globals(), "rate", 7)
    assert later.compute() == 35


def test_arguments_are_bound_when_calling() -> None:
    frame, numbers, array = pd.DataFrame({"a": [1, 2]}), [1, 2], np.array([1, 2])
    together = cb.defer(lambda *parts: parts)(frame, numbers, array)
    frame.loc[0, "a"] = 99
    numbers.append(3)
    array[0] = 99
    got_frame, got_numbers, got_array = together.compute()
    assert got_frame["a"].tolist() == [1, 2]
    assert got_numbers == [1, 2]
    assert got_array.tolist() == [1, 2]


@cb.stage
def frame_of(n: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.arange(n, dtype="float64"), "b": [str(i) for i in range(n)]})


@cb.stage
def spoiled(frame: pd.DataFrame) -> float:
    frame.loc[0, "a"] = 100.0
    frame["b"] = "x"
    frame.fillna(0, inplace=True)
    return float(frame["a"].sum())


@cb.stage
def total(frame: pd.DataFrame) -> float:
    return float(frame["a"].sum())


@pytest.mark.parametrize("n", [3, 50_000])
def test_no_stage_sees_what_another_writes(n: int) -> None:
    frame = frame_of(n)
    plain = float(np.arange(n).sum())
    assert cb.compute([spoiled(frame), total(frame), spoiled(frame) + 0, total(frame)]) == [plain + 100, plain] * 2


@pytest.mark.parametrize("n", [3, 50_000])
def test_what_compute_gives_is_the_callers_to_write_to(n: int) -> None:
    frame = frame_of(n)
    kept = frame.persist()
    mine = kept.compute()
    mine.loc[0, "a"] = -1
    mine["c"] = 1
    assert list(kept.compute().columns) == ["a", "b"]
    assert kept.compute().loc[0, "a"] == 0


def test_ops_that_write_do_so_to_their_own_copy() -> None:
    numbers = cb.defer([3, 1, 2])
    sorted_there = cb.defer(lambda values: values.sort() or values)(numbers)
    assert cb.compute(sorted_there, numbers, numbers[0]) == ([1, 2, 3], [3, 1, 2], 3)


def test_a_deferred_arrives_as_its_value_wherever_it_stands() -> None:
    @cb.stage
    def look(parts: dict[str, Any], *more: Any) -> Any:
        return parts["a"][0] + parts["a"][1]["b"], more

    two, three = cb.defer(2), cb.defer(3)
    assert look({"a": [two, {"b": three}]}, (two, slice(0, three))).compute() == (5, ((2, slice(0, 3)),))


def test_pandas_functions_take_deferreds_in_lists() -> None:
    parts = [frame_of(2), frame_of(3).query("a > 0")]
    whole = cpd.concat(parts, ignore_index=True)
    assert whole["a"].tolist().compute() == [0.0, 1.0, 1.0, 2.0]


limit = 1.5


def test_a_query_takes_variables_from_where_it_is_written() -> None:
    least = frame_of(3)["a"].mean()  # noqa: F841
    assert frame_of(5).query("a > @limit and a > @least")["a"].tolist().compute() == [2.0, 3.0, 4.0]


def test_map_over_a_list_known_only_at_run_time() -> None:
    @cb.stage
    def items(n: int) -> list[int]:
        return list(range(n))

    @cb.stage
    def double(x: int, plus: int = 0) -> int:
        return 2 * x + plus

    assert double.map(items(4), plus=1).compute() == [1, 3, 5, 7]
    assert double.map(items(0)).compute() == []
    assert double.map(double.map(items(3))).compute() == [0, 4, 8]
    assert cb.defer(sum)(double.map(items(5))).compute() == 20
    assert cb.compute(items(3), double.map(items(3))) == ([0, 1, 2], [0, 2, 4])


def test_map_over_a_list_in_hand_and_over_none() -> None:
    assert scaled.map([1, 2]).compute() == [1, 2]
    assert scaled.map([]).compute() == []
    assert scaled.map(x for x in (cb.defer(1), 2)).compute() == [1, 2]


def test_several_outputs_are_taken_one_by_one(tmp_path: Path) -> None:
    @cb.stage(outputs=2)
    def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        import tempfile

        tempfile.mkstemp(dir=tmp_path)
        return frame[["a"]], len(frame)

    columns, length = split(frame_of(4))
    assert cb.compute(length, columns["a"].sum()) == (4, 6.0)
    assert times(tmp_path) == 1


def test_an_async_stage_runs_under_a_loop_of_its_own() -> None:
    @cb.stage
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    assert later(1).compute() == 2


def test_compute_of_a_nest_gives_the_same_nest() -> None:
    one = cb.defer(1)
    assert cb.compute({"a": [one, (one, 5)], "b": {3}}) == {"a": [1, (1, 5)], "b": {3}}
    assert cb.compute(one, [one + 1]) == (1, [2])
    assert cb.compute(7) == 7


def test_persisted_values_are_not_worked_out_again(tmp_path: Path) -> None:
    kept = counted(tmp_path)(frame_of(3)).persist()
    assert (kept["a"].sum() + 1).compute() == 4.0
    assert kept.compute().shape == (3, 2)
    assert times(tmp_path) == 1
    assert cb.defer(len)(kept).compute() == 3


def test_a_persisted_list_can_be_mapped_over() -> None:
    kept = cb.defer(lambda: [1, 2, 3])().persist()
    assert scaled.map(kept).compute() == [1, 2, 3]


def test_cached_stages_run_once_in_a_process(tmp_path: Path) -> None:
    mark = counted(tmp_path).options(cache=True)
    assert (mark(5) + 1).compute() == 6
    assert (mark(5) + 2).compute() == 7
    assert times(tmp_path) == 1


def test_cached_stages_are_there_for_the_next_program(tmp_path: Path) -> None:
    marks, storage = tmp_path / "marks", tmp_path / "store"
    marks.mkdir()
    mark = counted(marks).options(cache=True)
    with cb.using(LocalProvider(local_settings(1, None, storage))):
        assert mark(frame_of(20_000)).compute().shape == (20_000, 2)
    with cb.using(LocalProvider(local_settings(1, None, storage))):
        assert mark(frame_of(20_000)).compute().shape == (20_000, 2)
    assert times(marks) == 1


def test_an_op_that_fails_does_not_cost_its_stage(tmp_path: Path) -> None:
    frame = counted(tmp_path)(pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(KeyError):
        frame["nope"].compute()
    assert frame["a"].sum().compute() == 3
    assert times(tmp_path) == 1


def test_the_next_run_begins_where_a_failed_one_ended(tmp_path: Path) -> None:
    @cb.stage
    def fails(x: int) -> int:
        raise ValueError(x)

    begun = counted(tmp_path)(1)
    with pytest.raises(ValueError, match="1"):
        fails(begun).compute()
    assert (begun + 1).compute() == 2
    assert times(tmp_path) == 1


def test_compute_from_threads_at_the_same_time() -> None:
    results: dict[int, int] = {}

    def work(n: int) -> None:
        results[n] = scaled(n).compute()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: 0, 1: 1, 2: 2, 3: 3}


def test_compute_and_await_under_a_running_loop() -> None:
    async def main() -> tuple[int, int]:
        return scaled(1).compute(), await scaled(2).submit()

    assert asyncio.run(main()) == (1, 2)


def test_two_runs_of_one_name_at_once() -> None:
    runs = [scaled(n).submit(name="daily") for n in (1, 2)]
    assert [run.result() for run in runs] == [1, 2]


def test_a_size_larger_than_the_machine_runs_alone() -> None:
    huge = scaled.options(cpu=16384, memory=122880)
    assert cb.compute(huge(1), huge(2)) == (1, 2)


def test_chain_of_many_ops_on_one_stage() -> None:
    chain = scaled(0)
    for _ in range(20_000):
        chain = chain + 1
    assert chain.compute() == 20_000


def test_stages_run_in_parallel() -> None:
    @cb.stage
    def meet(folder: str, mine: str, other: str) -> bool:
        Path(folder, mine).touch()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if Path(folder, other).exists():
                return True
            time.sleep(0.01)
        return False

    import tempfile

    with tempfile.TemporaryDirectory() as folder, cb.using(LocalProvider(local_settings(2))):
        assert cb.compute(meet(folder, "a", "b"), meet(folder, "b", "a")) == (True, True)
