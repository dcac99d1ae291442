"""Values as the text of a program, so that a chain of ops can be printed, run again and cut down."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd


def scope(pandas: Any, **more: Any) -> dict[str, Any]:
    """The names that a program may use, with ``pd`` one of pandas and its deferred likeness."""
    return {"pd": pandas, "np": np, "dt": dt, "Decimal": Decimal, **more}


def spell(value: Any) -> str:
    """The text of a value.

    >>> spell([1, float("nan"), "a"]), spell(pd.Timestamp("2024-01-01"))
    ("[1, float('nan'), 'a']", "pd.Timestamp('2024-01-01 00:00:00')")
    """
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(spell, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(key)}: {spell(one)}" for key, one in value.items()) + "}"
    if isinstance(value, type(pd.NaT)):
        return "pd.NaT"
    if value is pd.NA:
        return "pd.NA"
    if isinstance(value, pd.Timestamp):
        if value.tz is None:
            return f"pd.Timestamp('{value}')"
        return f"pd.Timestamp('{value.tz_convert('UTC').tz_localize(None)}', tz='UTC').tz_convert('{value.tz}')"
    if isinstance(value, pd.Timedelta):
        return f"pd.Timedelta('{value}')"
    if isinstance(value, dt.date):
        return f"dt.date({value.year}, {value.month}, {value.day})"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value!r}" if np.isfinite(value) else f"float('{value!r}')"
    return repr(value)
