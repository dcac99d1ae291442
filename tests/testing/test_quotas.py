"""What Fargate may run at once, and what CloudWatch tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest

import cloudburst as cb
from cloudburst.testing import FakeAWS
from tests.aws.runs import on_aws

ON_DEMAND, SPOT = "L-3032A538", "L-36FBB829"


def quota(code):
    return boto3.client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=code)["Quota"]


def used(code):
    metric = quota(code)["UsageMetric"]
    now = datetime.now(UTC)
    points = boto3.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=[{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(point["Maximum"] for point in points)


def test_quotas_are_those_that_launches_meet():
    with FakeAWS(vcpu_quota=6, spot_vcpu_quota=12):
        assert (quota(ON_DEMAND)["Value"], quota(SPOT)["Value"]) == (6, 12)


def test_a_quota_that_is_none_of_fargates_is_not_there():
    with FakeAWS():
        quotas = boto3.client("service-quotas")
        for service, code in (("fargate", "L-0"), ("ec2", ON_DEMAND)):
            with pytest.raises(quotas.exceptions.NoSuchResourceException):
                quotas.get_service_quota(ServiceCode=service, QuotaCode=code)


@cb.stage(cpu=512, memory=1024)
def waits(seconds):
    import time

    time.sleep(seconds)


def test_what_runs_is_in_use(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path))
    with on_aws():
        assert (used(ON_DEMAND), used(SPOT)) == (0, 0)
        waits(0).compute()
        assert (used(ON_DEMAND), used(SPOT)) == (0.5, 0)
