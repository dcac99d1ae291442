"""Expressions as one flat list, here and in another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import cloudpickle

import cloudburst as cb
from cloudburst.graph.flat import flatten, unflatten, unflatten_one
from cloudburst.graph.walk import topological
from tests.graph.graphs import expr, labels, load, merge, use

READ = """
import pickle, sys
import cloudburst as cb
deferred = pickle.loads(sys.stdin.buffer.read())
sys.stdout.buffer.write(pickle.dumps(deferred))
"""


def through_another_process(deferred: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", READ], input=pickle.dumps(deferred), capture_output=True, check=True, timeout=240
    )
    return pickle.loads(done.stdout)


def test_roots_come_back_equal_in_their_order_and_share_what_they_shared() -> None:
    loaded = load(1)
    roots = [expr(use(loaded)), expr(loaded), expr(loaded.head(n=2))]
    again = unflatten(flatten(roots))
    assert again == roots
    assert again[0].args[0] is again[1]
    assert again[2].names == ("n",)


def test_each_node_is_one_row() -> None:
    assert len(flatten([expr(use(load(1), load(1)))]).rows) == 2


def test_impure_nodes_stay_the_ones_they_are_within_a_process() -> None:
    once = expr(load.options(pure=False)(1))
    assert unflatten_one(flatten([once])) == once


def test_in_another_process_everything_is_there_and_means_the_same() -> None:
    def local(x: Any) -> Any:
        return x

    stage = cb.stage(local)
    deferred = merge(stage(load(3)).head(2), right=[stage(1), {"a": (load.func, 2.5)}])
    again = through_another_process(deferred)
    assert labels(topological([expr(again)])) == labels(topological([expr(deferred)]))
    functions = [node.what.function for node in topological([expr(again)]) if hasattr(node.what, "function")]
    assert functions[0].__name__ == "load"
    assert functions[0](3) == [0, 1, 2]


def test_functions_from_another_process_are_not_taken_for_those_of_the_same_name_here() -> None:
    def make(n: int) -> Any:
        return cb.stage(lambda: n)

    there = pickle.loads(cloudpickle.dumps(flatten([expr(make(2)())])))
    foreign = unflatten_one(type(there)(there.rows, there.roots, b"elsewhere"))
    here = make(1)()._expr
    assert foreign.what.function() == 2
    assert foreign.what.identity != here.what.identity
    assert foreign.key != here.key


FORK = """
import os, pickle, sys
import cloudburst as cb
from cloudburst.graph.identity import identify, process

def make(n):
    return cb.stage(lambda: n)

mine, (read, write) = make(0), os.pipe()
if os.fork() == 0:
    os.write(write, pickle.dumps((make("child")(), process())))
    os._exit(0)
here = make("parent")()
there, other = pickle.loads(os.read(read, 1 << 20))
os.wait()
print(there._expr == here._expr, there._expr.what.function(), here._expr.what.function(), process() == other)
"""


def test_what_a_forked_child_sends_is_not_taken_for_what_was_made_here_since() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=240)
    assert done.stdout == "False child parent False\n", done.stderr


def test_equal_functions_are_given_one_identity_on_arrival() -> None:
    top = expr(use(load(1), load(2)))
    flat = flatten([top])
    foreign = unflatten_one(type(flat)(flat.rows, flat.roots, b"elsewhere"))
    one, two = foreign.children
    assert one.what.identity == two.what.identity
    assert len({id(node.what) for node in topological([foreign])}) == 2
