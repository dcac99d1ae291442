"""Pages as files, and opening one where there is a browser."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from cloudburst.cli import pages
from cloudburst.errors import UsageError


def test_a_private_page_is_for_its_user_alone_and_new_each_time():
    first, second = (pages.write_private("<p>é</p>", "../6a2 <b>") for _ in range(2))
    try:
        assert first != second
        assert first.parent == second.parent
        assert first.suffix == ".html"
        assert stat.S_IMODE(first.stat().st_mode) == 0o600
        assert first.read_text(encoding="utf-8") == "<p>é</p>"
    finally:
        first.unlink()
        second.unlink()


def test_a_page_goes_over_the_one_before(tmp_path):
    for text in ("a long page", "short"):
        pages.write(text, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "short"


@pytest.mark.parametrize("place", ["missing/page.html", "."])
def test_where_it_cannot_be_written_is_named(tmp_path, place):
    with pytest.raises(UsageError, match=r"cannot be written: .* Name another file with --out"):
        pages.write("page", tmp_path / place)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there is always a display")
def test_without_a_display_nothing_is_opened(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert not pages.show(Path(os.devnull))
