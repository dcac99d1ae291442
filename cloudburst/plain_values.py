"""Arguments that a plan may look at: nobody can write to them, or to the copy that is kept of them."""

from __future__ import annotations

from typing import Any, Final

from cloudburst.keys import SCALARS

CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})
NOTHING: Final = object()
"""Stands for a copy that there is none of."""

_MOMENTS = frozenset("date datetime time timedelta Timestamp Timedelta NaTType NAType Decimal".split())


def is_moment(value: Any) -> bool:
    """Whether it is a moment, a span of time or a number: nobody can write to it, and plans may look at it."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library in ("datetime", "decimal", "pandas"):
        zone = getattr(value, "tzinfo", None)
        return kind.__name__ in _MOMENTS and (zone is None or type(zone).__module__ in ("datetime", "zoneinfo"))
    return library == "numpy" and getattr(value, "shape", None) == () and value.dtype.kind in "biufmM"


_SPELLINGS = frozenset(("NamedAgg", "Grouper", "TimeGrouper"))


def is_spelling(value: Any) -> bool:
    """Whether it is how pandas spells an op out, in words and spans of time alone: plans may look at such."""
    kind = type(value)
    if kind.__name__ not in _SPELLINGS or kind.__module__.partition(".")[0] != "pandas":
        return False
    return all(_is_word(part) for part in vars(value).values())


def _is_word(part: Any) -> bool:
    kind = type(part)
    if kind in (tuple, dict):
        return not part
    return kind in SCALARS or is_moment(part) or kind.__module__.startswith("pandas._libs.tslibs")


def copied(value: Any, depth: int = 4) -> Any:
    """A copy of a container and of all containers in it, where else it holds only what nobody can write to."""
    kind = type(value)
    if kind in SCALARS or is_moment(value):
        return value
    if kind is slice:
        parts = [copied(part, 0) for part in (value.start, value.stop, value.step)]
        return NOTHING if any(part is NOTHING for part in parts) else slice(*parts)
    if kind not in CONTAINERS or not depth:
        return NOTHING
    members = [part for pair in value.items() for part in pair] if kind is dict else value
    copies = [copied(member, depth - 1) for member in members]
    if any(copy is NOTHING for copy in copies):
        return NOTHING
    return dict(zip(copies[::2], copies[1::2], strict=True)) if kind is dict else kind(copies)
