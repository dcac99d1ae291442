"""What is read of files and of values, in words: how much of how much, and what stood in the way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

from cloudburst.graph.facts import Reading
from cloudburst.graph.frames.clauses import worded
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Source, Stored
from cloudburst.report.amounts import counted, listed, times, volume
from cloudburst.report.outline import Row
from cloudburst.runtime.task import GIVEN, Plan


def readings_of(graph: Graph) -> list[str]:
    """A sentence for each source, and one more for each reason why it is not read in part.

    >>> from cloudburst.graph.expr import make
    >>> from cloudburst.files import File
    >>> node = make(Source("parquet", (File("/data/a.parquet", 9000, "1"),)))
    >>> reading = Reading(node.key, (2, 15), (1, 4), (700, 9000), why_rows="")
    >>> readings_of(Graph((node,), (node,), readings=(reading,)))
    ['a.parquet: 2 of 15 columns, 1 of 4 row groups, about 700 bytes of 8.79 KB']
    """
    about = {reading.key: reading for reading in graph.readings}
    sentences: list[str] = []
    for node in graph.nodes:
        if isinstance(node.what, Source):
            reading = about.get(node.key, Reading(node.key, None, None, None))
            sentences.append(f"{_named(node.what)}: {_how_much(reading)}")
            sentences += [f"  {why}" for why in (reading.why_columns, reading.why_rows) if why]
            if node.what.clauses:
                sentences.append(f"  pandas gets rows where {' and '.join(map(worded, node.what.clauses))}")
    return sentences


def stored_readings(graph: Graph) -> list[str]:
    """A sentence for each value that lies in the store already, with how much is read of it where that is known.

    >>> from cloudburst.graph.expr import make
    >>> node = make(Stored(None, b"d", "clean"))
    >>> reading = Reading(node.key, (2, 15), (1, 4), (700, 9000))
    >>> stored_readings(Graph((node,), (node,))), stored_readings(Graph((node,), (node,), readings=(reading,)))
    (['clean'], ['clean: 2 of 15 columns, 1 of 4 row groups, about 700 bytes of 8.79 KB'])
    """
    about = {reading.key: reading for reading in graph.readings}
    sentences: list[str] = []
    whole: Counter[str] = Counter()
    for node in graph.nodes:
        if isinstance(node.what, Stored):
            reading = about.get(node.key)
            if reading is None:
                whole[node.what.label] += 1
            else:
                sentences.append(f"{node.what.label}: {_how_much(reading)}")
                sentences += [f"  {why}" for why in (reading.why_columns, reading.why_rows) if why]
    return [*[f"{label}{times(number)}" for label, number in whole.items()], *sentences]


def taken_in_part(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """A sentence for each row that reads some columns only of what another one stores."""
    return list(dict.fromkeys(_parts(plan, rows)))


def _parts(plan: Plan, rows: Sequence[Row]) -> Iterator[str]:
    row_of = {task: row for row in rows for task in row.tasks}
    for row in rows:
        for task in row.tasks[:1]:
            for one in plan.tasks[task].inputs:
                if one.columns is not None:
                    maker = "a given value" if one.task == GIVEN else _numbered(row_of[one.task])
                    yield f"{_numbered(row)} reads {listed(one.columns) or 'no column'} of {maker}"


def _numbered(row: Row) -> str:
    return f"{row.number} {row.stage}"


def _named(what: Source) -> str:
    names = [os.path.basename(file.path) for file in what.files]
    if len(names) == 1:
        return names[0]
    folder = what.root or os.path.commonpath([file.path for file in what.files])
    return f"{os.path.basename(folder) or folder} ({counted(len(names), 'file')})"


def _how_much(reading: Reading) -> str:
    words = []
    if reading.columns is None:
        words.append("every column")
    else:
        read, total = reading.columns
        words.append(f"at most {counted(read, 'column')}" if total is None else _of(read, total, "column"))
    if reading.groups is not None:
        words.append(_of(*reading.groups, "row group"))
    if reading.nbytes is not None:
        some, everything = reading.nbytes
        words.append(f"about {volume(some)} of {volume(everything)}" if some < everything else f"about {volume(some)}")
    return ", ".join(words)


def _of(read: int, total: int, thing: str) -> str:
    return f"all {counted(total, thing)}" if read == total and total > 1 else f"{read:,} of {counted(total, thing)}"
