"""From groups to tasks: inputs, outputs, what is stored only for the worst case, whose copy, who frees, how large."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.deferred import Deferred, wrap
from cloudburst.graph.expr import make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import group
from cloudburst.graph.nodes import Narrow
from cloudburst.graph.optimize import PASSES, optimize
from cloudburst.planner import Materials, make_plan
from cloudburst.resources import Size
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import GIVEN, Artifact, Input, Output, Plan
from tests.contracts.equality import assert_same
from tests.graph.graphs import each, expr, load, merge, other, plan_of, train, use
from tests.inline import planned, run_inline


def test_what_no_task_makes_is_given_once() -> None:
    values = [1.5, 2.5]
    plan = plan_of(use(values), train(values, values))
    assert len(plan.given) == 1
    assert [task.inputs for task in plan.tasks] == [(Input(GIVEN, 0),), (Input(GIVEN, 0),)]
    assert plan.tasks[1].steps[0].refs == ((0, 0), (1, 0))


def test_plain_scalars_stand_in_the_step_itself() -> None:
    plan = plan_of(use(1, "a", None, 2.5))
    assert plan.given == ()
    assert plan.tasks[0].steps[0].values == (1, "a", None, 2.5)


def test_targets_are_outputs_or_given_values_in_the_order_asked() -> None:
    plan = plan_of(use(load(1)), cb.defer([7]), load(1))
    assert plan.targets == (Input(1, 0), Input(GIVEN, 0), Input(0, 0))


def test_one_value_read_whole_and_in_parts_is_stored_both_ways() -> None:
    listed = load(3)
    plan = plan_of(each.map(listed), use(listed))
    assert plan.tasks[0].outputs == (
        Output(0, parts=True, digest=plan.tasks[0].outputs[0].digest),
        Output(0, digest=plan.tasks[0].outputs[0].digest),
    )
    assert plan.tasks[1].inputs == (Input(0, 0),)
    assert plan.tasks[2].inputs == (Input(0, 1),)
    assert run_inline([expr(each.map(listed)), expr(use(listed))]) == [[0, 1, 2], ([0, 1, 2],)]


def test_a_given_list_read_whole_and_in_parts_is_given_both_ways() -> None:
    listed = cb.defer([1, 2])
    pairs = each.map(listed, plus=listed)
    plan = plan_of(pairs)
    assert [artifact.codec for artifact in plan.given] == ["parts", "pickle"]
    assert plan.tasks[0].fan == 0
    assert run_inline([expr(pairs)]) == [[1, 2]]


def test_the_fanned_input_may_come_after_others() -> None:
    plan = plan_of(each.map(load(2), plus=[other(1), 5]))
    [fan] = [task for task in plan.tasks if task.fan is not None]
    assert fan.inputs[fan.fan or 0].task == 0
    assert run_inline([expr(each.map(load(2), plus=[other(1), 5]))]) == [[0, 1]]


def test_a_list_that_a_fan_made_is_not_stored_in_parts_again() -> None:
    plan = plan_of(each.map(each.map(load(2))), use(each.map(load(2))))
    assert [[output.parts for output in task.outputs] for task in plan.tasks] == [[True], [False], [False], [False]]


def test_the_stage_itself_is_kept_for_when_an_op_that_rides_fails() -> None:
    plan = plan_of(load(1).head())
    [task] = plan.tasks
    assert task.stage_step == 0
    assert [(output.slot, output.rescue) for output in task.outputs] == [(1, False), (0, True)]


def test_what_is_stored_anyway_is_not_kept_twice() -> None:
    loaded = load(1)
    [task, _] = plan_of(loaded, use(loaded.head())).tasks
    assert sorted((output.slot, output.rescue) for output in task.outputs) == [(0, False), (1, False)]


def test_a_stage_stored_in_parts_only_is_kept_whole_for_the_worst_case() -> None:
    listed = load(3)
    task = plan_of(each.map(listed), use(listed.head())).tasks[0]
    assert sorted((output.slot, output.parts, output.rescue) for output in task.outputs) == [
        (0, False, True),
        (0, True, False),
        (1, False, False),
    ]


def test_nothing_is_kept_for_a_stage_that_ends_its_task() -> None:
    task = plan_of(use(load(1).assign(y=1))).tasks[1]
    assert task.stage_step == 1
    assert [output.rescue for output in task.outputs] == [False]


def test_what_several_read_is_given_as_a_copy_only_to_who_may_write() -> None:
    task = plan_of(load(1).append(1), load(1).head()).tasks[0]
    assert [(step.what, step.own) for step in task.steps[1:]] == [("append", (0,)), ("head", ())]


def test_a_value_read_once_is_handed_over_without_a_copy() -> None:
    chain = load(1).append(1).append(2)
    task = plan_of(use(merge(chain, 1))).tasks[1]
    assert [(step.kind, step.own, step.free) for step in task.steps] == [
        ("method", (), (0,)),
        ("method", (), (1,)),
        ("call", (), (2,)),
        ("call", (), (3,)),
    ]


def test_a_stage_given_one_value_twice_gets_copies() -> None:
    loaded = load(1)
    task = plan_of(use(loaded, loaded)).tasks[1]
    assert task.steps[0].refs == ((0, 0), (1, 0))
    assert task.steps[0].own == (0, 1)
    assert task.steps[0].free == (0,)


def test_what_is_stored_is_not_freed() -> None:
    task = plan_of(load(1).head()).tasks[0]
    assert [step.free for step in task.steps] == [(), ()]


def test_a_value_is_freed_by_its_last_reader() -> None:
    loaded = load(1).assign(y=1)
    task = plan_of(loaded.tail() + loaded.head().assign(z=2)).tasks[0]
    assert [(origin.label, step.free) for origin, step in zip(task.origins, task.steps, strict=True)] == [
        ("load", ()),
        (".assign()", ()),
        (".tail()", ()),
        (".head()", (1,)),
        (".assign()", (3,)),
        ("add", (2, 4)),
    ]


def sized_plan(default: Size, *deferreds: Deferred[Any]) -> Plan:
    graph = optimize(Graph.of(tuple(map(expr, deferreds))), Facts())
    ids = {node.what.identity: "f" for node in graph.nodes if hasattr(node.what, "identity")}
    given = {(node.key, False): Artifact("pickle", b"", 0) for node in graph.nodes}
    return make_plan(graph, group(graph), Materials(ids, {}, given), name="test", default=default)


DEFAULT = Size(2048, 8192)
SMALL, LARGE = load.options(memory="4 GB")(1), other.options(cpu=4096, memory="20 GB")(1)


@pytest.mark.parametrize(
    ("made", "sizes"),
    [
        (use(load(1)), [DEFAULT, DEFAULT]),
        (SMALL, [Size(512, 4096)]),
        (SMALL.head(), [Size(512, 4096)]),
        (SMALL + LARGE, [Size(512, 4096), Size(4096, 20480), Size(4096, 24576)]),
        (load(1) + other(1), [DEFAULT, DEFAULT, Size(2048, 16384)]),
        (cb.defer(max)([1, 2]), [DEFAULT]),
        (SMALL.head().options(memory="2 GB"), [Size(512, 4096), Size(256, 2048)]),
        (SMALL.head().options(), [Size(512, 4096), DEFAULT]),
        (each.map(LARGE)[0], [Size(4096, 20480), DEFAULT, DEFAULT]),
    ],
)
def test_sizes_are_those_asked_for_and_of_ops_alone_the_sum_of_what_they_read(made: Any, sizes: list[Size]) -> None:
    assert [task.size for task in sized_plan(DEFAULT, made).tasks] == sizes


def test_a_sum_that_no_machine_has_takes_the_largest() -> None:
    many = [other.options(cpu=16384, memory="120 GB")(number) for number in range(3)]
    total = many[0] + many[1] + many[2]
    assert sized_plan(DEFAULT, total).tasks[-1].size == Size(16384, 122880)


def test_without_sizes_there_is_none_to_sum() -> None:
    assert sized_plan(Size(), load(1) + other(1)).tasks[-1].size == Size()


def test_time_out_and_retries_are_those_of_the_stage() -> None:
    [task, after] = plan_of(use.options(retries=2, timeout=5)(load(1).assign(y=1))).tasks
    assert (task.timeout_s, task.retries) == (None, 0)
    assert (after.timeout_s, after.retries) == (5.0, 2)


def test_tasks_come_in_an_order_in_which_they_could_run() -> None:
    plan = plan_of(use(merge(load(1), other(1)).append(1), train(load(2).head())), train(load(1).groupby("a").sum()))
    for task in plan.tasks:
        assert all(read.task < task.index for read in task.inputs)
    assert [task.index for task in plan.tasks] == list(range(len(plan.tasks)))


def test_a_value_with_a_size_alone_is_passed_on() -> None:
    deferred = cb.defer([1, 2]).options(memory=2048)
    [task] = plan_of(deferred).tasks
    assert task.steps == ()
    assert task.outputs[0].slot == 0
    assert run_inline([expr(deferred)]) == [[1, 2]]


def test_a_value_that_is_passed_on_is_neither_freed_nor_given_away() -> None:
    sized = load(3).options(memory=2048).copy().options(memory=4096)
    changed = use(sized, sized.append(1))
    assert run_inline([expr(changed), expr(sized)]) == [([0, 1, 2], None), [0, 1, 2]]


def test_every_kind_of_step_gives_what_python_gives() -> None:
    base = cb.defer([3, 1, 2])
    roots = {
        "method": base.index(1),
        "attribute": cb.defer(5).real,
        "item": base[1],
        "slice": base[0:2],
        "operator": base + cb.defer([4]),
        "build": cb.defer({"a": base, "b": (base[0], {base[1]})}),
        "call": cb.defer(sorted)(base, reverse=True),
        "function": cb.defer(sorted)(base, key=lambda x: -x),
    }
    assert run_inline([expr(made) for made in roots.values()]) == [
        1,
        5,
        1,
        [3, 1],
        [3, 1, 2, 4],
        {"a": [3, 1, 2], "b": (3, {1})},
        [3, 2, 1],
        [3, 2, 1],
    ]


def test_names_are_for_people_and_places_are_those_of_the_program() -> None:
    plan = plan_of(use(load(1) + 1))
    task = plan.tasks[1]
    assert task.name.startswith("use-")
    assert task.stage == "use"
    assert [origin.label for origin in task.origins] == ["add", "use"]
    code = test_names_are_for_people_and_places_are_those_of_the_program.__code__
    assert {origin.code for origin in task.origins} == {code}


def test_outputs_carry_the_digests_of_their_values() -> None:
    deferred = use(load(1).head())
    plan, graph, _ = planned([expr(deferred)], MemoryStore())
    first, last = plan.tasks
    digests = [graph.digests[node.key] for node in graph.nodes]
    assert [output.digest for output in first.outputs] == [digests[1], digests[0]]
    assert [output.digest for output in last.outputs] == [digests[2]]


def test_a_stage_that_reads_very_many_values_twice_has_each_as_one_input() -> None:
    values = [load(number) for number in range(3000)]
    [*_, last] = plan_of(use(*values, *values)).tasks
    assert len(last.inputs) == 3000
    assert last.steps[0].own == tuple(range(6000))
    assert last.steps[0].free == tuple(range(3000))


DEFAULT = Size(2048, 8192)
SPARE = Size(2048, 8192, spot=True)


def sizes_on(default: Size, *deferreds: Deferred[Any]) -> list[Size]:
    plan, _, _ = planned([expr(one) for one in deferreds], MemoryStore(), default=default)
    return [task.size for task in plan.tasks]


@pytest.mark.parametrize(
    ("options", "default", "size"),
    [
        ({}, DEFAULT, DEFAULT),
        ({}, SPARE, SPARE),
        ({"memory": 512}, DEFAULT, Size(256, 512)),
        ({"memory": 512}, SPARE, Size(256, 512, spot=True)),
        ({"memory": 512, "spot": False}, SPARE, Size(256, 512, spot=False)),
        ({"memory": 512, "spot": True}, DEFAULT, Size(256, 512, spot=True)),
        ({"spot": False}, SPARE, Size(2048, 8192, spot=False)),
        ({"ephemeral_storage": 50}, DEFAULT, Size(2048, 8192, 50)),
        ({"memory": 512, "ephemeral_storage": 50}, SPARE, Size(256, 512, 50, True)),
    ],
)
def test_what_a_size_does_not_say_is_as_the_provider_says(options: Any, default: Size, size: Size) -> None:
    alone, riding = load.options(**options)(1), load.options(**options)(1).append(2)
    assert sizes_on(default, alone) == sizes_on(default, riding) == [size]


def test_ops_alone_take_what_their_inputs_need_on_machines_as_the_provider_says() -> None:
    one, two = load.options(memory="2 GB", spot=False)(1), other.options(memory="4 GB", ephemeral_storage=50)(1)
    assert sizes_on(SPARE, merge(one, two))[-1] == Size(1024, 6144, spot=True)
    assert sizes_on(SPARE, cb.defer(sum)([1, 2])) == [SPARE]


@pytest.mark.parametrize("head", [False, True])
def test_variables_and_secrets_go_with_the_task_of_their_stage(head: bool) -> None:
    arn = "arn:aws:ssm:eu-west-1:1:parameter/x"
    made = load.options(environment={"B": "2", "A": "1"}, secrets={"C": arn})(1)
    [task, after] = plan_of(use(made.head() if head else made)).tasks
    assert (task.environment, task.secrets) == ((("A", "1"), ("B", "2")), (("C", arn),))
    assert (after.environment, after.secrets) == ((), ())
    assert "'2'" not in repr(task)


def test_a_value_that_was_given_a_size_keeps_disk_and_spare_capacity() -> None:
    made = load.options(memory=512, spot=True, ephemeral_storage=50)(1)
    assert sizes_on(DEFAULT, made.options(memory=1024)) == [Size(256, 1024, 50, True)]


# ---------------------------------------------------------------- columns


def wanting(wanted: dict[tuple[Any, Any], str], *deferreds: Deferred[Any]) -> Plan:
    """The plan where nodes are known to need only some columns, named by a letter each, of their arguments."""
    needs = {(expr(by).key, expr(of).key): frozenset(columns) for (by, of), columns in wanted.items()}
    return planned([expr(one) for one in deferreds], MemoryStore(), [*PASSES, lambda g, _: replace(g, wanted=needs)])[0]


def narrow(columns: str, deferred: Deferred[Any]) -> Deferred[Any]:
    return wrap(make(Narrow(tuple(columns)), (expr(deferred),)))


def test_of_an_input_only_the_columns_are_read_that_its_one_reader_needs() -> None:
    frame, more = load(1), other(1)
    both = merge(frame, more)
    plan = wanting({(both, frame): "ba", (both, more): "c"}, use(both))
    assert plan.tasks[2].inputs == (Input(0, 0, ("a", "b")), Input(1, 0, ("c",)))
    assert plan.tasks[2].columns == (("a", "b"), ("c",))
    assert plan.tasks[0].columns == ()


def test_a_stage_that_nothing_rides_with_reads_columns_too() -> None:
    frame, more = load(1), other(1)
    last = use(frame, more)
    assert wanting({(last, more): "z"}, last).tasks[2].inputs == (Input(0), Input(1, 0, ("z",)))


def test_several_readers_in_a_task_read_what_they_need_together() -> None:
    frame, more = load(1), other(1)
    first, second = merge(frame, more), merge(more, frame)
    some = {(first, frame): "a", (second, frame): "cb"}
    assert wanting(some, use(first, second)).tasks[2].inputs == (Input(0, 0, ("a", "b", "c")), Input(1))
    assert wanting({(first, frame): "a"}, use(first, second)).tasks[2].inputs == (Input(0), Input(1))
    assert wanting({(second, frame): "a"}, use(first, second)).tasks[2].inputs == (Input(0), Input(1))
    assert wanting(some, use(first, second, frame)).tasks[2].inputs == (Input(0), Input(1))


def test_a_view_that_is_made_again_reads_what_it_needs() -> None:
    frame, more = load(1), other(1)
    grouped = frame.groupby("a")
    both = merge(grouped, more)
    assert wanting({(grouped, frame): "ab"}, use(both)).tasks[2].inputs == (Input(0, 0, ("a", "b")), Input(1))


def test_two_tasks_read_different_columns_of_one_output() -> None:
    frame = load(1)
    first, second = use(frame), train(frame)
    plan = wanting({(first, frame): "a", (second, frame): "b"}, first, second, frame)
    assert [task.inputs for task in plan.tasks[1:]] == [(Input(0, 0, ("a",)),), (Input(0, 0, ("b",)),)]
    assert plan.targets[2] == Input(0)
    assert len(plan.tasks[0].outputs) == 1


def test_a_given_value_is_read_in_columns_and_whole() -> None:
    frame = pd.DataFrame({"a": [1], "b": [2]})
    given = cb.defer(frame)
    first, second = use(given), train(given)
    plan = wanting({(first, given): "a"}, first, second)
    assert [task.inputs for task in plan.tasks] == [(Input(GIVEN, 0, ("a",)),), (Input(GIVEN, 0),)]
    assert len(plan.given) == 1


def test_what_narrows_rides_with_who_makes_the_value() -> None:
    plan = plan_of(use(narrow("ab", load(1))))
    assert [[step.kind for step in task.steps] for task in plan.tasks] == [["call", "narrow"], ["call"]]
    assert plan.tasks[0].steps[1].values == (None, "a", "b")
    assert plan.tasks[0].steps[1].own == ()
    assert plan.tasks[1].columns == ()


def test_what_narrows_a_value_that_is_stored_anyway_reads_only_that_of_it() -> None:
    frame = load(1)
    plan = plan_of(use(narrow("ba", frame)), frame)
    assert [[step.kind for step in task.steps] for task in plan.tasks] == [["call"], ["narrow", "call"]]
    assert plan.tasks[1].inputs == (Input(0, 0, ("a", "b")),)


def test_a_value_that_may_lack_columns_is_not_named_as_the_whole() -> None:
    frame, more = load(1), other(1)
    both = merge(frame, more)
    first, second = use(both), train(both)

    def is_named(wanted: dict[tuple[Any, Any], str], *roots: Deferred[Any]) -> bool:
        made = wanting(wanted, *roots).tasks[2]
        assert made.stage_step is None
        return made.outputs[0].digest is not None

    of_both = {(first, both): "a", (second, both): "b"}
    assert not is_named({(both, frame): "ab", **of_both}, first, second)
    assert is_named(of_both, first, second), "it is made of all columns"
    assert is_named({(both, frame): "ab", (first, both): "a"}, first, second), "somebody needs all of it"
    assert is_named({(both, frame): "ab", **of_both}, first, second, both)


def test_columns_that_are_read_make_no_difference_to_values() -> None:
    frame = pd.DataFrame({name: [1.5, 2.5] for name in "abcde"}, index=[3, 4])
    made = cb.stage(lambda: frame)()
    listed = cb.stage(lambda: [frame, frame])()
    roots = [use(narrow("xdb", made)), use(narrow("a", listed)), use(narrow("a", each.map(listed))), made]
    [[one], [two], [three], whole] = run_inline([expr(one) for one in roots])
    assert_same(one, frame[["b", "d"]])
    assert_same(two, [frame, frame])
    assert_same(three, [frame, frame])
    assert_same(whole, frame)
