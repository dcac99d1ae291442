"""Prices on this machine's disk."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cloudburst.prices import kept as module
from cloudburst.prices.kept import KEPT_S, REFUSED_S, Kept
from cloudburst.prices.table import table_prices

NOW = 1_790_000_000.0


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = NOW

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def told(region="us-east-1"):
    return replace(table_prices(region), spot={}, spot_as_of=None, source="live")


def test_what_was_told_is_known_to_the_next_program_for_some_days(cache, clock):
    assert Kept("us-east-1").prices is None
    Kept("us-east-1").keep(told())
    again = Kept("us-east-1")
    assert again.is_fresh
    assert again.prices == replace(told(), as_of=datetime.fromtimestamp(NOW, UTC).date())
    clock.now += KEPT_S - 1
    assert Kept("us-east-1").prices is not None
    clock.now += 2
    assert not again.is_fresh
    assert Kept("us-east-1").prices is None


def test_a_refusal_is_known_for_an_hour(cache, clock):
    Kept("us-east-1").refuse("AccessDeniedException")
    assert Kept("us-east-1").is_fresh
    assert Kept("us-east-1").prices is None
    clock.now += REFUSED_S + 1
    assert not Kept("us-east-1").is_fresh


def test_each_region_and_each_that_plays_aws_has_its_own(cache, clock):
    Kept("us-east-1").keep(told())
    assert Kept("eu-west-1").prices is None
    assert Kept("us-east-1", "http://127.0.0.1:5000").prices is None
    Kept("us-east-1", "http://127.0.0.1:5000").keep(told("eu-central-1"))
    assert Kept("us-east-1").prices.rates == told().rates
    assert len(os.listdir(cache)) == 2


def test_what_comes_from_a_clock_that_was_wrong_is_not_believed(cache, clock):
    clock.now += 365 * 86400
    Kept("us-east-1").keep(told())
    clock.now = NOW
    assert Kept("us-east-1").prices is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"v": 2, "asked": 1790000000, "rates": {}, "storage": null}',
        '{"v": 1, "asked": "now"}',
        '{"v": 1, "asked": 1790000000}',
        '{"v": 1, "asked": 1790000000, "rates": [], "storage": null}',
        '{"v": 1, "asked": 1790000000, "rates": {"X86_64": ["a", "b"]}, "storage": null}',
        '{"v": 1, "asked": 1790000000, "rates": {"X86_64": ["1"]}, "storage": null}',
        '{"v": 1, "asked": 1790000000, "rates": {}, "storage": {}}',
        b"\xff\xfe",
    ],
)
def test_a_file_of_somebody_else_is_as_none(cache, clock, content):
    Kept("us-east-1").keep(told())
    [file] = cache.iterdir()
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert Kept("us-east-1").prices is None


def test_a_cache_that_cannot_be_written_keeps_nothing_and_breaks_nothing(tmp_path, clock, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path / "file" / "below"))
    kept = Kept("us-east-1")
    kept.keep(told())
    assert kept.prices is not None  # this program knows
    assert Kept("us-east-1").prices is None


def test_without_a_place_for_a_cache_nothing_is_kept(clock, monkeypatch):
    monkeypatch.setattr(module, "cache_directory", lambda: None)
    kept = Kept("us-east-1")
    kept.keep(told())
    assert kept.prices is not None
    assert Kept("us-east-1").prices is None


def test_the_file_is_plain_and_holds_nothing_but_prices(cache, clock):
    Kept("us-east-1").keep(told())
    [file] = cache.iterdir()
    assert file.name == "fargate-prices-us-east-1.json"
    assert set(json.loads(file.read_text())) == {"v", "asked", "rates", "storage"}
