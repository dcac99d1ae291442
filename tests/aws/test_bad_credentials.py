"""Credentials and clocks that will not do: told before anything is started."""

from __future__ import annotations

from typing import Any

import pytest

import cloudburst as cb
from cloudburst.testing import SKEWED, FakeAWS, Faults


@cb.stage(cpu=256, memory=512)
def one() -> int:
    return 1


def refused(kind: type[Exception], settings: dict[str, Any], said: str) -> None:
    with cb.using(cb.init_aws(**settings)), pytest.raises(kind, match=said):
        one().compute()
    cb.init_local()


@pytest.mark.parametrize("call", ["ListObjectsV2", "DescribeClusters"])
def test_a_clock_that_is_wrong_is_told(call: str) -> None:
    with FakeAWS(time_scale=0.05, faults=Faults(api={call: [SKEWED] * 9})) as fake:
        refused(cb.CloudburstError, fake.settings, "clock")
        assert fake.tasks() == []


def test_credentials_without_permissions_are_told_what_is_missing() -> None:
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}
    with FakeAWS(time_scale=0.05, iam=True, caller_policy=nothing) as fake:
        refused(cb.AccessDenied, fake.settings, "s3:ListBucket is probably missing")
        assert fake.tasks() == []
