"""The CloudFormation template: everything that pipelines need in an account, and nothing that costs while idle."""

from __future__ import annotations

import json
from typing import Any

from cloudburst.aws.policies import CALLER, EXECUTION, PUSHER, TASK, policy

PREFIX = "cloudburst"
"""What keys in the bucket begin with, so that the policies of workers end there."""

DAYS: dict[str, int | None] = {
    **dict.fromkeys(("runs", "journals", "history", "logs")),
    "sources": 90,
    "pools": 7,
    "checks": 1,
}
"""What goes by itself of what lies under the prefix, and after how many days; ``None`` is for the user to say.

All else is kept: ``values/`` and ``kept/``, which later runs read, and what users put there themselves.
"""

_STACK, _REGION = "${AWS::StackName}", "${AWS::Region}"
_PLACES = {
    "${bucket}": "${Bucket}",
    "${prefix}": PREFIX,
    "${cluster}": "${Cluster}",
    "${log_group}": "${LogGroup}",
    "${repository}": "${Repository}",
    "${region}": _REGION,
    "${account}": "${AWS::AccountId}",
    "${execution_role}": "${ExecutionRole.Arn}",
    "${task_role}": "${TaskRole.Arn}",
    "arn:aws:": "arn:${AWS::Partition}:",
}
_BUCKET = {"Fn::If": ["MakesBucket", {"Ref": "Bucket"}, {"Ref": "BucketName"}]}


def template() -> dict[str, Any]:
    """The template as CloudFormation takes it; what differs from account to account are its parameters.

    Returns
    -------
    dict

    Examples
    --------
    >>> sorted(template()["Resources"])[:4]
    ['Bucket', 'BucketPolicy', 'CallerPolicy', 'Cluster']
    """
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What cloudburst pipelines need: storage, a Fargate cluster, a registry, roles. Idle, it costs "
        "only what lies in the bucket, the registry and the log.",
        "Parameters": _parameters(),
        "Conditions": {
            "MakesBucket": {"Fn::Equals": [{"Ref": "MakeBucket"}, "yes"]},
            "HasSpot": {"Fn::Equals": [{"Ref": "Spot"}, "yes"]},
            "MakesEndpoint": {"Fn::Not": [{"Fn::Equals": [{"Ref": "EndpointRouteTables"}, ""]}]},
        },
        "Resources": {**_storage(), **_compute(), **_roles()},
        "Outputs": {name: {"Description": told, "Value": value} for name, (told, value) in _outputs().items()},
    }


def template_text() -> str:
    """The template as text: JSON, which CloudFormation reads as well as YAML."""
    return json.dumps(template(), indent=2) + "\n"


def _parameters() -> dict[str, Any]:
    def choice(default: str, told: str) -> dict[str, Any]:
        return {"Type": "String", "AllowedValues": ["yes", "no"], "Default": default, "Description": told}

    def days(default: int, told: str) -> dict[str, Any]:
        return {"Type": "Number", "MinValue": 1, "Default": default, "Description": told}

    return {
        "BucketName": {"Type": "String", "Description": "The bucket for what passes between tasks"},
        "MakeBucket": choice("yes", "no: the bucket is there already, and is used as it is"),
        "Vpc": {"Type": "AWS::EC2::VPC::Id", "Description": "The network in which machines are started"},
        "Subnets": {"Type": "String", "Description": "Its subnets for them, with commas between"},
        "PublicIp": choice("yes", "Whether machines get a public address, as subnets without NAT need"),
        "EndpointRouteTables": {
            "Type": "String",
            "Default": "",
            "Description": "Route tables that get a gateway endpoint for S3, with commas between; empty: none",
        },
        "Spot": choice("yes", "Whether the region has spare capacity for Fargate"),
        "RunDays": days(30, "Days after which values of runs are removed, but those that are kept"),
        "LogDays": {**days(30, "Days that logs are kept"), "AllowedValues": list(LOG_DAYS)},
    }


LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What CloudWatch has as retention."""


def _storage() -> dict[str, Any]:
    # Kept when the stack goes, but for an attempt that fails: then there is nothing in it.
    kept = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain", "Condition": "MakesBucket"}
    bucket = {
        "BucketName": {"Ref": "BucketName"},
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {
            "Rules": [
                *[_expiring(folder, days or {"Ref": "RunDays"}) for folder, days in DAYS.items()],
                {
                    "Id": "what-was-never-finished",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                },
            ]
        },
    }
    insecure = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}"},
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}/*"},
        ],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Bucket": {"Type": "AWS::S3::Bucket", **kept, "Properties": bucket},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            **kept,
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [insecure]},
            },
        },
        "Repository": {
            "Type": "AWS::ECR::Repository",
            "Properties": {
                "RepositoryName": {"Ref": "AWS::StackName"},
                "ImageScanningConfiguration": {"ScanOnPush": True},
                "EmptyOnDelete": True,
                "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(_IMAGES)},
            },
        },
    }


_IMAGES = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "layers that no tag names any more",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": "all but the newest",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30},
            "action": {"type": "expire"},
        },
    ]
}


def _expiring(folder: str, days: Any) -> dict[str, Any]:
    return {"Id": folder, "Prefix": f"{PREFIX}/{folder}/", "Status": "Enabled", "ExpirationInDays": days}


def _compute() -> dict[str, Any]:
    providers = {"Fn::If": ["HasSpot", ["FARGATE", "FARGATE_SPOT"], ["FARGATE"]]}
    return {
        "Cluster": {
            "Type": "AWS::ECS::Cluster",
            "Properties": {"ClusterName": {"Ref": "AWS::StackName"}, "CapacityProviders": providers},
        },
        "LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/cloudburst/{_STACK}"},
                "RetentionInDays": {"Ref": "LogDays"},
            },
        },
        "SecurityGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "cloudburst workers: nothing comes in",
                "VpcId": {"Ref": "Vpc"},
                "SecurityGroupEgress": [
                    {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0", "Description": "workers may reach everything"}
                ],
            },
        },
        "S3Endpoint": {
            "Type": "AWS::EC2::VPCEndpoint",
            "Condition": "MakesEndpoint",
            "Properties": {
                "VpcEndpointType": "Gateway",
                "ServiceName": {"Fn::Sub": f"com.amazonaws.{_REGION}.s3"},
                "VpcId": {"Ref": "Vpc"},
                "RouteTableIds": {"Fn::Split": [",", {"Ref": "EndpointRouteTables"}]},
            },
        },
    }


def _roles() -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }

    def role(kind: str, told: str, file: str) -> dict[str, Any]:
        return {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": {"Fn::Sub": f"{_STACK}-{_REGION}-{kind}"},
                "Description": told,
                "AssumeRolePolicyDocument": trust,
                "Policies": [{"PolicyName": "cloudburst", "PolicyDocument": placed(policy(file))}],
            },
        }

    def managed(kind: str, told: str, file: str) -> dict[str, Any]:
        return {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": {"Fn::Sub": f"{_STACK}-{_REGION}-{kind}"},
                "Description": told,
                "PolicyDocument": placed(policy(file)),
            },
        }

    return {
        "ExecutionRole": role("execution", "ECS pulls the image of cloudburst workers and writes their log", EXECUTION),
        "TaskRole": role("task", "cloudburst workers read and write values", TASK),
        "CallerPolicy": managed("caller", "For those who run cloudburst pipelines: the least that they need", CALLER),
        "PusherPolicy": managed("pusher", "For those who push images of workers: the least that they need", PUSHER),
    }


def placed(value: Any) -> Any:
    """A policy with the stack's own things where it has ``${bucket}`` and so on.

    >>> placed({"Resource": "arn:aws:ecs:${region}:${account}:cluster/${cluster}"})
    {'Resource': {'Fn::Sub': 'arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:cluster/${Cluster}'}}
    """
    if isinstance(value, dict):
        return {name: placed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [placed(one) for one in value]
    if not isinstance(value, str) or not ("${" in value or "arn:aws:" in value):
        return value
    for name, place in _PLACES.items():
        value = value.replace(name, place)
    return {"Fn::Sub": [value, {"Bucket": _BUCKET}] if "${Bucket}" in value else value}


def _outputs() -> dict[str, tuple[str, Any]]:
    """What the profile needs, under the names of settings without their underscores."""
    return {
        "StorageBucket": ("The bucket", _BUCKET),
        "StoragePrefix": ("What keys in it begin with", PREFIX),
        "ComputeCluster": ("The cluster", {"Ref": "Cluster"}),
        "ComputeSubnets": ("Where machines are started", {"Ref": "Subnets"}),
        "ComputeSecurityGroups": ("Their security group", {"Fn::GetAtt": ["SecurityGroup", "GroupId"]}),
        "ComputeAssignPublicIp": ("Whether they get a public address", {"Ref": "PublicIp"}),
        "ComputeExecutionRole": ("With which ECS starts them", {"Fn::GetAtt": ["ExecutionRole", "Arn"]}),
        "ComputeTaskRole": ("With which they work", {"Fn::GetAtt": ["TaskRole", "Arn"]}),
        "ComputeRepository": ("Where images are pushed to", {"Fn::GetAtt": ["Repository", "RepositoryUri"]}),
        "LogGroup": ("What they print", {"Ref": "LogGroup"}),
        "CallerPolicy": ("To be attached to those who run pipelines", {"Ref": "CallerPolicy"}),
        "PusherPolicy": ("To be attached to those who push images", {"Ref": "PusherPolicy"}),
    }
