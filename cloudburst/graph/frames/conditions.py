"""The text of ``query``: which condition on the frame's columns it is.

The text is read as pandas reads it: ``&`` and ``|`` bind as ``and`` and ``or`` do, a name in backticks is a column, one
after ``@`` a variable. What is not known here gives ``None``: it may be anything, and may raise because of any row.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from cloudburst.graph.frames.columns import (
    Column,
    Operand,
    changed_in_sign,
    compare,
    is_in,
    joined,
    opposite,
    reckoned,
    truth_of,
)

_DEEPEST: Final = 60
"""Conditions nested deeper are not followed."""

_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|`[^`]+`|@[A-Za-z_]\w*|[&|]""")
_NOT_FOLLOWED = ("\\", "\n", "\r", "#", ";", "'''", '"""', "&&", "||")
_WORDS = {"&": " and ", "|": " or "}

_COMPARING: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"
}  # fmt: skip
_RECKONING: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv"}

Names = Mapping[str, Any]


def condition(text: object, columns: Mapping[str, Column], variables: Names) -> Column | None:
    """The condition that a text is; ``None`` where it is not certain, or may raise because of a row.

    Parameters
    ----------
    text : object
        What ``query`` was given.
    columns : mapping
        The frame's columns.
    variables : mapping
        Values of names after ``@``.

    Examples
    --------
    >>> condition("x > 3 & not x == @y", {"x": Column("int64")}, {"y": 5}).truth
    Truth(true=-1, false=-1)
    >>> condition("x > z", {"x": Column("int64")}, {})
    """
    if type(text) is not str or any(one in text for one in _NOT_FOLLOWED):
        return None
    spelled, names = _as_python(text, columns, variables)
    try:
        tree = ast.parse(spelled.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = _Reader({**columns, **names}).read(tree.body, 0)
    return found if isinstance(found, Column) and truth_of(found) is not None else None


def _as_python(text: str, columns: Mapping[str, Column], variables: Names) -> tuple[str, dict[str, Any]]:
    """The text with plain names for what is in backticks or after ``@``, and what these names stand for."""
    prefix = "_n"
    while prefix in text:
        prefix += "n"
    fresh: Iterator[str] = (f"{prefix}{number}_" for number in count())
    names: dict[str, Any] = {}

    def replaced(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] in "'\"":
            return token
        if token[0] not in "`@":
            return _WORDS[token]
        name = next(fresh)
        names[name] = columns.get(token[1:-1]) if token[0] == "`" else variables.get(token[1:])
        return f" {name} "

    return _TOKEN.sub(replaced, text), names


class _Reader:
    """Goes through the parsed text. Everything that is not known is ``None``, and so is all that is made of it."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def read(self, node: ast.expr, depth: int) -> Operand | list[Any] | None:
        """The column, condition, constant or list of constants that a part of the text is."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, int | float | str) else None
        if isinstance(node, ast.Name):
            value: Operand | list[Any] | None = self._names.get(node.id)
            return value
        if isinstance(node, ast.List | ast.Tuple):
            members = [self.read(member, depth + 1) for member in node.elts]
            return None if any(one is None or isinstance(one, Column | list) for one in members) else members
        if isinstance(node, ast.UnaryOp):
            return self._unary(node.op, self.read(node.operand, depth + 1))
        if isinstance(node, ast.BoolOp):
            name = "and_" if isinstance(node.op, ast.And) else "or_"
            return self._all(name, (self.read(value, depth + 1) for value in node.values))
        if isinstance(node, ast.BinOp) and type(node.op) in _RECKONING:
            left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
            if left is None or right is None or isinstance(left, list) or isinstance(right, list):
                return None
            return reckoned(_RECKONING[type(node.op)], left, right)
        return self._chain(node, depth) if isinstance(node, ast.Compare) else None

    def _chain(self, node: ast.Compare, depth: int) -> Column | None:
        sides = [self.read(one, depth + 1) for one in (node.left, *node.comparators)]
        links = zip(sides, node.ops, sides[1:], strict=False)
        return self._all("and_", (self._compared(left, op, right) for left, op, right in links))

    @staticmethod
    def _compared(left: Any, op: ast.cmpop, right: Any) -> Column | None:
        if isinstance(op, ast.In | ast.NotIn):
            found = is_in(left, right) if isinstance(left, Column) else None
            return opposite(found) if found is not None and isinstance(op, ast.NotIn) else found
        name = _COMPARING.get(type(op))
        if name is None or left is None or right is None or type(right) in (list, tuple, set, frozenset):
            return None
        if name in ("eq", "ne") and any(_is_moments(one) for one in (left, right)) and str in (type(left), type(right)):
            return None  # pandas looks for the text as it stands, and so finds no moment
        return compare(name, left, right)

    @staticmethod
    def _unary(op: ast.unaryop, operand: Any) -> Operand | None:
        if isinstance(op, ast.Not | ast.Invert):
            return opposite(operand) if isinstance(operand, Column) else None
        if not isinstance(op, ast.USub):
            return None
        if isinstance(operand, Column):
            return changed_in_sign(operand)
        return -operand if type(operand) in (int, float) else None

    @staticmethod
    def _all(name: str, parts: Iterator[Any]) -> Column | None:
        whole: Any = next(parts)
        for part in parts:
            whole = None if whole is None or part is None else joined(name, whole, part)
        return whole if isinstance(whole, Column) and truth_of(whole) is not None else None


def _is_moments(operand: Any) -> bool:
    return isinstance(operand, Column) and operand.sort == "time"
