"""What is said of changes and of failures."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cloudburst.aws.access import told
from cloudburst.aws.stack import Change, Event
from cloudburst.aws.template import template
from cloudburst.aws.wording import _THINGS, cause, lines

WORDS = {
    "name": "cb", "region": "us-east-1", "bucket": "data", "vpc": "vpc-1", "run_days": "30", "log_days": "7",
    "capacity": "Fargate",
}  # fmt: skip


def failed(name, reason, number=1):
    return Event(str(number), name, template()["Resources"][name]["Type"], "", "CREATE_FAILED", reason)


def test_every_thing_of_the_template_has_words():
    assert set(_THINGS) == set(template()["Resources"])
    changes = [Change("Add", name, one["Type"], "", False) for name, one in template()["Resources"].items()]
    assert [what for _, what, _ in lines(changes, WORDS) if "{" in what or what in template()["Resources"]] == []


def test_changes_come_in_one_order_and_say_what_becomes_of_things():
    changes = [
        Change("Remove", "S3Endpoint", "AWS::EC2::VPCEndpoint", "vpce-1", False),
        Change("Modify", "SecurityGroup", "AWS::EC2::SecurityGroup", "sg-1", True),
        Change("Modify", "Bucket", "AWS::S3::Bucket", "data", False),
        Change("Remove", "Older", "AWS::SNS::Topic", "topic-1", False),
    ]
    assert lines(changes, WORDS) == [
        ("~", "S3 bucket data", "changed"),
        ("~", "security group in vpc-1", "a new one takes its place"),
        ("-", "gateway endpoint for S3 in vpc-1", "removed"),
        ("-", "AWS::SNS::Topic topic-1", "removed"),
    ]


REASONS = [
    ("cb already exists", "choose another, with --name"),
    ("Unable to assume the service linked role. Please verify that it exists.", "run cloudburst setup again"),
    ("User: arn is not authorized to perform: iam:CreateRole", "somebody who may can do it"),
    ("LimitExceededException: Cannot exceed quota for RolesPerAccount: 1000", "Service Quotas"),
    ("Cannot delete entity, must detach all policies first.", "attached policies of their own"),
    ("The Cluster cannot be deleted while Tasks are active.", "end what runs there"),
]


@pytest.mark.parametrize(("reason", "mend"), REASONS)
def test_a_reason_is_told_with_its_mend(reason, mend):
    said_by = f'Resource handler returned message: "{reason} (Service: X, Status Code: 400, Request ID: 1-2)"'
    handled = f"{said_by} (RequestToken: 3, HandlerErrorCode: Y)"
    for written in (reason, handled):
        said = cause([failed("Cluster", written)], WORDS)
        assert said.startswith(f"ECS cluster cb: {reason.rstrip('.')}.")
        assert mend in said
        assert "RequestToken" not in said


def test_the_first_real_reason_counts_and_not_what_follows_from_it():
    events = [
        failed("LogGroup", "Resource creation cancelled", 1),
        failed("TaskRole", "Cannot exceed quota", 2),
        failed("Repository", "already exists", 3),
        failed("Bucket", "The following resource(s) failed to create: [TaskRole].", 4),
    ]
    assert cause(events, WORDS).startswith("role cb-us-east-1-task: Cannot exceed quota.")


def test_without_a_reason_that_is_said():
    assert cause([], WORDS) == "CloudFormation gives no reason."
    assert cause([failed("LogGroup", "Resource creation cancelled")], WORDS) == "Resource creation cancelled."


ANSWERS = [
    ("ExpiredToken", "expired", "Your AWS credentials have expired."),
    ("AccessDenied", "no iam:CreateRole", "Your AWS credentials may not do what setting up takes: no iam:CreateRole."),
    ("OptInRequired", "not subscribed", "The region is not switched on"),
    ("Strange", "what  nobody\nknows.", "AWS could not do it: what nobody knows (Strange)."),
]


@pytest.mark.parametrize(("code", "message", "sentence"), ANSWERS)
def test_what_aws_refuses_is_one_sentence(code, message, sentence):
    assert told(ClientError({"Error": {"Code": code, "Message": message}}, "Do"), "do it").startswith(sentence)


def test_an_error_without_an_answer_is_told_by_its_kind():
    assert told(EndpointConnectionError(endpoint_url="x"), "do it").startswith("AWS cannot be reached.")
