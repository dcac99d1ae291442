"""Roles, and what the caller may do."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from cloudburst.aws.policies import CALLER, PUSHER, policy
from cloudburst.doctor import permissions
from cloudburst.doctor.examination import CHECKS, examine
from cloudburst.testing import FakeAWS
from tests.doctor.cases import case_of, only, seen

ACCOUNT = "arn:aws:iam::123456789012"


def without(*statements: str) -> dict[str, Any]:
    """The caller's policy, without some of its statements."""
    read = policy(CALLER)
    return {**read, "Statement": [one for one in read["Statement"] if one["Sid"] not in statements]}


def allowed_to_check() -> set[str]:
    """What the policy allows for the doctor alone."""
    own = ("CheckTheRoles", "CheckWhatYouMay", "CheckTheNetwork", "CheckTheQuota")
    statements = [one for one in policy(CALLER)["Statement"] if one["Sid"] in own]
    assert len(statements) == len(own)
    return {action for one in statements for action in permissions._listed(one["Action"])}


def enforced(*left_out: str) -> FakeAWS:
    return FakeAWS(time_scale=0.01, iam=True, caller_policy=without(*left_out))


def test_roles_that_ecs_may_take_are_well(aws):
    assert seen(permissions.roles, case_of(aws)) == [
        ("well", "cloudburst-execution, which ECS may take"),
        ("well", "cloudburst-task, which ECS may take"),
    ]


def test_a_role_that_is_not_there_is_named_with_its_setting(aws):
    found = seen(permissions.roles, case_of(aws, compute_task_role=f"{ACCOUNT}:role/gone"))
    assert found[1] == (
        "wrong",
        "There is no role gone: correct compute_task_role, or let cloudburst setup make it.",
    )


def test_a_role_that_trusts_others_is_wrong(aws):
    trust = {
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    }
    boto3.client("iam").create_role(RoleName="for-ec2", AssumeRolePolicyDocument=json.dumps(trust))
    found = seen(permissions.roles, case_of(aws, compute_execution_role=f"{ACCOUNT}:role/for-ec2"))
    assert found[0][0] == "wrong"
    assert "has to let ecs-tasks.amazonaws.com do sts:AssumeRole" in found[0][1]


def test_a_role_of_another_account_is_wrong(aws):
    found = seen(permissions.roles, case_of(aws, compute_task_role="arn:aws:iam::999999999999:role/theirs"))
    assert found[1][0] == "wrong"
    assert "is of another account than your credentials, 123456789012" in found[1][1]


def test_credentials_that_may_do_everything_are_well(aws):
    assert only(permissions.permissions, case_of(aws))[0] == "well"


def test_under_the_policy_of_the_docs_everything_can_be_looked_at_and_is_well():
    with enforced() as aws:
        results = {one.name: one.mark for one in examine(case_of(aws), [one for one in CHECKS if one.name != "engine"])}
        assert set(results.values()) == {"well"}
        asked = {action.partition(":")[2] for action in allowed_to_check()}
        assert asked - {"DescribeVpcEndpoints"} <= aws.calls.keys()  # which are for networks without the internet


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("HandRolesToWorkers", "iam:PassRole on arn:aws:iam::123456789012:role/cloudburst-execution, arn"),
        ("StartWorkers", "ecs:RunTask on arn:aws:ecs:us-east-1:123456789012:task-definition/cloudburst-*"),
        ("TagThemAsTheyStart", "ecs:TagResource on"),
        ("ValuesAndLetters", "s3:AbortMultipartUpload and s3:DeleteObject and s3:GetObject and s3:PutObject on"),
        ("FindWorkers", "ecs:ListTasks on *"),
    ],
)
def test_what_may_not_be_done_is_named(statement, action):
    with enforced(statement) as aws:
        mark, said = only(permissions.permissions, case_of(aws))
        assert mark == "wrong"
        assert said.startswith(f"Your credentials may not {action}")


def test_who_makes_the_image_has_to_be_allowed_to_push_it():
    with enforced() as aws:
        found = seen(permissions.permissions, case_of(aws, compute_image="auto"))
        assert {mark for mark, _ in found} == {"wrong"}
        assert "ecr:PutImage" in "".join(said for _, said in found)
        assert all("docs/iam/pusher.json allows it" in said for _, said in found)
        elsewhere = case_of(aws, compute_image="auto", compute_repository="ghcr.io/team/worker")
        assert only(permissions.permissions, elsewhere)[0] == "well"
    both = {**policy(CALLER), "Statement": [*policy(CALLER)["Statement"], *policy(PUSHER)["Statement"]]}
    with FakeAWS(time_scale=0.01, iam=True, caller_policy=both) as aws:
        repository = aws.settings["compute_image"].partition(":")[0]
        auto = case_of(aws, compute_image="auto", compute_repository=repository)
        assert only(permissions.permissions, auto)[0] == "well"


def test_who_is_unknown_to_iam_is_left_open(aws):
    case = case_of(aws)
    case.access.__dict__["_identity"] = {"Account": "123456789012", "Arn": f"{ACCOUNT}:user/nobody"}
    assert only(permissions.permissions, case) == (
        "open",
        f"IAM does not know {ACCOUNT}:user/nobody, so only a run can tell what it may do.",
    )


def test_what_may_not_be_asked_is_left_open():
    with enforced("CheckWhatYouMay", "CheckTheRoles") as aws:
        case = case_of(aws)
        results = {one.name: one for one in examine(case, [one for one in CHECKS if one.name in CHECKED])}
        assert {name: one.mark for name, one in results.items() if name not in ("settings", "credentials")} == {
            "roles": "open",
            "permissions": "open",
        }
        [said] = results["permissions"].findings
        assert said.said == ("These credentials may not iam:SimulatePrincipalPolicy: docs/iam/caller.json allows it.")


CHECKED = ("settings", "credentials", "roles", "permissions")
