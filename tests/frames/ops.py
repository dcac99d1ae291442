"""Random ops over frames and series, each as the text that a program would have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from tests.frames.filters import (
    Here,
    a_bound,
    a_column,
    column_text,
    condition,
    filtered,
    flat,
    is_moment,
    is_numeric,
    is_text,
)
from tests.frames.spelling import spell

Op = Callable[[Here], str | None]
REDUCTIONS = ["sum", "mean", "min", "max", "count", "nunique", "first", "last", "std", "median", "size"]
HOWS = ["inner", "left", "right", "outer"]


def some_columns(here: Here, most: int = 3) -> list[Any]:
    columns = list(here.value.columns)
    return here.rng.sample(columns, min(len(columns), here.rng.randrange(1, most + 1))) if columns else []


def pick(here: Here) -> str | None:
    rng, v = here.rng, here.name
    some = some_columns(here)
    if not some:
        return None
    drawn = rng.random()
    if drawn < 0.35:
        return column_text(here, some[0])
    if drawn < 0.7:
        return f"{v}[{spell(some)}]"
    if drawn < 0.8:
        return f"{v}.loc[:, {spell(some)}]"
    if drawn < 0.85:
        return f"{v}.filter(items={spell(some)})"
    if drawn < 0.9:
        return f"{v}.iloc[:, :{rng.randrange(3)}]"
    return f"{v}.get({spell(some[0])})"


def pick_wrong(here: Here) -> str | None:
    missing = spell(here.rng.choice(["nowhere", "K", "B", "indeX"]))
    return here.rng.choice(
        [
            f"{here.name}[{missing}]",
            f"{here.name}[[{missing}]]",
            f"{here.name}.drop(columns={missing})",
            f"{here.name}.sort_values({missing})",
            f"{here.name}.groupby({missing}).sum()",
            f"{here.name}.dropna(subset=[{missing}])",
            f"{here.name}.loc[:, [{missing}]]",
            f"{here.name}.set_index({missing})",
            f"{here.name}.drop_duplicates(subset=[{missing}])",
            f"{here.name}.query('nowhere > 3')",
            f"{here.name}.astype({{{missing}: 'int64'}})",
            f"{here.name}.no_such_thing",
            f"{here.name}.rename(columns={{{missing}: 'a'}}, errors='raise')",
            f"{here.name}.nlargest(2, {missing})",
        ]
    )


def value_text(here: Here) -> str | None:
    """An expression over columns with a value for each row; it may raise."""
    rng = here.rng
    drawn = rng.random()
    if drawn < 0.45:
        one, other = a_column(here, is_numeric), a_column(here, is_numeric)
        if one is None:
            return None
        sign = rng.choice(["+", "-", "*", "/", "//", "%"])
        right = column_text(here, other) if rng.random() < 0.5 else str(rng.randrange(1, 4))
        return f"{column_text(here, one)} {sign} {right}"
    name = a_column(here)
    if name is None:
        return None
    column, text = here.value[name], column_text(here, name)
    if drawn < 0.55:
        return f"{text}.astype({rng.choice(['str', 'int64', 'float64', 'object', 'int32', 'category'])!r})"
    if is_text(column):
        return rng.choice(
            [
                f"{text}.str.upper()",
                f"{text}.str.len()",
                f"{text} + '!'",
                f"{text}.str[:1]",
                f"{text}.str.replace('a', 'o')",
                f"{text}.astype('int64')",
                f"{text}.astype(int)",
                f"pd.to_datetime({text})",
                f"pd.to_numeric({text})",
                f"pd.to_numeric({text}, errors='coerce')",
                f"pd.to_datetime({text}, errors='coerce')",
            ]
        )
    if is_moment(column):
        return rng.choice(
            [
                f"{text}.dt.{rng.choice(['year', 'day', 'hour', 'date', 'weekday'])}",
                f"{text}.dt.normalize()",
                f"{text} + pd.Timedelta('1D')",
                f"{text}.dt.strftime('%d')",
                f"{text}.dt.tz_localize('UTC')",
                f"{text} - {text}.min()",
            ]
        )
    return rng.choice(
        [
            f"{text}.fillna(0)",
            f"{text}.isna()",
            f"{text}.shift(1)",
            f"{text}.rank()",
            f"{text}.abs()",
            f"{text}.map({{1: 2, 3: 4}})",
            f"{text}.apply(lambda one: one)",
            f"{text}.where({text}.notna())",
            f"{text}.clip(0, 5)",
            f"{text}.cumsum()",
            f"{text}.str.len()",
            f"{text}.dt.day",
            f"{text}.astype('str')",
            f"abs({text})",
            f"-{text}",
            f"round({text}, 1)",
        ]
    )


def assign(here: Here) -> str | None:
    text = value_text(here)
    if text is None:
        return None
    names = [name for name in here.value.columns if isinstance(name, str) and name.isidentifier() and name != "lambda"]
    name = here.rng.choice([*names, "new", "new2"])
    if here.rng.random() < 0.15 and "pd." not in text:
        text = "lambda d: " + text.replace(here.name, "d")
    return f"{here.name}.assign({name}={text})"


def drop(here: Here) -> str | None:
    some, v = some_columns(here), here.name
    texts = [
        f"{v}.drop(columns={spell(some)})",
        f"{v}.drop({spell(some)}, axis=1)",
        f"{v}.drop(columns={spell([*some, 'nowhere'])}, errors='ignore')",
    ]
    if len(here.value):
        label = here.value.index[here.rng.randrange(len(here.value))]
        texts.append(f"{v}.drop(index=[{spell(label)}])")
    return here.rng.choice(texts)


def rename(here: Here) -> str | None:
    some, v = some_columns(here, 2), here.name
    if not some:
        return None
    new = {name: here.rng.choice(["r", "s", "a", "b", "count"]) for name in some}
    return here.rng.choice(
        [
            f"{v}.rename(columns={spell(new)})",
            f"{v}.rename(columns={spell(new)})",
            f"{v}.rename(columns={spell(new)})",
            f"{v}.rename({spell(new)}, axis=1)",
            f"{v}.rename(columns=lambda name: str(name) + '_')",
            f"{v}.add_prefix('p_')",
            f"{v}.add_suffix('_s')",
            f"{v}.set_axis([f'c{{n}}' for n in range({here.value.shape[1]})], axis=1)",
            f"{v}.rename(index={{0: 100}})",
        ]
    )


def order(here: Here) -> str | None:
    some, v, rng = some_columns(here, 2), here.name, here.rng
    if not some:
        return None
    n = rng.randrange(6)
    number = a_column(here, is_numeric)
    texts = [
        f"{v}.sort_values({spell(some[0])}, kind='stable')",
        f"{v}.sort_values({spell(some)}, ascending={rng.random() < 0.5})",
        f"{v}.sort_values(by={spell(some)}, ignore_index=True, na_position='first')",
        f"{v}.sort_index()",
        f"{v}.sort_index(axis=1)",
    ]
    if number is not None:
        texts += [f"{v}.nlargest({n}, {spell(number)})", f"{v}.nsmallest({n}, [{spell(number)}], keep='last')"]
    return rng.choice(texts)


def rows(here: Here) -> str | None:
    rng, v = here.rng, here.name
    n = rng.randrange(-2, 8)
    texts = [
        f"{v}.head({n})",
        f"{v}.head()",
        f"{v}.tail({n})",
        f"{v}.iloc[{rng.randrange(3)}:{rng.randrange(3, 9)}]",
        f"{v}[{rng.randrange(2)}:{rng.randrange(2, 9)}]",
        f"{v}.iloc[::2]",
        f"{v}.iloc[[0, 1]]",
        f"{v}.sample(2, random_state=1)",
        f"{v}.take([0])",
        f"{v}.loc[:2]",
        f"{v}.loc[{v}.index[:2]]",
        f"{v}.truncate()",
    ]
    if len(here.value):
        label = here.value.index[rng.randrange(len(here.value))]
        texts += [f"{v}.loc[[{spell(label)}]]", f"{v}.loc[{spell(label)}]", f"{v}.loc[{spell(label)}:]"]
    return rng.choice(texts)


def missing(here: Here) -> str | None:
    some, v = some_columns(here, 2), here.name
    if not some:
        return None
    return here.rng.choice(
        [
            f"{v}.dropna()",
            f"{v}.dropna(subset={spell(some)})",
            f"{v}.dropna(subset={spell(some)}, how='all', ignore_index=True)",
            f"{v}.dropna(axis=1)",
            f"{v}.fillna(0)",
            f"{v}.fillna({{{spell(some[0])}: 0}})",
            f"{v}.fillna({{{spell(some[0])}: 'none', 'nowhere': 1}})",
            f"{v}.ffill()",
            f"{v}.bfill()",
            f"{v}[{spell(some)}].interpolate()",
            f"{v}.replace({{1: 2}})",
            f"{v}.notna()",
            f"{v}.drop_duplicates(subset={spell(some)})",
            f"{v}.drop_duplicates({spell(some)}, keep='last', ignore_index=True)",
            f"{v}.drop_duplicates()",
            f"{v}.duplicated({spell(some)})",
            f"{v}.isna()",
            f"{v}[{v}.duplicated({spell(some)})]",
        ]
    )


def types(here: Here) -> str | None:
    some, v = some_columns(here, 2), here.name
    if not some:
        return None
    kind = here.rng.choice(["str", "float64", "int64", "object", "category", "Int64", "bool", "int32", "string"])
    text = f"{v}.astype({{{spell(some[0])}: {kind!r}}})"
    return here.rng.choice([text, text, text, f"{v}.astype({kind!r})", f"{v}.infer_objects()", f"{v}.copy()"])


def labels(here: Here) -> str | None:
    some, v = some_columns(here, 2), here.name
    if not some:
        return None
    return here.rng.choice(
        [
            f"{v}.reset_index()",
            f"{v}.reset_index(drop=True)",
            f"{v}.reset_index(names='labels')",
            f"{v}.set_index({spell(some[0])})",
            f"{v}.set_index({spell(some)}, drop=False)",
            f"{v}.set_index({spell(some)}).sort_index()",
            f"{v}.set_index({spell(some[0])}, append=True)",
            f"{v}.rename_axis('axis')",
            f"{v}.reindex(columns={spell([*some, 'nowhere'])})",
            f"{v}.reindex(range(4))",
            f"{v}.reset_index().set_index({spell(some[0])})",
        ]
    )


def evaluated(here: Here) -> str | None:
    one, other = a_column(here, is_numeric), a_column(here, is_numeric)
    if not isinstance(one, str) or not isinstance(other, str) or not one or not other:
        return None
    text = here.rng.choice([f"`{one}` + `{other}`", f"new = `{one}` * 2", f"`{one}` > `{other}`"])
    return f"{here.name}.eval({text!r})"


def grouped(here: Here) -> str | None:
    rng, v = here.rng, here.name
    some = some_columns(here, 2)
    if not some or not flat(here.value):
        return None
    rest = [name for name in here.value.columns if name not in some] or some
    one, two = rng.choice(rest), rng.choice(rest)
    how = rng.choice(REDUCTIONS)
    options = rng.choice(["", "", "", ", sort=False", ", dropna=False", ", observed=True", ", as_index=False"])
    by = rng.choice([spell(some[0]), spell(some), spell(some), f"{v}[{spell(some[0])}]"])
    groups = f"{v}.groupby({by}{options})"
    taken = rng.choice([f"[{spell(one)}]", f"[[{spell(one)}]]", f"[{spell(list(dict.fromkeys([one, two])))}]"])
    texts = [
        f"{groups}{taken}.{how}()",
        f"{groups}{taken}.{how}()",
        f"{groups}{taken}.agg({how!r})",
        f"{groups}.agg({{{spell(one)}: {how!r}}})",
        f"{groups}.agg({{{spell(one)}: ['min', {how!r}], {spell(two)}: 'count'}})",
        f"{groups}.agg(total=({spell(one)}, {how!r}), many=({spell(two)}, 'count'))",
        f"{groups}[{spell(one)}].agg(['min', 'max'])",
        f"{groups}.size()",
        f"{groups}.count()",
        f"{groups}.{how}(numeric_only=True)",
        f"{groups}.{how}()",
        f"{groups}[{spell(one)}].transform({rng.choice(['sum', 'max', 'count', 'first'])!r})",
        f"{groups}[{spell(one)}].{rng.choice(['cumsum', 'cumcount', 'rank', 'shift', 'ngroup'])}()",
        f"{groups}.head(1)",
        f"{groups}.nth(0)",
        f"{groups}[{spell(one)}].nunique()",
        f"{groups}[{spell(one)}].value_counts()",
        f"{groups}[{spell(one)}].apply(lambda part: len(part))",
        f"{groups}[{spell(one)}].agg(lambda part: part.max())",
        f"{groups}.first()",
        f"{groups}.ngroups",
    ]
    if isinstance(one, str) and one.isidentifier() and not hasattr(pd.DataFrame, one) and one[0] not in "l_":
        texts.append(f"{groups}.{one}.{how}()" if one not in ("explain", "compute") else f"{groups}.size()")
    if isinstance(here.value.index, pd.MultiIndex) or here.value.index.name is not None:
        texts.append(f"{v}.groupby(level=0)[{spell(one)}].{how}()")
    return rng.choice(texts)


def counted(here: Here) -> str | None:
    some, v = some_columns(here, 2), here.name
    if len(some) < 2 or not flat(here.value):
        return None
    number, one, two = map(spell, (a_column(here, is_numeric), *some))
    how = here.rng.choice(["sum", "mean", "count", "max"])
    return here.rng.choice(
        [
            f"{v}.value_counts({spell(some)})",
            f"{v}.value_counts(subset={spell(some)}, sort=False, dropna=False)",
            f"{v}.pivot_table(index={one}, columns={two}, values={number}, aggfunc={how!r})",
            f"{v}.pivot_table(values={number}, index={spell(some)}, aggfunc={how!r})",
            f"pd.crosstab({v}[{one}], {v}[{two}])",
            f"{v}.melt(id_vars={one}, value_vars=[{two}])",
            f"pd.pivot_table({v}, index={one}, values=[{number}], aggfunc={{{number}: {how!r}}})",
            f"{v}.melt({one})",
        ]
    )


def by_column(here: Here) -> str | None:
    some, v = some_columns(here, 3), here.name
    if not some:
        return None
    part = f"{v}[{spell(some)}]"
    return here.rng.choice(
        [
            f"{part}.apply(lambda column: column.max())",
            f"{part}.apply(lambda column: column.notna())",
            f"{part}.agg({here.rng.choice(['min', 'max', 'count', 'nunique'])!r})",
            f"{v}.agg({{{spell(some[0])}: 'max', {spell(some[-1])}: ['count', 'max']}})",
            f"{part}.apply(lambda row: str(row.iloc[0]), axis=1)",
            f"{v}.apply(len)",
            f"{part}.isin([1, 'a', 2.5])",
            f"{v}.where({v}.notna(), 0)",
            f"{part}.shift(1)",
            f"{part}.rank()",
            f"{part} + {part}",
            f"{part} == {part}",
            f"{v}.pipe(lambda d: d[{spell(some)}])",
            f"{v}.select_dtypes('number')",
            f"{v}.explode({spell(some[0])})",
            f"{v}.mask({v}.isna(), 1)",
            f"{part}.{here.rng.choice(['cumsum', 'cummax', 'diff', 'round', 'abs', 'idxmax', 'std', 'median'])}()",
            f"{part}.{here.rng.choice(['sum', 'min', 'max', 'mean', 'count', 'any', 'all', 'nunique'])}()",
            f"{part}.quantile(0.5)",
            f"{part} * 2",
            f"-{part}",
            f"{part} > 3",
            f"{part}.clip(0, 5)",
            f"{part}.add(1)",
            f"{part}.eq(3)",
            f"{part}.corr()",
            f"{v}.pivot(index={spell(some[0])}, columns={spell(some[-1])})",
            f"{part}.nunique()",
            f"{part}.map(str)",
        ]
    )


def spelled_otherwise(here: Here) -> str | None:
    """What there is a plainer way for, and what turns rows into columns."""
    some, v, rng = some_columns(here, 3), here.name, here.rng
    if len(some) < 2 or not flat(here.value):
        return None
    one, two, last = map(spell, (some[0], some[1], some[-1]))
    number, moment = a_column(here, is_numeric), a_column(here, is_moment)
    condition_text = condition(here) or f"{v}[{one}].notna()"
    how = rng.choice(REDUCTIONS[:-1])
    groups = f"{v}.groupby({one})"
    texts = [
        f"{v}.loc[:, {spell(some)}]",
        f"{v}.loc[1:3, {spell(some)}]",
        f"{v}.loc[{condition_text}, {spell(some)}]",
        f"{groups}.agg(total=pd.NamedAgg({two}, {how!r}), many=pd.NamedAgg(column={last}, aggfunc='count'))",
        f"{groups}.agg(total=pd.NamedAgg({two}, {how!r}))",
        f"{v}.groupby(pd.Grouper(key={one}))[{two}].{how}()",
        f"{v}.groupby([pd.Grouper(key={one}), {two}])[{last}].{how}()",
        f"{v}.melt(id_vars={one}, value_vars=[{two}], value_name={last})",
        f"{v}.melt(value_vars=[{one}, {two}], var_name='name')",
        f"pd.melt({v}, [{one}], {two})",
        f"{v}.pivot(columns={one}, values={two})",
        f"{v}.pivot(index={one}, columns={two}, values={last})",
        f"pd.pivot({v}, columns={one}, index=[{two}], values=[{last}])",
        f"{v}.filter(items={spell([*some, 'nowhere'])})",
        f"{v}.filter({spell(some[::-1])}, axis=1)",
        f"{v}.filter(like={rng.choice(['a', 'b', 'k', 'o'])!r})",
        f"{v}.filter(regex='^[a-k]')",
        f"{v}.assign(new=np.where({condition_text}, 1, 0))",
        f"{v}.assign(new=np.where({condition_text}, {v}[{one}], {v}[{two}]))",
        f"{v}.assign(new=np.select([{condition_text}], ['yes'], 'no'))",
        f"{v}.assign(new={v}[{one}].replace(1, 2), more={v}[{two}].shift())",
    ]
    if number is not None:
        column = f"{v}[{spell(number)}]"
        texts += [
            f"{v}.assign(new=np.log1p({column}))",
            f"{v}.assign(new=np.maximum({column}, 3) + np.sqrt({column}))",
            f"{v}.assign(new=np.add({column}, {v}[{one}]))",
            f"{v}[np.abs({column}) > 2]",
            f"{v}[np.where({column} > 2, True, False)]",
            f"{v}.assign(new={column}.rolling(2).mean(), more={column}.expanding().{how}())",
            f"{v}.assign(new={column}.pct_change(), more={column}.clip(1, 3))",
            f"{v}.assign(new={column} * np.where({condition_text}, 1, 2))",
            f"{v}.assign(new={column}.ewm(span=3).mean())",
        ]
    if moment is not None:
        frequency = rng.choice(["D", "MS", "YE", "7D"])
        texts += [
            f"{v}.groupby(pd.Grouper(key={spell(moment)}, freq={frequency!r}))[{two}].{how}()",
            f"{v}.groupby(pd.Grouper(key={spell(moment)}, freq={frequency!r})).agg(new=({two}, {how!r}))",
            f"{v}.groupby([{one}, pd.Grouper(key={spell(moment)}, freq={frequency!r})]).{how}()",
        ]
    return rng.choice(texts)


def beside_itself(here: Here) -> str | None:
    """Joins of frames that have many names in common."""
    some, v, rng = some_columns(here, 2), here.name, here.rng
    if not some or not flat(here.value):
        return None
    by, other = spell(some[0]), spell(some[-1])
    suffixes = rng.choice(["('_x', '_y')", "('', '_r')", "('_l', None)", "('_a', '_a')", "('', '')"])
    w = rng.choice([v, f"{v}.drop(columns={other})", f"{v}[[{by}, {other}]]", *[name for name, _ in here.others]])
    return rng.choice(
        [
            f"{v}.merge({w}, on={by}, suffixes={suffixes})",
            f"{v}.merge({w}, on={by}, how={rng.choice(HOWS)!r}, suffixes={suffixes})",
            f"pd.merge({v}, {w}, left_on={by}, right_on={other}, suffixes={suffixes})",
            f"{v}.merge({w}, left_index=True, right_index=True, suffixes={suffixes})",
            f"{v}.merge({w}, left_on={by}, right_index=True, suffixes={suffixes})",
            f"{v}.join({w}, rsuffix='_r', lsuffix={rng.choice(['', '_l'])!r})",
            f"{v}.join({w}.set_index({by}), on={by}, rsuffix='_r')",
        ]
    )


def joined(here: Here) -> str | None:
    """The frame beside another, or beside itself."""
    rng, v = here.rng, here.name
    others = [(name, frame) for name, frame in here.others if flat(frame)]
    if not others or not flat(here.value):
        return None
    w, other = rng.choice(others)
    how = rng.choice(HOWS)
    here_too = [name for name in here.value.columns if name in other.columns]
    left, right = rng.choice([*here.value.columns, "k"]), rng.choice([*other.columns, "k"])
    key = rng.choice(here_too) if here_too else "k"
    by = "k" if "k" in here_too and rng.random() < 0.6 else key
    some = list(dict.fromkeys([by, *rng.sample(list(other.columns), min(2, other.shape[1]))]))
    return rng.choice(
        [
            f"{v}.merge({w}, on={spell(by)}, how={how!r})",
            f"{v}.merge({w}, on={spell(by)}, how={how!r})",
            f"pd.merge({v}, {w}, on=[{spell(by)}], how={how!r}, suffixes=('', '_r'))",
            f"{v}.merge({w}[{spell(some)}], on={spell(by)})",
            f"{v}.merge({w}, left_on={spell(left)}, right_on={spell(right)}, how={how!r})",
            f"{v}.merge({w}, left_on={spell(by)}, right_on={spell(by)}, suffixes=('_l', '_r'), indicator=True)",
            f"{v}.merge({w}, left_index=True, right_index=True, how={how!r})",
            f"{v}.merge({w}, left_on={spell(by)}, right_index=True, how={how!r})",
            f"{v}.merge({w})",
            f"{v}.join({w}, rsuffix='_r', how={how!r})",
            f"{v}.join({w}.set_index({spell(by)}), on={spell(by)}, lsuffix='_l', how={how!r})",
            f"{v}.merge({w}, how='cross')",
            f"pd.concat([{v}, {w}])",
            f"pd.concat([{v}, {w}], ignore_index=True, join='inner')",
            f"pd.concat([{v}, {w}], ignore_index=True)",
            f"pd.concat({{'one': {v}, 'two': {w}}})",
            f"pd.concat([{v}, {v}])",
            f"pd.concat([{v}[{spell(some[:1])}], {v}], axis=1)",
            f"{v}[{v}[{spell(by)}].isin({w}[{spell(by)}])]",
            f"{v}[~{v}[{spell(left)}].isin({w}[{spell(right)}])]",
            f"{v}.combine_first({w})",
            f"{v}.merge({w}.drop_duplicates({spell(by)}), on={spell(by)}, validate='m:1')",
        ]
    )


def mask_twice(here: Here) -> str | None:
    """A mask that filters more than one thing."""
    mask, some = condition(here), some_columns(here, 2)
    if mask is None or not some:
        return None
    m, v = here.add(mask), here.name
    one, two = spell(some[0]), spell(some[-1])
    return here.rng.choice(
        [
            f"{v}[{m}][{one}].count() + {v}[{two}][{m}].count()",
            f"pd.concat([{v}[{m}], {v}[~{m}]])",
            f"pd.concat([{v}.loc[{m}, {one}], {v}.loc[{m}, {two}]], axis=1)",
            f"{v}[{m}].assign(flag={m})",
            f"{v}[{m}].merge({v}[{m}][[{one}]], on={one})",
            f"{v}[{m}][{m}]",
            f"{v}[{m}].groupby({one})[{two}].count()",
            f"{v}.loc[{m}].index",
            f"{v}.where({m})[[{one}]]",
        ]
    )


def outside(here: Here) -> str | None:
    """What stands beside the values: labels, shape, dtypes, and things that are known to no rule."""
    v, rng = here.name, here.rng
    how = rng.choice(["sum", "min", "max", "mean", "count", "nunique", "any", "all"])
    return rng.choice(
        [
            f"{v}.shape",
            f"{v}.columns",
            f"{v}.index",
            f"{v}.dtypes",
            f"{v}.empty",
            f"{v}.size",
            f"{v}.{how}()",
            f"{v}.{how}(numeric_only=True)" if how not in ("any", "all", "nunique") else f"{v}.{how}()",
            f"{v}.count()",
            f"{v}.isna().sum()",
            f"{v}.T",
            f"{v}.describe()",
            f"{v}.index.max()",
            f"{v}.keys()",
            f"{v}.ndim",
            f"{v}.equals({v})",
            f"{v}.to_dict('list')",
            f"{v}.squeeze()",
            f"{v}.axes",
            f"{v}.stack()",
        ]
    )


FRAME_OPS: list[tuple[int, Op]] = [
    (10, pick),
    (1, pick_wrong),
    (12, assign),
    (4, drop),
    (4, rename),
    (4, order),
    (5, rows),
    (5, missing),
    (3, types),
    (5, labels),
    (2, evaluated),
    (9, grouped),
    (3, counted),
    (3, by_column),
    (8, joined),
    (4, mask_twice),
    (3, outside),
    (8, filtered),
]
ROW_WISE: list[tuple[int, Op]] = [(4, assign), (2, rename), (2, drop), (1, types), (1, labels), (1, missing)]


def series(here: Here) -> str | None:
    """An op over a series."""
    column, v, rng = here.value, here.name, here.rng
    drawn = rng.random()
    if drawn < 0.2:
        bound = a_bound(rng, column)
        return None if bound is None else f"{v}[{v} {rng.choice(['>', '<=', '==', '!='])} {spell(bound)}]"
    if is_text(column) and drawn < 0.4:
        return rng.choice([f"{v}.str.{name}" for name in ("upper()", "len()", "strip()", "[0]", "split('a')")])
    if is_moment(column) and drawn < 0.4:
        return rng.choice([f"{v}.dt.{name}" for name in ("year", "date", "floor('D')", "month_name()", "unit")])
    if is_numeric(column) and drawn < 0.5:
        return rng.choice([f"{v} * 2", f"{v} + {v}", f"1 / {v}", f"{v} ** 2", f"{v}.mean()", f"{v}.quantile(0.5)"])
    how = rng.choice(["sum", "min", "max", "count", "nunique", "mean", "first_valid_index", "unique", "idxmax"])
    return rng.choice(
        [
            f"{v}.{how}()",
            f"{v}.{how}()",
            f"{v}.value_counts()",
            f"{v}.value_counts(normalize=True, dropna=False)",
            f"{v}.sort_values()",
            f"{v}.to_frame()",
            f"{v}.reset_index()",
            f"{v}.reset_index(drop=True)",
            f"{v}.head(3)",
            f"{v}.isna()",
            f"{v}.fillna(0)",
            f"{v}.dropna()",
            f"{v}.astype('str')",
            f"{v}.astype('int64')",
            f"{v}.drop_duplicates()",
            f"{v}.rename('renamed')",
            f"{v}.name",
            f"{v}.dtype",
            f"{v}.index",
            f"{v}.iloc[0]",
            f"{v}.to_list()",
            f"{v}.map(str)",
            f"{v}.nlargest(2)",
            f"{v}.groupby({v}).size()",
            f"{v}.isin([1, 2, 'a']).any()",
            f"{v}.shape",
            f"{v}.unstack()",
            f"{v}.agg(['min', 'max'])",
            f"{v}.where({v}.notna(), None)",
            f"{v}.to_numpy()",
            f"pd.to_datetime({v})",
            f"pd.to_numeric({v}, errors='coerce')",
        ]
    )


def final(here: Here) -> str | None:
    """What a pipeline often ends with: few columns, or a reduction."""
    rng = here.rng
    drawn = rng.random()
    if drawn < 0.5:
        return pick(here)
    if drawn < 0.75:
        return grouped(here)
    return by_column(here) if drawn < 0.85 else counted(here)
