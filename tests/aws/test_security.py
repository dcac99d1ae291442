"""What credentials a pipeline needs, and what nobody gets to see."""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.errors import AccessDenied, LaunchError, WorkerLost
from tests.aws.leftovers import keys as left
from tests.aws.programs import started
from tests.aws.runs import on_aws, ran

pytestmark = pytest.mark.no_cover

POLICIES = Path(__file__).parents[2] / "docs/iam"
MAY_BE_LEFT_OUT = ("Check", "Read")


def policy(file, left_out=()):
    read = json.loads((POLICIES / file).read_text())
    read["Statement"] = [one for one in read["Statement"] if one["Sid"] not in left_out]
    return read


def statements(file):
    return [one["Sid"] for one in policy(file)["Statement"]]


def enforced(left_out=(), of=""):
    """A fake AWS under the least permissions, without some statements of one file."""
    policies = {
        parameter: policy(file, left_out if file == of else ())
        for parameter, file in (("caller_policy", "caller.json"), ("task_policy", "task-role.json"))
    }
    return on_aws(fake={"iam": True, **policies})


@cb.stage(cpu=256, memory=512)
def table(rows):
    return pd.DataFrame({"x": np.arange(rows), "y": np.arange(rows) / 2})


@cb.stage(cpu=256, memory=512)
def total(frame):
    print("adding up")
    return float(frame["y"].sum())


@cb.stage(cpu=256, memory=512, cache=True)
def blob(size):
    return bytes(size)


@cb.stage(cpu=256, memory=512)
def fails():
    print("the last line")
    raise ValueError("no")


@cb.stage(cpu=256, memory=512)
def crashes():
    print("before it crashes")
    os.kill(os.getppid(), 9)


def pipeline():
    """Values that go through the store, one of them in parts, and one that is kept."""
    rows = pd.DataFrame({"x": range(20_000)})
    return cb.defer([total(table(rows["x"].size + 20_000)), blob(100_000), cb.defer(len)(blob(100_001))])


def test_a_whole_pipeline_runs_under_the_least_permissions():
    with enforced() as aws:
        first = ran(aws, pipeline())
        assert first.error is None
        again = ran(aws, pipeline())
        assert again.value == first.value == [sum(range(40_000)) / 2, bytes(100_000), 100_001]
        assert len(again.of("blob")) == 0
        failed = ran(aws, fails())
        assert isinstance(failed.error, ValueError)
        assert first.listed == again.listed == failed.listed == []


NEEDED = [
    ("ValuesAndLetters", "s3:PutObject"),
    ("WhatIsThere", "s3:ListBucket"),
    ("StartWorkers", "ecs:RunTask"),
    ("TagThemAsTheyStart", "ecs:TagResource"),
    ("WatchAndStopWorkers", "ecs:StopTask"),
    ("FindWorkers", "ecs:ListTasks"),
    ("TaskDefinitionsHaveNoArnOfTheirOwnHere", "ecs:DescribeTaskDefinition"),
    ("HandRolesToWorkers", "iam:PassRole"),
]


@pytest.mark.parametrize(("statement", "permission"), NEEDED)
def test_a_permission_of_the_caller_that_is_missing_is_named(statement, permission):
    with enforced([statement], of="caller.json"), pytest.raises((AccessDenied, LaunchError)) as caught:
        total(table(10)).compute()
    assert permission in str(caught.value)


def test_these_are_all_permissions_of_the_caller_but_those_that_may_be_left_out():
    needed = [statement for statement, _ in NEEDED]
    optional = [one for one in statements("caller.json") if one.startswith(MAY_BE_LEFT_OUT)]
    assert sorted(needed + optional) == sorted(statements("caller.json"))
    assert statements("task-role.json") == ["ValuesAndLetters", "WhatIsThere"]


def test_without_the_permissions_that_may_be_left_out_errors_say_less():
    optional = [one for one in statements("caller.json") if one.startswith(MAY_BE_LEFT_OUT)]
    assert len(optional) == 9
    with enforced(optional, of="caller.json") as aws:
        one = ran(aws, total(table(10)))
        assert one.value == 22.5
        assert "table of" in one.run.cost.prices
        crashed = ran(aws, crashes()).error
        assert isinstance(crashed, WorkerLost)
        assert crashed.log_tail == ""


def test_a_permission_of_the_workers_that_is_missing_is_named_from_their_log():
    with enforced(["ValuesAndLetters"], of="task-role.json") as aws:
        one = ran(aws, total(table(10)))
        assert isinstance(one.error, LaunchError)
        assert "s3:GetObject is probably missing" in str(one.error)
        assert one.listed == []


def test_workers_that_may_not_list_say_so_in_their_log():
    with enforced(["WhatIsThere"], of="task-role.json") as aws:
        one = ran(aws, total(table(10)))
        assert any("s3:ListBucket is missing" in log for log in one.logs.values())


PRIVATE = """
@cb.stage(cpu=256, memory=512, retries=1, environment={"API_TOKEN": "a value of the environment"})
def reads(frame, word, numbers):
    print("reading", len(frame))
    assert os.environ["API_TOKEN"] == "a value of the environment"
    if word == "an argument of the failing":
        os._exit(3)
    return "a private result"

import pandas as pd

frame = pd.DataFrame({"secret": ["a cell of a frame"] * 5})
print(len(reads(frame, "an argument", [17171717]).compute(progress=True)))
try:
    reads(frame, "an argument of the failing", [17171717]).compute(progress=True)
except cb.WorkerLost as error:
    print(error)
else:
    raise AssertionError("it did not fail")
"""


def test_no_key_value_or_argument_appears_in_logs_or_on_the_console(tmp_path):
    with on_aws() as aws:
        program = started(aws, tmp_path, PRIVATE)
        output, error = program.communicate(timeout=100)
        assert program.returncode == 0, error
        told = [output, error, *[aws.logs(task) for task in aws.tasks()]]
        store, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
        public = [key for key in left(aws.settings) if "/history/" in key or "/logs/" in key]
        told += [store.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in public]
        assert len(public) >= 2
        assert "reading 5" in output
        assert any("begins reads" in log for log in told[2:])
        keys = {task.environment["CLOUDBURST_POOL"].rpartition("/")[2] for task in aws.tasks()}
        assert all(len(key) > 20 for key in keys)
        user_key = Path(os.environ["CLOUDBURST_CONFIG_DIR"], "key").read_bytes()
        private = ["a value of the", "an argument", "17171717", "a cell of", "a private", *keys, user_key.hex()]
        private += [os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"]]
        assert [word for word in private if any(word in text for text in told)] == []
        # What ECS shows of a task to everybody in the account: its tags, and who started it.
        shown = " ".join(f"{task.tags} {task.started_by} {task.command}" for task in aws.tasks())
        assert [word for word in private if word in shown] == []
