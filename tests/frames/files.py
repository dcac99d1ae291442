"""Random files: frames of every dtype cut into small row groups, written by pandas and by plain Arrow.

Source number ``n`` is the same in every process. It is written when it is first asked for, and read once by plain
pandas; what the frame is like, and where a filter has something to skip, is known then.
"""

from __future__ import annotations

import datetime as dt
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SOURCES = 240
"""How many there are."""

NAMES = "a b c x y z k key Key A X index count sum size compute values name date T mean level_0 lambda shape".split()
ODD_NAMES = ["explain", "a b", "x.y", "1st", "naïve", "", "__index_level_0__"]
WORDS = ["", "a", "ab", "b", "ba", "c", "d", "e", "Zed", "é", "zz"]
DAY = np.datetime64("2024-01-01")
ZONES = ["UTC", "Europe/Berlin", "America/New_York"]

Random = random.Random


def _distinct_int(rng: Random, n: int, dtype: str) -> np.ndarray:
    low = 0 if dtype.startswith("u") else -9
    return np.array([rng.randrange(low, 30) for _ in range(n)], dtype=dtype)


def _floats(rng: Random, n: int, dtype: str) -> np.ndarray:
    # Quarters: sums of them are exact in whatever order, so that a difference is never one of rounding alone.
    cells = [rng.randrange(-40, 80) / 4 for _ in range(n)]
    return np.array(cells, dtype=dtype)


def _moments(rng: Random, n: int, unit: str) -> np.ndarray:
    step = rng.choice(["D", "h"])
    return np.array([DAY + np.timedelta64(rng.randrange(60), step) for _ in range(n)], dtype=f"datetime64[{unit}]")


def _unit(rng: Random) -> str:
    return rng.choice(["ms", "us", "ns"])


KINDS: dict[str, Callable[[Random, int], Any]] = {
    "int64": lambda rng, n: pd.Series(_distinct_int(rng, n, "int64")),
    "int32": lambda rng, n: pd.Series(_distinct_int(rng, n, "int32")),
    "uint8": lambda rng, n: pd.Series(_distinct_int(rng, n, "uint8")),
    "float64": lambda rng, n: pd.Series(_floats(rng, n, "float64")),
    "float32": lambda rng, n: pd.Series(_floats(rng, n, "float32")),
    "bool": lambda rng, n: pd.Series(np.array([rng.random() < 0.5 for _ in range(n)], dtype=bool)),
    "str": lambda rng, n: pd.Series([rng.choice(WORDS) for _ in range(n)], dtype="str"),
    "digits": lambda rng, n: pd.Series([str(rng.randrange(30)) for _ in range(n)], dtype="str"),
    "days": lambda rng, n: pd.Series([f"2024-01-{rng.randrange(1, 29):02}" for _ in range(n)], dtype="str"),
    "moment": lambda rng, n: pd.Series(_moments(rng, n, _unit(rng))),
    "zoned": lambda rng, n: (
        pd.Series(_moments(rng, n, _unit(rng))).dt.tz_localize("UTC").dt.tz_convert(rng.choice(ZONES))
    ),
    "span": lambda rng, n: pd.Series(_moments(rng, n, _unit(rng)) - DAY),
    "category": lambda rng, n: pd.Series(
        pd.Categorical([rng.choice("pqrs") for _ in range(n)], list("srqp"), ordered=rng.random() < 0.4)
    ),
    "numbered": lambda rng, n: pd.Series(pd.Categorical([rng.randrange(4) for _ in range(n)])),
    "Int64": lambda rng, n: pd.Series(_distinct_int(rng, n, "int64")).astype("Int64"),
    "boolean": lambda rng, n: pd.Series([rng.random() < 0.5 for _ in range(n)], dtype="boolean"),
    "date": lambda rng, n: pd.Series([dt.date(2024, 1, rng.randrange(1, 29)) for _ in range(n)], dtype=object),
    "decimal": lambda rng, n: pd.Series([Decimal(rng.randrange(-400, 400)) / 4 for _ in range(n)], dtype=object),
    "nested": lambda rng, n: pd.Series([[rng.randrange(3)] * rng.randrange(3) for _ in range(n)], dtype=object),
}
OFTEN = "int64 int64 int64 float64 float64 str str moment moment int32 digits days zoned category date Int64".split()
NO_NULLS = {"int64", "int32", "uint8", "bool", "nested"}
UNSORTED = {"bool", "boolean", "category", "numbered", "nested"}


@dataclass
class Written:
    """A source as it lies on disk."""

    number: int
    text: str
    """How a program reads it; its files are ``F[number]``."""
    paths: Any
    """What the reader is given: a list of files, or a directory."""
    frame: Any
    """What plain pandas reads, or ``None`` where it raises."""
    sorted: list[str] = field(default_factory=list)
    """Columns whose values lie in order, so that row groups differ in their bounds."""


def _column(rng: Random, kind: str, n: int, size: int) -> tuple[pd.Series, bool]:
    """A column, and whether it is in order, of rows that will be written in groups of this size."""
    column = KINDS[kind](rng, n)
    is_sorted = kind not in UNSORTED and rng.random() < 0.7
    if is_sorted:
        column = column.sort_values(ascending=rng.random() < 0.8, ignore_index=True)
    if kind in NO_NULLS or n == 0:
        return column, is_sorted
    if kind in ("digits", "days") and rng.random() < 0.4:  # what cannot be parsed, in one place
        column = column.copy()
        column[rng.randrange(n)] = "none"
    where: list[int] = []
    drawn = rng.random()
    if drawn < 0.3:
        first = rng.randrange(n) // size * size
        group = range(first, min(first + size, n))
        where = list(group) if rng.random() < 0.4 else [place for place in group if rng.random() < 0.6]
    elif drawn < 0.4:
        where = [place for place in range(n) if rng.random() < 0.3]
    if where:
        column = column.copy()
        column[where] = None if column.dtype == object else pd.NA if kind in ("Int64", "boolean") else np.nan
    if kind.startswith("float"):
        column = column.copy()
        for place in range(0, n, size):  # at the bounds of a group
            if rng.random() < 0.15:
                column[place] = rng.choice([-0.0, 0.0, np.inf, -np.inf, np.nan, 0.1])
    return column, is_sorted


def _index(rng: Random, n: int, names: list[str]) -> pd.Index:
    drawn = rng.random()
    name = rng.choice([None, None, "idx", "index", "K", "level_0"])
    if drawn < 0.55:
        return pd.RangeIndex(n)
    if drawn < 0.65:
        step = rng.choice([1, 2, -3])
        return pd.RangeIndex(5, 5 + n * step, step, name=name)
    number = pd.Index(sorted(rng.randrange(40) for _ in range(n)), dtype="int64", name=name)
    word = pd.Index([rng.choice(WORDS) for _ in range(n)], dtype="str", name=name)
    when = pd.DatetimeIndex(np.sort(_moments(rng, n, "us")), name=name)
    if drawn < 0.78:
        return number
    if drawn < 0.86:
        return word
    if drawn < 0.94:
        return when
    levels = rng.sample([number, word, when], 2)
    return pd.MultiIndex.from_arrays(levels, names=rng.choice([[None, None], ["one", "two"], ["one", None]]))


def _frame(rng: Random, size: int) -> tuple[pd.DataFrame, list[str]]:
    n = rng.choice([0, 1, 3, *[rng.randrange(8, 41)] * 7])
    width = rng.randrange(2, 9)
    names = ["k", *rng.sample([name for name in NAMES if name != "k"], width)]
    if rng.random() < 0.2:
        names.append(rng.choice(ODD_NAMES))
    kinds = [rng.choice(["int64", "int64", "int64", "str", "moment"])]
    kinds += [rng.choice(OFTEN if rng.random() < 0.7 else list(KINDS)) for _ in names[1:]]
    columns, in_order = {}, []
    for name, kind in zip(names, kinds, strict=True):
        columns[name], is_sorted = _column(rng, kind, n, size)
        if is_sorted:
            in_order.append(name)
    frame = pd.DataFrame(columns)
    order = list(frame.columns)
    rng.shuffle(order)
    return frame[order], in_order


def _write_arrow(frame: pd.DataFrame, path: Path, schema: Any, options: dict[str, Any]) -> None:
    table = pa.Table.from_pandas(frame, schema, preserve_index=False).replace_schema_metadata(None)
    for place, one in enumerate(table.schema):
        if pa.types.is_floating(one.type) and str(frame[one.name].dtype).startswith("float"):
            cells = pa.array(frame[one.name].to_numpy(), one.type, from_pandas=False)  # NaN stays NaN
            table = table.set_column(place, one, cells)
    pq.write_table(table, path, **options)


def _write_pandas(frame: pd.DataFrame, path: Path, schema: Any, options: dict[str, Any]) -> None:
    frame.to_parquet(path, schema=schema, **options)


def _options(rng: Random, names: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {"compression": rng.choice(["snappy", None]), "use_dictionary": rng.random() < 0.6}
    drawn = rng.random()
    if drawn < 0.04:
        options["write_statistics"] = False
    elif drawn < 0.08:
        options["write_statistics"] = [name for name in names if rng.random() < 0.5 and name]
    elif drawn < 0.12:
        options["use_deprecated_int96_timestamps"] = True
    elif drawn < 0.16:
        options["coerce_timestamps"] = "ms"
        options["allow_truncated_timestamps"] = True
    elif drawn < 0.2:
        options["version"] = "1.0"
    elif drawn < 0.3:
        options["store_schema"] = False
    return options


def _parts(rng: Random, n: int) -> list[tuple[int, int]]:
    """Where the rows of each file begin and end."""
    cuts = sorted(rng.randrange(n + 1) for _ in range(rng.choice([0, 1, 1, 1, 2, 3])))
    return list(zip([0, *cuts], [*cuts, n], strict=True))


def _made(number: int, directory: Path) -> Written:
    rng = random.Random(f"source {number}")
    size = rng.randrange(2, 8)
    frame, in_order = _frame(rng, size)
    directory.mkdir(parents=True)
    if number % 12 == 7:
        return _csv(rng, number, frame, directory, in_order)
    by_pandas = rng.random() < 0.6
    if by_pandas:
        frame = frame.set_axis(_index(rng, len(frame), list(frame.columns)), axis=0)
    is_uneven = rng.random() < 0.06
    # A part whose cells are all missing tells no type: without the schema of the whole such files do not fit together.
    is_odd = "__index_level_0__" in frame or (frame.index.nlevels == 2 and None in frame.index.names)
    is_told = rng.random() < 0.9 and not is_uneven and not is_odd
    schema = pa.Schema.from_pandas(frame) if is_told else None
    options = _options(rng, list(frame.columns))
    paths = []
    hive = "part" if rng.random() < 0.06 else ""
    for place, (start, stop) in enumerate(_parts(rng, len(frame))):
        part = frame.iloc[start:stop]
        if is_uneven and place == 1:
            part = _uneven(rng, part)
        folder = directory / f"{hive}={place // 2}" if hive else directory
        folder.mkdir(exist_ok=True)
        paths.append(str(folder / f"{place}.parquet"))
        write = _write_pandas if by_pandas else _write_arrow
        write(part, Path(paths[-1]), schema, {**options, "row_group_size": size})
        if rng.random() < 0.02:  # the next file is written otherwise
            options = _options(rng, list(frame.columns))
    given: Any = str(directory) if hive or rng.random() < 0.1 else paths
    return _read(number, f"pd.read_parquet(F[{number}]{_keywords(rng, frame)})", given, in_order)


def _keywords(rng: Random, frame: pd.DataFrame) -> str:
    drawn = rng.random()
    names = list(frame.columns)
    if drawn < 0.03:
        return f", columns={rng.sample(names, rng.randrange(1, len(names) + 1))!r}"
    if drawn < 0.04:
        return f", columns={[names[0], 'nowhere']!r}"
    if drawn < 0.06:
        return f", dtype_backend={rng.choice(['pyarrow', 'numpy_nullable'])!r}"
    if drawn < 0.08:
        numbers = [name for name in names if frame[name].dtype == "int64"]
        return f", filters=[({numbers[0]!r}, '>', 3)]" if numbers else ""
    return ", engine='pyarrow'" if drawn < 0.1 else ""


def _uneven(rng: Random, part: pd.DataFrame) -> pd.DataFrame:
    """The same with another schema."""
    name = rng.choice(list(part.columns))
    drawn = rng.random()
    if drawn < 0.3:
        return part.drop(columns=name)
    if drawn < 0.5:
        return part.assign(extra=1)
    if drawn < 0.7:
        return part.iloc[:, ::-1]
    return part.assign(**{name: 1.5})


def _csv(rng: Random, number: int, frame: pd.DataFrame, directory: Path, in_order: list[str]) -> Written:
    paths = []
    for place, (start, stop) in enumerate(_parts(rng, len(frame))):
        paths.append(str(directory / f"{place}.csv"))
        frame.iloc[start:stop].to_csv(paths[-1], index=False)
    if rng.random() < 0.1:
        with Path(paths[-1]).open("a") as file:
            file.write("1," * (2 * len(frame.columns)) + "1\n")  # a row that cannot be parsed
    drawn = rng.random()
    more = ""
    if drawn < 0.15:
        more = f", usecols={rng.sample(list(frame.columns), 2)!r}"
    elif drawn < 0.25:
        more = f", index_col={rng.choice(list(frame.columns))!r}"
    elif drawn < 0.35:
        more = f", dtype={{{rng.choice(list(frame.columns))!r}: 'float64'}}"
    reads = [f"pd.read_csv(F[{number}][{place}]{more})" for place in range(len(paths))]
    text = reads[0] if len(reads) == 1 or rng.random() < 0.4 else f"pd.concat([{', '.join(reads)}])"
    return _read(number, text, paths, in_order)


def _read(number: int, text: str, given: Any, in_order: list[str]) -> Written:
    try:
        frame = eval(text, {"pd": pd, "F": {number: given}})
    except Exception:
        frame = None
    there = [] if frame is None else [name for name in in_order if name in frame.columns]
    return Written(number, text, given, frame, there)


class Pool:
    """The sources, each written when it is first asked for."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="cloudburst-frames-")
        self._made: dict[int, Written] = {}

    def __getitem__(self, number: int) -> Any:
        return self.source(number).paths

    def source(self, number: int) -> Written:
        if number not in self._made:
            self._made[number] = _made(number, Path(self._directory.name) / str(number))
        return self._made[number]


POOL = Pool()
