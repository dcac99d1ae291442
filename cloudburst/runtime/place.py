"""Where code is running: in the user's own process, or in a performer."""

from __future__ import annotations

_performing = False


def is_performing() -> bool:
    """Whether this process performs tasks, so that what runs here is a stage and must not start a run of its own.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_performing()
    False
    """
    return _performing


def become_performer() -> None:
    """Say so, once and for good: called by the performer before any of the user's code runs."""
    global _performing
    _performing = True
