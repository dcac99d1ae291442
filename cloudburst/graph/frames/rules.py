"""The rules: what an op gives, and which columns it needs of the frames that it is given.

A rule that is not there is the safe one: nothing is known of what the op gives, and it needs everything. Each family of
ops has a file of its own, whose tables are put together here.
"""

from __future__ import annotations

from typing import Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames import (
    accessors,
    aggregating,
    arrays,
    changing,
    grouping,
    groups,
    joining,
    loc,
    ordering,
    picking,
    queries,
    reckoning,
    reshaping,
    wholly,
)
from cloudburst.graph.frames.known import NOTHING, Kind, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, Needs, Rule, Wanted, at, merged
from cloudburst.graph.frames.spelled import Spelled, numpy_name, pandas_name, spelled
from cloudburst.graph.nodes import Attribute, Build, Call, Method, Operator

_FAMILIES: Final = (
    *(picking, changing, ordering, reckoning, wholly, accessors, loc, queries),
    *(joining, groups, grouping, aggregating, reshaping, arrays),
)

METHODS = merged(family.METHODS for family in _FAMILIES)
OPERATORS = merged(family.OPERATORS for family in _FAMILIES)
ATTRIBUTES = merged(family.ATTRIBUTES for family in _FAMILIES)
FUNCTIONS: dict[str, Rule] = {name: rule for family in _FAMILIES for name, rule in family.FUNCTIONS.items()}
COLUMN_AS_ATTRIBUTE = {**picking.COLUMN_AS_ATTRIBUTE, **groups.COLUMN_AS_ATTRIBUTE}


def rule_for(node: Expr, knowledge: Knowledge) -> tuple[Rule, Spelled] | None:
    """The rule of a node's op for what it is applied to, and the node spelled out by it, where both are certain."""
    rule = _rule_for(node, knowledge)
    if rule is None:
        return None
    one = spelled(node, {getattr(node.what, "name", ""): rule.parameters})
    return (rule, one) if one.is_clear else None


def _rule_for(node: Expr, knowledge: Knowledge) -> Rule | None:
    what = node.what
    if isinstance(what, Method):
        return METHODS.get(_kind_of(node, knowledge), {}).get(what.name)
    if isinstance(what, Attribute):
        kind = _kind_of(node, knowledge)
        return ATTRIBUTES.get(kind, {}).get(what.name) or COLUMN_AS_ATTRIBUTE.get(kind)
    if isinstance(what, Operator):
        return OPERATORS.get(_kind_of(node, knowledge), {}).get(what.name)
    if isinstance(what, Build):
        return joining.CONTAINERS.get(what.container)
    if not isinstance(what, Call) or what.policy is not None:
        return None
    return FUNCTIONS.get(pandas_name(what) or numpy_name(what))


def _kind_of(node: Expr, knowledge: Knowledge) -> Kind:
    """The kind of the value to which an op is applied: of ``1 - d`` that is the second."""
    kind = at(node.args[0], knowledge).kind if node.args else ""
    if kind in ("", "scalar", "array") and isinstance(node.what, Operator) and len(node.args) > 1:
        return at(node.args[1], knowledge).kind if node.what.name != "getitem" else kind
    return kind


def known_of(node: Expr, knowledge: Knowledge) -> Known:
    """What is known of a node's value, given what is known of its arguments' values."""
    found = rule_for(node, knowledge)
    return NOTHING if found is None else found[0].known(found[1], knowledge)


def needs_of(node: Expr, wanted: Wanted, knowledge: Knowledge) -> Needs:
    """The columns that a node needs of each argument, by place, to give the wanted columns; places left out need all.

    Parameters
    ----------
    node : Expr
        An op.
    wanted : frozenset of str or None
        The columns that are wanted of its value, ``None`` for everything.
    knowledge : mapping
        What is known of its arguments.
    """
    found = rule_for(node, knowledge)
    return NEEDS_ALL if found is None else found[0].needs(found[1], wanted, knowledge)
