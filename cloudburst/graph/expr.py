"""The node of the graph: immutable, and named at birth by its content.

An expression is what it does, its arguments, and a key made of both. Arguments are other expressions or plain scalars.
The key is made when the node is made, from the keys of its arguments, so that nothing ever has to walk down a chain to
name it. Equality and hash are the key. The place in the user's program is carried along for messages and is no part of
the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from types import CodeType
from typing import Any

from cloudburst.graph.nodes import What, nonce
from cloudburst.keys import SCALARS


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expr:
    """A node: ``what`` applied to ``args``, of which the last ``len(names)`` are keyword arguments."""

    what: What
    args: tuple[Any, ...]
    names: tuple[str, ...]
    key: bytes
    code: CodeType | None = None
    lasti: int = -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """A readable head and twelve digits: ``clean-49059bab2dec``."""
        return f"{self.what.label.strip('.()[] ') or 'item'}-{self.key.hex()[:12]}"

    @property
    def children(self) -> list[Expr]:
        """The expressions among the arguments, in order."""
        return [arg for arg in self.args if type(arg) is Expr]

    def __reduce__(self) -> tuple[Any, ...]:
        from cloudburst.graph.flat import flatten, unflatten_one

        return unflatten_one, (flatten([self]),)


_new: Callable[[type[Expr]], Expr] = object.__new__
_what, _args, _names, _key, _code, _lasti = (Expr.__dict__[field.name].__set__ for field in fields(Expr))


def born(
    what: What, args: tuple[Any, ...], names: tuple[str, ...], key: bytes, code: CodeType | None, lasti: int
) -> Expr:
    """A node of parts that are known to be right, made in half the time: graphs are built of hundreds of thousands.

    The ``__init__`` of a frozen dataclass asks ``object.__setattr__`` for every field; the slots' own setters do not.
    """
    expr = _new(Expr)
    _what(expr, what)
    _args(expr, args)
    _names(expr, names)
    _key(expr, key)
    _code(expr, code)
    _lasti(expr, lasti)
    return expr


def written(head: bytes, args: Sequence[Any], names: tuple[str, ...], *, of: dict[bytes, bytes] | None = None) -> bytes:
    """The identity of a node from those of its parts; ``of`` says what names a child, its key if left out."""
    parts = [b"%d:" % len(head), head]
    for arg in args:
        if type(arg) is Expr:
            parts.append(b"@" + (arg.key if of is None else of[arg.key]))
        else:
            parts.append(SCALARS[type(arg)](arg))
    if names:
        parts.append(named(names))
    return blake2b(b"".join(parts), digest_size=16).digest()


def named(names: tuple[str, ...]) -> bytes:
    """What keyword names add to a key: a name may hold any character, so they are not just joined."""
    return b"k" + repr(names).encode()


def make(
    what: What,
    args: tuple[Any, ...] = (),
    names: tuple[str, ...] = (),
    code: CodeType | None = None,
    lasti: int = -1,
) -> Expr:
    """A node of these parts; an impure one is made unlike all others.

    >>> from cloudburst.graph.nodes import Operator
    >>> make(Operator("add"), (1, 2)) == make(Operator("add"), (1, 2)) != make(Operator("add"), (1, 2.0))
    True
    """
    head = what.head if what.pure else what.head + nonce()
    return born(what, args, names, written(head, args, names), code, lasti)
