"""From an optimized graph to a plan: one task a group, in an order in which they could run one after another.

Here alone graph and runtime meet. A group's nodes become the steps of its task; what they read from other groups and
from leaves becomes its inputs; what others read of it, and what the user asked for, its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping
from cloudburst.graph.nodes import ANY_SIZE, Call, Policy, Sized
from cloudburst.keys import short
from cloudburst.planner.steps import Materials, Steps, spec_of, with_lifetimes
from cloudburst.planner.wiring import Draft, Wiring
from cloudburst.resources import Size, on_default, room_for
from cloudburst.runtime.task import GIVEN, Artifact, Input, Origin, Output, Plan, Step, Task

__all__ = ["Materials", "make_plan", "spec_of"]


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
    wiring = Wiring(graph, grouping)
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
            steps = Steps(draft, wiring, materials, leaf)
            task = _task(index, draft, steps, wiring, tasks, default)
        tasks.append(task)
    targets = tuple(
        leaf(root, False) if root.key not in wiring.group_of else wiring.input_for(root, parts=False)
        for root in graph.roots
    )
    return Plan(name, tuple(tasks), materials.functions, tuple(given), targets)


def _lone_stage(
    index: int, draft: Draft, wiring: Wiring, function_ids: Mapping[bytes, str], default: Size
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


def _task(index: int, draft: Draft, steps: Steps, wiring: Wiring, before: list[Task], default: Size) -> Task:
    head = draft.head
    keys = list(draft.outputs)
    outputs = [
        Output(steps.slots[key], parts and not wiring.is_fan(head), wiring.digest(key, steps.inputs))
        for key, parts in keys
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
