"""Parquet files of tiny row groups, and what tests ask of what is read of them."""

from itertools import combinations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudburst.runtime.sources import Spec, find, read, read_facts


def by_pandas(path, frame, rows=3, **options):
    """Written as pandas does, in groups of so many rows."""
    frame.to_parquet(path, row_group_size=rows, **options)
    return path


def by_arrow(path, columns, rows=3, **options):
    """Written by plain pyarrow: without anything that pandas would write of itself."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, path, row_group_size=rows, **options)
    return path


def spec_of(paths, kind="parquet", **narrowed):
    found = find(kind, paths)
    return Spec(kind, found.files, found.root, **narrowed)


def facts_of(paths):
    return read_facts(spec_of(paths))


def narrowed_to(spec, facts, groups, columns=None):
    """The source with only these of its row groups, as a pass would say it."""
    names = facts.columns if columns is None else columns
    nullable = tuple(name for name in names if name in facts.columns and facts.has_nulls(name))
    return Spec(spec.format, spec.files, spec.root, columns, tuple(groups), facts.labels, nullable)


def places(facts, groups, total):
    """The rows of groups among all."""
    ends = {one: end.offset for one, end in zip(facts.groups, facts.groups[1:], strict=False)}
    return [row for group in groups for row in range(group.offset, ends.get(group, total))]


def assert_equal(got, want):
    pd.testing.assert_frame_equal(
        got, want, check_exact=True, check_index_type="exact", check_column_type="exact", check_freq=True
    )
    assert type(got.index) is type(want.index)
    assert type(got.columns) is type(want.columns)
    assert got.columns.dtype == want.columns.dtype
    assert list(map(str, got.dtypes)) == list(map(str, want.dtypes))
    assert got.index.names == want.index.names
    assert got.attrs == want.attrs
    for name in range(got.shape[1]):
        ours, theirs = got.iloc[:, name], want.iloc[:, name]
        assert [type(one) for one in ours] == [type(one) for one in theirs]
        assert list(map(repr, ours)) == list(map(repr, theirs))  # tells -0.0 from 0.0 and None from NaN
    if isinstance(want.index, pd.RangeIndex):
        assert (got.index.start, got.index.stop, got.index.step) == (want.index.start, want.index.stop, want.index.step)


def subsets(groups, most=3):
    """All choices of few groups, and some of many."""
    few = list(groups)[:most]
    for count in range(len(few) + 1):
        yield from combinations(few, count)
    yield tuple(groups)
    yield tuple(groups)[1::2]
    yield tuple(groups)[-1:]


def assert_every_subset_is_exact(paths, columns=None):
    """What is read of every choice of row groups is what pandas gives of everything, taken by place."""
    spec, facts = spec_of(paths), facts_of(paths)
    assert facts is not None
    assert facts.all_rows == ""
    full = pd.read_parquet(paths if isinstance(paths, list) else str(paths))
    if columns is not None:
        full = full[columns]
    assert {name: str(dtype) for name, dtype in full.dtypes.items()} == {name: facts.columns[name] for name in full}
    unskippable = [name for name in full if facts.skippable(name)]
    full = full.drop(columns=unskippable)
    for groups in subsets(facts.groups):
        one = narrowed_to(spec, facts, groups, tuple(full.columns))
        got = read(Spec.from_text(one.to_text()), {})
        assert_equal(got, full.iloc[places(facts, groups, len(full))])
    return facts


def raised_by(function, *arguments, **named):
    """The type of what a call raises."""
    try:
        function(*arguments, **named)
    except Exception as error:
        return type(error)
    return pytest.fail("nothing was raised")
