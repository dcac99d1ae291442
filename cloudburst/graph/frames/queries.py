"""Rules of ``query`` and ``eval``, whose text names columns."""

from __future__ import annotations

import ast
import re
from typing import Final, NamedTuple

from cloudburst.graph.frames.constants import UNKNOWN
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import other_rows, own
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted
from cloudburst.graph.frames.spelled import Spelled

_LOCAL: Final = "_CLOUDBURST_LOCAL_"
_QUOTED: Final = "_CLOUDBURST_QUOTED_"
_TOKEN: Final = re.compile(r"""'[^'\\\n]*'|"[^"\\\n]*"|`([^`\n]*)`|@([A-Za-z_]\w*)|["'`@\\#]""")
_PLAIN: Final = re.compile(r"[A-Za-z_ ][\w ]*", re.ASCII)
_METHODS: Final = frozenset(
    "isin isna isnull notna notnull between abs round contains startswith endswith match fullmatch lower upper strip "
    "lstrip rstrip len slice replace get fillna".split()
)
"""Methods of a series, or of what its accessors give, that give a series of the same rows."""
_MASKS: Final = frozenset("isin isna isnull notna notnull between contains startswith endswith match fullmatch".split())
_FIELDS: Final = frozenset("str dt year month day hour minute second quarter dayofweek weekday dayofyear".split())


class Text(NamedTuple):
    """What the text of a query or an evaluation says."""

    names: frozenset[str]
    """Columns and levels of the index that it reads."""
    is_mask: bool
    """Whether it gives a truth value for each row."""
    target: str = ""
    """The column that it makes; empty where it makes none."""
    is_column: bool = False
    """Whether it gives a value for each row."""


def read(text: object) -> Text | None:
    """What a text says; ``None`` where that is not certain.

    Parameters
    ----------
    text : object
        What ``query`` or ``eval`` is given.

    Examples
    --------
    >>> sorted(read("price > @limit and `unit name` in ['a', 'b']").names)
    ['price', 'unit name']
    >>> read("total = price * number").target, read("price > 2").is_mask, read("price +").__class__.__name__
    ('total', True, 'NoneType')
    """
    if type(text) is not str or "\n" in text.strip() or _LOCAL in text or _QUOTED in text:
        return None
    quoted: list[str] = []
    plain = _with_plain_names(text.strip(), quoted)
    if plain is None:
        return None
    try:
        statements = ast.parse(plain).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if len(statements) != 1:
        return None
    statement, target = statements[0], ""
    if isinstance(statement, ast.Assign):
        if len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
            return None
        target = statement.targets[0].id
        if target.startswith((_LOCAL, _QUOTED)):
            return None
    elif not isinstance(statement, ast.Expr):
        return None
    names = _names(statement.value)
    if names is None:
        return None
    columns = {_unquoted(name, quoted) for name in names if not name.startswith(_LOCAL)}
    if any(name == "columns" or name.startswith("clevel_") for name in columns):
        return None
    return Text(frozenset(columns), _is_mask(statement.value), target, _is_column(statement.value))


def _with_plain_names(text: str, quoted: list[str]) -> str | None:
    """The text with names in backticks and the caller's variables as names of Python; ``None`` where it is odd."""
    is_odd = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal is_odd
        if found[1] is not None:
            is_odd = is_odd or not _PLAIN.fullmatch(found[1])
            quoted.append(found[1])
            return f"{_QUOTED}{len(quoted) - 1}"
        if found[2] is not None:
            return _LOCAL + found[2]
        is_odd = is_odd or len(found[0]) < 2
        return found[0]

    plain = _TOKEN.sub(replaced, text)
    return None if is_odd else plain


def _unquoted(name: str, quoted: list[str]) -> str:
    return quoted[int(name.removeprefix(_QUOTED))] if name.startswith(_QUOTED) else name


_KNOWN_NODES: Final = (
    ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Attribute, ast.Call, ast.List,
    ast.Tuple, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context, ast.keyword, ast.Load,
)  # fmt: skip


def _names(tree: ast.expr) -> set[str] | None:
    names: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, _KNOWN_NODES):
            return None
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
                return None
        elif isinstance(node, ast.Attribute) and node.attr not in _METHODS | _FIELDS:
            return None
    return names


def _is_column(tree: ast.expr) -> bool:
    """Whether an expression gives a value for each row."""
    if isinstance(tree, ast.Name):
        return not tree.id.startswith(_LOCAL)
    if isinstance(tree, ast.BinOp):
        return _is_column(tree.left) or _is_column(tree.right)
    if isinstance(tree, ast.UnaryOp):
        return _is_column(tree.operand)
    if isinstance(tree, ast.Attribute):
        return tree.attr in _FIELDS and _is_column(tree.value)
    if isinstance(tree, ast.Call):
        return isinstance(tree.func, ast.Attribute) and _is_column(tree.func.value)
    return _is_mask(tree)


def _is_mask(tree: ast.expr) -> bool:
    """Whether an expression gives a truth value for each row."""
    if isinstance(tree, ast.BoolOp):
        return all(map(_is_mask, tree.values))
    if isinstance(tree, ast.BinOp):
        return isinstance(tree.op, ast.BitAnd | ast.BitOr) and _is_mask(tree.left) and _is_mask(tree.right)
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not | ast.Invert) and _is_mask(tree.operand)
    if isinstance(tree, ast.Call):
        return isinstance(tree.func, ast.Attribute) and tree.func.attr in _MASKS and _is_column(tree.func.value)
    if not isinstance(tree, ast.Compare):
        return False
    sides = [tree.left, *tree.comparators]
    return all(
        _is_column(left) or (not isinstance(op, ast.In | ast.NotIn) and _is_column(right))
        for left, op, right in zip(sides[:-1], tree.ops, sides[1:], strict=True)
    )


def text_of(one: Spelled) -> Text | None:
    """What the text of a ``query`` or ``eval`` says; ``None`` where that is not certain."""
    text = one.constant("expr")
    return read(text) if text is not UNKNOWN and one.only("expr", "local_dict") else None


def _clash(names: frozenset[str], frame: Known) -> bool:
    """Whether pandas may take another column for a name in backticks, which it reads without its spaces."""
    odd = {name for name in names if not name.isidentifier()}
    if not odd:
        return False
    return frame.columns is None or any(not re.fullmatch(r"\w+", label) and label not in odd for label in frame.columns)


def _query_known(one: Spelled, knowledge: Knowledge) -> Known:
    text = text_of(one)
    return other_rows(own(one, knowledge)) if text is not None and text.is_mask and not text.target else NOTHING


def _query_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    text = text_of(one)
    if text is None or not text.is_mask or text.target or _clash(text.names, own(one, knowledge)):
        return NEEDS_ALL
    return {0: None if wanted is None else wanted | text.names}


def _eval_known(one: Spelled, knowledge: Knowledge) -> Known:
    text, frame = text_of(one), own(one, knowledge)
    if text is None or not text.is_column:
        return NOTHING
    if not text.target:
        return NOTHING
    if "local_dict" in one.places:  # a variable with other labels can make an empty frame longer
        columns = None if frame.columns is None else dict.fromkeys([*frame.columns, text.target], "")
        return Known("frame", columns)
    return frame if frame.columns is None else frame._replace(columns={**frame.columns, text.target: ""})


def _eval_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    text = text_of(one)
    if text is None or not text.is_column or _clash(text.names, own(one, knowledge)):
        return NEEDS_ALL
    if not text.target:
        return {0: text.names}
    return {0: None if wanted is None else wanted | text.names}


METHODS: ByKind = {
    "frame": {
        "query": Rule(_query_known, _query_needs, ("expr",)),
        "eval": Rule(_eval_known, _eval_needs, ("expr",)),
    }
}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {}
