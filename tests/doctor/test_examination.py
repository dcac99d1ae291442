"""Checks in their order."""

from __future__ import annotations

from cloudburst.aws.access import NotAllowed
from cloudburst.doctor.examination import CHECKS, examine
from cloudburst.doctor.findings import Case, Check, well, wrong
from cloudburst.errors import StoreError
from cloudburst.settings.origins import Sources

NOTHING = Case(Sources({}, "default"))


def finds(*findings):
    return lambda case: iter(findings)


def raises(error):
    def look(case):
        yield well("so far")
        raise error

    return look


def results(*checks):
    return {one.name: [(found.mark, found.said) for found in one.findings] for one in examine(NOTHING, checks)}


def test_what_rests_on_something_wrong_is_not_looked_at():
    found = results(
        Check("a", finds(wrong("no"))),
        Check("b", finds(well("yes"))),
        Check("c", raises(AssertionError("looked at all the same")), ("a", "b")),
        Check("d", finds(well("yes")), ("b",)),
    )
    assert found["c"] == [("open", "not looked at, as a is wrong")]
    assert found["d"] == [("well", "yes")]


def test_what_a_check_raises_is_found_wrong_and_what_it_saw_before_is_kept():
    assert results(Check("a", raises(StoreError("There is no bucket.")))) == {
        "a": [("well", "so far"), ("wrong", "There is no bucket.")]
    }


def test_what_may_not_be_asked_is_left_open():
    assert results(Check("a", raises(NotAllowed("iam:GetRole"))))["a"][1] == (
        "open",
        "These credentials may not iam:GetRole: docs/iam/caller.json allows it.",
    )


def test_each_check_comes_after_those_that_it_needs():
    names = [check.name for check in CHECKS]
    assert all(names.index(need) < names.index(check.name) for check in CHECKS for need in check.needs)
    assert len(set(names)) == len(names)


def test_results_come_as_soon_as_they_are_known():
    first = next(examine(NOTHING, [Check("a", finds(well("yes"))), Check("b", raises(AssertionError()))]))
    assert first.name == "a"
