"""The user's own key: made once, for its user alone, and never quietly replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cloudburst as cb
from cloudburst.settings.user import cache_directory, config_directory, own_cache, user_name, user_secret

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "of" / "mine"
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(path))
    return path


def test_it_is_made_once_and_for_its_user_alone(home: Path) -> None:
    first = user_secret()
    assert len(first) == 32
    assert user_secret() == first
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["key"]


def test_programs_that_begin_at_once_have_one_key_between_them(home: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: user_secret(), range(64)))
    assert found == {(home / "key").read_bytes()}
    assert [path.name for path in home.iterdir()] == ["key"]


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_one_that_others_could_use_is_refused(home: Path, mode: int) -> None:
    user_secret()
    (home / "key").chmod(mode)
    with pytest.raises(cb.SettingsError, match=f"can be read by others.*chmod 600 {home / 'key'}"):
        user_secret()


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_one_is_refused_and_not_replaced(home: Path, content: bytes) -> None:
    user_secret()
    (home / "key").write_bytes(content)
    with pytest.raises(
        cb.SettingsError, match=f"is damaged: it has {len(content)} bytes and not 32. Remove it"
    ) as told:
        user_secret()
    assert (home / "key").read_bytes() == content
    assert repr(content) not in str(told.value)


def test_one_that_cannot_be_read_is_told(home: Path) -> None:
    (home / "key").mkdir(parents=True, mode=0o700)
    (home / "key").chmod(0o700)
    with pytest.raises(cb.SettingsError, match="Your key .* cannot be read"):
        user_secret()


def test_a_directory_that_cannot_be_made_is_told(home: Path) -> None:
    home.parent.write_text("a file where a directory should be")
    with pytest.raises(cb.SettingsError, match=r"(cannot be read|could not be written).*"):
        user_secret()


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_a_directory_that_is_not_writable_is_told_with_the_mend(home: Path) -> None:
    home.mkdir(parents=True, mode=0o500)
    with pytest.raises(cb.SettingsError, match="could not be written .* Set CLOUDBURST_CONFIG_DIR"):
        user_secret()


def test_the_users_name_is_the_same_in_each_program_and_does_not_tell_the_key(home: Path) -> None:
    secret = user_secret()
    code = "from cloudburst.settings.user import *; print(user_name(user_secret()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == user_name(secret)
    assert user_name(secret) != user_name(bytes(32))
    assert secret.hex()[:8] not in user_name(secret)


def test_without_a_variable_the_platform_tells_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLOUDBURST_CONFIG_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config_directory().is_relative_to(tmp_path)
    assert config_directory().name == "cloudburst"


def test_without_platformdirs_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDBURST_CONFIG_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(cb.SettingsError, match=r"pip install 'cloudburst\[aws\]', or set CLOUDBURST_CONFIG_DIR"):
        config_directory()


def test_caches_lie_where_the_platform_has_them_or_where_they_are_told_to(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    monkeypatch.delenv("CLOUDBURST_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_directory() == own_cache()
    assert own_cache().is_relative_to(tmp_path)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert cache_directory() is None
    with pytest.raises(cb.SettingsError, match=r"pip install 'cloudburst\[image\]', or set CLOUDBURST_CACHE_DIR"):
        own_cache()
