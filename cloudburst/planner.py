"""From an optimized graph to a plan: one task a group, in an order in which they could run one after another.

Here alone graph and runtime meet. A group's nodes become the steps of its task; what they read from other groups and
from leaves becomes its inputs; what others read of it, and what the user asked for, its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping
from cloudburst.graph.nodes import (
    ANY_SIZE,
    Attribute,
    Build,
    Call,
    File,
    FunctionValue,
    Literal,
    Method,
    Narrow,
    Operator,
    Policy,
    Relabel,
    Sized,
    Source,
    Stored,
    What,
)
from cloudburst.graph.semantics import may_write
from cloudburst.keys import short
from cloudburst.resources import Size, on_default, room_for
from cloudburst.runtime import sources
from cloudburst.runtime.lifetimes import with_lifetimes
from cloudburst.runtime.task import GIVEN, Artifact, Function, Input, Origin, Output, Plan, Step, StepKind, Task


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


@dataclass(slots=True)
class _Draft:
    """A task in the making."""

    head: Expr
    members: list[Expr] = field(default_factory=list)
    outputs: dict[tuple[bytes, bool], int] = field(default_factory=dict)
    """By key and whether in parts: which output it is."""


class _Wiring:
    """Who reads what across groups."""

    def __init__(self, graph: Graph, grouping: Grouping) -> None:
        self.place = {node.key: number for number, node in enumerate(graph.nodes)}
        self.group_of = grouping.group_of
        self.digests = graph.digests
        self.wanted = graph.wanted
        order = sorted(range(len(grouping.heads)), key=lambda number: self.place[grouping.heads[number].key])
        self.task_of = {number: index for index, number in enumerate(order)}
        self.drafts = [_Draft(grouping.heads[number]) for number in order]
        group_of = grouping.group_of
        for node in graph.nodes:
            number = group_of.get(node.key)
            if number is not None:
                self.drafts[self.task_of[number]].members.append(node)
                fans = type(node.what) is Call and node.what.fans
                for position, arg in enumerate(node.args):
                    if type(arg) is Expr:
                        self._read(arg, number, parts=fans and position == 0)
        for root in graph.roots:
            self._read(root, None, parts=False)

    def _read(self, value: Expr, by: int | None, *, parts: bool) -> None:
        """Mark as outputs the values of other groups that a value is or, where it is a view, is made of."""
        todo = [value]
        while todo:
            one = todo.pop()
            owner = self.group_of.get(one.key)
            if owner is None:
                todo.extend(one.children)
            elif owner != by:
                outputs = self.drafts[self.task_of[owner]].outputs
                in_parts = parts or self.is_fan(one)
                outputs.setdefault((one.key, in_parts), len(outputs))

    def is_fan(self, node: Expr) -> bool:
        return type(node.what) is Call and node.what.fans

    def columns(self, reader: Expr, value: Expr) -> tuple[str, ...] | None:
        """The columns that a node needs of a value, ``None`` where it needs all."""
        narrow = reader.what
        wanted = narrow.columns if isinstance(narrow, Narrow) else self.wanted.get((reader.key, value.key))
        return None if wanted is None else tuple(sorted(wanted))

    def input_for(self, value: Expr, *, parts: bool) -> Input:
        index = self.task_of[self.group_of[value.key]]
        return Input(index, self.drafts[index].outputs[value.key, parts or self.is_fan(value)])


def make_plan(graph: Graph, grouping: Grouping, materials: Materials, *, name: str, default: Size = ANY_SIZE) -> Plan:
    """The plan of a grouped graph.

    Parameters
    ----------
    graph : Graph
        After the passes.
    grouping : Grouping
        Its partition.
    materials : Materials
        Captured functions and given values.
    name : str
        Of the run, for people.
    default : Size
        What a task gets that has no size of its own.

    Returns
    -------
    Plan
    """
    wiring = _Wiring(graph, grouping)
    given: list[Artifact] = []
    given_at: dict[tuple[bytes, bool], Input] = {}

    def leaf(value: Expr, parts: bool) -> Input:
        place = given_at.get((value.key, parts))
        if place is None:
            place = given_at[value.key, parts] = Input(GIVEN, len(given))
            given.append(materials.given[value.key, parts])
        return place

    tasks: list[Task] = []
    for index, draft in enumerate(wiring.drafts):
        task = _lone_stage(index, draft, wiring, materials.function_ids, default)
        if task is None:
            steps = _Steps(draft, wiring, materials, leaf)
            task = _task(index, draft, steps, wiring, tasks, default)
        tasks.append(task)
    targets = tuple(
        leaf(root, False) if root.key not in wiring.group_of else wiring.input_for(root, parts=False)
        for root in graph.roots
    )
    return Plan(name, tuple(tasks), materials.functions, tuple(given), targets)


def _lone_stage(
    index: int, draft: _Draft, wiring: _Wiring, function_ids: Mapping[bytes, str], default: Size
) -> Task | None:
    """The task of a stage that nothing rides with and that reads only what other tasks made: most of a large graph."""
    head = draft.head
    what = head.what
    if len(draft.members) != 1 or type(what) is not Call or what.policy is None or what.fans:
        return None
    group_of, drafts, task_of = wiring.group_of, wiring.drafts, wiring.task_of
    inputs: list[Input] = []
    refs: list[tuple[int, int]] = []
    values = head.args
    for position, arg in enumerate(values):
        if type(arg) is Expr:
            number = group_of.get(arg.key)
            if number is None:
                return None
            maker = task_of[number]
            outputs = drafts[maker].outputs
            output = outputs.get((arg.key, False))
            refs.append((position, len(inputs)))
            inputs.append(Input(maker, outputs[arg.key, True] if output is None else output, wiring.columns(head, arg)))
    if refs:
        if len(set(inputs)) != len(inputs):
            return None
        values = tuple([None if type(arg) is Expr else arg for arg in values])
    slots = len(inputs)
    step = Step("call", function_ids[what.identity], values, tuple(refs), head.names, (), tuple(range(slots)))
    policy = what.policy
    written = wiring.digests.get(head.key)
    return Task(
        index,
        head.name,
        what.label,
        (step,),
        tuple(inputs),
        tuple([Output(slots, parts, written) for _, parts in draft.outputs]),
        (Origin(what.label, head.code, head.lasti),),
        on_default(policy.size, default),
        policy.timeout_s,
        policy.retries,
        None,
        0,
        policy.environment,
        policy.secrets,
        what.reads,
    )


class _Steps:
    """The steps and inputs of one task, slots settled."""

    def __init__(self, draft: _Draft, wiring: _Wiring, materials: Materials, leaf: object) -> None:
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

    def _with_views(self, draft: _Draft) -> list[Expr]:
        """The group's nodes and the views and functions that they are made of, arguments first."""
        group_of = self._wiring.group_of
        found: dict[bytes, Expr] = {}
        todo = [child for node in draft.members for child in node.children if child.key not in group_of]
        while todo:
            node = todo.pop()
            if node.key in found or not _is_made_here(node):
                continue
            found[node.key] = node
            todo.extend(child for child in node.children if child.key not in group_of)
        if not found:
            return draft.members
        place = self._wiring.place
        return sorted([*draft.members, *found.values()], key=lambda node: place[node.key])

    def _note_input(self, reader: Expr, value: Expr, home: int, *, parts: bool) -> None:
        owner = self._wiring.group_of.get(value.key)
        if owner == home or (owner is None and _is_made_here(value)):
            return
        columns = self._wiring.columns(reader, value)
        slot = self._input_slots.setdefault((value.key, parts), len(self.inputs))
        if slot < len(self.inputs):
            self.inputs[slot] = self.inputs[slot].read_with(columns)
        else:
            place = self._wiring.input_for(value, parts=parts) if owner is not None else self._leaf(value, parts)  # type: ignore[operator]
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


def _is_made_here(node: Expr) -> bool:
    """Whether a node that belongs to no group is a step of every task that uses it, and no value that is given."""
    return not isinstance(node.what, Literal | Stored)


def spec_of(what: Source, elsewhere: Mapping[File, File]) -> sources.Spec:
    """What a worker is told of a source; ``elsewhere`` says where it finds files that it cannot read where they are."""
    files = [sources.File(*elsewhere.get(file, file)) for file in what.files]
    groups = None if what.groups is None else tuple([sources.RowGroup(*group) for group in what.groups])
    labels = None if what.labels is None else sources.Labels(*what.labels)
    return sources.Spec(what.format, tuple(files), what.root, what.columns, groups, labels, what.nullable)


def _kind(what: What, materials: Materials) -> tuple[StepKind, str]:
    if isinstance(what, Call | FunctionValue):
        return "call" if isinstance(what, Call) else "function", materials.function_ids[what.identity]
    if isinstance(what, Method | Attribute):
        return "method" if isinstance(what, Method) else "attribute", what.name
    if isinstance(what, Operator):
        return ("item", "") if what.name == "getitem" else ("operator", what.name)
    if isinstance(what, Build):
        return "build", what.container
    if isinstance(what, Source):
        return "source", spec_of(what, materials.files).to_text()
    if isinstance(what, Narrow):
        return "narrow", ""
    assert isinstance(what, Relabel)
    return "relabel", ",".join(map(str, what.labels))


def _task(index: int, draft: _Draft, steps: _Steps, wiring: _Wiring, before: list[Task], default: Size) -> Task:
    head = draft.head
    keys = list(draft.outputs)
    outputs = [
        Output(steps.slots[key], parts and not wiring.is_fan(head), wiring.digests.get(key)) for key, parts in keys
    ]
    stage_step = steps.stage_step
    if stage_step is not None and stage_step < len(steps.steps) - 1 and steps.fan is None:
        slot = len(steps.inputs) + stage_step
        if all(output.slot != slot or output.parts for output in outputs):
            outputs.append(Output(slot, digest=wiring.digests.get(head.key), rescue=True))
    what = head.what
    policy = what.policy if isinstance(what, Call | Sized) else None
    label = steps.origins[0].label if policy is None and steps.steps[0].kind == "source" else what.label
    if policy is None:
        makers = {one.task for one in steps.inputs if one.task != GIVEN}
        policy = Policy(room_for([before[maker].size for maker in makers], default))
    return Task(
        index=index,
        name=head.name if label == what.label else f"{label}-{short(head.key)}",
        stage=label,
        steps=with_lifetimes(steps.steps, {output.slot for output in outputs}),
        inputs=tuple(steps.inputs),
        outputs=tuple(outputs),
        origins=tuple(steps.origins),
        size=on_default(policy.size, default),
        timeout_s=policy.timeout_s,
        retries=policy.retries,
        fan=steps.fan,
        stage_step=stage_step,
        environment=policy.environment,
        secrets=policy.secrets,
        reads=what.reads if isinstance(what, Call) else (),
    )
