from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.runtime.terms import Terms


@given(st.builds(Terms, *[st.floats(0.01, 1e5)] * len(Terms.__dataclass_fields__)))
def test_terms_are_read_as_they_were_written(terms):
    assert Terms.of_json(json.loads(json.dumps(terms.as_json()))) == terms


def test_what_another_version_has_more_is_passed_over_and_what_it_lacks_keeps_its_default():
    assert Terms.of_json({"linger_s": 3.0, "unheard_of": 1}) == Terms(linger_s=3.0)


def test_what_waits_for_aws_is_scaled_and_how_often_one_looks_is_not():
    scaled, plain = Terms().scaled(0.5), Terms()
    assert (scaled.grace_s, scaled.launch_limit_s, scaled.linger_s) == (50.0, 300.0, 5.0)
    assert (scaled.mail_interval_s, scaled.hearing_interval_s) == (plain.mail_interval_s, plain.hearing_interval_s)
    assert plain.scaled(1.0) is plain


def test_however_short_time_is_a_lease_is_renewed_several_times_within_its_limit():
    for scale in (1.0, 0.1, 0.01, 0.0001):
        scaled = Terms().scaled(scale)
        assert scaled.lease_limit_s >= 4 * scaled.lease_interval_s


def test_however_short_time_is_a_worker_waits_for_its_first_letter_and_is_given_time_to_start():
    shortest = Terms().scaled(0.0001)
    assert shortest.linger_s > shortest.hearing_interval_s + shortest.mail_interval_s
    assert shortest.launch_limit_s >= 10
    assert Terms(linger_s=0.0).scaled(0.1).linger_s == 0.0
