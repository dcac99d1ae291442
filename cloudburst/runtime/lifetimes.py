"""How long the values of a task live, and which steps need copies of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cloudburst.runtime.task import Step


def with_lifetimes(steps: Sequence[Step], stored: Collection[int]) -> tuple[Step, ...]:
    """The steps with what each may free, and with copies only where a value is read by others too.

    Parameters
    ----------
    steps : sequence of Step
        Those of a task, where ``own`` says which values a step may write to.
    stored : collection of int
        Slots whose values are outputs.

    Examples
    --------
    >>> [step] = with_lifetimes([Step("method", "sort", (None,), ((0, 0),), own=(0,))], {1})
    >>> step.own, step.free
    ((), (0,))
    """
    stored = frozenset(stored)
    if len(steps) == 1:
        read = [slot for _, slot in steps[0].refs]
        if len(set(read)) == len(read) and stored.isdisjoint(read):
            return (steps[0]._replace(own=(), free=tuple(read)),)
    readers: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        for _, slot in step.refs:
            readers[slot] = readers.get(slot, 0) + 1
            last[slot] = number
    done = []
    for number, step in enumerate(steps):
        free = tuple({slot for _, slot in step.refs if last[slot] == number and slot not in stored})
        shared = tuple([position for position, slot in step.refs if readers[slot] > 1 or slot in stored])
        own = shared if step.own else ()
        done.append(step._replace(own=own, free=free) if free or own != step.own else step)
    return tuple(done)
