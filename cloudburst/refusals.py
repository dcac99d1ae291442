"""What a Deferred refuses: whatever would need the value now, or would change it. Each refusal names the mend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from cloudburst.arguments import Handle
from cloudburst.errors import DeferredError

NO_VALUE = (
    "a Deferred has no value yet. In a condition, compute() it first; given to plain pandas or numpy, "
    "make that call deferred too: cpd.concat([df, d])"
)

WRITERS = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"})
"""Functions of numpy that write to their first argument."""


class Refusals(Handle):
    """The special methods that cannot give another Deferred."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise DeferredError(f"a condition asked whether {self!r} is true: {NO_VALUE}")

    def __iter__(self) -> NoReturn:
        raise DeferredError(
            f"something iterated over {self!r}: {NO_VALUE}; "
            "to work on each item, f.map(d); for several results, @cb.stage(outputs=2)"
        )

    def __len__(self) -> NoReturn:
        raise DeferredError(f"something asked for the length of {self!r}: {NO_VALUE}; deferred: cb.defer(len)(d)")

    def __contains__(self, item: object) -> NoReturn:
        raise DeferredError(f"`in` asked what {self!r} contains: {NO_VALUE}")

    def __float__(self) -> NoReturn:
        raise DeferredError(f"float() asked for the value of {self!r}: {NO_VALUE}")

    def __int__(self) -> NoReturn:
        raise DeferredError(f"int() asked for the value of {self!r}: {NO_VALUE}")

    def __index__(self) -> NoReturn:
        raise DeferredError(f"an index was made of {self!r}: {NO_VALUE}")

    def __complex__(self) -> NoReturn:
        raise DeferredError(f"complex() asked for the value of {self!r}: {NO_VALUE}")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise DeferredError(f"numpy made an array of {self!r}: {NO_VALUE}")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.assign(column=...), or write to it inside a stage.")

    def __delitem__(self, key: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.drop(columns=[...]).")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.assign({name}=...).")

    def __delattr__(self, name: str) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.drop(columns=[{name!r}]).")

    def __format__(self, spec: str) -> str:
        if spec:
            raise DeferredError(f"a format asked for the value of {self!r}: {NO_VALUE}")
        return repr(self)


def refuse_writing(name: str, kwargs: Mapping[str, Any]) -> None:
    """Raise if a function of numpy is asked to write its result into a value that is there already."""
    if kwargs.get("out") is not None:
        raise DeferredError(
            f"numpy's {name} would write a value that is not there yet into an array: leave out= away, and write "
            f"a = a + d for a += d. {NO_VALUE}"
        )
    if name in WRITERS:
        raise DeferredError(f"numpy's {name} writes to its first argument: do that inside a stage. {NO_VALUE}")
