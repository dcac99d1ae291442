"""Stacks on the fake AWS: change sets, events and failures as CloudFormation has them."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import DENIED, FakeAWS, Faults
from cloudburst.testing.intrinsics import Made, Surround, in_order
from tests.testing.fargate import until

TEMPLATE = {
    "Parameters": {"Days": {"Type": "Number", "Default": 3}, "Make": {"Type": "String", "Default": "yes"}},
    "Conditions": {"Makes": {"Fn::Equals": [{"Ref": "Make"}, "yes"]}},
    "Resources": {
        "Cluster": {
            "Type": "AWS::ECS::Cluster",
            "Condition": "Makes",
            "Properties": {"ClusterName": {"Fn::Sub": "${Group}-cluster"}, "CapacityProviders": ["FARGATE"]},
        },
        "Group": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Ref": "AWS::StackName"}, "RetentionInDays": {"Ref": "Days"}},
        },
    },
    "Outputs": {"Group": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}},
}


@pytest.fixture
def api():
    with FakeAWS(time_scale=0.01):
        yield boto3.client("cloudformation")


def proposed(api, template=None, kind="CREATE", name="mine", **parameters):
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    return api.create_change_set(
        StackName=name, ChangeSetName="c", ChangeSetType=kind, TemplateBody=json.dumps(template or TEMPLATE),
        Parameters=given, Tags=[{"Key": "team", "Value": "a"}],
    )["Id"]  # fmt: skip


def executed(api, kind="CREATE", **given):
    change_set = proposed(api, kind=kind, **given)
    api.execute_change_set(ChangeSetName=change_set)
    name = given.get("name", "mine")
    waiter = api.get_waiter("stack_create_complete" if kind == "CREATE" else "stack_update_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def statuses(api, resource, name="mine"):
    events = api.describe_stack_events(StackName=name)["StackEvents"]
    return [one["ResourceStatus"] for one in reversed(events) if one["LogicalResourceId"] == resource]


def test_a_change_set_changes_nothing(api):
    change_set = proposed(api)
    told = api.describe_change_set(ChangeSetName=change_set)
    assert [one["ResourceChange"]["LogicalResourceId"] for one in told["Changes"]] == ["Group", "Cluster"]
    assert {one["ResourceChange"]["Action"] for one in told["Changes"]} == {"Add"}
    assert api.describe_stacks(StackName="mine")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert boto3.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"] == []
    api.delete_change_set(ChangeSetName=change_set)
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        api.describe_change_set(ChangeSetName=change_set, StackName="mine")


def test_it_is_made_in_order_with_events_and_outputs(api):
    executed(api)
    assert statuses(api, "mine") == ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert statuses(api, "Group") == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    [stack] = api.describe_stacks(StackName="mine")["Stacks"]
    assert {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]} == {
        "Group": "arn:aws:logs:us-east-1:123456789012:log-group:mine:*"
    }
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    assert [one["StackName"] for one in api.describe_stacks()["Stacks"]] == ["mine"]
    [group] = boto3.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"]
    assert group["retentionInDays"] == 3
    assert boto3.client("ecs").describe_clusters(clusters=["mine-cluster"])["clusters"][0]["status"] == "ACTIVE"
    found = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in api.describe_stack_resources(StackName="mine")["StackResources"]
    }
    assert found == {"Group": "mine", "Cluster": "mine-cluster"}
    assert api.get_template(StackName="mine")["TemplateBody"] == TEMPLATE


def test_what_changes_is_changed_and_what_does_not_is_refused(api):
    executed(api)
    same = api.describe_change_set(ChangeSetName=proposed(api, kind="UPDATE"))
    assert same["Status"] == "FAILED"
    assert "didn't contain changes" in same["StatusReason"]
    executed(api, kind="UPDATE", Days="7", Make="no")
    assert statuses(api, "Cluster")[-2:] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    [group] = boto3.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"]
    assert group["retentionInDays"] == 7


def test_a_failure_takes_back_what_was_made():
    with FakeAWS(time_scale=0.01, faults=Faults(api={"CreateCluster": [DENIED]})):
        api = boto3.client("cloudformation")
        api.execute_change_set(ChangeSetName=proposed(api))
        until(lambda: statuses(api, "mine")[-1] == "ROLLBACK_COMPLETE", "the end of the roll-back")
        assert statuses(api, "Cluster")[:2] == ["CREATE_IN_PROGRESS", "CREATE_FAILED"]
        assert statuses(api, "Group")[-1] == "DELETE_COMPLETE"
        assert boto3.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"] == []
        with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
            proposed(api, kind="UPDATE")
        api.delete_stack(StackName="mine")
        api.get_waiter("stack_delete_complete").wait(StackName="mine", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def test_a_deleted_stack_is_known_by_its_id_alone(api):
    executed(api)
    [stack] = api.describe_stacks(StackName="mine")["Stacks"]
    api.delete_stack(StackName="mine")
    api.get_waiter("stack_delete_complete").wait(StackName="mine", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
    with pytest.raises(ClientError, match="does not exist"):
        api.describe_stacks(StackName="mine")
    assert api.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


REFUSED = [
    ({"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}, {}, "FakeAWS makes no AWS::SNS::Topic"),
    (
        {
            "Resources": {
                "A": {"Type": "AWS::ECS::Cluster", "DependsOn": "A2"},
                "A2": {"Type": "AWS::ECS::Cluster", "DependsOn": "A"},
            }
        },
        {},
        "Circular",
    ),
    (TEMPLATE, {"Unknown": "1"}, r"Parameters: \[Unknown\] do not exist"),
    ({"Resources": {}, "Parameters": {"A": {"Type": "String"}}}, {}, r"Parameters: \[A\] must have values"),
    (
        {"Resources": {}, "Parameters": {"A": {"Type": "String", "AllowedValues": ["x"], "Default": "y"}}},
        {},
        "AllowedValues",
    ),
    ({"Resources": {"A": {"Type": "AWS::IAM::Role"}}}, {}, "CAPABILITY_NAMED_IAM"),
    ({"nothing": 1}, {}, "Template format error"),
]


@pytest.mark.parametrize(("template", "parameters", "said"), REFUSED)
def test_what_cloudformation_refuses_is_refused(api, template, parameters, said):
    with pytest.raises(ClientError, match=said):
        proposed(api, template, **parameters)


def test_stacks_made_in_one_call_are_still_moto_s(api):
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    api.create_stack(StackName="plain", TemplateBody=body)
    assert api.describe_stacks(StackName="plain")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_functions_are_worked_out():
    template = {
        "Conditions": {"Yes": {"Fn::Equals": [1, "1"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}},
        "Resources": {},
    }
    around = Surround({"P": "a,b"}, {"R": Made("r-1", {"Arn": "arn:r"})}, template, "us-east-1", "s", "id")
    value = {
        "ref": {"Ref": "R"},
        "att": {"Fn::GetAtt": "R.Arn"},
        "sub": {"Fn::Sub": ["${R}/${R.Arn}/${own}/${!left}/${AWS::Region}", {"own": {"Ref": "P"}}]},
        "if": {"Fn::If": ["No", 1, {"Fn::If": ["Yes", "y", "n"]}]},
        "gone": {"Ref": "AWS::NoValue"},
        "list": [{"Ref": "AWS::NoValue"}, {"Fn::Join": ["-", {"Fn::Split": [",", {"Ref": "P"}]}]}],
        "first": {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "P"}]}]},
        "both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    }
    assert around.resolved(value) == {
        "ref": "r-1", "att": "arn:r", "sub": "r-1/arn:r/a,b/${left}/us-east-1", "if": "y", "list": ["a-b"],
        "first": "a", "both": False, "either": True,
    }  # fmt: skip


def test_what_is_referred_to_comes_first():
    template = {
        "Resources": {"A": {"Properties": {"X": {"Fn::GetAtt": ["B", "Arn"]}}}, "B": {}, "C": {"DependsOn": "A"}}
    }
    assert in_order(template, ["A", "B", "C"]) == ["B", "A", "C"]
