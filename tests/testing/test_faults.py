"""Every fault by name: what is seen of it from outside, and that it is counted."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from cloudburst.errors import UsageError
from cloudburst.testing import (
    ABOVE_LIMIT,
    AGED_OUT,
    CAPACITY,
    DENIED,
    ENI_TIMEOUT,
    EXEC_FORMAT,
    EXPIRED,
    HOST_FAULT,
    KILLED,
    LOST_ANSWER,
    MEMORY_FLAG_STICKS,
    MISSING,
    NEVER_STARTS,
    OUT_OF_MEMORY,
    PULL_DENIED,
    PULL_NOT_FOUND,
    PULL_TIMEOUT,
    QUOTA,
    RESOURCE_INITIALIZATION,
    SEGFAULT,
    SERVER_ERROR,
    SKEWED,
    SLOW,
    SLOW_DOWN,
    SLOW_START,
    SPOT_KILLED,
    SPOT_LOSS,
    START_ERROR,
    STORAGE_TIMEOUT,
    TERMINATION_NOTICE,
    THROTTLED,
    FakeAWS,
    Faults,
    faults,
)  # fmt: skip
from tests.testing.fargate import describe, order, register, run, running, stopped, until

WAITS = ["/bin/sh", "-c", "trap 'exit 143' TERM; echo up; sleep 600 & wait"]
QUICK = ["/bin/sh", "-c", "echo up"]
ONCE = Config(retries={"max_attempts": 0})


def fake(*, program=WAITS, **faults_of):
    return FakeAWS(time_scale=0.001, faults=Faults(**faults_of), _program=program)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CAPACITY, "Capacity is unavailable at this time"),
        (QUOTA, "reached the limit on the number of vCPUs"),
        (ABOVE_LIMIT, "The requested CPU configuration is above your limit"),
    ],
)
def test_run_task_answers_with_failures_beside_what_it_starts(fault, reason):
    with fake(launches=[None, fault, None]) as aws:
        register(aws)
        answer = boto3.client("ecs").run_task(**order(aws, count=3))
        assert len(answer["tasks"]) == 2
        assert [reason in failure["reason"] for failure in answer["failures"]] == [True]
        assert aws.met == {fault.name: 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ENI_TIMEOUT, "Timeout waiting for network interface provisioning"),
        (STORAGE_TIMEOUT, "Timeout waiting for EphemeralStorage provisioning"),
        (START_ERROR, "InternalError"),
        (PULL_TIMEOUT, "i/o timeout"),
        (PULL_NOT_FOUND, "CannotPullContainerError"),
        (PULL_DENIED, "403 Forbidden"),
        (RESOURCE_INITIALIZATION, "ResourceInitializationError"),
    ],
)
def test_a_task_that_fails_to_start_says_why(fault, reason):
    with fake(launches=[fault]) as aws:
        register(aws)
        told = stopped(aws, run(aws)[0])
        assert told["stopCode"] == "TaskFailedToStart"
        assert reason in told["stoppedReason"]
        assert "{" not in told["stoppedReason"]
        assert "startedAt" not in told
        assert aws.met == {fault.name: 1}


def test_the_wrong_architecture_is_seen_in_the_log_alone():
    with fake(launches=[EXEC_FORMAT]) as aws:
        register(aws)
        (task,) = run(aws)
        told = stopped(aws, task)
        assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("EssentialContainerExited", 255)
        assert "exec format error" in aws.logs(task["taskArn"])
        assert aws.met == {"EXEC_FORMAT": 1}


def test_a_task_that_never_starts_stays_until_it_is_stopped():
    with fake(launches=[NEVER_STARTS, None]) as aws:
        register(aws)
        never, other = run(aws, count=2)
        running(aws, other)
        assert describe(aws, never)["tasks"][0]["lastStatus"] == "PROVISIONING"
        boto3.client("ecs").stop_task(cluster=aws.settings["compute_cluster"], task=never["taskArn"])
        assert stopped(aws, never)["stopCode"] == "UserInitiated"
        assert aws.met == {"NEVER_STARTS": 1}


def test_a_slow_start_takes_longer_in_fake_time():
    with fake(launches=[SLOW_START.after(50), None]) as aws:
        register(aws)
        slow, quick = (running(aws, task) for task in run(aws, count=2))
        assert slow.started_s - slow.created_s >= 50
        assert quick.started_s < slow.started_s
        assert aws.met == {"SLOW_START": 1}


@pytest.mark.parametrize(
    ("fault", "stop_code", "exit_code"),
    [
        (SPOT_LOSS, "SpotInterruption", 143),
        (SPOT_KILLED, "SpotInterruption", 137),
        (TERMINATION_NOTICE, "TerminationNotice", 143),
        (HOST_FAULT, "InfrastructureHealth", None),
        (KILLED, "EssentialContainerExited", 137),
        (SEGFAULT, "EssentialContainerExited", 139),
        (OUT_OF_MEMORY, "EssentialContainerExited", 137),
    ],
)
def test_a_running_task_is_ended(fault, stop_code, exit_code):
    with fake(launches=[fault.after(500)]) as aws:
        register(aws, stop_timeout=120)
        (task,) = run(aws, spot=True)
        running(aws, task)
        told = stopped(aws, task)
        assert (told["stopCode"], told["containers"][0].get("exitCode")) == (stop_code, exit_code)
        assert told["stoppedReason"] == fault.reason
        assert told["containers"][0].get("reason", "") == fault.container_reason
        assert aws.met == {fault.name: 1}


def test_a_fault_by_hand_ends_a_task():
    with fake() as aws:
        register(aws)
        first, second = run(aws, count=2)
        for task in (first, second):
            running(aws, task)
        aws.interrupt(first["taskArn"])
        aws.kill(second["taskArn"].rpartition("/")[2])
        assert stopped(aws, first)["stopCode"] == "SpotInterruption"
        assert stopped(aws, second)["containers"][0]["exitCode"] == 137
        assert aws.met == {"SPOT_LOSS": 1, "KILLED": 1}


def test_the_memory_flag_sticks_beside_exit_code_0():
    with fake(launches=[MEMORY_FLAG_STICKS], program=QUICK) as aws:
        register(aws)
        container = stopped(aws, run(aws)[0])["containers"][0]
        assert container["exitCode"] == 0
        assert container["reason"].startswith("OutOfMemoryError")
        assert aws.met == {"MEMORY_FLAG_STICKS": 1}


def test_a_new_task_is_missing_at_first():
    with FakeAWS(time_scale=0.02, faults=Faults(launches=[MISSING.after(60)]), _program=WAITS) as aws:
        register(aws)
        (task,) = run(aws)
        assert [one["reason"] for one in describe(aws, task)["failures"]] == ["MISSING"]
        assert boto3.client("ecs").list_tasks(cluster=aws.settings["compute_cluster"])["taskArns"] == []
        until(lambda: describe(aws, task)["tasks"], "the task")
        assert aws.met["MISSING"] >= 1


def test_a_stopped_task_is_forgotten():
    with fake(launches=[AGED_OUT], program=QUICK) as aws:
        register(aws)
        (task,) = run(aws)
        until(lambda: aws.tasks()[0].is_stopped, "its end")
        assert [one["reason"] for one in describe(aws, task)["failures"]] == ["MISSING"]
        assert aws.met["AGED_OUT"] >= 1


def test_attempts_of_a_stage_meet_their_faults():
    says = "echo 'cloudburst: begins fit fit-ab12-2-1 attempt 1'; sleep 600"
    again = "echo 'cloudburst: begins fit fit-ab12-2-2 attempt 2'; sleep 600"
    more = "echo 'cloudburst: begins fit fit-ab12-2-3 attempt 3'; echo 'cloudburst: begins load load-1-1 attempt 1'"
    with fake(stages={"fit": [SPOT_LOSS, OUT_OF_MEMORY]}, program=["/bin/sh", "-c"]) as aws:
        register(aws)
        first, second, third = (run(aws, command=[text])[0] for text in (says, again, more))
        assert stopped(aws, first)["stopCode"] == "SpotInterruption"
        assert stopped(aws, second)["stoppedReason"].startswith("OutOfMemoryError")
        assert stopped(aws, third)["containers"][0]["exitCode"] == 0
        assert aws.met == {"SPOT_LOSS": 1, "OUT_OF_MEMORY": 1}


def test_a_row_for_a_task_goes_before_one_for_its_stage():
    with fake(stages={"fit": [KILLED], "fit-ab12-2": [None]}, program=["/bin/sh", "-c"]) as aws:
        register(aws)
        (task,) = run(aws, command=["echo 'cloudburst: begins fit fit-ab12-2-1 attempt 1'"])
        assert stopped(aws, task)["containers"][0]["exitCode"] == 0
        assert aws.met == {}


ERRORS = {
    "THROTTLED": ("ThrottlingException", 400, "SlowDown", 503),
    "SLOW_DOWN": ("SlowDown", 503, "SlowDown", 503),
    "SERVER_ERROR": ("ServerException", 500, "InternalError", 500),
    "EXPIRED": ("ExpiredTokenException", 400, "ExpiredToken", 400),
    "SKEWED": ("InvalidSignatureException", 400, "RequestTimeTooSkewed", 403),
    "DENIED": ("AccessDeniedException", 400, "AccessDenied", 403),
}


@pytest.mark.parametrize("fault", [THROTTLED, SLOW_DOWN, SERVER_ERROR, EXPIRED, SKEWED, DENIED])
def test_a_call_meets_the_fault_of_its_turn(fault):
    with fake(api={"ListClusters": [None, fault], "PutObject": [fault]}) as aws:
        ecs, s3 = boto3.client("ecs", config=ONCE), boto3.client("s3", config=ONCE)
        code, status, s3_code, s3_status = ERRORS[fault.name]
        ecs.list_clusters()
        with pytest.raises(ClientError) as refused:
            ecs.list_clusters()
        ecs.list_clusters()
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=aws.settings["storage_bucket"], Key="a", Body=b"x" * 100_000)
        assert refused.value.response["Error"]["Code"] == s3_code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == s3_status
        assert aws.met == {fault.name: 2}


def test_a_client_that_retries_gets_through():
    with fake(api={"GetObject": [SLOW_DOWN, SERVER_ERROR]}) as aws:
        s3, bucket = (
            boto3.client("s3", config=Config(retries={"max_attempts": 5, "mode": "standard"})),
            "cloudburst-fake",
        )
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
        assert (aws.calls["GetObject"], aws.met["SLOW_DOWN"], aws.met["SERVER_ERROR"]) == (3, 1, 1)


def test_a_lost_answer_was_carried_out():
    with fake(api={"RunTask": [LOST_ANSWER], "PutObject": [LOST_ANSWER]}) as aws:
        register(aws)
        ecs, s3 = boto3.client("ecs", config=ONCE), boto3.client("s3", config=ONCE)
        with pytest.raises(ConnectionClosedError):
            ecs.run_task(**order(aws, clientToken="t"))
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket=aws.settings["storage_bucket"], Key="a", Body=b"1")
        assert len(aws.tasks()) == 1
        (again,) = ecs.run_task(**order(aws, clientToken="t"))["tasks"]
        assert again["taskArn"] == aws.tasks()[0].arn
        assert s3.get_object(Bucket=aws.settings["storage_bucket"], Key="a")["Body"].read() == b"1"
        assert aws.met == {"LOST_ANSWER": 2}


def test_a_slow_call_is_answered_all_the_same():
    with fake(api={"ListClusters": [SLOW]}) as aws:
        assert len(boto3.client("ecs").list_clusters()["clusterArns"]) == 1
        assert aws.met == {"SLOW": 1}


def test_random_faults_are_the_same_for_the_same_seed():
    def met(seed):
        aws = FakeAWS(time_scale=0.001, faults=Faults(rate=0.5, api_rate=0.3), seed=seed, _program=QUICK)
        with aws:
            client = boto3.client("ecs", config=ONCE)
            outcomes = []
            for _ in range(30):
                try:
                    client.list_clusters()
                    outcomes.append("")
                except (ClientError, ConnectionClosedError) as error:
                    outcomes.append(type(error).__name__)
            drawn = [aws._script.launch(is_spot=False) for _ in range(30)]
        return outcomes, drawn

    assert met(1) == met(1)
    assert met(1) != met(2)
    outcomes, drawn = met(1)
    assert {"", "ClientError"} < set(outcomes) or {"", "ThrottlingException"} < set(outcomes)
    assert None in drawn
    assert len({fault.name for fault in drawn if fault}) > 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"launches": [THROTTLED]}, "launches cannot hold THROTTLED"),
        ({"stages": {"fit": [CAPACITY]}}, "stages.*cannot hold CAPACITY: it takes SPOT_LOSS"),
        ({"api": {"RunTask": [SPOT_LOSS]}}, "api.*cannot hold SPOT_LOSS"),
        ({"launches": ["SPOT_LOSS"]}, "launches holds 'SPOT_LOSS'"),
        ({"rate": 1.0}, "rate=1.0 cannot be"),
    ],
)
def test_faults_in_the_wrong_place_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        Faults(**wrong)


def test_every_fault_can_be_imported_by_its_name():
    import cloudburst.testing

    assert set(faults.ALL) <= set(cloudburst.testing.__all__)
    assert [repr(fault) for fault in faults.ALL.values()] == list(faults.ALL)
