"""Providers: what they check, what they make, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudburst as cb
from cloudburst import providers
from cloudburst.providers.local import LocalProvider
from cloudburst.settings import local_settings


@cb.stage
def pid() -> int:
    return os.getpid()


def private_files() -> set[Path]:
    places = [Path("/dev/shm"), Path(os.environ.get("TMPDIR", "/tmp"))]
    return {path for place in places for path in place.glob(f"cloudburst-{os.getpid()}-*")}


def test_workers_stay_up_between_runs_of_a_block_and_end_with_it() -> None:
    before = private_files()
    with cb.using(LocalProvider(local_settings(1))):
        first, second = pid.options(pure=False)().compute(), pid.options(pure=False)().compute()
        assert first == second
        assert private_files() > before
    assert private_files() == before
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_closed_provider_opens_again() -> None:
    provider = LocalProvider(local_settings(1))
    for _ in range(2):
        with cb.using(provider):
            assert pid().compute() > 0


def test_the_block_decides_which_provider_is_used() -> None:
    inner = LocalProvider(local_settings(1))
    outer = providers.current()
    with cb.using(inner) as used:
        assert used is inner
        assert providers.current() is inner
    assert providers.current() is outer


def test_two_runs_at_once_have_workers_of_their_own() -> None:
    with cb.using(LocalProvider(local_settings(1))):
        runs = [pid.options(pure=False)().submit() for _ in range(2)]
        assert len({run.result() for run in runs}) <= 2
        assert pid().compute() > 0


def test_a_persisted_value_belongs_to_its_provider() -> None:
    with cb.using(LocalProvider(local_settings(1))):
        kept = cb.defer(sum)([1, 2]).persist()
    with pytest.raises(cb.UsageError, match="persisted under another provider"):
        kept.compute()


@pytest.mark.parametrize("make", [cb.defer(bytes), cb.defer], ids=["computed", "given"])
def test_persisting_leaves_the_value_and_nothing_else(make: Callable[[object], Any]) -> None:
    large = bytes(100_000)
    with cb.using(LocalProvider(local_settings(1))) as provider:
        kept = make(large).persist()
        assert len(provider.store.list("runs/")) == 1
        assert cb.defer(len)(kept).compute() == 100_000
        assert kept.compute() == large


def test_a_storage_of_ones_own_is_made_and_kept_but_for_what_runs_leave(tmp_path: Path) -> None:
    storage = tmp_path / "of" / "mine"
    with cb.using(LocalProvider(local_settings(1, "1 GB", storage))) as provider:
        assert cb.defer(bytes)(100_000).compute() == bytes(100_000)
        assert str(storage) in repr(provider)
    assert storage.is_dir()
    assert [path for path in storage.rglob("*") if path.is_file()] == []


def test_init_local_replaces_the_provider_before() -> None:
    code = """
import os, cloudburst as cb
pid = cb.stage(lambda: os.getpid())
first = cb.init_local(workers=1)
old = pid().compute()
second = cb.init_local(workers=1, memory="1 GB")
new = pid().compute()
print(old != new, second.settings.memory_mib, "a private directory" in repr(second))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.split("\n")[0] == "True 1024 True"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("memory", "said"), [("lots", "memory='lots' cannot be read"), (-1, "not a positive whole amount")]
)
def test_memory_that_cannot_be_read_is_refused(memory: object, said: str) -> None:
    with pytest.raises(cb.ResourceError, match=said):
        local_settings(memory=memory)  # type: ignore[arg-type]


def test_a_storage_that_is_no_path_is_refused() -> None:
    with pytest.raises(cb.SettingsError, match="storage=5 cannot be"):
        local_settings(storage=5)  # type: ignore[arg-type]
