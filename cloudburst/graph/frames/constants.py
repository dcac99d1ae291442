"""Arguments whose value is known while planning: scalars, literals, and containers of them."""

from __future__ import annotations

from typing import Any, Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Build, Literal


class _Unknown:
    """Stands for a value that only the run will tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("whether a value that is not known is true is not known")


UNKNOWN: Final = _Unknown()


def constant(arg: Any) -> Any:
    """The value of an argument, or ``UNKNOWN``. What is given is not to be written to.

    >>> from cloudburst.graph.expr import make
    >>> from cloudburst.graph.nodes import Operator
    >>> constant(make(Build("list"), ("a", make(Build("tuple"), (1, 2)))))
    ['a', (1, 2)]
    >>> constant(make(Build("list"), ("a", make(Operator("neg"), (1,)))))
    UNKNOWN
    """
    if type(arg) is not Expr:
        return arg
    what = arg.what
    if isinstance(what, Literal):
        return UNKNOWN if what.pickled else what.value
    if not isinstance(what, Build):
        return UNKNOWN
    members = [constant(member) for member in arg.args]  # as deep as the caller's own literal
    if any(member is UNKNOWN for member in members):
        return UNKNOWN
    if what.container == "dict":
        return dict(zip(members[::2], members[1::2], strict=True))
    if what.container == "slice":
        return slice(*members)
    make_container = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}.get(what.container)
    return UNKNOWN if make_container is None else make_container(members)


def label_list(value: Any) -> list[str] | None:
    """One ``str`` label or a list, tuple or the like of them as a list; ``None`` for anything else.

    >>> label_list("a"), label_list(["a", "b"]), label_list([0]), label_list(UNKNOWN)
    (['a'], ['a', 'b'], None, None)
    """
    if type(value) is str:
        return [value]
    if type(value) in (list, tuple) and all(type(one) is str for one in value):
        return list(value)
    return None
