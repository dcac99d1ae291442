"""Ready tasks in their lines."""

from __future__ import annotations

from cloudburst.resources import Size
from cloudburst.runtime.ready import Ready
from cloudburst.runtime.task import TaskId

SMALL, LARGE = Size(1024, 2048), Size(2048, 4096)


def empty():
    return Ready(lambda size: (size.cpu or 0, size.memory or 0))


def drained(ready):
    """All tasks, always from the line whose first comes earliest."""
    taken = []
    while lines := ready.in_order():
        taken.append(ready.take(lines[0]))
    return taken


def test_tasks_come_in_plan_order_whatever_their_size_and_whenever_they_were_offered():
    ready = empty()
    for number in (5, 1, 4, 0, 3):
        ready.offer(TaskId(number), SMALL if number % 2 else LARGE)
    assert ready.count == 5
    assert [line.size for line in ready.in_order()] == [LARGE, SMALL]
    assert drained(ready) == [TaskId(number) for number in (0, 1, 3, 4, 5)]
    assert ready.count == 0


def test_a_line_knows_what_its_tasks_are_charged():
    ready = empty()
    ready.offer(TaskId(0), LARGE)
    (line,) = ready.in_order()
    assert (line.cpu, line.memory, line.count) == (2048, 4096, 1)


def test_a_million_items_are_one_entry():
    ready = empty()
    ready.offer_items(3, 10**6, SMALL)
    (line,) = ready.in_order()
    assert (len(line.heap), line.count, ready.count) == (1, 10**6, 10**6)
    assert [ready.take(line) for _ in range(3)] == [TaskId(3, item) for item in range(3)]
    assert (len(line.heap), line.count, ready.count) == (1, 10**6 - 3, 10**6 - 3)


def test_items_that_come_back_go_first_and_fans_stand_where_their_task_does():
    ready = empty()
    ready.offer_items(2, 4, SMALL)
    ready.offer(TaskId(3), SMALL)
    (line,) = ready.in_order()
    assert [ready.take(line) for _ in range(3)] == [TaskId(2, 0), TaskId(2, 1), TaskId(2, 2)]
    ready.offer(TaskId(2, 1), SMALL)
    ready.offer(TaskId(2, 0), LARGE)
    ready.offer(TaskId(1), SMALL)
    assert drained(ready) == [TaskId(1), TaskId(2, 0), TaskId(2, 1), TaskId(2, 3), TaskId(3)]


def test_the_last_item_can_come_back():
    ready = empty()
    ready.offer_items(0, 1, SMALL)
    assert drained(ready) == [TaskId(0, 0)]
    ready.offer(TaskId(0, 0), SMALL)
    assert drained(ready) == [TaskId(0, 0)]
