"""The template: what AWS's own linter says of it, and what it promises."""

import json
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint

from cloudburst.aws import template as template_module
from cloudburst.aws.policies import CALLER, EXECUTION, PUSHER, TASK, policy
from cloudburst.aws.template import DAYS, LOG_DAYS, PREFIX, placed, template, template_text
from cloudburst.runtime import layout

ROOT = Path(__file__).parents[2]
TRANSIENT = [
    layout.run_prefix("n", "x"),
    layout.given_key(layout.run_prefix("n", "x"), 1),
    layout.journal_prefix(layout.run_prefix("n", "x")),
    layout.source_key("ab12", "a.parquet"),
    layout.pools_prefix("u"),
    layout.pool_prefix("u", "p"),
    layout.history_prefix("u"),
    layout.printed_prefix("u", "x"),
]


@pytest.fixture(scope="module")
def resources():
    return template()["Resources"]


@pytest.mark.filterwarnings("ignore")
def test_aws_own_linter_has_nothing_to_say():
    regions = ["us-east-1", "eu-central-1", "ap-southeast-2"]
    assert [str(one) for one in lint(template_text(), config=ManualArgs(regions=regions))] == []
    broken = template_text().replace("AWS::ECS::Cluster", "AWS::ECS::Clutser")
    assert lint(broken, config=ManualArgs(regions=regions)) != []


def test_the_text_is_the_template():
    assert json.loads(template_text()) == template()
    assert len(template_text()) < 51_200  # what CloudFormation takes without a bucket


def test_all_that_goes_by_itself_is_what_runs_leave(resources):
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {one["Prefix"] for one in rules if "ExpirationInDays" in one}
    assert expiring == {f"{PREFIX}/{folder}/" for folder in DAYS}
    assert {key.partition("/")[0] for key in TRANSIENT} | {"checks"} == set(DAYS)
    assert "kept" not in DAYS
    [unfinished] = [one for one in rules if "AbortIncompleteMultipartUpload" in one]
    assert "Prefix" not in unfinished


def test_the_protocol_names_every_folder_that_goes():
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    assert [folder for folder in DAYS if f"\n{folder}/" not in text] == []


def test_the_bucket_is_private_and_stays(resources):
    bucket = resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in bucket["Properties"]
    [statement] = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nothing_comes_in(resources):
    assert "SecurityGroupIngress" not in resources["SecurityGroup"]["Properties"]


def test_what_is_allowed_is_what_the_docs_have(resources):
    for name, file in (("CallerPolicy", CALLER), ("PusherPolicy", PUSHER)):
        assert resources[name]["Properties"]["PolicyDocument"] == placed(policy(file))
        assert policy(file) == json.loads((ROOT / "docs/iam" / file).read_text(encoding="utf-8"))
    for name, file in (("TaskRole", TASK), ("ExecutionRole", EXECUTION)):
        [own] = resources[name]["Properties"]["Policies"]
        assert own["PolicyDocument"] == placed(policy(file))
        assert policy(file) == json.loads((ROOT / "docs/iam" / file).read_text(encoding="utf-8"))


def test_a_policy_keeps_everything_but_the_places():
    before = {
        "Sid": "A",
        "Action": ["s3:GetObject"],
        "Resource": "arn:aws:s3:::${bucket}/${prefix}/*",
        "Effect": "Allow",
    }
    after = placed(before)
    text, names = after["Resource"]["Fn::Sub"]
    assert text == "arn:${AWS::Partition}:s3:::${Bucket}/cloudburst/*"
    assert set(names) == {"Bucket"}
    assert {**after, "Resource": ""} == {**before, "Resource": ""}


@pytest.mark.parametrize("file", [CALLER, PUSHER, TASK, EXECUTION])
def test_no_place_of_a_policy_is_left_open(file):
    known = set(template()["Resources"]) | {"Bucket", "ExecutionRole.Arn", "TaskRole.Arn"}
    left = [
        name
        for part in json.dumps(placed(policy(file))).split("${")[1:]
        if not (name := part.partition("}")[0]).startswith("AWS::") and name not in known
    ]
    assert left == []


def test_installed_policies_lie_beside_the_module(tmp_path, monkeypatch):
    (tmp_path / "iam").mkdir()
    (tmp_path / "iam" / TASK).write_text('{"Statement": []}')
    monkeypatch.setattr("cloudburst.aws.policies.__file__", str(tmp_path / "policies.py"))
    assert policy(TASK) == {"Statement": []}


def test_days_of_logs_are_those_of_cloudwatch():
    assert template_module._parameters()["LogDays"]["AllowedValues"] == list(LOG_DAYS)
    assert 30 in LOG_DAYS
