import pytest

from cloudburst.runtime.sources.latest import Latest


def test_what_is_heavier_than_all_that_is_kept_is_not_kept():
    latest = Latest(10, len)
    assert latest.get("a", lambda: "x" * 6) == "x" * 6
    assert latest.get("b", lambda: "y" * 4) == "y" * 4
    assert latest.keys() == ["a", "b"]
    assert latest.get("c", lambda: "z" * 11) == "z" * 11
    assert latest.keys() == []


def test_what_could_not_be_made_is_tried_again():
    latest = Latest(2)
    with pytest.raises(ZeroDivisionError):
        latest.get("a", lambda: 1 // 0)
    assert latest.get("a", lambda: 1) == 1


def test_what_two_make_at_a_time_is_kept_once():
    latest = Latest(2)
    assert latest.get("a", lambda: latest.get("a", lambda: 1) + 1) == 2
    assert latest.keys() == ["a"]
