"""IAM policies as AWS reads them."""

from __future__ import annotations

import pytest

from cloudburst.testing.policies import Need, allows


def policy(effect="Allow", action="s3:*", resource="*", **more):
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::b/k", True),
        ("s3:getobject", "arn:aws:s3:::b/*", True),
        (["s3:PutObject", "s3:Get*"], ["x", "arn:aws:s3:::?/k"], True),
        ("*", "*", True),
        ("s3:PutObject", "*", False),
        ("s3:GetObject", "arn:aws:s3:::b", False),
        ("s3:GetObject", "arn:aws:s3:::B/k", False),
        ("s3:Get[O]bject", "*", False),
    ],
)
def test_actions_and_resources_are_matched(action, resource, expected):
    need = Need("s3:GetObject", ("arn:aws:s3:::b/k",))
    assert allows([policy(action=action, resource=resource)], need) is expected


def test_what_is_denied_stays_denied():
    assert not allows([policy(), policy("Deny", "s3:Get*")], Need("s3:GetObject"))
    assert allows([policy(), policy("Deny", "s3:Get*")], Need("s3:PutObject"))


def test_nothing_is_allowed_by_default():
    assert not allows([], Need("s3:GetObject"))


def test_all_but_what_is_named():
    but = {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "secret"}}
    assert allows([but], Need("s3:GetObject"))
    assert not allows([but], Need("iam:GetRole"))
    assert not allows([but], Need("s3:GetObject", ("secret",)))


def test_one_of_the_names_of_a_resource_will_do():
    assert allows([policy(resource="a")], Need("s3:X", ("b", "a")))


@pytest.mark.parametrize(
    ("condition", "there", "expected"),
    [
        ({"StringEquals": {"ecs:Cluster": "c"}}, {"ecs:cluster": "c"}, True),
        ({"StringEquals": {"ecs:cluster": ["b", "c"]}}, {"ecs:cluster": "c"}, True),
        ({"StringEquals": {"ecs:cluster": "c"}}, {"ecs:cluster": "d"}, False),
        ({"StringEquals": {"ecs:cluster": "c"}}, {}, False),
        ({"StringEqualsIfExists": {"ecs:cluster": "c"}}, {}, True),
        ({"StringNotEquals": {"ecs:cluster": "c"}}, {"ecs:cluster": "d"}, True),
        ({"StringNotEquals": {"ecs:cluster": ["c", "d"]}}, {"ecs:cluster": "d"}, False),
        ({"StringLike": {"s3:prefix": "runs/*"}}, {"s3:prefix": "runs/1"}, True),
        ({"StringNotLike": {"s3:prefix": "runs/*"}}, {"s3:prefix": "runs/1"}, False),
        ({"StringEqualsIgnoreCase": {"a": "X"}}, {"a": "x"}, True),
        ({"ArnLike": {"a": "arn:aws:ecs:*:1:cluster/*"}}, {"a": "arn:aws:ecs:r:1:cluster/c"}, True),
        ({"ArnEquals": {"a": "arn:x"}}, {"a": "arn:y"}, False),
        ({"Bool": {"a": "true"}}, {"a": "True"}, True),
        ({"Null": {"a": "true"}}, {}, True),
        ({"Null": {"a": "false"}}, {}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "9"}, True),
        ({"NumericEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "9"}, False),
        ({"ForAnyValue:StringEquals": {"a": ["x", "y"]}}, {"a": "y"}, True),
        ({"ForAllValues:StringEquals": {"a": "x"}}, {}, True),
        ({"StringEquals": {"a": "x"}, "StringLike": {"b": "*"}}, {"a": "x"}, False),
    ],
)
def test_conditions(condition, there, expected):
    assert allows([policy(Condition=condition)], Need("s3:X", context=there)) is expected


def test_a_condition_that_is_not_known_is_not_passed_over():
    with pytest.raises(ValueError, match="IpAddress"):
        allows([policy(Condition={"IpAddress": {"a": "x"}})], Need("s3:X", context={"a": "x"}))
