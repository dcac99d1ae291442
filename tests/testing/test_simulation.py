"""Whose credentials these are, and what their policies would allow."""

from __future__ import annotations

import boto3
import pytest

from cloudburst.testing import FakeAWS

ROLE = "arn:aws:iam::123456789012:role/cloudburst-task"
CALLER = "arn:aws:iam::123456789012:user/caller"
PASSES = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": ROLE,
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }
    ],
}


def decisions(source, actions, resources, **context):
    entries = [
        {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in context.items()
    ]
    answer = boto3.client("iam").simulate_principal_policy(
        PolicySourceArn=source, ActionNames=actions, ResourceArns=resources, ContextEntries=entries
    )
    return {
        (one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in answer["EvaluationResults"]
    }


def test_credentials_are_those_of_the_caller():
    with FakeAWS():
        assert boto3.client("sts").get_caller_identity()["Arn"] == CALLER


def test_policies_decide_as_they_would_for_a_request():
    with FakeAWS(caller_policy=PASSES):
        service = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
        assert decisions(CALLER, ["iam:PassRole", "ecs:RunTask"], [ROLE], **service) == {
            ("iam:PassRole", ROLE): "allowed",
            ("ecs:RunTask", ROLE): "implicitDeny",
        }
        assert decisions(CALLER, ["iam:PassRole"], [ROLE]) == {("iam:PassRole", ROLE): "implicitDeny"}
        assert decisions(ROLE, ["s3:GetObject"], ["*"]) == {("s3:GetObject", "*"): "allowed"}


def test_nobody_is_asked_about_who_is_not_there():
    with FakeAWS():
        iam = boto3.client("iam")
        for arn in (f"{CALLER}s", f"{ROLE}s"):
            with pytest.raises(iam.exceptions.NoSuchEntityException):
                decisions(arn, ["iam:PassRole"], [ROLE])
