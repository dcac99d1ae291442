"""What a run has made so far, who waits for it, and who will still read it.

Every artifact has a count of readers to come. With the last one it is forgotten here, and dropped where it lies in
the store. What the user asked for and what was given has one reader too many and so stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cloudburst.errors import InternalError
from cloudburst.runtime.task import GIVEN, Artifact, Input, Output, Plan


@dataclass(slots=True)
class Results:
    """Artifacts by the input that reads them, whichever columns of them it reads."""

    missing: list[int]
    """By task: inputs that are not made yet."""
    consumers: list[list[int]]
    """By task: the tasks that read it, once for each of their inputs."""
    readers: dict[Input, int] = field(default_factory=dict)
    """By artifact: inputs of tasks that are not done, one for a target, one for a given value."""
    made: dict[Input, Artifact] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Results:
        """Begin with what is given."""
        made = {Input(GIVEN, number): artifact for number, artifact in enumerate(plan.given)}
        results = cls([0] * len(plan.tasks), [[] for _ in plan.tasks], made=made)
        readers = results.readers
        for task in plan.tasks:
            for read in task.inputs:
                whole = read.whole
                readers[whole] = readers.get(whole, 0) + 1
                if read.task != GIVEN:
                    results.consumers[read.task].append(task.index)
                    results.missing[task.index] += 1
        for kept in (*plan.targets, *made):
            readers[kept] = readers.get(kept, 0) + 1
        return results

    def __contains__(self, read: Input) -> bool:
        return read.whole in self.made

    def __getitem__(self, read: Input) -> Artifact:
        artifact = self.made.get(read.whole)
        if artifact is None:
            raise InternalError(f"Output {read.output} of task {read.task} is read, and is not there.")
        return artifact

    def put(self, task: int, artifacts: tuple[Artifact, ...]) -> list[int]:
        """Take in what a task has made. Gives the tasks that waited for nothing else."""
        for output, artifact in enumerate(artifacts):
            self.made[Input(task, output)] = artifact
        missing = self.missing
        complete = []
        for consumer in self.consumers[task]:
            missing[consumer] -= 1
            if not missing[consumer]:
                complete.append(consumer)
        return complete

    def release(self, inputs: tuple[Input, ...]) -> list[Artifact]:
        """A reader of these is done. Gives what nobody else will read."""
        unread = []
        for read in inputs:
            whole = read.whole
            left = self.readers[whole] - 1
            self.readers[whole] = left
            if not left:
                unread.append(self.made.pop(whole))
        return unread


def output_count(outputs: Sequence[Output]) -> int:
    """How many artifacts a task with these outputs makes when it succeeds.

    >>> output_count([Output(3), Output(4), Output(1, rescue=True)])
    2
    """
    count = len(outputs)
    while count and outputs[count - 1].rescue:
        count -= 1
    return count


def stored(artifacts: Iterable[Artifact]) -> Iterator[Artifact]:
    """Those that lie in the store, of these and of their parts.

    >>> parts = Artifact("parts", (Artifact("pickle", "a/0", 9), Artifact("pickle", b"small", 5)), 14)
    >>> list(stored([parts]))
    [Artifact(codec='pickle', body='a/0', nbytes=9, checksum=None, groups=None)]
    """
    waiting = list(artifacts)
    waiting.reverse()
    while waiting:
        artifact = waiting.pop()
        if isinstance(artifact.body, tuple):
            waiting.extend(reversed(artifact.body))
        elif isinstance(artifact.body, str):
            yield artifact
