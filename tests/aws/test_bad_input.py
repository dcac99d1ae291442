"""Mistakes and mishaps on AWS: an error that names the setting or the stage and the mend, and nothing left running."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

import cloudburst as cb
from cloudburst.testing import FakeAWS
from tests.aws.leftovers import check_nothing_runs, folder_of, keys, remove_kept
from tests.testing.fargate import until

pytestmark = pytest.mark.no_cover

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAWS]:
    """One for all tests that leave it as it was."""
    with FakeAWS(time_scale=0.05) as fake:
        yield fake


@pytest.fixture
def settings(aws: FakeAWS, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings with a folder of the test's own; no machine is left."""
    yield aws.settings | {"storage_prefix": folder_of(request.node.name)}
    cb.init_local()
    check_nothing_runs(aws)


@cb.stage(cpu=256, memory=512)
def add(x: Any, y: Any = 0) -> Any:
    return x + y


def refused(kind: type[Exception], settings: dict[str, Any], said: str) -> None:
    """See that a run with these settings is refused, in words of ours and with no traceback but the call's."""
    with cb.using(cb.init_aws(**settings)), pytest.raises(kind, match=said) as caught:
        add(1).compute()
    shown = "".join(traceback.format_exception(caught.value))
    assert "botocore/" not in shown
    assert "direct cause" not in shown


# ---------------------------------------------------------------- settings that AWS knows nothing of


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"storage_bucket": "nobody-has-this"}, cb.StoreError, "no bucket nobody-has-this .*storage_bucket="),
        ({"compute_cluster": "nowhere"}, cb.LaunchError, "compute_cluster: there is no cluster 'nowhere' .*Create it"),
        ({"compute_image": "IMAGE:never"}, cb.LaunchError, "compute_image: .*:never is not there.*Push the image"),
        ({"compute_image": "OTHER:latest"}, cb.LaunchError, "compute_image: .*other.* is not there"),
        ({"architecture": "OTHER"}, cb.LaunchError, r"architecture: .*is built for .*set architecture="),
        ({"log_group": "/nowhere"}, cb.LaunchError, "log_group: there is no log group '/nowhere'.*create-log-group"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_there_is_named_before_anything_is_started(
    aws: FakeAWS, settings: dict[str, Any], changed: dict[str, str], kind: type[Exception], said: str
) -> None:
    image, _, _ = settings["compute_image"].partition(":")
    filled = {
        name: value.replace("IMAGE", image).replace("OTHER:", f"{image.rpartition('/')[0]}/other:")
        for name, value in changed.items()
    }
    if changed.get("architecture"):
        filled["architecture"] = "ARM64"
    calls, tasks = aws.calls["RunTask"], len(aws.tasks())
    refused(kind, settings | filled, said)
    assert (aws.calls["RunTask"], len(aws.tasks())) == (calls, tasks)


def test_everything_that_is_wrong_is_told_at_once(aws: FakeAWS, settings: dict[str, Any]) -> None:
    wrong = {"compute_cluster": "nowhere", "log_group": "/nowhere", "compute_image": settings["compute_image"] + "x"}
    with cb.using(cb.init_aws(**settings | wrong)), pytest.raises(cb.LaunchError) as caught:
        add(1).compute()
    for name in wrong:
        assert f"\n  {name}: " in str(caught.value)


def test_a_bucket_of_another_region_is_named_with_its_region(aws: FakeAWS, settings: dict[str, Any]) -> None:
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    refused(
        cb.StoreError, settings | {"storage_bucket": "far-away"}, 'far-away is in region eu-west-1.*region="eu-west-1"'
    )


def test_spare_capacity_that_the_cluster_has_not_is_named(aws: FakeAWS, settings: dict[str, Any]) -> None:
    boto3.client("ecs").create_cluster(clusterName="plain")
    plain = settings | {"compute_cluster": "plain"}
    refused(cb.LaunchError, plain | {"spot": True}, "spot: cluster 'plain' has no capacity provider FARGATE_SPOT.*put-")
    with cb.using(cb.init_aws(**plain)), pytest.raises(cb.LaunchError, match=r"stage add .*(spot|FARGATE_SPOT)"):
        add.options(spot=True)(1).compute()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("compute_subnets", ["subnet-0123"], "compute_subnets"),
        ("compute_security_groups", ["sg-0123"], "compute_security_groups"),
        ("compute_execution_role", f"arn:aws:iam::{ACCOUNT}:role/nobody", "compute_execution_role"),
        ("compute_task_role", f"arn:aws:iam::{ACCOUNT}:role/nobody", "compute_task_role"),
    ],
)
def test_what_ecs_alone_can_tell_ends_the_run_with_the_setting(
    aws: FakeAWS, settings: dict[str, Any], name: str, value: Any, said: str
) -> None:
    tasks = len(aws.tasks())
    refused(cb.LaunchError, settings | {name: value}, f"stage add .*could not be started: .*Check .*{said}")
    assert len(aws.tasks()) == tasks


# ---------------------------------------------------------------- credentials and clocks


def test_expired_credentials_are_told_before_anything_is_started(aws: FakeAWS, settings: dict[str, Any]) -> None:
    calls = aws.calls["RunTask"]
    aws.expire_credentials()
    try:
        refused(cb.AccessDenied, settings, "credentials have expired.*aws sso login")
    finally:
        aws.renew_credentials()
    assert aws.calls["RunTask"] == calls


def test_credentials_that_expire_during_a_run_end_it_and_its_machines_end_themselves(
    aws: FakeAWS, settings: dict[str, Any], tmp_path: Path
) -> None:
    @cb.stage(cpu=256, memory=512)
    def slow(path: str) -> None:
        Path(path).touch()
        time.sleep(60)

    with cb.using(cb.init_aws(**settings)):
        run = slow(str(tmp_path / "begun")).submit()
        until((tmp_path / "begun").exists, "the stage")
        aws.expire_credentials()
        try:
            with pytest.raises(cb.CloudburstError, match="credentials have expired"):
                run.result(timeout=180)
            until(lambda: not aws.running(), "the end of machines that nobody could stop")
        finally:
            aws.renew_credentials()
        remove_kept(settings)
        assert add(1, 2).compute() == 3


# ---------------------------------------------------------------- code that does odd things


@cb.stage(cpu=256, memory=512)
def prints_much(mib: int) -> int:
    line = "x" * 1023 + "\n"
    for _ in range(mib * 1024):
        sys.stdout.write(line)
    return mib


@cb.stage(cpu=256, memory=512)
def forks() -> list[int]:
    found = []
    for number in range(3):
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, bytes([number]))
            os._exit(0)
        found += os.read(reading, 1)
        os.close(reading)
        os.close(writing)
        os.waitpid(child, 0)
    return found


@cb.stage(cpu=256, memory=512)
def leaves(status: int) -> None:
    sys.exit(status)


class Locked(Exception):
    def __init__(self) -> None:
        super().__init__("no key fits")
        self.lock = threading.Lock()


@cb.stage(cpu=256, memory=512)
def raises_what_cannot_travel() -> None:
    raise Locked


@cb.stage(cpu=256, memory=512)
def goes_elsewhere() -> str:
    os.chdir("/")
    return str(Path.cwd())


@cb.stage(cpu=256, memory=512)
def ignores_the_end(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if (child := os.fork()) == 0:
        os.setsid()
    Path(path, str(os.getpid())).touch()
    time.sleep(60)
    os.waitpid(child, 0)


def test_code_that_does_odd_things_costs_nothing_but_itself(aws: FakeAWS, settings: dict[str, Any]) -> None:
    with cb.using(cb.init_aws(**settings, max_workers=1)):
        assert forks().compute() == [0, 1, 2]
        assert goes_elsewhere().compute() == "/"
        with pytest.raises(cb.StageError, match=r"stage leaves .*failed: SystemExit: 3"):
            leaves(3).compute()
        with pytest.raises(cb.StageError, match=r"stage raises_what_cannot_travel .*Locked: no key fits"):
            raises_what_cannot_travel().compute()
        assert add(1, 2).compute() == 3
    remove_kept(settings)


@pytest.mark.slow
def test_a_hundred_megabytes_of_output_are_shortened(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings)):
        run = prints_much(100).submit()
        assert run.result() == 100
    [text] = run.logs().values()
    assert len(text) < 3 << 20
    left_out = sum(map(int, re.findall(r"(\d+) bytes of output left out", text)))
    assert left_out > 90 << 20  # in one piece, or in several where the machine is busy
    [task] = aws.tasks()[before:]
    passed_on = aws.logs(task)
    assert len(passed_on) < 12 << 20
    # Where the machine is busy, so much is left out while it is written that less than the limit comes this far.
    assert "the rest is not shown" in passed_on or len(passed_on) < 10 << 20
    assert all("prints_much" not in key or "log" in key for key in keys(settings))
    remove_kept(settings)


def test_code_that_will_not_end_ends_with_its_machine(aws: FakeAWS, settings: dict[str, Any], tmp_path: Path) -> None:
    with cb.using(cb.init_aws(**settings)):
        run = ignores_the_end(str(tmp_path)).submit()
        until(lambda: len(list(tmp_path.iterdir())) == 2, "the stage and its child")
        run.cancel()
        with pytest.raises(cb.Cancelled):
            run.result(timeout=180)
    until(lambda: not aws.running(), "the end of the machine")
    for path in tmp_path.iterdir():
        until(lambda pid=int(path.name): not is_alive(pid), "the end of the code")
    remove_kept(settings)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---------------------------------------------------------------- storage that changes under a run


def test_an_object_that_is_deleted_under_the_run_is_named(
    aws: FakeAWS, settings: dict[str, Any], tmp_path: Path
) -> None:
    @cb.stage(cpu=256, memory=512)
    def large() -> bytes:
        return bytes(100_000)

    @cb.stage(cpu=512, memory=1024)
    def waits(path: str) -> int:
        Path(path, "begun").touch()
        while not Path(path, "go").exists():
            time.sleep(0.02)
        return 1

    @cb.stage(cpu=1024, memory=2048)
    def reads(data: bytes, number: int) -> int:
        return len(data) + number

    with cb.using(cb.init_aws(**settings)):
        made = large()
        run = reads(made, waits(str(tmp_path))).submit()
        with going_on(tmp_path):
            until(lambda: any("/a/large-" in key for key in keys(settings)), "the result")
            until((tmp_path / "begun").exists, "the stage that waits")
            [key] = [key for key in keys(settings) if "/a/large-" in key]
            boto3.client("s3").delete_object(Bucket=settings["storage_bucket"], Key=key)
        with pytest.raises(cb.CloudburstError) as caught:
            run.result(timeout=180)
    said = str(caught.value)
    assert "reads" in said
    assert "large-" in said
    remove_kept(settings)


@contextmanager
def going_on(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        (path / "go").touch()


def test_two_runs_of_one_name_at_the_same_time_do_not_meet(aws: FakeAWS, settings: dict[str, Any]) -> None:
    with cb.using(cb.init_aws(**settings)):
        runs = [add(add(n, n), n).submit(name="daily") for n in range(2)]
        assert [run.result() for run in runs] == [0, 3]
    assert {key.split("/")[2] for key in keys(settings)} == {"history", "journals"}


def test_a_result_that_the_disk_has_no_room_for_ends_the_stage_and_not_the_machine(
    aws: FakeAWS, settings: dict[str, Any]
) -> None:
    @cb.stage(cpu=256, memory=512)
    def fills(path: str) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))  # as a full disk does
        try:
            with open(path, "wb") as file:
                file.write(bytes(2 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    with cb.using(cb.init_aws(**settings)):
        with pytest.raises(OSError, match="File too large") as caught:
            fills("/tmp/cloudburst-fills-a-disk").compute()
        assert "stage fills" in str(caught.value.__cause__)
        assert add(1, 1).compute() == 2
    Path("/tmp/cloudburst-fills-a-disk").unlink()
    remove_kept(settings)
