"""What a plan is made of beside the graph: functions as they are captured now, and values that no task makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudburst.arguments import Handle
from cloudburst.errors import UsageError
from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, FunctionValue, Literal, Source, Stored
from cloudburst.planner import Materials
from cloudburst.runtime import artifacts, codecs
from cloudburst.runtime.capture import Captured, capture
from cloudburst.runtime.layout import given_key
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.task import Artifact, Function
from cloudburst.uploads import uploaded


@dataclass(frozen=True, slots=True)
class Captures:
    """The functions of a graph as they were captured, each once."""

    by_identity: dict[bytes, Captured]
    why_not: dict[str, str]
    """By name: why a function has no digest."""

    @property
    def digests(self) -> dict[bytes, bytes | None]:
        """By identity."""
        return {identity: captured.digest for identity, captured in self.by_identity.items()}

    @property
    def impure(self) -> dict[bytes, frozenset[str]]:
        """By identity: what a function reaches that differs from call to call."""
        return {identity: captured.impure for identity, captured in self.by_identity.items() if captured.impure}


def capture_functions(nodes: Sequence[Expr]) -> Captures:
    """Capture every function that the nodes call or hold, as it is now.

    Raises
    ------
    CaptureError
        If one cannot travel.
    DeferredError
        If one uses a Deferred otherwise than as an argument.
    """
    found: dict[bytes, Captured] = {}
    why_not: dict[str, str] = {}
    cache: dict[Any, Any] = {}
    for node in nodes:
        what = node.what
        if isinstance(what, Call | FunctionValue) and what.identity not in found:
            captured = capture(what.function, stage=what.label, forbidden=(Handle,), cache=cache)
            found[what.identity] = captured
            if captured.digest is None:
                why_not[what.label] = captured.why_not
    return Captures(found, why_not)


def materials(graph: Graph, captures: Captures, store: Store | None, prefix: str) -> Materials:
    """Functions by the ids under which they travel, and the values that no task makes, stored.

    Large values are written to the store here, before anything is dispatched; without a store, because nothing will be
    dispatched, only their sizes are told.
    """
    ids: dict[bytes, str] = {}
    functions: dict[str, Function] = {}
    for node in graph.nodes:
        what = node.what
        if isinstance(what, Call | FunctionValue) and what.identity not in ids:
            captured = captures.by_identity[what.identity]
            name = (captured.digest or what.identity).hex()
            ids[what.identity] = name
            functions[name] = Function(captured.payload, captured.digest)
    given: dict[tuple[bytes, bool], Artifact] = {}
    for node in graph.nodes:
        fans = isinstance(node.what, Call) and node.what.fans
        for position, arg in enumerate(node.args):
            if type(arg) is Expr and isinstance(arg.what, Literal | Stored):
                _give(arg, fans and position == 0, given, store, prefix)
    for root in graph.roots:
        if isinstance(root.what, Literal | Stored):
            _give(root, False, given, store, prefix)
    sources = [node.what for node in graph.nodes if isinstance(node.what, Source)]
    return Materials(ids, functions, given, uploaded(sources, store) if store is not None and store.is_shared else {})


def _give(leaf: Expr, parts: bool, given: dict[tuple[bytes, bool], Artifact], store: Store | None, prefix: str) -> None:
    if (leaf.key, parts) not in given:
        what = leaf.what
        assert isinstance(what, Literal | Stored)
        if store is None:
            given[leaf.key, parts] = _named(what) if isinstance(what, Stored) else Artifact("given", b"", what.nbytes)
            return
        key = given_key(prefix, len(given))
        if isinstance(what, Stored):
            given[leaf.key, parts] = _stored(what, parts, store, key)
        else:
            given[leaf.key, parts] = _written(what, parts, store, key)


def _named(what: Stored) -> Artifact:
    """What is read of a stored value."""
    artifact: Artifact = what.artifact
    return artifact if what.groups is None else artifact._replace(groups=what.groups)


def _stored(what: Stored, parts: bool, store: Store, key: str) -> Artifact:
    if what.store is not None and what.store.url != store.url:
        raise UsageError(
            f"{what.name} was persisted under another provider, whose store is {what.store.url}. "
            "Persist it again under the one that is current now."
        )
    artifact = _named(what)
    if parts and artifact.codec != artifacts.PARTS:
        return artifacts.write(artifacts.read(artifact, store), store, key, parts=True)
    return artifact


def _written(what: Literal, parts: bool, store: Store, key: str) -> Artifact:
    if not what.pickled:
        return artifacts.write(what.value, store, key, parts=parts)
    codec, data = what.value
    if parts:
        return artifacts.write(codecs.decode(codec, memoryview(data)), store, key, parts=True)
    return artifacts.write_encoded(codec, [data], store, key)
