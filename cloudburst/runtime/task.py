"""What a worker performs: tasks, their steps, and where their values lie.

A task is made of *slots*. The first ``len(inputs)`` slots are filled with the task's inputs, each step fills the next
one, and the outputs name the slots whose values are stored. Everything here is plain data: names, numbers and bytes, so
that a plan can be journaled, sent down a pipe or written as a letter without looking inside any value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Literal, NamedTuple

from cloudburst.resources import Size

GIVEN = -1
"""The task number of an input that no task makes: it stands in ``Plan.given``."""

WHOLE = -1
"""The item number of a task that is not one item of a fan."""


class TaskId(NamedTuple):
    """One piece of work: a task of the plan, or one item of a fanned task."""

    task: int
    item: int = WHOLE


class Artifact(NamedTuple):
    """Where a value is: inside this very record when small, in the store under a key, or in parts."""

    codec: str
    """The codec that reads it, or ``"parts"`` for a list that lies as one artifact an item."""
    body: bytes | str | tuple[Artifact, ...]
    """The encoded value itself, its key in the store, or its parts."""
    nbytes: int
    """Size in bytes of the encoded value, of all parts together."""
    checksum: bytes | None = None
    """SHA-256 of what lies under the key, where others than this user could have changed it. Behind these 32 bytes may
    stand what tells parts of it (see ``codecs.with_sums``)."""
    groups: tuple[int, ...] | None = None
    """Read only the rows of these row groups; ``None`` is all. What a worker has stored is never told so: this is asked
    of a value that lies there already."""


class Awaited(NamedTuple):
    """An input that a task before it on the same worker is to make: its place, until that has ended."""

    task: TaskId
    attempt: int
    output: int


StepKind = Literal[
    "call", "method", "attribute", "item", "operator", "build", "function", "source", "narrow", "relabel"
]


class Step(NamedTuple):
    """One evaluation: apply ``what`` to ``values`` after the references are filled in.

    ==========  ============================  ==========================================================
    kind        what                          values
    ==========  ============================  ==========================================================
    call        id of a function              its arguments
    method      name of the method            the object, then the arguments
    attribute   name of the attribute         the object
    item        ``""``                        the object, the index
    operator    name in module ``operator``   one or two operands (``divmod``, ``abs``, ``round`` too)
    build       list tuple set frozenset      the members; for a dict: keys and values in turn; for a
                dict slice dataclass          dataclass: its type, then names and values in turn
    function    id of a function              none: the step's value is the function itself
    source      ``sources.Spec`` as text      the reader's arguments, all by name
    narrow      ``""``                        the frame, the names of the columns that it is to keep
    relabel     ``start,stop,step``           what was filtered from rows some of which were not read
    ==========  ============================  ==========================================================
    """

    kind: StepKind
    what: str
    values: tuple[object, ...]
    """Plain scalars, and ``None`` wherever ``refs`` says that a slot goes."""
    refs: tuple[tuple[int, int], ...] = ()
    """Pairs (position in ``values``, slot)."""
    names: tuple[str, ...] = ()
    """Keyword names of the last ``len(names)`` values."""
    own: tuple[int, ...] = ()
    """Positions whose value is read by others too and must be given as a copy of its own."""
    free: tuple[int, ...] = ()
    """Slots that nobody reads after this step."""


class Input(NamedTuple):
    """A value that a task reads: that output of that task, or ``Plan.given[output]`` when ``task`` is ``GIVEN``."""

    task: int
    output: int = 0
    columns: tuple[str, ...] | None = None
    """Of a frame only these are read, those that it lacks passed over; ``None`` reads the value whole."""

    @property
    def whole(self) -> Input:
        """The same value, however much of it is read: what it is known by."""
        return self if self.columns is None else Input(self.task, self.output)

    def read_with(self, columns: tuple[str, ...] | None) -> Input:
        """The same for another reader too, who needs these columns.

        >>> Input(3, 0, ("a", "c")).read_with(("b", "c"))
        Input(task=3, output=0, columns=('a', 'b', 'c'))
        >>> Input(3, 0, ("a", "c")).read_with(None)
        Input(task=3, output=0, columns=None)
        """
        both = None if self.columns is None or columns is None else tuple(sorted({*self.columns, *columns}))
        return self._replace(columns=both)


class Output(NamedTuple):
    """A value that a task stores."""

    slot: int
    parts: bool = False
    """Store it as a list of parts, because a fan reads it item by item."""
    digest: bytes | None = None
    """Identity of the value across runs; ``None`` where that cannot be known."""
    rescue: bool = False
    """Stored only if a later step fails, so that the stage need not run again. Such outputs come last."""


class Origin(NamedTuple):
    """What a step is called and the place in the user's program that asked for it."""

    label: str
    code: CodeType | None
    lasti: int


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker performs in one go: a stage and the ops that ride with it.

    ``fan`` is the number of the input that is fanned out over: the task is then a template, performed once for each
    part of that input with the part's value in the input's slot, and its outputs are lists in parts.
    """

    index: int
    name: str
    """For people: a readable head and 12 digits, ``clean-49059bab2dec``."""
    stage: str
    """The stage's name, or the first op's where no stage is in it."""
    steps: tuple[Step, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    origins: tuple[Origin, ...]
    """One for each step."""
    size: Size
    timeout_s: float | None = None
    retries: int = 0
    fan: int | None = None
    stage_step: int | None = None
    """The step that calls the stage, where the task has one."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables that the user's code finds in its environment."""
    secrets: tuple[tuple[str, str], ...] = ()
    """Variables whose values the worker fetches: names, and where each value is kept."""
    reads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Parameters of the stage and the only columns that it is given of them, for its errors."""

    @property
    def columns(self) -> tuple[tuple[str, ...] | None, ...]:
        """For each input the columns that are read of it; empty where all are read whole."""
        columns = tuple([read.columns for read in self.inputs])
        return () if columns.count(None) == len(columns) else columns


class Function(NamedTuple):
    """A captured function as it travels."""

    payload: bytes
    """What ``capture.load`` turns back into the function."""
    digest: bytes | None
    """Identity across runs and processes; ``None`` where the function reads something that has none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in an order in which they could be run one after another, and all that they need to start."""

    name: str
    tasks: tuple[Task, ...]
    functions: Mapping[str, Function]
    """By the id that steps name."""
    given: tuple[Artifact, ...]
    """Values that no task makes: arguments, and results that are stored already."""
    targets: tuple[Input, ...]
    """The values the user asked for."""
