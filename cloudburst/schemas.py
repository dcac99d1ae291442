"""What can be learned of a graph's frames before anything is run: from footers, from values, from annotations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from cloudburst.diagnosis import place_of
from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import SourceFacts
from cloudburst.graph.filtered import only_filtered
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, Literal, Operator, Source, Stored
from cloudburst.promises import promised_type
from cloudburst.runtime.artifacts import trailer_told
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.task import Origin
from cloudburst.sources import facts_of

_AT_ONCE = 8


def source_facts(graph: Graph) -> dict[bytes, SourceFacts]:
    """What the footers of the files say that a graph reads, by the key of the node that reads them.

    A file that cannot be read now is left out: the run will say what is wrong with it, and where.
    """
    found = {}
    for node in graph.nodes:
        if isinstance(node.what, Source):
            facts = facts_of(node)
            if facts is not None:
                found[node.key] = facts
    return found


def stored_facts(graph: Graph, store: Store) -> dict[bytes, SourceFacts]:
    """What the trailers of stored frames say, by the key of the node that reads them, where a filter may use it.

    Parameters
    ----------
    graph : Graph
        What is stored already is read by leaves of it.
    store : Store
        That of the run.

    Notes
    -----
    Each trailer is read by a request of its own, several at once, the first time that a process asks for it. One that
    cannot be read, or is not what was written, is left out: the run will say what is wrong with it.
    """
    leaves = [node for node in graph.nodes if isinstance(node.what, Stored) and _lies_in_parts(node.what, store)]
    filtered = only_filtered(graph) if leaves else ()
    sought = [node for node in leaves if node.key in filtered]
    if not sought:
        return {}
    from concurrent.futures import ThreadPoolExecutor

    from cloudburst.runtime.sources import read_stored_facts

    def facts_of_stored(node: Expr) -> SourceFacts | None:
        what = node.what
        assert isinstance(what, Stored)
        return read_stored_facts(what.artifact, store)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cloudburst-facts") as threads:
        found = list(threads.map(facts_of_stored, sought))
    return {node.key: facts for node, facts in zip(sought, found, strict=True) if facts is not None}


def _lies_in_parts(what: Stored, store: Store) -> bool:
    """Whether a stored value can be read in part, from this store."""
    return bool(trailer_told(what.artifact)) and (what.store is None or what.store.url == store.url)


def refuse_missing_columns(graph: Graph, sources: Mapping[bytes, SourceFacts]) -> None:
    """Raise what pandas would, before anything is started, where a column is taken that a file is known to lack.

    Raises
    ------
    KeyError
        With a note that names the line and the columns that there are.
    """
    for node in graph.nodes:
        if not (isinstance(node.what, Operator) and node.what.name == "getitem"):
            continue
        frame, label = node.args
        about = sources.get(frame.key) if type(frame) is Expr else None
        if about is not None and type(label) is str and label not in about.columns:
            error = KeyError(label)
            near = get_close_matches(label, about.columns, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(islice(about.columns, 20))}."
            place = place_of(Origin(node.what.label, node.code, node.lasti))
            error.add_note(f"{place or frame.name}: the frame has no column {label!r}: {mend} Nothing was started.")
            raise error


def known_frames(graph: Graph) -> dict[bytes, Mapping[str, str] | None]:
    """The nodes whose value is certain to be a plain DataFrame, by key, with dtypes by column where these are known."""
    pandas = sys.modules.get("pandas")
    return {} if pandas is None else dict(_frames(graph, pandas.DataFrame))


def _frames(graph: Graph, frame: type) -> Any:
    for node in graph.nodes:
        what = node.what
        if isinstance(what, Literal):
            if type(what.value) is frame:
                yield node.key, _columns(what.value)
        elif isinstance(what, Stored):
            if what.artifact.codec == "parquet":
                yield node.key, None
        elif isinstance(what, Call) and what.policy is not None and _promises(node, frame):
            yield node.key, None


def _promises(node: Expr, frame: type) -> bool:
    return promised_type(node) is frame


def _columns(frame: Any) -> dict[str, str] | None:
    """Dtypes by label, or ``None`` where labels are not distinct texts."""
    labels = list(frame.columns)
    if len(set(labels)) != len(labels) or not all(type(label) is str for label in labels):
        return None
    return {label: str(dtype) for label, dtype in zip(labels, frame.dtypes, strict=True)}
