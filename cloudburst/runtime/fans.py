"""Fanned tasks: the parts that they are performed for, and the lists that the results make.

A million items are as many references to their artifacts and a byte each for their phase: an item is an object of its
own only while a worker has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudburst.errors import InternalError
from cloudburst.runtime.results import output_count
from cloudburst.runtime.task import Artifact, Task

PARTS = "parts"


@dataclass(slots=True)
class Fan:
    """A fanned task whose number of items is known.

    Parameters
    ----------
    parts : tuple of Artifact
        What it is fanned out over: an item each.
    results : list of list of Artifact or None
        For each output one for each item.
    undecided : int
        Items of which it is not known what becomes of them.
    """

    parts: tuple[Artifact, ...]
    results: list[list[Artifact | None]]
    undecided: int

    @classmethod
    def of(cls, task: Task, over: Artifact) -> Fan:
        """Open a fan over the artifact in its fanned input.

        Raises
        ------
        InternalError
            If that does not lie in parts.
        """
        if not isinstance(over.body, tuple):
            raise InternalError(
                f"{task.name} is to be performed for each part of a value that has none: it is {over.codec}."
            )
        count = len(over.body)
        return cls(over.body, [[None] * count for _ in range(output_count(task.outputs))], count)

    def put(self, item: int, artifacts: tuple[Artifact, ...]) -> None:
        """Take in what one item has made."""
        for results, artifact in zip(self.results, artifacts, strict=True):
            results[item] = artifact

    def lists(self) -> tuple[Artifact, ...]:
        """For each output the list that its items make, which is given once: when every item is done."""
        lists = []
        for results in self.results:
            parts = tuple([artifact for artifact in results if artifact is not None])
            lists.append(Artifact(PARTS, parts, sum([part.nbytes for part in parts])))
        self.results = []
        return tuple(lists)
