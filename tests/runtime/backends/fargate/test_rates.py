"""How often ECS may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.runtime.backends.fargate import rates
from cloudburst.runtime.backends.fargate.rates import LIMITS, Rates, TokenBucket


def test_the_published_limits_are_kept():
    assert LIMITS == {
        "run and stop": (100, 40),
        "Fargate runs": (20, 20),
        "launches on demand": (100, 20),
        "launches on Spot": (100, 20),
        "describe and list": (100, 20),
        "looks": (1, 2),
    }


@given(
    burst=st.integers(10, 40),
    per_s=st.floats(0.5, 50),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 10)), min_size=1, max_size=60),
)
def test_in_no_span_of_time_is_more_taken_than_burst_and_rate_allow(burst, per_s, steps):
    bucket, now, taken = TokenBucket(burst, per_s), 0.0, []
    for pause, count in steps:
        now += pause
        wait_s = bucket.wait_s(now, count)
        assert wait_s <= count / per_s
        if not wait_s:
            bucket.take(now, count)
            taken.append((now, count))
    for first, (start, _) in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = burst + per_s * (taken[last][0] - start)
            assert sum(count for _, count in taken[first : last + 1]) <= allowed + 1e-6


@given(st.floats(0.5, 50), st.lists(st.integers(1, 10), min_size=1, max_size=30), st.floats(0, 1e6))
def test_who_waits_as_long_as_was_said_gets_what_was_asked(per_s, counts, start):
    bucket, now = TokenBucket(10, per_s), start
    for count in counts:
        now += bucket.wait_s(now, count)
        assert bucket.wait_s(now, count) < 1e-6
        bucket.take(now, count)


def test_a_clock_that_goes_back_gives_nothing_twice():
    bucket = TokenBucket(1, 1)
    bucket.take(10.0)
    assert bucket.wait_s(5.0) == 1.0
    assert bucket.wait_s(10.5) == 0.5


def test_all_buckets_of_a_call_are_drawn_from_or_none():
    limits = Rates()
    wanted = rates.run(10, spot=False)
    assert [limits.take(wanted, 0.0) for _ in range(10)] == [0.0] * 10
    assert limits.take(wanted, 0.0) == pytest.approx(0.5)  # ten launches at twenty a second
    assert limits.take(rates.STOP, 0.0) == 0.0
    assert [limits.take(rates.run(10, spot=True), 0.0) for _ in range(10)] == [0.0] * 10
    assert limits.take(rates.run(1, spot=True), 0.0) > 0


def test_stops_share_their_bucket_with_launches():
    limits = Rates()
    assert sum(limits.take(rates.STOP, 0.0) == 0.0 for _ in range(200)) == 100
    assert limits.take(rates.run(1, spot=False), 0.0) == pytest.approx(1 / 40)


def test_looks_are_two_a_second():
    limits, looks = Rates(), 0
    for step in range(1000):
        looks += limits.take(rates.LOOK, step / 100) == 0.0
    assert looks == 20


def test_time_that_goes_faster_makes_rates_higher():
    limits = Rates(scale=0.01)
    assert limits.take(rates.LOOK, 0.0) == 0.0
    assert limits.take(rates.LOOK, 0.0) == pytest.approx(0.005)
