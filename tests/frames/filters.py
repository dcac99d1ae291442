"""Random filters over a frame, in the spellings that people use, mostly where row groups have their bounds."""

from __future__ import annotations

import datetime as dt
import keyword
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tests.frames.spelling import spell

OWN_NAMES = {"compute", "submit", "persist", "explain", "visualize", "options"}


class Here(NamedTuple):
    """A value in the program, as plain pandas has it, and what an op may use."""

    rng: Random
    value: Any
    name: str
    """Its variable."""
    in_order: Sequence[str]
    """Columns that are likely to be in order."""
    add: Callable[[str], str]
    """Write a line that makes another value, and give its variable."""
    others: Sequence[tuple[str, Any]] = ()
    """Other frames of the program, by variable."""


def flat(frame: Any) -> bool:
    """Whether columns have names of one level, each once."""
    return frame.columns.nlevels == 1 and frame.columns.is_unique


def is_numeric(column: Any) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and column.dtype not in ("bool", "boolean")


def is_text(column: Any) -> bool:
    return pd.api.types.is_string_dtype(column.dtype) and column.dtype != object


def is_moment(column: Any) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column.dtype)


def a_column(here: Here, fits: Callable[[Any], bool] | None = None) -> Any:
    """The label of a column that fits, or ``None``."""
    frame = here.value
    names = [name for name in frame.columns if fits is None or fits(frame[name])] if flat(frame) else []
    if not names:
        return None
    in_order = [name for name in names if name in here.in_order]
    return here.rng.choice(in_order if in_order and here.rng.random() < 0.85 else names)


def column_text(here: Here, name: Any) -> str:
    """The column as an item or an attribute."""
    if (
        isinstance(name, str)
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and name not in OWN_NAMES
        and not name.startswith("_")
        and not hasattr(pd.DataFrame, name)
        and here.rng.random() < 0.3
    ):
        return f"{here.name}.{name}"
    return f"{here.name}[{spell(name)}]"


def a_bound(rng: Random, column: Any) -> Any:
    """A value of the column, something near one, or something beyond them all; ``None`` where there is none."""
    cells = column.dropna()
    if not len(cells):
        return None
    place = rng.choice([0, len(cells) - 1, rng.randrange(len(cells)), rng.randrange(len(cells))])
    one = cells.iloc[place]
    if isinstance(one, list | np.ndarray):
        return None
    drawn = rng.random()
    if isinstance(one, pd.Timestamp):
        if drawn < 0.1:
            return one + pd.Timedelta("1h")
        if one.tz is None and drawn < 0.3:
            return str(one)
        return one.to_pydatetime().date() if drawn > 0.97 else one
    if isinstance(one, pd.Timedelta):
        return one + pd.Timedelta("1min") if drawn < 0.2 else one
    if isinstance(one, dt.date):
        return one + dt.timedelta(1) if drawn < 0.2 else one
    if isinstance(one, str):
        return one + "a" if drawn < 0.2 else "zzz" if drawn < 0.25 else one
    if isinstance(one, Decimal) or is_numeric(column):
        if drawn < 0.12 and not isinstance(one, Decimal):
            return float(one) + 0.5
        return one + 1 if drawn < 0.2 else 1000 if drawn < 0.25 else 0 if drawn < 0.3 else one
    return one


def condition(here: Here, depth: int = 0) -> str | None:
    """The text of a mask."""
    rng = here.rng
    drawn = rng.random()
    if depth < 2 and drawn < 0.3:
        one, other = condition(here, depth + 1), condition(here, depth + 1)
        return None if one is None or other is None else f"({one}) {rng.choice('&&|')} ({other})"
    if depth < 2 and drawn < 0.36:
        one = condition(here, depth + 1)
        return None if one is None else f"~({one})"
    name = a_column(here)
    if name is None:
        return None
    column, text = here.value[name], column_text(here, name)
    if column.dtype in ("bool", "boolean") and drawn < 0.9:
        return rng.choice([text, f"~{text}", f"{text} == True", f"{text}.eq(False)"])
    return _simple(here, column, text)


def _simple(here: Here, column: Any, text: str) -> str | None:
    rng = here.rng
    drawn = rng.random()
    if drawn < (0.12 if column.isna().any() else 0.02):
        return f"{text}.{rng.choice(['isna', 'notna', 'isnull'])}()"
    if drawn < (0.15 if column.isna().any() else 0.03):
        return f"pd.{rng.choice(['isna', 'notna'])}({text})"
    if is_text(column) and drawn < 0.2:
        return f"{text}.str.{rng.choice(['startswith', 'contains'])}({spell(rng.choice('ab2Z'))}, na=False)"
    if is_moment(column) and drawn < 0.2:
        return f"{text}.dt.{rng.choice(['day', 'month', 'hour'])} {rng.choice(['>', '==', '<='])} {rng.randrange(20)}"
    bounds = [a_bound(rng, column) for _ in range(3)]
    if bounds[0] is None:
        return f"{text}.isna()"
    if drawn < 0.32:
        if rng.random() < 0.15:
            bounds.append(rng.choice([None, float("nan"), "a", 1]))
        wanted = spell(bounds)
        return f"{text}.isin({wanted if rng.random() < 0.9 else f'{{*{wanted}}}'})"
    if drawn < 0.44:
        try:
            low, high = sorted(bounds[:2])
        except TypeError:
            low, high = bounds[:2]
        inclusive = rng.choice(["", "", ", inclusive='neither'", ", inclusive='left'"])
        return f"{text}.between({spell(low)}, {spell(high)}{inclusive})"
    bound = bounds[0]
    if drawn < 0.54:
        return f"{text}.{rng.choice(['gt', 'ge', 'lt', 'le', 'eq', 'ne'])}({spell(bound)})"
    sign = rng.choice([">", ">=", "<", "<=", "==", "==", "!="])
    return f"{spell(bound)} {sign} {text}" if drawn < 0.6 else f"{text} {sign} {spell(bound)}"


def query_text(here: Here) -> str | None:
    """A query over columns of plain values, as a call."""
    rng = here.rng
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        name = a_column(here, lambda column: is_numeric(column) or is_text(column) or is_moment(column))
        if not isinstance(name, str) or not name or "`" in name:
            return None
        bound = a_bound(rng, here.value[name])
        if bound is None:
            return None
        shown = name if name.isidentifier() and not keyword.iskeyword(name) and rng.random() < 0.8 else f"`{name}`"
        if isinstance(bound, (pd.Timestamp, dt.date)) or rng.random() < 0.15:
            written = "@" + here.add(spell(bound))
        else:
            written = spell(bound)
        drawn = rng.random()
        if drawn < 0.12:
            parts.append(f"{shown} in [{written}]")
        elif drawn < 0.2 and not written.startswith("@"):
            parts.append(f"{written} <= {shown} <= {spell(a_bound(rng, here.value[name]))}")
        elif drawn < 0.26:
            parts.append(f"not ({shown} > {written})")
        else:
            parts.append(f"{shown} {rng.choice(['>', '>=', '<', '<=', '==', '!='])} {written}")
    return f"{here.name}.query({rng.choice([' and ', ' or ', ' & ']).join(parts)!r})"


def filtered(here: Here) -> str | None:
    """The frame filtered."""
    rng = here.rng
    drawn = rng.random()
    if drawn < 0.2:
        return query_text(here)
    if drawn < 0.26:
        name = a_column(here)
        return None if name is None else f"{here.name}.dropna(subset={spell(rng.choice([name, [name]]))})"
    mask = condition(here)
    if mask is None:
        return None
    if drawn < 0.36:
        mask = here.add(mask)  # it may be used once more
    if drawn < 0.7:
        return f"{here.name}[{mask}]"
    if drawn < 0.82:
        return f"{here.name}.loc[{mask}]"
    columns = list(here.value.columns)
    some = rng.sample(columns, min(len(columns), rng.randrange(1, 4)))
    if drawn < 0.95 or "pd." in mask or here.name not in mask:
        return f"{here.name}.loc[{mask}, {spell(some if rng.random() < 0.7 else some[0])}]"
    return f"{here.name}.loc[lambda d: {mask.replace(here.name, 'd')}]"
