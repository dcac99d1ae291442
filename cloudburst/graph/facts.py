"""What the passes may know of the world. They do no I/O: all of it is worked out before and handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Facts:
    """The world as a run finds it.

    ``digests`` says for each function's identity what it captured, ``None`` where that has no digest; ``impure`` what
    it reaches that differs from call to call; ``present`` which values are stored already, by digest.
    """

    digests: Mapping[bytes, bytes | None] = field(default_factory=dict)
    impure: Mapping[bytes, frozenset[str]] = field(default_factory=dict)
    present: Mapping[bytes, Any] = field(default_factory=dict)


class Merged(NamedTuple):
    """Equal expressions that became one."""

    label: str
    key: bytes
    times: int
    """How often it was written, the one that is left included."""
    is_stage: bool
    reaches: frozenset[str] = frozenset()
    """What differs from call to call and is reached by its code: reason for a warning."""
