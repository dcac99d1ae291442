"""What gives another value at every call: clocks, random numbers, fresh identifiers. Told by name, to warn with."""

from __future__ import annotations

from collections.abc import Iterable

from cloudburst.runtime.bytecode import CALLED

_GENERATORS = frozenset(
    {"Generator", "RandomState", "SeedSequence", "BitGenerator", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
)
_SAME_EACH_TIME = {
    "random": frozenset({"Random"}),
    "numpy.random": _GENERATORS | {"default_rng"},
    "secrets": frozenset({"compare_digest"}),
}
"""What takes a seed, so that it differs only where it is called without one."""

_CLOCKS = frozenset(
    f"{clock}{unit}"
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
)
_CLOCKS_WITHOUT_ARGUMENT = frozenset({"localtime", "gmtime", "ctime", "asctime"})
_NOW = frozenset({"now", "today", "utcnow"})


def differing(names: Iterable[str]) -> frozenset[str]:
    """The modules among dotted names whose use differs from call to call.

    Parameters
    ----------
    names : iterable of str
        ``Reach.outside``: modules with the attributes read of them, ``()`` at the end of a call without arguments.

    Returns
    -------
    frozenset of str
        Such as ``random``, ``numpy.random``, ``secrets``, ``uuid``, ``time``, ``datetime``, ``os.urandom``. A generator
        made with a seed is none, and neither are the functions of a module that is seeded here.

    Examples
    --------
    >>> sorted(differing({"numpy.random.rand", "numpy.sin", "time.time", "time.sleep"}))
    ['numpy.random', 'time']
    >>> differing({"numpy.random.default_rng", "random.seed", "random.random"})
    frozenset()
    """
    names = frozenset(names)
    seeded = {name for name in ("random", "numpy.random") if f"{name}.seed" in names}
    return frozenset(source for name in names if (source := _source(name)) is not None and source not in seeded)


def _source(name: str) -> str | None:
    parts = name.split(".")
    top = "numpy.random" if parts[:2] == ["numpy", "random"] else parts[0]
    rest = name[len(top) + 1 :].split(".") if len(name) > len(top) else []
    first = rest[0] if rest else None
    if top in _SAME_EACH_TIME:
        seedable = first in _SAME_EACH_TIME[top] and rest[1:2] != [CALLED]
        return None if seedable or (first is not None and first.startswith("_")) else top
    if top == "uuid":
        return "uuid" if first in {"uuid1", "uuid4", "uuid6", "uuid7", "getnode"} else None
    if top == "time":
        return "time" if first in _CLOCKS or (first in _CLOCKS_WITHOUT_ARGUMENT and CALLED in rest) else None
    if top == "datetime":
        return "datetime" if not _NOW.isdisjoint(rest) else None
    if top == "pandas":
        return "pandas.Timestamp" if "Timestamp" in rest and not _NOW.isdisjoint(rest) else None
    return "os.urandom" if top == "os" and first == "urandom" else None
