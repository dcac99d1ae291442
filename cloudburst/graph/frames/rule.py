"""What a rule is, and how a family of rules is laid out.

Each family of ops has a file of its own with four tables. ``METHODS``, ``ATTRIBUTES`` and ``OPERATORS`` give rules by
the kind of the value that the op is applied to, then by the op's name: ``sum`` of a frame, of a series and of groups
are three rules, and each may stand in another family. ``FUNCTIONS`` gives rules by the name of a function of pandas. A
rule is asked only where its kind is known to be the value's, and need not look again.

A column's label is taken to mean one column. A frame whose labels repeat or have levels is never narrowed, neither
where it is read nor between stages: what is said of its columns here is then idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.known import NOTHING, Kind, Knowledge, Known
from cloudburst.graph.frames.spelled import Spelled

Wanted = frozenset[str] | None
"""Columns by label; ``None`` for all, and for all else that a value is. A label that the value lacks is no error: the
op that asks for it raises what pandas raises."""

Needs = Mapping[int, Wanted]
"""By place in a node's arguments; a place that is not there needs everything."""

NEEDS_ALL: Needs = {}


class Rule(NamedTuple):
    """What is known of an op.

    ``needs`` says what the op needs of its arguments so that the columns wanted of its value come out exactly as pandas
    makes them of everything, with the same index, and so that it raises exactly when and what pandas raises then: an op
    that could fail on a column needs that column, unless the dtype is known and the op total for it.
    """

    known: Callable[[Spelled, Knowledge], Known]
    needs: Callable[[Spelled, Wanted, Knowledge], Needs]
    parameters: tuple[str, ...] = ()
    """The names of the parameters that can be given by place, in order; for methods without ``self``."""


Rules = Mapping[str, Rule]
"""By the name of the op."""

ByKind = Mapping[Kind, Rules]
"""By the kind of the value that the op is applied to."""


def at(node_or_value: object, knowledge: Knowledge) -> Known:
    """What is known of an argument. A frame or series whose rows are no other's has its own key for them."""
    if not isinstance(node_or_value, Expr):
        return NOTHING
    known = knowledge.get(node_or_value.key, NOTHING)
    if known.rows or known.kind not in ("frame", "series"):
        return known
    return known._replace(rows=node_or_value.key)


def union(one: Wanted, other: Wanted) -> Wanted:
    """Both.

    >>> sorted(union(frozenset("a"), frozenset("b"))), union(frozenset("a"), None)
    (['a', 'b'], None)
    """
    return None if one is None or other is None else one | other


def merged(tables: Iterable[ByKind]) -> dict[Kind, dict[str, Rule]]:
    """The tables of several families as one; no two may have a rule for one op on one kind of value.

    >>> rule = Rule(lambda one, knowledge: NOTHING, lambda one, wanted, knowledge: NEEDS_ALL)
    >>> {kind: list(rules) for kind, rules in merged([{"frame": {"sum": rule}}, {"groups": {"sum": rule}}]).items()}
    {'frame': ['sum'], 'groups': ['sum']}
    """
    every: dict[Kind, dict[str, Rule]] = {}
    for table in tables:
        for kind, rules in table.items():
            there = every.setdefault(kind, {})
            twice = there.keys() & rules.keys()
            if twice:
                raise ValueError(f"two rules for {sorted(twice)} of one kind of value: {kind}")
            there.update(rules)
    return every
