"""What ECS says of a task that ended, row by row of the table of known ends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.runtime.backends.fargate.outcomes import TABLE, is_worth_its_log, outcome_of

OOM = "OutOfMemoryError: Container killed due to memory usage"
PULL = (
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref repo/image:tag: "
)
START = "ResourceInitializationError: "
ROUTE = "service call has been retried 3 time(s): RequestError: send request failed"


def task(stop_code="", reason="", *, container="", exit_code=None, started=None):
    told = {"stopCode": stop_code, "stoppedReason": reason}
    described = {"name": "worker", "lastStatus": "STOPPED", "reason": container}
    if exit_code is not None:
        described["exitCode"] = exit_code
    if started or (started is None and exit_code is not None):
        told["startedAt"] = 1.0
    return told | {"lastStatus": "STOPPED", "containers": [described]}


def unstarted(reason, container=""):
    return task("TaskFailedToStart", reason, container=container)


def exited(code, reason="Essential container in task exited", container=""):
    return task("EssentialContainerExited", reason, container=container, exit_code=code)


ENDS = {
    "Spot loss": (task("SpotInterruption", "Your Spot Task was interrupted.", exit_code=143), "reclaimed", None, ""),
    "Spot loss, killed": (task("SpotInterruption", "", exit_code=137), "reclaimed", None, ""),
    "Spot loss, sticky flag": (task("SpotInterruption", "", container=OOM, exit_code=137), "reclaimed", None, ""),
    "Spot loss at the start": (task("SpotInterruption", "Spot interruption"), "reclaimed", "capacity", ""),
    "retired host": (task("TerminationNotice", "", exit_code=137), "reclaimed", None, ""),
    "host fault": (task("InfrastructureHealth", "infrastructure failure", exit_code=0), "host", None, ""),
    "host fault at the start": (task("InfrastructureHealth"), "host", "passing", ""),
    "out of memory": (exited(137, container=OOM), "memory", None, ""),
    "out of memory, of the task": (exited(137, reason=OOM), "memory", None, ""),
    "out of memory, no exit code": (task("EssentialContainerExited", OOM, started=True), "memory", None, ""),
    "sticky memory flag": (exited(0, container=OOM), "lost", None, "exit code 0"),
    "sticky memory flag, then a crash": (exited(139, container=OOM), "lost", None, "SIGSEGV"),
    "network interface": (
        unstarted("Timeout waiting for network interface provisioning to complete."), "lost", "passing", "",
    ),
    "disk": (unstarted("Timeout waiting for EphemeralStorage provisioning to complete."), "lost", "passing", ""),
    "fault of ECS": (unstarted("InternalError: unable to create container"), "lost", "passing", ""),
    "fault of ECS without a code": (task("", "InternalError"), "lost", "passing", ""),
    "not started, for no reason": (unstarted(""), "lost", "passing", ""),
    "pull timed out": (
        unstarted(PULL + 'failed to do request: Head "https://x/v2/": dial tcp 10.0.1.7:443: i/o timeout'),
        "lost", "setup", "compute_assign_public_ip",
    ),
    "no such image": (unstarted(PULL + "repo/image:tag: not found"), "lost", "setup", "compute_image"),
    "no such image, said of the container": (
        unstarted("Task failed to start", PULL + "manifest unknown"), "lost", "setup", "compute_image",
    ),
    "pull forbidden": (unstarted(PULL + "unexpected status: 403 Forbidden"), "lost", "setup", "compute_execution_role"),
    "pull without route": (unstarted(PULL + "connect: no route to host"), "lost", "setup", "compute_subnets"),
    "pull without room": (unstarted(PULL + "write: no space left on device"), "lost", "setup", "ephemeral_storage"),
    "pull for a reason nobody knows": (unstarted(PULL + "quux"), "lost", "setup", "compute_image"),
    "a digest with a status in it": (
        unstarted("CannotPullContainerError: image@sha256:a403f503: not found"), "lost", "setup", "compute_image",
    ),
    "registry out of reach": (
        unstarted(START + "unable to pull secrets or registry auth: " + ROUTE), "lost", "setup", "compute_subnets",
    ),
    "no log group": (
        unstarted(START + "failed to validate logger args: The specified log group does not exist."),
        "lost", "setup", "log_group",
    ),
    "execution role": (
        unstarted(START + "unable to retrieve ecr registry auth: AccessDeniedException"),
        "lost", "setup", "compute_execution_role",
    ),
    "role without trust": (
        unstarted("ECS was unable to assume the role 'arn:aws:iam::1:role/x'."), "lost", "setup", "compute_task_role",
    ),
    "no program": (
        unstarted("", 'CannotStartContainerError: exec: "python": executable file not found in $PATH'),
        "lost", "setup", "entry point",
    ),
    "other CPU": (exited(255, container="exec /usr/bin/python: exec format error"), "lost", "setup", "architecture"),
    "other CPU at the pull": (
        unstarted("CannotPullContainerError: Manifest does not contain descriptor matching platform 'linux/amd64'"),
        "lost", "setup", "architecture",
    ),
    "somebody stopped it": (task("UserInitiated", "because", exit_code=143), "stopped", None, "because"),
    "stopped while it was pulled": (task("UserInitiated", PULL + "context canceled"), "stopped", "passing", ""),
    "quota": (
        unstarted("You’ve reached the limit on the number of vCPUs you can run concurrently"),
        "lost", "quota", "max_workers",
    ),
    "capacity": (unstarted("Capacity is unavailable at this time."), "lost", "capacity", "compute_subnets"),
    "native crash": (exited(139), "lost", None, "exit code 139 (SIGSEGV)"),
    "killed": (exited(137), "lost", None, "exit code 137 (SIGKILL)"),
    "terminated": (exited(143), "lost", None, "exit code 143 (SIGTERM)"),
    "a code of its own": (exited(3), "lost", None, "exit code 3"),
    "a code that is no signal": (exited(250), "lost", None, "exit code 250"),
    "nothing said": ({}, "lost", "passing", "does not say why"),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_what_the_table_says(end):
    described, cause, launch, named = ENDS[end]
    outcome = outcome_of(described)
    assert (outcome.cause, outcome.launch) == (cause, launch)
    assert named in outcome.detail


def test_every_row_is_met():
    kinds = {outcome_of(described).kind for described, *_ in ENDS.values()}
    assert kinds == {row.kind for row in TABLE} | {"exited"}


def test_the_evidence_is_in_awss_own_words_and_short():
    detail = outcome_of(unstarted(PULL + "repo/image:tag: not found")).detail
    assert f"AWS says: {PULL}repo/image:tag: not found" in detail
    assert len(outcome_of(unstarted(PULL + "not found " * 1000)).detail) < 900
    assert "AWS says" not in outcome_of(exited(139)).detail


@pytest.mark.parametrize(
    ("end", "launches"), [("pull timed out", 3), ("registry out of reach", 1), ("no such image", 0)]
)
def test_what_may_pass_is_borne_for_some_launches(end, launches):
    assert outcome_of(ENDS[end][0]).borne == launches


def test_the_log_may_say_that_the_image_is_for_another_cpu():
    assert is_worth_its_log(exited(255))
    assert not is_worth_its_log(exited(137))
    assert not is_worth_its_log(unstarted("InternalError"))
    outcome = outcome_of(exited(255), "exec /usr/local/bin/python: exec format error")
    assert (outcome.kind, outcome.launch) == ("architecture", "setup")
    assert outcome_of(exited(255), "Traceback").kind == "exited"


def test_the_workers_own_container_tells_the_exit_code():
    both = exited(139) | {"containers": [{"name": "sidecar", "exitCode": 0}, {"name": "worker", "exitCode": 139}]}
    assert "139" in outcome_of(both).detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SAID = st.one_of(JSON, st.sampled_from([OOM, PULL, START, "exec format error", "’"]))
CONTAINERS = JSON | st.lists(
    JSON | st.fixed_dictionaries({}, optional={"name": JSON, "reason": SAID, "exitCode": JSON}), max_size=3
)
CODES = JSON | st.sampled_from(["SpotInterruption", "TaskFailedToStart", "EssentialContainerExited", "UserInitiated"])


@given(
    JSON
    | st.fixed_dictionaries(
        {}, optional={"stopCode": CODES, "stoppedReason": SAID, "containers": CONTAINERS, "startedAt": JSON}
    ),
    st.text(),
)
def test_whatever_is_said_there_is_an_outcome(described, tail):
    outcome = outcome_of(described, tail)
    assert outcome.detail
    assert outcome.cause in ("lost", "memory", "reclaimed", "host", "stopped")
    assert json.dumps(outcome)
    assert isinstance(is_worth_its_log(described), bool)
