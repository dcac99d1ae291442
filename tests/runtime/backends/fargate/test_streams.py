"""What machines print, from CloudWatch, as it comes."""

from __future__ import annotations

import time

import boto3
import pytest

from cloudburst.errors import AccessDenied
from cloudburst.runtime.backends.fargate.streams import Streams
from cloudburst.testing import FakeAWS

GROUP = "/cloudburst/fake"
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def write(worker, *lines, at_s=None):
    logs = boto3.client("logs")
    stream = f"cloudburst/worker/{worker}"
    if not logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    at_ms = int((time.time() if at_s is None else at_s) * 1000)
    events = [{"timestamp": at_ms, "message": line} for line in lines]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_each_line_comes_once():
    with FakeAWS() as aws:
        streams = Streams(GROUP, aws.settings["region"], aws.settings["endpoint_url"], time.time() - 60)
        assert list(streams.lines("w1")) == []  # it has printed nothing yet
        write("w1", "before", at_s=time.time() - 600)
        write("w1", "one", "two")
        write("w2", "another's")
        assert list(streams.lines("w1")) == ["one", "two"]
        assert list(streams.lines("w1")) == []
        write("w1", "three")
        assert list(streams.lines("w1")) == ["three"]
        assert list(streams.lines("w2")) == ["another's"]


def test_credentials_that_may_not_read_are_told():
    with FakeAWS(iam=True, caller_policy=NOTHING) as aws:
        streams = Streams(GROUP, aws.settings["region"], aws.settings["endpoint_url"], 0.0)
        with pytest.raises(AccessDenied, match="/cloudburst/fake cannot be read"):
            list(streams.lines("w1"))
