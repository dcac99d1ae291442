"""Settings of AWS: what is wrong is named before anything is started, with what would be right."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.resources import Size
from cloudburst.settings.aws import AUTO, AwsSettings, aws_settings

GIVEN = {
    "storage_bucket": "my-s3-bucket",
    "compute_cluster": "data",
    "compute_subnets": ["subnet-abcdef", "subnet-ghijkl"],
    "compute_assign_public_ip": True,
    "compute_image": "12345.dkr.ecr.us-east-1.amazonaws.com/my-cloudburst-image:latest",
    "compute_execution_role": "arn:aws:iam::12345:role/ecsTaskExecutionRole",
    "compute_task_role": "arn:aws:iam::12345:role/my-cloudburst-role",
    "region": "us-east-1",
}
"""Those of the first example that users see, and a region."""


def settings(**changed: Any) -> AwsSettings:
    return aws_settings(**GIVEN | changed)


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing of AWS is configured."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return monkeypatch


def test_the_first_example_is_taken_as_it_stands() -> None:
    made = settings()
    assert made.compute_subnets == ("subnet-abcdef", "subnet-ghijkl")
    assert made.compute_assign_public_ip is True
    assert made.default_size == Size(2048, 8192)
    assert (made.max_workers, made.linger_s, made.keep_warm_s, made.spot) == (100, 10.0, None, False)
    assert (made.storage_prefix, made.log_group, dict(made.tags)) == ("", None, {})


def test_every_setting_of_the_call_is_one_of_the_record() -> None:
    renamed = {"linger": "linger_s", "keep_warm": "keep_warm_s", "default_cpu": "", "default_memory": ""}
    names = {renamed.get(name, name) for name in inspect.signature(cb.init_aws).parameters} - {"", "profile"}
    assert names | {"default_size", "compute_repository"} == set(AwsSettings.__dataclass_fields__)


def test_where_a_repository_is_named_the_image_is_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value for name, value in GIVEN.items() if name != "compute_image"}
    monkeypatch.setenv("CLOUDBURST_COMPUTE_REPOSITORY", "team/workers")
    made = aws_settings(**given)
    assert (made.compute_image, made.compute_repository) == (AUTO, "team/workers")
    named = aws_settings(**given, compute_image="worker:1")
    assert (named.compute_image, named.compute_repository) == ("worker:1", "team/workers")
    monkeypatch.delenv("CLOUDBURST_COMPUTE_REPOSITORY")
    assert aws_settings(**given, compute_image="auto").compute_repository == "cloudburst"
    with pytest.raises(cb.SettingsError, match="compute_image is missing"):
        aws_settings(**given)


WRONG = [
    ("profile", "my profile", "profile='my profile' cannot be: it is a name of letters"),
    ("storage_bucket", None, "storage_bucket is missing: .*CLOUDBURST_STORAGE_BUCKET.*cloudburst setup"),
    ("storage_bucket", "My_Bucket", "storage_bucket='My_Bucket' cannot be: it is the name of an S3 bucket"),
    ("storage_bucket", "ab", "3 to 63"),
    ("storage_bucket", "a..b", "cannot be"),
    ("storage_bucket", "s3://data/x", "give the name alone, storage_bucket='data'"),
    ("storage_bucket", "arn:aws:s3:::data", "give the name alone, storage_bucket='data'"),
    ("compute_cluster", "", "compute_cluster='' cannot be: it is the cluster's name or ARN"),
    ("compute_cluster", "arn:aws:ecs:us-east-1:1:service/x", "the cluster's name or ARN"),
    ("compute_subnets", "subnet-abc", r"compute_subnets='subnet-abc' .*: write compute_subnets=\['subnet-abc'\]"),
    ("compute_subnets", [], "a list of 1 to 16 ids"),
    ("compute_subnets", None, "compute_subnets is missing"),
    ("compute_subnets", ["subnet-a"] * 17, "a list of 1 to 16 ids"),
    ("compute_subnets", ["vpc-1"], "compute_subnets has 'vpc-1', which is no id such as 'subnet-0abc'"),
    ("compute_security_groups", ["default"], "compute_security_groups has 'default'"),
    ("compute_security_groups", ["sg-1"] * 6, "a list of 0 to 5 ids"),
    ("compute_assign_public_ip", "ENABLED", "compute_assign_public_ip='ENABLED' cannot be: it is True or False"),
    ("compute_image", None, "compute_image is missing: .*cloudburst image builds one"),
    ("compute_image", "", "compute_image='' cannot be: it is an image with its tag"),
    ("compute_image", "my image", "an image with its tag"),
    ("compute_execution_role", "ecsTaskExecutionRole", "compute_execution_role='ecs.*the ARN of a role"),
    ("compute_task_role", "arn:aws:iam::12345:user/me", "compute_task_role='arn.*the ARN of a role"),
    ("region", "virginia", "region='virginia' cannot be: it is the name of an AWS region"),
    ("region", "us-east-1a", "the name of an AWS region"),
    ("storage_prefix", "a//b", "storage_prefix='a//b' cannot be"),
    ("storage_prefix", "a/.b", "no part of it is empty or begins with a dot"),
    ("storage_prefix", "ü", "what keys in the bucket begin with"),
    ("storage_kms_key", "", "storage_kms_key='' cannot be: it is the id, ARN or alias of a KMS key"),
    ("spot", 1, "spot=1 cannot be: it is True or False"),
    ("architecture", "arm64", "architecture='arm64' cannot be: it is 'X86_64' or 'ARM64'"),
    ("architecture", ["ARM64"], "architecture="),
    ("max_workers", 0, "max_workers=0 cannot be: it is how many workers there may be at once"),
    ("max_workers", 2.0, "max_workers=2.0"),
    ("max_workers", True, "max_workers=True"),
    ("linger", -1, "linger=-1 cannot be: it is a number of seconds, 0 or more"),
    ("linger", float("nan"), "linger=nan"),
    ("linger", "10", "linger='10'"),
    ("keep_warm", float("inf"), "keep_warm=inf cannot be"),
    ("keep_warm", True, "keep_warm=True cannot be"),
    ("log_group", "my group", "log_group='my group' cannot be: it is the name of a CloudWatch log group"),
    ("tags", [("a", "b")], "tags=.* cannot be: it is a dict"),
    ("tags", {"a": 1}, "tags has 'a': 1"),
    ("tags", {"": "x"}, "tags has ''"),
    ("tags", {"a": "x" * 257}, "values to 256"),
    ("tags", {"a": "x;y"}, "letters, digits, spaces"),
    ("tags", {str(n): "x" for n in range(41)}, "at most 40"),
    ("tags", {"aws:x": "y"}, "tags has 'aws:x': names that begin with 'aws:' or 'cloudburst' are taken"),
    ("tags", {"Cloudburst-pool": "y"}, "are taken"),
    ("endpoint_url", "localhost:5000", "endpoint_url='localhost:5000' cannot be"),
    ("endpoint_url", "http://", "endpoint_url='http://' cannot be"),
    ("endpoint_url", "http://[", "endpoint_url="),
    ("endpoint_url", "http://x/?a=1", "endpoint_url="),
    ("default_cpu", 1000, "default_cpu and default_memory: Fargate has no size cpu=1000"),
    ("default_memory", "100 MB", "default_cpu and default_memory: "),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_what_cannot_be_is_refused_by_its_name(name: str, value: Any, said: str) -> None:
    with pytest.raises(cb.SettingsError, match=said) as caught:
        settings(**{name: value})
    assert name in str(caught.value)


def test_every_setting_has_a_value_that_is_refused() -> None:
    assert {name for name, _, _ in WRONG} == set(inspect.signature(cb.init_aws).parameters)


def test_a_machine_for_each_task_and_machines_kept_warm_exclude_each_other() -> None:
    with pytest.raises(cb.SettingsError, match="linger=0 gives every task a machine .* keep_warm=60"):
        settings(linger=0, keep_warm=60)
    assert settings(linger=0).linger_s == 0.0
    assert settings(linger=0, keep_warm=0).keep_warm_s == 0.0


def test_what_is_right_is_taken_in_its_usual_forms() -> None:
    made = settings(
        compute_cluster="arn:aws-us-gov:ecs:us-gov-west-1:12345:cluster/data",
        compute_subnets=("subnet-1",),
        region="us-gov-west-1",
        storage_prefix="/team/cloudburst/",
        storage_kms_key="alias/team",
        compute_security_groups=["sg-1"],
        tags={"cost center": "a+b=c/d@e"},
        endpoint_url="http://127.0.0.1:5000/",
        default_cpu="1 vCPU",
        default_memory="8 GB",
        spot=True,
        linger=0.5,
    )
    assert made.storage_prefix == "team/cloudburst"
    assert made.endpoint_url == "http://127.0.0.1:5000"
    assert made.default_size == Size(1024, 8192, spot=True)
    assert (made.region, made.linger_s) == ("us-gov-west-1", 0.5)


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_environment_tells_the_region(no_aws: pytest.MonkeyPatch, variable: str) -> None:
    no_aws.setenv(variable, "eu-west-3")
    assert settings(region=None).region == "eu-west-3"
    assert settings(region="us-east-2").region == "us-east-2"


def test_the_profile_tells_the_region(no_aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = ap-south-1\n")
    no_aws.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    no_aws.setenv("AWS_PROFILE", "work")
    assert settings(region=None).region == "ap-south-1"


def test_without_a_region_the_call_says_where_it_may_stand(no_aws: pytest.MonkeyPatch) -> None:
    with pytest.raises(cb.SettingsError, match=r"region is missing: .* cb.init_aws\(region='us-east-1'"):
        settings(region=None)
    no_aws.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(cb.SettingsError, match=r"region is missing.*nobody.*AWS_PROFILE"):
        settings(region=None)


def test_without_boto3_the_call_says_what_to_install() -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'boto3' else find(name, *a)\n"
        "import cloudburst as cb\n"
        "try: cb.init_aws(storage_bucket='abc', compute_cluster='c', compute_subnets=['subnet-1'], compute_image='i',\n"
        "    compute_execution_role='', compute_task_role='')\n"
        "except cb.SettingsError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert "pip install 'cloudburst[aws]'" in done.stdout


def test_settings_that_are_refused_leave_the_provider_as_it_was() -> None:
    from cloudburst import providers

    before = providers.current()
    with pytest.raises(cb.SettingsError):
        cb.init_aws(**GIVEN | {"spot": "yes"})  # type: ignore[arg-type]
    assert providers.current() is before
