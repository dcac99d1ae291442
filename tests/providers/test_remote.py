"""Providers whose workers are machines: when a pool is made, lent, kept and ended. The machines are processes here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudburst as cb
from cloudburst.errors import LaunchError
from cloudburst.providers.remote import RemoteProvider
from cloudburst.resources import Size
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.terms import Terms
from tests.runtime.fleets import ProcessFleet


class Processes(RemoteProvider):
    """A provider of processes, which notes what is asked of it."""

    default_size = Size(256, 512)

    def __init__(self, path: Path, linger_s: float = 10.0, keep_warm_s: float | None = None) -> None:
        super().__init__("image", 3, linger_s, keep_warm_s)
        self.path = path
        self.fleets: list[ProcessFleet] = []
        self.stopped: list[list[str]] = []
        self.problem: Exception | None = None

    def _open_store(self) -> LocalStore:
        return LocalStore(self.path / "store", shared=True)

    def _fleet(self, pool: Pool) -> ProcessFleet:
        self.fleets.append(ProcessFleet(pool, self.path))
        return self.fleets[-1]

    def _check_before_launch(self) -> None:
        if self.problem is not None:
            raise self.problem

    def _stop_leftovers(self, pools: list[str]) -> int:
        self.stopped.append(pools)
        return len(pools)

    @property
    def launched(self) -> int:
        return sum(count for fleet in self.fleets for _, count in fleet.launched)

    @property
    def up(self) -> list[str]:
        return [name for fleet in self.fleets for name, one in fleet.machines.items() if one.poll() is None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDBURST_TIME_SCALE", "0.1")
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.close()
    assert made.up == []


@cb.stage
def square(x: int) -> int:
    return x * x


def test_a_pool_ends_with_its_run_unless_it_is_held(provider: Processes) -> None:
    backend = provider.borrow()
    provider.give_back(backend)
    assert provider.store.list("pools/") == []
    provider.hold()
    backend = provider.borrow()
    provider.give_back(backend)
    assert provider.store.list("pools/") != []
    assert provider.borrow() is backend
    provider.give_back(backend)
    provider.close()
    assert provider.store.list("pools/") == []
    assert len(provider.fleets) == 2


def test_runs_of_a_block_share_a_pool_and_nothing_is_left_of_it(provider: Processes) -> None:
    with cb.using(provider):
        assert [square(n).compute() for n in (2, 3)] == [4, 9]
        assert (len(provider.fleets), provider.launched) == (1, 1)
    assert provider.up == []
    assert {key.partition("/")[0] for key in provider.store.list("")} <= {"journals"}


def test_of_two_runs_at_once_one_pool_is_kept(provider: Processes) -> None:
    provider.hold()
    first, second = provider.borrow(), provider.borrow()
    provider.give_back(first)
    provider.give_back(second)
    assert provider.borrow() is first
    provider.give_back(first)
    assert len({key.split("/")[2] for key in provider.store.list("pools/")}) == 1


def test_a_run_that_outlives_its_block_ends_its_pool_itself(tmp_path: Path) -> None:
    provider = Processes(tmp_path, keep_warm_s=60.0)
    backend = provider.borrow()
    provider.close()
    provider.give_back(backend)
    assert provider.store.list("pools/") == []


def test_workers_that_are_to_be_kept_warm_outlive_their_run(tmp_path: Path) -> None:
    provider = Processes(tmp_path, keep_warm_s=60.0)
    backend = provider.borrow()
    provider.give_back(backend)
    assert provider.borrow() is backend
    provider.give_back(backend)
    provider.close()
    assert provider.store.list("pools/") == []
    assert provider.terms().linger_s == pytest.approx(6.0)


def test_a_pool_that_is_out_of_order_is_not_lent_again(provider: Processes) -> None:
    provider.hold()
    backend = provider.borrow()
    backend.is_sound = False  # type: ignore[attr-defined]
    provider.give_back(backend)
    assert provider.store.list("pools/") == []


def test_what_is_wrong_is_told_before_there_is_a_pool(provider: Processes) -> None:
    provider.problem = LaunchError("compute_cluster: there is none")
    with cb.using(provider), pytest.raises(LaunchError, match="compute_cluster"):
        square(2).compute()
    assert provider.fleets == []
    assert provider.store.list("pools/") == []


def test_what_a_killed_program_left_is_stopped_removed_and_told_once(
    provider: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Pool(provider.store, provider.user, provider.secret, Terms().scaled(0.1))
    left.open()
    left.check()
    left.close_lease()
    provider.store.put(f"{left.prefix}/mail/w1/000001", [b"unread"])
    somebody = Pool(provider.store, "u00000000", bytes(32), Terms())
    provider.store.put(f"{somebody.prefix}/lease", [b"of another user"])
    monkeypatch.setattr(LocalStore, "age_s", lambda self, key: 3600.0)
    with cb.using(provider):
        run = square(3).submit()
        assert run.result() == 9
        assert provider.stopped == [[left.id]]
        assert "Left by a program of yours that did not end as it should: 1 machine still up" in str(run.summary)
        monkeypatch.undo()
        again = square(4).submit()
        assert again.result() == 16
        assert "Left by" not in str(again.summary)
    assert provider.store.list(left.prefix) == []
    assert provider.store.list(somebody.prefix) != []


@pytest.mark.parametrize(("linger_s", "reuse"), [(10.0, True), (0.0, False)])
def test_without_lingering_the_driver_ends_each_worker_after_its_task(
    tmp_path: Path, linger_s: float, reuse: bool
) -> None:
    provider = Processes(tmp_path, linger_s)
    limits = provider.limits(keep_going=True)
    assert (limits.workers, limits.shaped, limits.reuse, limits.keep_going) == (3, True, reuse, True)
    assert provider.terms().linger_s > 0.0  # or a worker that waits for its first task would end


def test_users_are_told_from_one_another_by_their_keys(
    provider: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = provider.user
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "another"))
    assert provider.user == first
    assert Processes(tmp_path).user != first


def test_a_key_that_cannot_be_used_is_told_before_anything_is_started(provider: Processes, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "key").write_bytes(b"short")
    (tmp_path / "config" / "key").chmod(0o600)
    with cb.using(provider), pytest.raises(cb.SettingsError, match="is damaged"):
        square(2).compute()
    assert provider.fleets == []
