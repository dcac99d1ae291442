"""The kinds of resources that a CloudFormation stack of the fake AWS makes: what pipelines need, and no others.

Each is made, changed and deleted with the calls that CloudFormation itself makes on AWS, so that what is there
afterwards is what those APIs tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cloudburst.testing.account import ID
from cloudburst.testing.intrinsics import Made

Properties = Mapping[str, Any]
Tags = Mapping[str, str]


class Exists(Exception):
    """There is one of that name already."""


class Calls(NamedTuple):
    """How a kind speaks to AWS."""

    client: Callable[[str], Any]
    region: str
    stack: str


class Kind(NamedTuple):
    """How one kind of resource is handled."""

    make: Callable[[Calls, Properties, Tags], Made]
    change: Callable[[Calls, Made, Properties], None]
    delete: Callable[[Calls, Made, Properties], None]
    fixed: tuple[str, ...]
    """Properties that cannot change: with another value there, a new one is made."""


def _tags(tags: Tags, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


# ---------------------------------------------------------------- S3


def _make_bucket(calls: Calls, given: Properties, tags: Tags) -> Made:
    s3, name = calls.client("s3"), str(given["BucketName"])
    if name in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        raise Exists(f"{name} already exists")
    where = {"CreateBucketConfiguration": {"LocationConstraint": calls.region}} if calls.region != "us-east-1" else {}
    s3.create_bucket(Bucket=name, **where)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _tags(tags)})
    made = Made(name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"})
    _change_bucket(calls, made, given)
    return made


def _change_bucket(calls: Calls, made: Made, given: Properties) -> None:
    s3, name = calls.client("s3"), made.physical
    rules = given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    encryption = [{"ApplyServerSideEncryptionByDefault": one["ServerSideEncryptionByDefault"]} for one in rules]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": encryption})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=given["PublicAccessBlockConfiguration"])
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=given["OwnershipControls"])
    kept = [_lifecycle_rule(one) for one in given["LifecycleConfiguration"]["Rules"]]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": kept})


def _lifecycle_rule(one: Properties) -> dict[str, Any]:
    rule = {"ID": one["Id"], "Status": one["Status"], "Filter": {"Prefix": one.get("Prefix", "")}}
    if "ExpirationInDays" in one:
        rule["Expiration"] = {"Days": int(one["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in one:
        rule["AbortIncompleteMultipartUpload"] = one["AbortIncompleteMultipartUpload"]
    return rule


def _delete_bucket(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("s3").delete_bucket(Bucket=made.physical)


def _make_bucket_policy(calls: Calls, given: Properties, _: Tags) -> Made:
    made = Made(str(given["Bucket"]), {})
    _change_bucket_policy(calls, made, given)
    return made


def _change_bucket_policy(calls: Calls, made: Made, given: Properties) -> None:
    calls.client("s3").put_bucket_policy(Bucket=made.physical, Policy=json.dumps(given["PolicyDocument"]))


def _delete_bucket_policy(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("s3").delete_bucket_policy(Bucket=made.physical)


# ---------------------------------------------------------------- ECR, logs, ECS


def _make_repository(calls: Calls, given: Properties, tags: Tags) -> Made:
    name = given["RepositoryName"]
    made = calls.client("ecr").create_repository(repositoryName=name, tags=_tags(tags))["repository"]
    one = Made(name, {"Arn": made["repositoryArn"], "RepositoryUri": made["repositoryUri"]})
    _change_repository(calls, one, given)
    return one


def _change_repository(calls: Calls, made: Made, given: Properties) -> None:
    ecr, scanned = calls.client("ecr"), given["ImageScanningConfiguration"]["ScanOnPush"]
    ecr.put_image_scanning_configuration(
        repositoryName=made.physical, imageScanningConfiguration={"scanOnPush": scanned}
    )
    ecr.put_lifecycle_policy(
        repositoryName=made.physical, lifecyclePolicyText=given["LifecyclePolicy"]["LifecyclePolicyText"]
    )


def _delete_repository(calls: Calls, made: Made, given: Properties) -> None:
    calls.client("ecr").delete_repository(repositoryName=made.physical, force=bool(given.get("EmptyOnDelete")))


def _make_log_group(calls: Calls, given: Properties, tags: Tags) -> Made:
    name = given["LogGroupName"]
    calls.client("logs").create_log_group(logGroupName=name, tags=dict(tags))
    made = Made(name, {"Arn": f"arn:aws:logs:{calls.region}:{ID}:log-group:{name}:*"})
    _change_log_group(calls, made, given)
    return made


def _change_log_group(calls: Calls, made: Made, given: Properties) -> None:
    days = int(given["RetentionInDays"])
    calls.client("logs").put_retention_policy(logGroupName=made.physical, retentionInDays=days)


def _delete_log_group(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("logs").delete_log_group(logGroupName=made.physical)


def _make_cluster(calls: Calls, given: Properties, tags: Tags) -> Made:
    ecs, name = calls.client("ecs"), given["ClusterName"]
    if any(one["status"] == "ACTIVE" for one in ecs.describe_clusters(clusters=[name])["clusters"]):
        raise Exists(f"cluster {name} already exists")
    made = ecs.create_cluster(
        clusterName=name, capacityProviders=given["CapacityProviders"], tags=_tags(tags, "key", "value")
    )
    return Made(name, {"Arn": made["cluster"]["clusterArn"]})


def _change_cluster(calls: Calls, made: Made, given: Properties) -> None:
    calls.client("ecs").put_cluster_capacity_providers(
        cluster=made.physical, capacityProviders=given["CapacityProviders"], defaultCapacityProviderStrategy=[]
    )


def _delete_cluster(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("ecs").delete_cluster(cluster=made.physical)


# ---------------------------------------------------------------- EC2


def _make_security_group(calls: Calls, given: Properties, tags: Tags) -> Made:
    ec2 = calls.client("ec2")
    made = ec2.create_security_group(
        GroupName=f"{calls.stack}-SecurityGroup",
        Description=given["GroupDescription"],
        VpcId=given["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": _tags(tags)}],
    )["GroupId"]
    return Made(made, {"GroupId": made, "VpcId": given["VpcId"]})


def _delete_security_group(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("ec2").delete_security_group(GroupId=made.physical)


def _make_endpoint(calls: Calls, given: Properties, tags: Tags) -> Made:
    made = calls.client("ec2").create_vpc_endpoint(
        VpcEndpointType=given["VpcEndpointType"],
        ServiceName=given["ServiceName"],
        VpcId=given["VpcId"],
        RouteTableIds=given["RouteTableIds"],
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": _tags(tags)}],
    )["VpcEndpoint"]["VpcEndpointId"]
    return Made(made, {"Id": made})


def _change_endpoint(calls: Calls, made: Made, given: Properties) -> None:
    ec2 = calls.client("ec2")
    [there] = ec2.describe_vpc_endpoints(VpcEndpointIds=[made.physical])["VpcEndpoints"]
    before, after = set(there["RouteTableIds"]), set(given["RouteTableIds"])
    ec2.modify_vpc_endpoint(
        VpcEndpointId=made.physical, AddRouteTableIds=[*after - before], RemoveRouteTableIds=[*before - after]
    )


def _delete_endpoint(calls: Calls, made: Made, _: Properties) -> None:
    calls.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[made.physical])


# ---------------------------------------------------------------- IAM


def _make_role(calls: Calls, given: Properties, tags: Tags) -> Made:
    name = given["RoleName"]
    role = calls.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(given["AssumeRolePolicyDocument"]),
        Description=given.get("Description", ""),
        Tags=_tags(tags),
    )["Role"]
    made = Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})
    _change_role(calls, made, given)
    return made


def _change_role(calls: Calls, made: Made, given: Properties) -> None:
    for one in given["Policies"]:
        calls.client("iam").put_role_policy(
            RoleName=made.physical, PolicyName=one["PolicyName"], PolicyDocument=json.dumps(one["PolicyDocument"])
        )


def _delete_role(calls: Calls, made: Made, _: Properties) -> None:
    iam = calls.client("iam")
    for name in iam.list_role_policies(RoleName=made.physical)["PolicyNames"]:
        iam.delete_role_policy(RoleName=made.physical, PolicyName=name)
    iam.delete_role(RoleName=made.physical)


def _make_managed_policy(calls: Calls, given: Properties, _: Tags) -> Made:
    made = calls.client("iam").create_policy(
        PolicyName=given["ManagedPolicyName"],
        Description=given.get("Description", ""),
        PolicyDocument=json.dumps(given["PolicyDocument"]),
    )["Policy"]
    return Made(made["Arn"], {"PolicyArn": made["Arn"], "PolicyId": made["PolicyId"]})


def _change_managed_policy(calls: Calls, made: Made, given: Properties) -> None:
    iam = calls.client("iam")
    for one in iam.list_policy_versions(PolicyArn=made.physical)["Versions"]:
        if not one["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=made.physical, VersionId=one["VersionId"])
    iam.create_policy_version(
        PolicyArn=made.physical, PolicyDocument=json.dumps(given["PolicyDocument"]), SetAsDefault=True
    )


def _delete_managed_policy(calls: Calls, made: Made, _: Properties) -> None:
    iam = calls.client("iam")
    if any(iam.list_entities_for_policy(PolicyArn=made.physical)[f"Policy{kind}"] for kind in ("Users", "Roles")):
        raise iam.exceptions.DeleteConflictException(
            {"Error": {"Code": "DeleteConflict", "Message": "Cannot delete a policy attached to entities."}},
            "DeletePolicy",
        )
    iam.delete_policy(PolicyArn=made.physical)


def _same(_calls: Calls, _made: Made, _given: Properties) -> None:
    """Nothing of it can change."""


KINDS: dict[str, Kind] = {
    "AWS::S3::Bucket": Kind(_make_bucket, _change_bucket, _delete_bucket, ("BucketName",)),
    "AWS::S3::BucketPolicy": Kind(_make_bucket_policy, _change_bucket_policy, _delete_bucket_policy, ("Bucket",)),
    "AWS::ECR::Repository": Kind(_make_repository, _change_repository, _delete_repository, ("RepositoryName",)),
    "AWS::Logs::LogGroup": Kind(_make_log_group, _change_log_group, _delete_log_group, ("LogGroupName",)),
    "AWS::ECS::Cluster": Kind(_make_cluster, _change_cluster, _delete_cluster, ("ClusterName",)),
    "AWS::EC2::SecurityGroup": Kind(_make_security_group, _same, _delete_security_group, ("GroupDescription", "VpcId")),
    "AWS::EC2::VPCEndpoint": Kind(_make_endpoint, _change_endpoint, _delete_endpoint, ("ServiceName", "VpcId")),
    "AWS::IAM::Role": Kind(_make_role, _change_role, _delete_role, ("RoleName",)),
    "AWS::IAM::ManagedPolicy": Kind(
        _make_managed_policy, _change_managed_policy, _delete_managed_policy, ("ManagedPolicyName", "Description")
    ),
}
