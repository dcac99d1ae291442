"""Equal expressions become one; what is not provably equal stays apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloudburst as cb
from cloudburst.deferred import Deferred
from cloudburst.graph.dedupe import dedupe
from cloudburst.graph.expr import make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, FunctionValue, Stored
from cloudburst.graph.walk import topological
from cloudburst.runtime.stores.memory import MemoryStore
from tests.graph.graphs import expr, labels, load, merge, use
from tests.inline import planned


def make_stage(n: int) -> Any:
    @cb.stage
    def made(x: Any) -> Any:
        return x + n

    return made


def captured(*deferreds: Deferred[Any], same: Callable[[Any], bytes] | None = None) -> Facts:
    """Facts that give each function its code and cells as digest, as capturing would; ``same`` gives another."""

    def written(function: Any) -> bytes:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        return repr((function.__code__.co_code, cells)).encode()

    digests = {
        node.what.identity: (same or written)(node.what.function)
        for node in topological([expr(one) for one in deferreds])
        if isinstance(node.what, Call | FunctionValue)
    }
    return Facts(digests)


def deduped(*deferreds: Deferred[Any], facts: Facts | None = None) -> Graph:
    return dedupe(Graph.of(tuple(map(expr, deferreds))), facts or Facts())


def told(graph: Graph) -> list[tuple[str, int]]:
    return [(merged.label, merged.times) for merged in graph.merged]


def test_equal_calls_are_one_and_it_is_said_how_often_they_were_written() -> None:
    graph = deduped(use(load(1), load(1), load(2)))
    assert labels(graph.nodes) == ["load", "load", "use"]
    assert told(graph) == [("load", 2)]
    assert graph.merged[0].is_stage


def test_one_deferred_used_twice_is_no_merge() -> None:
    loaded = load(1)
    assert deduped(use(loaded, loaded)).merged == ()


def test_what_stands_beneath_merged_expressions_is_counted_too() -> None:
    graph = deduped(use(load(1).head(), load(1).head(), load(1).head()))
    assert told(graph) == [("load", 3), (".head()", 3)]


def test_two_closures_of_one_factory_stay_apart_though_their_code_is_the_same() -> None:
    one, two = make_stage(1), make_stage(2)
    assert one.func.__code__ is two.func.__code__
    top = use(one(0), two(0))
    assert told(deduped(top)) == []
    assert told(deduped(top, facts=captured(top))) == []
    assert one(0)._expr != two(0)._expr


def test_closures_over_equal_values_are_one_by_digest_and_two_without() -> None:
    top = use(make_stage(1)(0), make_stage(1)(0))
    assert told(deduped(top)) == []
    assert told(deduped(top, facts=captured(top))) == [("made", 2)]


def test_lambdas_written_alike_merge_by_digest() -> None:
    top = use(load(1).map(lambda x: x + 1), load(1).map(lambda x: x + 1), load(1).map(lambda x: x + 2))
    facts = captured(top, same=lambda function: repr((function.__name__, function.__code__.co_consts)).encode())
    assert told(deduped(top, facts=facts)) == [("load", 3), ("lambda", 2), (".map()", 2)]


def test_a_call_and_a_fan_of_one_function_differ() -> None:
    listed = load(3)
    top = use(load(listed), load.map(listed))
    facts = captured(top)
    assert told(deduped(top, facts=facts)) == []


def test_a_function_and_a_call_of_it_differ() -> None:
    top = use(load(1).map(load.func), load(1))
    assert told(deduped(top, facts=captured(top))) == [("load", 2)]


def test_impure_calls_never_merge_nor_does_what_uses_them() -> None:
    chance = load.options(pure=False)
    top = use(chance(1).head(), chance(1).head())
    graph = deduped(top, facts=captured(top))
    assert told(graph) == []
    assert len(graph.nodes) == 5
    assert graph.digests == {}


def test_one_impure_call_used_twice_stays_one() -> None:
    once = load.options(pure=False)(1)
    top = use(once.head(), once.head())
    assert labels(deduped(top, facts=captured(top)).nodes) == ["load", ".head()", "use"]


def test_an_impure_call_above_merged_ones_keeps_its_place() -> None:
    chance = use.options(pure=False)
    top = merge(chance(make_stage(1)(0), make_stage(1)(0)), 1)
    graph = deduped(top, facts=captured(top))
    assert labels(graph.nodes) == ["made", "use", "lambda"]


def test_calls_of_one_function_with_other_sizes_stay_apart_and_what_uses_them_merges() -> None:
    large = load.options(memory="8 GB")
    top = use(load(1), large(1), load(1).head(), large(1).head())
    graph = deduped(top, facts=captured(top))
    assert labels(graph.nodes) == ["load", "load", ".head()", "use"]
    assert len(set(graph.digests.values())) == 3


def test_counts_hold_when_a_merge_beneath_makes_two_expressions_equal() -> None:
    one, two = make_stage(1), make_stage(1)
    top = use(one(0), two(0).head(), two(0).head(), one(0).head(), one(0).head(), one(0).head())
    graph = deduped(top, facts=captured(top))
    assert labels(graph.nodes) == ["made", ".head()", "use"]
    assert told(graph) == [("made", 6), (".head()", 5)]


def test_digests_are_given_for_what_can_be_named_across_processes_alone() -> None:
    top = use(load(1), make_stage(1)(0))
    facts = Facts({load(1)._expr.what.identity: b"load", expr(top).what.identity: b"use"})
    graph = deduped(top, facts=facts)
    named = [node.what.label for node in graph.nodes if node.key in graph.digests]
    assert named == ["load"]


def test_a_value_without_portable_bytes_names_nothing_above_it() -> None:
    class Local:
        pass

    top = use(load(1), Local())
    graph = deduped(top, facts=captured(top))
    assert [node.what.label for node in graph.nodes if node.key in graph.digests] == ["load"]


def test_a_stored_value_goes_by_what_it_is_the_value_of() -> None:
    stored = [make(Stored(artifact, b"one", "kept"), ()) for artifact in ("a", "b")]
    graph = dedupe(Graph.of(tuple(stored)), Facts())
    assert len(graph.nodes) == 1
    assert list(graph.digests.values()) == [b"one"]


def test_merged_calls_say_what_they_reach_that_differs_from_call_to_call() -> None:
    top = use(load(1), load(1))
    graph = deduped(top, facts=Facts({}, {load(1)._expr.what.identity: frozenset({"random"})}))
    assert graph.merged[0].reaches == {"random"}
    assert graph.merged[0].key == load(1)._expr.key


def test_roots_that_merge_are_both_still_there() -> None:
    graph = deduped(load(1), load(1))
    assert len(graph.roots) == 2
    assert len(graph.nodes) == 1


def test_what_the_code_finds_in_its_environment_is_part_of_its_digest_and_the_machine_is_not() -> None:
    arn = "arn:aws:ssm:eu-west-1:1:parameter/x"
    calls = [
        load.options(**options)(1)
        for options in (
            {},
            {"environment": {"A": "1"}},
            {"environment": {"A": "2"}},
            {"secrets": {"A": arn}},
            {"spot": True},
            {"ephemeral_storage": 50},
        )
    ]
    plan, graph, _ = planned([expr(one) for one in calls], MemoryStore())
    digests = [graph.digests[root.key] for root in graph.roots]
    assert len(plan.tasks) == len(calls)  # each on the machine that it asks for
    assert len(set(digests)) == 4
    assert digests[0] == digests[4] == digests[5]
