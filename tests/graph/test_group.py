"""Who rides with whom, told by the tasks that come of it: each inner list is a task, step by step."""

from __future__ import annotations

from typing import Any

import pytest

import cloudburst as cb
from cloudburst.deferred import wrap
from cloudburst.graph.expr import make
from cloudburst.graph.group import opens
from cloudburst.graph.nodes import File, Source
from tests.graph.graphs import (
    apart,
    each,
    grouped,
    load,
    merge,
    other,
    plan_of,
    stored,
    tasks_of,
    train,
    use,
)


def test_stages_are_never_merged_with_one_another() -> None:
    assert tasks_of(use(load(1))) == [["load"], ["use"]]


def test_what_shrinks_rides_with_the_producer() -> None:
    assert tasks_of(use(load(1).query("x > 0").head(10))) == [["load", ".query()", ".head()"], ["use"]]


def test_what_stands_before_something_that_shrinks_rides_along() -> None:
    assert tasks_of(use(load(1).assign(y=1).head(10))) == [["load", ".assign()", ".head()"], ["use"]]


def test_what_does_not_shrink_rides_with_its_one_consumer() -> None:
    assert tasks_of(use(load(1).assign(y=1))) == [["load"], [".assign()", "use"]]
    assert tasks_of(use(load(1).head().assign(y=1) + 2)) == [["load", ".head()"], [".assign()", "add", "use"]]


def test_what_has_several_consumers_rides_with_its_producer() -> None:
    both = load(1).assign(y=1)
    assert tasks_of(use(both), train(both)) == [["load", ".assign()"], ["use"], ["train"]]


def test_what_the_user_asked_for_rides_with_its_producer_and_is_stored() -> None:
    asked = load(1).assign(y=1)
    plan = plan_of(asked, use(asked))
    assert [[origin.label for origin in task.origins] for task in plan.tasks] == [["load", ".assign()"], ["use"]]
    assert stored(plan) == [[".assign()", "(load)"], ["use"]]


def test_a_stage_and_what_rides_with_it_can_both_be_stored() -> None:
    loaded = load(1)
    assert stored(plan_of(use(loaded), train(loaded.head()))) == [["load", ".head()"], ["use"], ["train"]]


def test_an_op_on_two_results_rides_with_the_stage_that_uses_it() -> None:
    assert tasks_of(use(merge(load(1), other(1)))) == [["load"], ["other"], ["lambda", "use"]]


def test_an_op_on_two_results_that_several_use_is_a_task_of_its_own_and_says_why() -> None:
    both = merge(load(1), other(1))
    assert tasks_of(use(both), train(both)) == [["load"], ["other"], ["lambda"], ["use"], ["train"]]
    assert apart(use(both), train(both)) == [
        "lambda needs the results of load and other, and not one stage alone uses it"
    ]


def test_an_op_on_two_results_that_is_asked_for_says_why() -> None:
    assert apart(load(1) + other(1)) == ["add needs the results of load and other, and not one stage alone uses it"]


def test_what_follows_an_op_of_its_own_rides_with_it() -> None:
    assert tasks_of((load(1) + other(1)).assign(y=1).head()) == [["load"], ["other"], ["add", ".assign()", ".head()"]]
    assert apart((load(1) + other(1)).assign(y=1).head()) == apart(load(1) + other(1))


def test_a_projection_of_what_is_stored_anyway_is_read_from_there() -> None:
    loaded = load(1)
    assert tasks_of(loaded, use(loaded["a"])) == [["load"], ["[...]", "use"]]
    assert tasks_of(loaded, use(loaded[["a", "b"]])) == [["load"], ["[...]", "use"]]
    assert tasks_of(loaded, use(loaded.head())) == [["load", ".head()"], ["use"]]


def test_a_projection_of_what_another_stage_takes_whole_is_read_from_there() -> None:
    made = load(1)
    assert tasks_of(use(made), train(made["a"])) == [["load"], ["use"], ["[...]", "train"]]


def test_what_is_made_of_files_alone_is_one_task_however_often_it_is_used() -> None:
    read = wrap(make(Source("csv", (File("/data/a.csv", 9, "1"),))))
    lines = wrap(make(Source("csv", (File("/data/b.csv", 9, "1"),))))
    both = read[(read["a"] > 1) & (read["b"] < 2)].merge(lines[lines["c"] == 3])
    [task] = tasks_of(both)
    assert task.count("read_csv") == 2
    assert apart(both) == ["what is made of files alone, and used by no stage or by several, is one task"]


def test_a_file_is_read_by_each_stage_that_uses_it() -> None:
    read = wrap(make(Source("csv", (File("/data/a.csv", 9, "1"),))))
    assert tasks_of(use(read["a"]), train(read["b"])) == [
        ["read_csv", "[...]", "use"],
        ["read_csv", "[...]", "train"],
    ]
    several = read.dropna()
    assert tasks_of(use(several), train(several)) == [["read_csv", ".dropna()"], ["use"], ["train"]]


def test_functions_of_the_users_own_are_no_part_of_what_is_made_of_files() -> None:
    one, two = (cb.defer(lambda frame, n=n: frame)(wrap(make(Source("csv", (File(f"/{n}", 9, "1"),))))) for n in "ab")
    assert len(tasks_of(cb.defer(max)(one, two))) == 3


def test_views_are_made_again_wherever_they_are_used_and_never_stored() -> None:
    groups = load(1).groupby("a")
    plan = plan_of(use(groups.sum()), train(groups.mean()), groups.max())
    assert [[origin.label for origin in task.origins] for task in plan.tasks] == [
        ["load", ".groupby()", ".sum()", ".mean()", ".max()"],
        ["use"],
        ["train"],
    ]
    assert all(".groupby()" not in said for said in stored(plan))


def test_a_view_used_by_two_stages_is_made_in_both() -> None:
    words = load(1).str
    plan = plan_of(use(words.upper()), train(words.lower()))
    assert [[origin.label for origin in task.origins] for task in plan.tasks] == [
        ["load"],
        [".str", ".upper()", "use"],
        [".str", ".lower()", "train"],
    ]
    assert stored(plan) == [["load"], ["use"], ["train"]]


def test_a_container_is_put_together_where_it_is_used() -> None:
    pair = cb.defer([load(1), {"b": other(1)}])
    assert tasks_of(use(pair), train(pair)) == [
        ["load"],
        ["other"],
        ["dict", "list", "use"],
        ["dict", "list", "train"],
    ]


def test_functions_given_as_values_are_there_where_they_are_used() -> None:
    assert tasks_of(use(load(1).apply(load.func), load(1).map(load.func))) == [
        ["load"],
        ["load", ".apply()", ".map()", "use"],
    ]


def test_ops_of_no_stage_are_a_task_and_say_why() -> None:
    assert tasks_of(cb.defer(max)([1, 2]) + 1) == [["max", "add"]]
    assert apart(cb.defer(max)([1, 2]) + 1) == ["max belongs to no stage"]


def test_ops_of_no_stage_ride_with_the_one_stage_that_uses_them() -> None:
    assert tasks_of(use(cb.defer(max)([1, 2]))) == [["max", "use"]]


def test_a_fan_is_a_task_and_its_list_is_stored_in_parts() -> None:
    plan = plan_of(each.map(load(3)))
    assert [task.fan for task in plan.tasks] == [None, 0]
    assert [output.parts for output in plan.tasks[0].outputs] == [True]


def test_what_feeds_a_fan_rides_with_its_producer_and_not_in_the_fan() -> None:
    assert tasks_of(each.map(load(3).assign(y=1))) == [["load", ".assign()"], ["each"]]
    assert tasks_of(each.map(load(3), plus=other(1).assign(y=1))) == [["load"], ["other", ".assign()"], ["each"]]


def test_what_feeds_a_fan_and_has_no_producer_says_why_it_stays_apart() -> None:
    listed = cb.defer(list)("abc")
    assert tasks_of(each.map(listed)) == [["list"], ["each"]]
    assert apart(each.map(listed)) == ["list feeds a map and would be worked out once an item"]
    both = merge(load(1), other(1))
    assert tasks_of(each.map(both)) == [["load"], ["other"], ["lambda"], ["each"]]
    assert apart(each.map(both)) == ["lambda feeds a map and would be worked out once an item"]


def test_a_view_that_feeds_a_fan_is_worked_out_before_it() -> None:
    taken = cb.defer({"a": load(1), "b": other(1)})
    assert tasks_of(each.map(load(2), plus=taken)) == [["load"], ["load"], ["other"], ["dict"], ["each"]]


def test_what_reads_a_fan_does_not_ride_in_it() -> None:
    assert tasks_of(use(each.map(load(3))[0])) == [["load"], ["each"], ["[...]", "use"]]
    assert tasks_of(each.map(load(3))[0]) == [["load"], ["each"], ["[...]"]]
    assert apart(each.map(load(3))[0]) == ["[...] reads the whole list of each, which is worked out item by item"]


def test_a_fan_over_a_fan_reads_its_parts() -> None:
    plan = plan_of(each.map(each.map(load(3))))
    assert [task.fan for task in plan.tasks] == [None, 0, 0]


def test_ops_that_were_given_a_size_are_worked_out_there() -> None:
    sized = load(1).query("x").head().options(memory="8 GB")
    assert tasks_of(use(sized)) == [["load"], [".query()", ".head()"], ["use"]]
    assert [task.size.memory for task in plan_of(use(sized)).tasks] == [None, 8192, None]


def test_ops_that_others_use_too_stay_with_their_producer_though_one_use_has_a_size() -> None:
    first = load(1).head()
    assert tasks_of(first.tail().options(memory="8 GB"), use(first)) == [["load", ".head()"], [".tail()"], ["use"]]


def test_heads_are_in_their_own_groups_and_leaves_in_none() -> None:
    graph, grouping = grouped(use(load(1).head(), other(1) + 1, [1, load(2)]))
    for number, head in enumerate(grouping.heads):
        assert grouping.group_of[head.key] == number
    assert sum(opens(node) for node in graph.nodes) == len(grouping.heads)
    ungrouped = [node.what.label for node in graph.nodes if node.key not in grouping.group_of]
    assert ungrouped == ["list"]


def test_a_function_that_is_asked_for_is_worked_out_like_any_value() -> None:
    assert tasks_of(cb.defer([load.func, 1])[0]) == [["load"]]


@pytest.mark.parametrize("length", [3, 300])
def test_a_long_chain_is_one_task(length: int) -> None:
    chain: Any = load(1)
    for _ in range(length):
        chain = chain.assign(y=1)
    assert len(tasks_of(chain)) == 1
