"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_UNITS = ("KB", "MB", "GB", "TB")


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "task"), counted(12000, "task"), counted(2, "retry")
    ('1 task', '12,000 tasks', '2 retries')
    """
    if number == 1:
        return f"1 {thing}"
    plural = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number:,} {plural}"


def duration(seconds: float) -> str:
    """A time as short as its size deserves.

    >>> duration(0.0123), duration(4.25), duration(75), duration(7500)
    ('12 ms', '4.2 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def volume(nbytes: int) -> str:
    """A number of bytes, counted by 1024 as sizes of tasks are.

    >>> volume(0), volume(900), volume(2048), volume(1536 * 1024**2)
    ('0 bytes', '900 bytes', '2 KB', '1.5 GB')
    """
    if nbytes < 1024:
        return counted(nbytes, "byte")
    steps = 1
    while nbytes / 1024**steps >= 999.5 and steps < len(_UNITS):
        steps += 1
    amount = nbytes / 1024**steps
    return f"{amount:.3g} {_UNITS[steps - 1]}" if amount < 999.5 else f"{amount:,.0f} {_UNITS[steps - 1]}"


def often(number: int) -> str:
    """How often something was done.

    >>> often(1), often(2), often(12)
    ('once', 'twice', '12 times')
    """
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def times(number: int) -> str:
    """What stands behind the name of something that is there more than once.

    >>> times(1), times(12)
    ('', ' ×12')
    """
    return f" ×{number:,}" if number > 1 else ""


def listed(texts: Iterable[str], most: int = 8) -> str:
    """Texts in a row: repeated ones folded, and no more than a reader wants.

    >>> listed(["add", "add", ".head()"]), listed(map(str, range(100)), most=3)
    ('add ×2, .head()', '0, 1, and 98 more')
    """
    folded: list[tuple[str, int]] = []
    for text in texts:
        if folded and folded[-1][0] == text:
            folded[-1] = text, folded[-1][1] + 1
        else:
            folded.append((text, 1))
    shown = folded if len(folded) <= most else folded[: most - 1]
    left = sum(number for _, number in folded[len(shown) :])
    words = [f"{text}{times(number)}" for text, number in shown]
    return ", ".join([*words, f"and {left:,} more"] if left else words)


def at_most(lines: Sequence[str], most: int) -> list[str]:
    """The first lines of many, and how many more there are.

    >>> at_most(["a", "b", "c"], 2)
    ['a', '… and 2 more']
    """
    return list(lines) if len(lines) <= most else [*lines[: most - 1], f"… and {len(lines) - most + 1:,} more"]
