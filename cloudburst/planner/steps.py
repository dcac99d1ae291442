"""What a worker does for one task: its nodes as steps, what they read from elsewhere, and how long each value lives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cloudburst.files import File
from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import (
    Attribute,
    Build,
    Call,
    FunctionValue,
    Literal,
    Method,
    Narrow,
    Operator,
    Relabel,
    Sized,
    Source,
    Stored,
    What,
)
from cloudburst.graph.semantics import may_write
from cloudburst.planner.wiring import Draft, Wiring
from cloudburst.runtime.sources import Spec
from cloudburst.runtime.task import Artifact, Function, Input, Origin, Step, StepKind


@dataclass(frozen=True, slots=True)
class Materials:
    """What a plan is made of beside the graph: captured functions and the values that no task makes."""

    function_ids: Mapping[bytes, str]
    """By a function's identity, the id under which it travels."""
    functions: Mapping[str, Function]
    given: Mapping[tuple[bytes, bool], Artifact]
    """By a leaf's key and whether it is read in parts."""
    files: Mapping[File, File] = field(default_factory=dict)
    """Where workers find files that are not where the user has them."""


class Steps:
    """The steps and inputs of one task, slots settled."""

    def __init__(self, draft: Draft, wiring: Wiring, materials: Materials, leaf: Callable[[Expr, bool], Input]) -> None:
        self._wiring = wiring
        self._materials = materials
        self._leaf = leaf
        self.inputs: list[Input] = []
        self._input_slots: dict[tuple[bytes, bool], int] = {}
        nodes = self._with_views(draft)
        home = wiring.group_of[draft.head.key]
        for node in nodes:
            fans = wiring.is_fan(node)
            for position, arg in enumerate(node.args):
                if type(arg) is Expr:
                    self._note_input(node, arg, home, parts=fans and position == 0)
        self.steps: list[Step] = []
        self.origins: list[Origin] = []
        self.slots: dict[bytes, int] = {}
        self.stage_step: int | None = None
        for node in nodes:
            self._add(node, is_head=node is draft.head)
        self.fan = 0 if wiring.is_fan(draft.head) else None
        if self.fan is not None:
            self.fan = self._input_slots[draft.head.args[0].key, True]

    def _with_views(self, draft: Draft) -> list[Expr]:
        """The group's nodes and the views and functions that they are made of, arguments first."""
        group_of = self._wiring.group_of
        found: dict[bytes, Expr] = {}
        todo = [child for node in draft.members for child in node.children if child.key not in group_of]
        while todo:
            node = todo.pop()
            if node.key in found or not is_made_here(node):
                continue
            found[node.key] = node
            todo.extend(child for child in node.children if child.key not in group_of)
        if not found:
            return draft.members
        place = self._wiring.place
        return sorted([*draft.members, *found.values()], key=lambda node: place[node.key])

    def _note_input(self, reader: Expr, value: Expr, home: int, *, parts: bool) -> None:
        owner = self._wiring.group_of.get(value.key)
        if owner == home or (owner is None and is_made_here(value)):
            return
        columns = self._wiring.columns(reader, value)
        slot = self._input_slots.setdefault((value.key, parts), len(self.inputs))
        if slot < len(self.inputs):
            self.inputs[slot] = self.inputs[slot].read_with(columns)
        else:
            place = self._leaf(value, parts) if owner is None else self._wiring.input_for(value, parts=parts)
            self.inputs.append(place._replace(columns=columns))

    def slot(self, value: Expr, *, parts: bool = False) -> int:
        found = self.slots.get(value.key)
        return found if found is not None else self._input_slots[value.key, parts]

    def _add(self, node: Expr, *, is_head: bool) -> None:
        what = node.what
        if isinstance(what, Sized):
            self.slots[node.key] = self.slot(node.args[0])
            return
        fans = self._wiring.is_fan(node)
        refs = []
        values = [*node.args, *(what.columns if isinstance(what, Narrow) else ())]
        for position, arg in enumerate(node.args):
            if type(arg) is Expr:
                refs.append((position, self.slot(arg, parts=fans and position == 0)))
                values[position] = None
        kind, name = _kind(what, self._materials)
        if is_head and isinstance(what, Call) and what.policy is not None:
            self.stage_step = len(self.steps)
        own = tuple(position for position, _ in refs) if may_write(node) else ()
        self.slots[node.key] = len(self.inputs) + len(self.steps)
        self.steps.append(Step(kind, name, tuple(values), tuple(refs), node.names, own))
        self.origins.append(Origin(what.label, node.code, node.lasti))


def is_made_here(node: Expr) -> bool:
    """Whether a node that belongs to no group is a step of every task that uses it, and no value that is given."""
    return not isinstance(node.what, Literal | Stored)


def spec_of(what: Source, elsewhere: Mapping[File, File]) -> Spec:
    """What a worker is told of a source; ``elsewhere`` says where it finds files that it cannot read where they are."""
    files = tuple([elsewhere.get(file, file) for file in what.files])
    narrowed = (what.columns, what.groups, what.labels, what.nullable, what.clauses)
    return Spec(what.format, files, what.root, *narrowed, what.endpoint_url, what.region)


def _kind(what: What, materials: Materials) -> tuple[StepKind, str]:
    if isinstance(what, Call):
        return "call", materials.function_ids[what.identity]
    if isinstance(what, Method):
        return "method", what.name
    if isinstance(what, Attribute):
        return "attribute", what.name
    if isinstance(what, Operator):
        return ("item", "") if what.name == "getitem" else ("operator", what.name)
    if isinstance(what, Build):
        return "build", what.container
    if isinstance(what, Source):
        return "source", spec_of(what, materials.files).to_text()
    if isinstance(what, Narrow):
        return "narrow", ""
    if isinstance(what, Relabel):
        return "relabel", ",".join(map(str, what.labels))
    assert isinstance(what, FunctionValue)
    return "function", materials.function_ids[what.identity]


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
