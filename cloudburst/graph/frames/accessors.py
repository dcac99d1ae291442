"""Rules of what stands behind ``s.str``, ``s.dt`` and ``s.cat``: a series needs all of itself, and gives a series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import everything, own
from cloudburst.graph.frames.rule import ByKind, Rule, Rules
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.frames.totals import family

TEXTS: Final = (
    "capitalize casefold center get ljust lower lstrip pad removeprefix removesuffix repeat replace rjust rstrip slice "
    "slice_replace strip swapcase title translate upper wrap zfill"
).split()
"""Methods of ``str`` that give text for text."""

TRUTHS: Final = (
    "contains endswith fullmatch isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle isupper match "
    "startswith"
).split()
"""Methods of ``str`` that tell whether."""

OTHERS: Final = (
    "count decode encode find findall index join len normalize rfind rindex day_name month_name floor ceil round "
    "strftime tz_convert tz_localize to_period as_unit total_seconds add_categories as_ordered as_unordered "
    "remove_categories remove_unused_categories rename_categories reorder_categories set_categories"
).split()
"""Methods of all accessors that give a series of some dtype."""

FIELDS: Final = (
    "date day day_of_week day_of_year dayofweek dayofyear days days_in_month daysinmonth hour is_leap_year "
    "is_month_end is_month_start is_quarter_end is_quarter_start is_year_end is_year_start microsecond microseconds "
    "minute month nanosecond nanoseconds quarter second seconds time timetz week weekday year codes"
).split()
"""Attributes of ``dt`` and ``cat`` that are series."""


def _accessor(one: Spelled, knowledge: Knowledge) -> Known:
    return own(one, knowledge)._replace(kind="accessor")


def _giving(dtype: Callable[[str], str], *parameters: str) -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        series = own(one, knowledge)
        return series._replace(kind="series", dtype=dtype(series.dtype))

    return Rule(known, everything, parameters)


def _text(dtype: str) -> str:
    return dtype if family(dtype) in ("str", "string") else ""


def _truth(dtype: str) -> str:
    return "bool" if dtype == "str" else ""


def _split(one: Spelled, knowledge: Knowledge) -> Known:
    if one.constant("expand", False) is not False:
        return NOTHING
    return own(one, knowledge)._replace(kind="series", dtype="")


_PLACES: Final = ("0", "1", "2", "3", "4")
"""What stands there is of no matter here."""

METHODS: ByKind = {
    "accessor": {
        **dict.fromkeys(TEXTS, _giving(_text, *_PLACES)),
        **dict.fromkeys(TRUTHS, _giving(_truth, *_PLACES)),
        **dict.fromkeys(OTHERS, _giving(lambda dtype: "", *_PLACES)),
        "split": Rule(_split, everything, ("pat",)),
        "rsplit": Rule(_split, everything, ("pat",)),
    }
}
ATTRIBUTES: ByKind = {
    "series": {name: Rule(_accessor, everything) for name in ("str", "dt", "cat")},
    "accessor": dict.fromkeys(FIELDS, _giving(lambda dtype: "")),
}
OPERATORS: ByKind = {"accessor": {"getitem": _giving(_text)}}
FUNCTIONS: Rules = {}
