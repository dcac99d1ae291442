from __future__ import annotations

from cloudburst.runtime import place


def test_this_process_performs_nothing_until_it_says_so(monkeypatch):
    monkeypatch.setattr(place, "_performing", False)
    assert not place.is_performing()
    place.become_performer()
    assert place.is_performing()
