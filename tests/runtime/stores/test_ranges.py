from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.runtime.stores.ranges import coalesced, pieces

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair))), max_size=8)


def covered(ranges):
    return {place for start, end in ranges for place in range(start, end)}


@given(RANGES, st.integers(0, 10))
def test_runs_cover_all_that_is_wanted_and_waste_only_gaps(ranges, gap):
    runs = coalesced(ranges, gap)
    assert covered(runs) >= covered(ranges)
    assert covered(coalesced(ranges, 0)) == covered(ranges)
    wasted = covered(runs) - covered(ranges)
    for place in wasted:
        before = max(end for _, end in ranges if end <= place)
        after = min(start for start, end in ranges if start > place and end > start)
        assert after - before <= gap


@given(RANGES, st.integers(0, 10))
def test_runs_are_few_sorted_and_far_apart(ranges, gap):
    runs = coalesced(ranges, gap)
    assert all(start < end for start, end in runs)
    assert all(right[0] - left[1] > gap for left, right in pairwise(runs))
    assert coalesced(runs, gap) == runs
    assert coalesced(reversed(ranges), gap) == runs


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 20))
def test_pieces_are_the_range_and_none_is_too_large(start, length, most):
    made = list(pieces(start, start + length, most))
    assert [place for one in made for place in range(*one)] == list(range(start, start + length))
    assert all(end - first == most for first, end in made[:-1])
    assert all(0 < end - first <= most for first, end in made)


@pytest.mark.parametrize(("gap", "runs"), [(0, [(0, 2), (3, 9)]), (1, [(0, 9)])])
def test_the_gap_decides(gap, runs):
    assert coalesced([(5, 9), (3, 6), (0, 2)], gap) == runs
