"""Doing something again where a store cannot be reached for a while: no longer than workers wait for their driver."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from cloudburst.errors import AccessDenied, NotFound, StoreError, Tampered

LIMIT_S = 120.0
"""As long as a lease may stay as it is by default: then the workers have ended anyway."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0

_T = TypeVar("_T")


def passes(error: StoreError) -> bool:
    """Whether it may be another time than this that is needed, and not another setting.

    >>> passes(StoreError("it was too busy")), passes(AccessDenied("the credentials have expired"))
    (True, False)
    """
    return not isinstance(error, AccessDenied | NotFound | Tampered)


def patiently(act: Callable[[], _T], limit_s: float = LIMIT_S, give_up: Callable[[], bool] = lambda: False) -> _T:
    """What ``act`` gives, tried again as long as the store cannot be reached.

    Parameters
    ----------
    act : callable
        Asks something of a store, and may be called again.
    limit_s : float
        How long.
    give_up : callable
        Says when there is no more use in it.

    Raises
    ------
    StoreError
        The last one, when it has lasted too long; any other error at once.

    Examples
    --------
    >>> patiently(lambda: 3)
    3
    """
    until = monotonic() + limit_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return act()
        except StoreError as error:
            if not passes(error) or give_up() or monotonic() + pause_s > until:
                raise
        sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
