"""Random programs: sources, filters, joins and other ops, each a line of Python that makes a variable.

A program is grown beside plain pandas: every line is tried on the values that the lines before have made, so that most
of them are right, and what is wrong is wrong on purpose. After a line that raises the program goes on as if it had not.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tests.frames.files import POOL, SOURCES, Pool, Written
from tests.frames.filters import Here, filtered
from tests.frames.kept import KEPT, Kept
from tests.frames.ops import FRAME_OPS, ROW_WISE, Op, assign, evaluated, final, joined, pick_wrong, series, types
from tests.frames.spelling import scope

_TRIES = 6


@dataclass
class Chain:
    """A program. Its value is that of its last variable."""

    lines: list[tuple[str, str]]
    """Variables and the expressions that they stand for."""
    value: Any = None
    """What plain pandas makes of it."""
    error: BaseException | None = None
    """What plain pandas raises."""

    @property
    def text(self) -> str:
        return "\n".join(f"{name} = {text}" for name, text in self.lines)

    @property
    def result(self) -> str:
        return self.lines[-1][0]

    def shorter(self) -> Iterator[Chain]:
        """The program without one of its ops, in every way there is."""
        for place in reversed(range(len(self.lines))):
            name, text = self.lines[place]
            before = [one for one, _ in self.lines[:place]]
            used = [one for one in before if re.search(rf"\b{one}\b", text)]
            rest = self.lines[:place], self.lines[place + 1 :]
            if not any(re.search(rf"\b{name}\b", later) for _, later in rest[1]):
                if rest[1] or used:
                    yield Chain([*rest[0], *rest[1]])
                continue
            for other in used:
                yield Chain([*rest[0], *[(one, re.sub(rf"\b{name}\b", other, later)) for one, later in rest[1]]])


@dataclass
class _Growing:
    rng: random.Random
    pool: Pool | Kept = POOL
    names: dict[str, Any] = field(default_factory=lambda: scope(pd, F=POOL, S=KEPT))
    lines: list[tuple[str, str]] = field(default_factory=list)
    error: BaseException | None = None
    in_order: list[str] = field(default_factory=list)

    def add(self, text: str) -> str:
        """Write a line; what it raises is the caller's affair."""
        value = eval(text, self.names)
        return self._put(text, value)

    def _put(self, text: str, value: Any) -> str:
        name = f"v{len(self.lines):02}"
        self.names[name] = value
        self.lines.append((name, text))
        return name

    def read(self, source: Written) -> str:
        self.in_order += source.sorted
        if source.frame is not None:
            return self._put(source.text, source.frame if self.pool is POOL else self.pool[source.number])
        try:
            eval(source.text, self.names)
        except Exception as error:
            self.error = self.error or error
        return self._put(source.text, pd.DataFrame({"k": [1, 2], "a": [3, 4]}))

    def grow(self, op: Op, name: str, others: list[str], courage: float) -> str | None:
        """Apply an op to a variable; with courage also one that raises."""
        count = len(self.lines)
        beside = [(one, self.names[one]) for one in others]
        here = Here(self.rng, self.names[name], name, self.in_order, self.add, beside)
        try:
            text = op(here)
        except Exception:  # a part of it fits no such value
            text = None
        if text is None:
            return self._undone(count)
        try:
            value = eval(text, self.names)
        except Exception as error:
            is_one_too_many = self.error is not None
            if is_one_too_many or self.rng.random() >= courage or not re.search(rf"\b{name}\b", text):
                return self._undone(count)
            self.error = error
            return self._put(text, self.names[name])
        if _is_too_much(value) or (_is_empty(value) and not _is_empty(self.names[name]) and self.rng.random() < 0.65):
            return self._undone(count)
        return self._put(text, value)

    def _undone(self, count: int) -> None:
        for name, _ in self.lines[count:]:
            del self.names[name]
        del self.lines[count:]

    def some(self, ops: list[tuple[int, Op]], name: str, others: list[str], courage: float = 0.05) -> str:
        """Apply one of the ops that fits."""
        for _ in range(_TRIES):
            [op] = self.rng.choices([op for _, op in ops], [weight for weight, _ in ops])
            made = self.grow(op, name, others, courage)
            if made is not None:
                return made
        return name


def _is_empty(value: Any) -> bool:
    return isinstance(value, pd.DataFrame | pd.Series) and not len(value)


def _is_too_much(value: Any) -> bool:
    """Whether to go on with a value would cost more than it tells, or it is no value that leaves its task."""
    if isinstance(value, pd.DataFrame | pd.Series):
        return value.size > 4000
    return type(value).__module__.startswith("pandas.core") and not isinstance(value, pd.Index)


def chain(seed: int, pool: Pool | Kept = POOL) -> Chain:
    """The program of a seed, and what plain pandas makes of it; it begins with files, or with what is stored."""
    rng = random.Random(seed)
    growing = _Growing(rng, pool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _grow(growing, rng)
        if seed % 4 == 0:
            _end_in_a_column(growing)
    made = Chain(growing.lines)
    made.error = growing.error
    made.value = None if growing.error is not None else growing.names[made.result]
    return made


def _grow(growing: _Growing, rng: random.Random) -> None:
    # What raises does so in one line, and all that comes after uses it: then it is known what has to be raised.
    raises_on_purpose = rng.random() < 0.12
    numbers = [rng.randrange(SOURCES) for _ in range(rng.choice([1, 1, 1, 1, 1, 1, 2, 2, 3]))]
    is_promising = rng.random() < 0.7  # there is something to skip, and not much that is in the way of it
    if is_promising:
        numbers = [_promising(rng, number, growing.pool) for number in numbers[:2]]
    elif rng.random() < 0.5:  # what cannot be read leaves nothing to look at
        numbers = [number for number in numbers if growing.pool.source(number).frame is not None] or [0]
    sources = [growing.read(growing.pool.source(number)) for number in dict.fromkeys(numbers)]
    if growing.error is not None:
        sources = [name for name in sources if growing.pool.source(_number(growing, name)).frame is None][:1]
    branches = []
    for source in sources:
        name = source
        if rng.random() < (0.1 if is_promising else 0.2):
            name = growing.some(ROW_WISE, name, [], courage=0.03 if len(sources) == 1 else 0)
        if rng.random() < (0.97 if is_promising else 0.75):
            for _ in range(rng.choice([1, 1, 1, 2])):
                if isinstance(growing.names[name], pd.DataFrame):
                    name = _filtered(growing, name, 0.6 if is_promising else 1)
        branches.append(name)
    value = branches[0]
    for other in branches[1:]:
        if isinstance(growing.names[value], pd.DataFrame) and growing.error is None:
            value = growing.some([(1, joined)], value, [other], courage=0.02)
    if raises_on_purpose:
        value = _wrong(growing, value)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2] if is_promising else [0, 1, 1, 2, 2, 3, 4])):
        value = _next(growing, value, branches)
    if isinstance(growing.names[value], pd.DataFrame) and rng.random() < (1 if is_promising else 0.85):
        growing.some([(1, final)], value, [], courage=0.1)
    elif growing.lines[-1][0] != value:
        growing.add(value)


def _end_in_a_column(growing: _Growing) -> None:
    """Some more that need little of all that was made."""
    name, _ = growing.lines[-1]
    value = growing.names[name]
    if growing.error is None and isinstance(value, pd.DataFrame):
        labels = [label for label in value.columns if type(label) is str]
        if labels:
            growing.add(f"{name}[[{labels[0]!r}]]")


def _promising(rng: random.Random, number: int, pool: Pool | Kept) -> int:
    """The number of a source with columns in order, in several row groups."""
    for _ in range(20):
        source = pool.source(number)
        if _is_plain(source) and source.sorted and len(source.frame) > 7 and source.frame.index.nlevels == 1:
            return number
        number = rng.randrange(SOURCES)
    return number


def _filtered(growing: _Growing, name: str, most: float = 1) -> str:
    """A filter, mostly one that leaves some rows, and at most this share of them."""
    for _ in range(4):
        count = len(growing.lines)
        made = growing.some([(1, filtered)], name, [], courage=0)
        if made != name and len(growing.names[made]) <= most * len(growing.names[name]):
            return made
        growing._undone(count)
    return name


def _number(growing: _Growing, name: str) -> int:
    text = dict(growing.lines)[name]
    return int(re.search(r"[FS]\[(\d+)\]", text)[1])  # type: ignore[index]


def _wrong(growing: _Growing, name: str) -> str:
    """An op that raises."""
    if growing.error is not None or not isinstance(growing.names[name], pd.DataFrame):
        return name
    if growing.rng.random() < 0.5:
        return growing.grow(pick_wrong, name, [], 1.0) or name
    for _ in range(3 * _TRIES):
        count = len(growing.lines)
        made = growing.grow(growing.rng.choice(_CAN_FAIL), name, [], 1.0)
        if growing.error is not None:
            return made or name
        growing._undone(count)
    return name


def _next(growing: _Growing, name: str, branches: list[str]) -> str:
    value = growing.names[name]
    # Only what is known to be good stands beside: a branch that raises would raise before or after the other.
    others = branches if growing.error is None else []
    if isinstance(value, pd.DataFrame):
        return growing.some(FRAME_OPS, name, others)
    if isinstance(value, pd.Series):
        return growing.some([(1, series)], name, others)
    return name


_CAN_FAIL: list[Op] = [assign, types, evaluated]


def aimed(seed: int, op: Op, pool: Pool | Kept = POOL) -> Chain | None:
    """A short program around one op: a file is read, sometimes filtered, the op is applied, and few columns are used.

    ``None`` where the op fits nothing that was drawn.
    """
    rng = random.Random(f"aimed {seed}")
    growing = _Growing(rng, pool)
    numbers = [number for number in rng.sample(range(SOURCES), 6) if _is_plain(pool.source(number))]
    if len(numbers) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, other = growing.read(pool.source(numbers[0])), growing.read(pool.source(numbers[1]))
        value: str | None = _filtered(growing, first) if rng.random() < 0.3 else first
        if not isinstance(growing.names[value or first], pd.DataFrame):
            value = first
        for _ in range(_TRIES):
            made = growing.grow(op, value or first, [other], 0.3)
            if made is not None:
                break
        else:
            return None
        if isinstance(growing.names[made], pd.DataFrame) and rng.random() < 0.7:
            growing.some([(1, final)], made, [], courage=0)
        elif isinstance(growing.names[made], pd.Series) and rng.random() < 0.3:
            growing.some([(1, series)], made, [], courage=0)
    program = Chain(growing.lines)
    program.error = growing.error
    program.value = None if growing.error is not None else growing.names[program.result]
    return program


def _is_plain(source: Written) -> bool:
    texts = (f"pd.read_parquet(F[{source.number}])", f"S[{source.number}]")
    return source.text in texts and source.frame is not None and len(source.frame) > 3
