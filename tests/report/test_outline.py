import sys

from cloudburst.report.outline import outline, riders
from cloudburst.resources import Size
from cloudburst.runtime.task import GIVEN, Origin, Step
from tests.report.plans import plan, task, value


def shown(rows):
    return [(row.stage, len(row.tasks), row.reads) for row in rows]


def test_equal_tasks_are_one_row_wherever_they_stand_in_the_plan():
    tasks = [task(0, "load"), task(1, "clean", 0), task(2, "load"), task(3, "clean", 2), task(4, "model", 1, 3)]
    rows = outline(plan(*tasks))
    assert shown(rows) == [("load", 2, ()), ("clean", 2, (1,)), ("model", 1, (2,))]
    assert rows[1].tasks == (1, 3)
    assert rows[1].names == (tasks[1].name, tasks[3].name)


def test_what_differs_in_anything_a_reader_sees_is_not_folded():
    rows = outline(
        plan(
            task(0, "load"),
            task(1, "load", then=[".head()"]),
            task(2, "load", retries=1),
            task(3, "load", timeout_s=5.0),
            task(4, "load", size=Size()),
            task(5, "load", 1),
        )
    )
    assert [len(row.tasks) for row in rows] == [1] * 6


def test_a_chain_is_one_row_that_reads_itself():
    rows = outline(plan(task(0, "load"), task(1, "step", 0), *[task(n, "step", n - 1) for n in range(2, 50)]))
    assert shown(rows) == [("load", 1, ()), ("step", 49, (1,))]
    assert not rows[0].is_chained
    assert rows[1].is_chained


def test_a_link_that_reads_something_new_begins_a_row():
    rows = outline(plan(task(0, "step"), task(1, "load"), task(2, "step", 0, 1), task(3, "step", 2)))
    assert shown(rows) == [("step", 1, ()), ("load", 1, ()), ("step", 2, (1, 2))]


def test_a_fan_names_the_row_it_goes_over():
    rows = outline(plan(task(0, "parts"), task(1, "model", 0, fan=0), task(2, "model", 1, fan=0)))
    assert [(row.is_fan, row.over) for row in rows] == [(False, None), (True, 1), (True, 2)]


def test_a_fan_over_a_given_list_has_no_row_to_name():
    [row] = outline(plan(task(0, "model", GIVEN, fan=0), given=[value()]))
    assert (row.is_fan, row.over, row.reads) == (True, None, ())


def test_rows_know_what_was_asked_for():
    assert [row.is_target for row in outline(plan(task(0, "load"), task(1, "clean", 0), targets=[1]))] == [False, True]


def test_riders_stand_before_and_behind_the_stage():
    steps = tuple(Step(kind, "", ()) for kind in ("method", "function", "build", "call", "item", "method"))
    origins = tuple(Origin(label, None, -1) for label in (".dropna()", "f", "list", "fit", "[...]", ".round()"))
    bare = task(0, "fit")
    whole = type(bare)(
        **{
            **{name: getattr(bare, name) for name in bare.__slots__},
            "steps": steps,
            "origins": origins,
            "stage_step": 3,
        }
    )
    assert riders(whole) == ((".dropna()",), ("[...]", ".round()"))


def test_the_first_op_of_a_task_without_stage_is_no_rider():
    assert riders(task(0, "concat", then=[".head()"], is_stage=False)) == ((), (".head()",))


def test_a_long_chain_needs_no_recursion():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        rows = outline(plan(task(0, "step"), *[task(n, "step", n - 1) for n in range(1, 5000)]))
    finally:
        sys.setrecursionlimit(limit)
    assert sum(len(row.tasks) for row in rows) == 5000
