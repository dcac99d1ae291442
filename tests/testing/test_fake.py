"""``FakeAWS`` as a block: what it needs, sets, counts, and leaves as it was."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

import cloudburst as cb
from cloudburst.errors import UsageError
from cloudburst.testing import FakeAWS
from tests.testing.fargate import alive, marked, register, run, stopped, until

QUICK = ["/bin/sh", "-c", "echo up"]
FORKS = ["/bin/sh", "-c", "sleep 600 & echo child $!; sleep 600 & echo child $!; wait"]


def test_settings_are_what_init_aws_takes():
    with FakeAWS() as aws:
        taken = set(inspect.signature(cb.init_aws).parameters)
        assert set(aws.settings) <= taken
        assert {"storage_bucket", "compute_cluster", "compute_image", "endpoint_url", "log_group"} <= set(aws.settings)


@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-1", "eu-west-1", "sa-east-1", "us-west-1"])
def test_the_network_lies_in_two_zones_that_the_region_has(region):
    with FakeAWS(region=region) as aws:
        ec2 = boto3.client("ec2", region_name=region)
        known = {one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]}
        subnets = ec2.describe_subnets(SubnetIds=aws.settings["compute_subnets"])["Subnets"]
        zones = {one["AvailabilityZone"] for one in subnets}
        assert len(zones) == 2
        assert zones <= known
        assert aws.settings["region"] == region


def test_a_pipeline_runs_in_a_region_without_a_zone_b():
    with FakeAWS(region="ap-northeast-1", time_scale=0.01) as aws:
        cb.init_aws(**aws.settings)
        try:
            assert cb.stage(cpu=256, memory=512)(len)([1, 2]).compute() == 2
        finally:
            cb.init_local()
        [task] = aws.tasks()
        assert ":ap-northeast-1:" in task.arn


def test_everything_that_the_settings_name_is_there():
    with FakeAWS() as aws:
        settings = aws.settings
        boto3.client("s3").head_bucket(Bucket=settings["storage_bucket"])
        (cluster,) = boto3.client("ecs").describe_clusters(clusters=[settings["compute_cluster"]])["clusters"]
        assert set(cluster["capacityProviders"]) == {"FARGATE", "FARGATE_SPOT"}
        ec2 = boto3.client("ec2")
        assert len(ec2.describe_subnets(SubnetIds=settings["compute_subnets"])["Subnets"]) == 2
        assert len(ec2.describe_security_groups(GroupIds=settings["compute_security_groups"])["SecurityGroups"]) == 1
        iam = boto3.client("iam")
        for name in ("compute_execution_role", "compute_task_role"):
            assert iam.get_role(RoleName=settings[name].rpartition("/")[2])["Role"]["Arn"] == settings[name]
        repository, _, tag = settings["compute_image"].partition("/")[2].partition(":")
        told = boto3.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        assert len(told["imageDetails"]) == 1
        groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=settings["log_group"])["logGroups"]
        assert [group["logGroupName"] for group in groups] == [settings["log_group"]]


def test_the_environment_is_put_back_exactly(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/certificates")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "my key")
    monkeypatch.delenv("CLOUDBURST_TIME_SCALE", raising=False)
    before = dict(os.environ)
    with FakeAWS(time_scale=0.5) as aws:
        assert os.environ["AWS_ENDPOINT_URL"] == aws.settings["endpoint_url"]
        assert os.environ["CLOUDBURST_TIME_SCALE"] == "0.5"
        assert os.environ["AWS_ACCESS_KEY_ID"] != "my key"
        assert {"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_SESSION_TOKEN"} & set(os.environ) == set()
    assert dict(os.environ) == before


def test_the_environment_is_put_back_after_an_error(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), FakeAWS():
        raise ZeroDivisionError
    assert dict(os.environ) == before


def test_two_blocks_one_after_another_know_nothing_of_each_other():
    with FakeAWS(_program=QUICK) as first:
        boto3.client("s3").put_object(Bucket=first.settings["storage_bucket"], Key="a", Body=b"")
        register(first)
        stopped(first, run(first)[0])
    with FakeAWS() as second:
        listed = boto3.client("s3").list_objects_v2(Bucket=second.settings["storage_bucket"])
        assert listed["KeyCount"] == 0
        assert boto3.client("ecs").list_task_definitions()["taskDefinitionArns"] == []
        assert (second.tasks(), second.calls["RunTask"]) == ([], 0)


def test_a_block_in_a_block_is_refused():
    with FakeAWS(), pytest.raises(UsageError, match="FakeAWS in this process already"), FakeAWS():
        pass
    with FakeAWS():
        pass


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mode": "cloud"}, "mode='cloud'"),
        ({"mode": "container"}, "needs image="),
        ({"time_scale": 0}, "time_scale=0"),
        ({"startup_s": -1}, "startup_s"),
    ],
)
def test_parameters_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        FakeAWS(**wrong)


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_however_the_block_ends(ending):
    seen = []

    def use():
        with FakeAWS(_program=FORKS) as aws:
            register(aws)
            (task,) = run(aws)
            until(lambda: aws.logs(task["taskArn"]).count("child") == 2)
            children = [int(line.split()[1]) for line in aws.logs(task["taskArn"]).splitlines()]
            seen.extend([task, children])
            assert aws.running() == [task["taskArn"].rpartition("/")[2]]
            assert len(marked(task)) == 3
            if ending is not None:
                raise ending

    if ending is None:
        use()
    else:
        with pytest.raises(ending):
            use()
    task, children = seen
    assert marked(task) == []
    assert alive(children) == []
    assert [thread.name for thread in threading.enumerate() if "cloudburst fake" in thread.name] == []


def test_tasks_that_have_not_started_end_with_the_block():
    with FakeAWS(startup_s=1000.0, _program=QUICK) as aws:
        register(aws)
        run(aws, count=3)
        assert len(aws.running()) == 3
    assert aws.running() == []
    assert {task.stop_code for task in aws.tasks()} == {"UserInitiated"}


def test_calls_are_counted_by_operation():
    with FakeAWS() as aws:
        s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
        assert aws.calls == {}
        s3.put_object(Bucket=bucket, Key="a b/c", Body=b"1")
        s3.put_object(Bucket=bucket, Key="d", Body=b"1", IfNoneMatch="*")
        s3.get_object(Bucket=bucket, Key="a b/c")
        s3.list_objects_v2(Bucket=bucket)
        s3.head_object(Bucket=bucket, Key="d")
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "d"}]})
        upload = s3.create_multipart_upload(Bucket=bucket, Key="e")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="e", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        s3.complete_multipart_upload(Bucket=bucket, Key="e", UploadId=upload, MultipartUpload=parts)
        boto3.client("ecs").list_tasks(cluster=aws.settings["compute_cluster"])
        boto3.client("sts").get_caller_identity()
        assert dict(aws.calls) == {
            "PutObject": 2,
            "GetObject": 1,
            "ListObjectsV2": 1,
            "HeadObject": 1,
            "DeleteObjects": 1,
            "CreateMultipartUpload": 1,
            "UploadPart": 1,
            "CompleteMultipartUpload": 1,
            "ListTasks": 1,
            "GetCallerIdentity": 1,
        }
        assert aws.worker_calls == {}


def test_the_label_of_the_image_can_be_read_through_the_registry():
    import json
    from urllib.request import urlopen

    with FakeAWS() as aws:
        repository = aws.settings["compute_image"].partition("/")[2].partition(":")[0]
        ecr = boto3.client("ecr")
        (image,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "latest"}])["images"]
        digest = json.loads(image["imageManifest"])["config"]["digest"]
        url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        labels = json.load(urlopen(url))["config"]["Labels"]
        assert labels["org.cloudburst.python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
        with pytest.raises(ClientError, match="LayersNotFound"):
            ecr.get_download_url_for_layer(repositoryName=repository, layerDigest="sha256:0")


def test_expired_credentials_are_refused_until_they_are_renewed():
    with FakeAWS() as aws:
        aws.expire_credentials()
        with pytest.raises(ClientError, match="ExpiredTokenException"):
            boto3.client("ecs").list_clusters()
        with pytest.raises(ClientError, match="ExpiredToken"):
            boto3.client("s3").list_buckets()
        aws.renew_credentials()
        boto3.client("ecs").list_clusters()
        assert aws.met["EXPIRED"] == 2


def test_an_unknown_task_is_the_callers_mistake():
    with FakeAWS() as aws, pytest.raises(UsageError, match="no task 'x'"):
        aws.interrupt("x")


def test_without_moto_the_error_names_the_extra():
    code = """
import sys
sys.modules["moto"] = None
import cloudburst.testing, cloudburst.testing.plugin
from cloudburst.testing import SPOT_LOSS, Faults
try:
    from cloudburst.testing import FakeAWS
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.startswith("UsageError"), done.stderr
    assert "cloudburst[testing]" in done.stdout
