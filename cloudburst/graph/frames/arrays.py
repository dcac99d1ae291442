"""Rules of NumPy's functions on series: what they give is an array, or for a ufunc a series of the same rows."""

from __future__ import annotations

from typing import Any

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant
from cloudburst.graph.frames.dtypes import is_plain_scalar
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import everything
from cloudburst.graph.frames.rule import ByKind, Rule, Rules, at
from cloudburst.graph.frames.spelled import NUMPY, UFUNC, Spelled


def _array(_one: Spelled, _knowledge: Knowledge) -> Known:
    return Known("array")


def _ufunc(one: Spelled, knowledge: Knowledge) -> Known:
    """A series where all that it is given are series of the same rows, and plain scalars."""
    if one.node.names:
        return NOTHING
    given = [_operand(arg, knowledge) for arg in one.node.args]
    series = [known for known in given if known is not None and known.kind == "series"]
    if not series or None in given or len({known.rows for known in series}) > 1:
        return NOTHING
    names = {known.name for known in series}
    return series[0]._replace(dtype="", name=names.pop() if len(names) == 1 else None)


def _operand(arg: Any, knowledge: Knowledge) -> Known | None:
    """A series, or a scalar; ``None`` for anything else."""
    known = at(arg, knowledge)
    if known.kind in ("series", "scalar"):
        return known
    value = UNKNOWN if isinstance(arg, Expr) and known.kind else constant(arg)
    return Known("scalar") if value is not UNKNOWN and is_plain_scalar(value) else None


METHODS: ByKind = {}
OPERATORS: ByKind = {}
ATTRIBUTES: ByKind = {}
FUNCTIONS: Rules = {
    **dict.fromkeys(NUMPY, Rule(_array, everything)),
    UFUNC: Rule(_ufunc, everything),
}
