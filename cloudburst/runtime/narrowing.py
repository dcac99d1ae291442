"""A frame with only some of its columns, and what is said when a stage uses one that its ``reads=`` leaves out.

Who narrows a frame does so before anybody asks for a column: one that is not there is passed over, so that whoever asks
for it gets the error that pandas has for it. What is no plain frame, or has labels that do not name one column each, is
left whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

_SHOWN = 10
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_SENTENCE = re.compile(r" not in index|None of \[|Columns not found: | not found in | not present in | do not exist")
"""In those of pandas' KeyErrors that hold a sentence, and not the one label that is missing."""
_WITH_COLUMNS = ("DataFrame", "DataFrameGroupBy")
_COLUMN = "Column not found: "


def narrowed(value: Any, columns: Collection[str]) -> Any:
    """A frame with only these of its columns, in its own order; any other value as it is.

    Parameters
    ----------
    value : object
        Any value. Only a plain ``DataFrame`` whose labels are distinct texts is narrowed.
    columns : collection of str
        Which columns are kept; those that it lacks are passed over.

    Returns
    -------
    object
        The value itself where nothing is left out.

    Examples
    --------
    >>> import pandas as pd
    >>> list(narrowed(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), ["c", "a", "z"]))
    ['a', 'c']
    >>> narrowed([1, 2], ["a"])
    [1, 2]
    """
    if not is_frame(value):
        return value
    import pandas as pd

    labels = value.columns
    if type(labels) is not pd.Index or not labels.is_unique or any(type(label) is not str for label in labels):
        return value
    wanted = frozenset(columns)
    places = [place for place, label in enumerate(labels) if label in wanted]
    return value if len(places) == len(labels) else value.iloc[:, places]


def is_frame(value: object) -> bool:
    """Whether a value is exactly a ``DataFrame`` of pandas, told without importing it.

    >>> is_frame([1, 2])
    False
    """
    kind = type(value)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


def tell(error: BaseException, stage: str, reads: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Add a note to what a stage raised, if pandas lacked a column that the stage's ``reads=`` leaves out.

    Parameters
    ----------
    error : BaseException
        What it raised, with its traceback.
    stage : str
        Its name.
    reads : sequence of (parameter, columns)
        What it declares.
    """
    missing = _missing(error)
    for parameter, columns in reads:
        if new := [name for name in missing if name not in columns]:
            only = f"only {_listed(columns)}" if columns else "no columns"
            error.add_note(
                f"stage {stage} is given {only} of `{parameter}`: reads= says so. "
                f"Add {', '.join(map(repr, new))} there to use {'it' if len(new) == 1 else 'them'}."
            )


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"the column{'s' if len(columns) > 1 else ''} {', '.join(columns[:_SHOWN])}{more}"


def _missing(error: BaseException) -> list[str]:
    """The columns that pandas did not find, if that is what an exception says."""
    if not _is_raised_by_pandas(error):
        return []
    if isinstance(error, AttributeError):
        return [error.name] if type(error.obj).__name__ in _WITH_COLUMNS and error.name else []
    if isinstance(error, KeyError):
        return list(dict.fromkeys(_keys(error.args)))
    if type(error).__name__ == "UndefinedVariableError":  # of DataFrame.query and eval
        return _QUOTED.findall(str(error))[:1]
    return []


def _keys(args: tuple[Any, ...]) -> Iterator[str]:
    for arg in args:
        if not isinstance(arg, str):
            yield from (key for key in arg if isinstance(key, str)) if hasattr(arg, "__iter__") else ()
        elif arg.startswith(_COLUMN):
            yield arg.removeprefix(_COLUMN)
        elif _SENTENCE.search(arg):
            yield from _QUOTED.findall(arg.partition("dtype=")[0])
        else:
            yield arg


def _is_raised_by_pandas(error: BaseException) -> bool:
    """Whether it was pandas that raised it, and not a dict or an object of the user's."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    name = frames.tb_frame.f_globals.get("__name__", "") if frames is not None else ""
    return str(name).partition(".")[0] == "pandas"
