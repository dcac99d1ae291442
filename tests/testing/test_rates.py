"""How often, and how much at once, an account may ask for."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS
from cloudburst.testing.answers import Refusal
from cloudburst.testing.rates import Rates
from tests.testing.fargate import order, register, run, stopped


class Hands:
    """A clock that is set by hand."""

    s = 0.0

    def now_s(self):
        return self.s


@pytest.fixture
def clock():
    return Hands()


def calls_until_refused(rates, operation):
    for number in range(1000):
        try:
            rates.call(operation)
        except Refusal:
            return number
    raise AssertionError("no limit")


@pytest.mark.parametrize(
    ("operation", "burst", "per_s"),
    [
        ("RunTask", 20, 20),
        ("StopTask", 100, 40),
        ("DescribeTasks", 100, 20),
        ("RegisterTaskDefinition", 20, 1),
        ("DescribeTaskDefinition", 50, 20),
        ("PutClusterCapacityProviders", 20, 1),
    ],
)
def test_a_burst_and_then_so_many_a_second(clock, operation, burst, per_s):
    rates = Rates(clock)
    assert calls_until_refused(rates, operation) == burst
    clock.s += 1
    assert calls_until_refused(rates, operation) == per_s
    clock.s += 1000
    assert calls_until_refused(rates, operation) == burst


def test_actions_of_a_row_share_a_bucket(clock):
    rates = Rates(clock)
    for _ in range(60):
        rates.call("DescribeTasks")
    assert calls_until_refused(rates, "ListTasks") == 40


def test_launches_on_demand_and_spot_are_apart(clock):
    rates = Rates(clock)
    for _ in range(10):
        rates.launch(10, is_spot=False)
    rates.launch(10, is_spot=True)
    with pytest.raises(Refusal):
        rates.launch(1, is_spot=False)


def test_a_call_too_many_is_throttled_for_real():
    def refused():
        with pytest.raises(ClientError, match="ThrottlingException.*Rate exceeded"):
            ecs.create_cluster(clusterName="another")

    with FakeAWS(time_scale=1000.0):
        ecs = boto3.client("ecs", config=Config(retries={"max_attempts": 0}))
        for _ in range(20):
            ecs.create_cluster(clusterName="another")
        refused()


def test_a_quota_holds_until_tasks_have_ended():
    with FakeAWS(vcpu_quota=1, spot_vcpu_quota=0.5, _program=["/bin/sh", "-c", "exec sleep 600"]) as aws:
        register(aws)
        ecs = boto3.client("ecs")
        half = {"cpu": "512", "memory": "1024"}
        answer = ecs.run_task(**order(aws, count=3, overrides=half))
        assert len(answer["tasks"]) == 2
        assert answer["failures"][0]["reason"].endswith("the number of vCPUs you can run concurrently")
        (spot,) = run(aws, spot=True, overrides=half)
        assert ecs.run_task(**order(aws, spot=True))["tasks"] == []
        large = ecs.run_task(**order(aws, overrides={"cpu": "2048", "memory": "4096"}))
        assert large["failures"][0]["reason"] == "The requested CPU configuration is above your limit"
        aws.kill(answer["tasks"][0]["taskArn"])
        stopped(aws, answer["tasks"][0])
        run(aws, overrides=half)
        assert aws.met["QUOTA"] == 2
        assert aws.met["ABOVE_LIMIT"] == 1
        assert spot["taskArn"].rpartition("/")[2] in aws.running()
