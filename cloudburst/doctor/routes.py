"""The network: how machines get from their subnets to S3, the registry and the log, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cloudburst.aws.access import NotAllowed, asking
from cloudburst.aws.network import routes_of, way_of
from cloudburst.doctor.findings import Case, Finding, open_, warning, well, wrong
from cloudburst.runtime.backends.fargate.registries import parse_ecr
from cloudburst.settings.aws import AUTO

_HTTPS = 443
_FEW = 8
"""Addresses that are left in a subnet: fewer are tight."""


class _Subnet(NamedTuple):
    id: str
    vpc: str
    table: str
    way: str
    """What its route to everywhere goes through: ``igw-…``, ``nat-…``; empty for none."""
    free: int


class _Endpoints(NamedTuple):
    s3_tables: frozenset[str]
    """Route tables that lead to a gateway endpoint for S3."""
    services: frozenset[str]
    """Services, such as ``ecr.api``, that the VPC has an interface endpoint for."""


def network(case: Case) -> Iterator[Finding]:
    """Whether each subnet has a way to all that machines need, and whether that is the cheap one."""
    one = case.settings
    ec2 = case.access("ec2")
    subnets, missing = _subnets(ec2, one.compute_subnets)
    for name in missing:
        yield wrong(f"There is no subnet {name} in {one.region}: correct compute_subnets.")
    vpcs = sorted({subnet.vpc for subnet in subnets})
    if len(vpcs) > 1:
        yield wrong(f"compute_subnets are of several networks, {', '.join(vpcs)}: name those of one.")
    if missing or len(vpcs) > 1:
        return
    yield from _ways(case, ec2, subnets, vpcs[0])
    tight = [f"{subnet.id} has {subnet.free}" for subnet in subnets if subnet.free < _FEW]
    if tight:
        yield warning(f"Each machine takes an address, and few are left: {', '.join(tight)}. Add subnets.")
    yield from _groups(ec2, one.compute_security_groups, vpcs[0])


def _ways(case: Case, ec2: Any, subnets: Sequence[_Subnet], vpc: str) -> Iterator[Finding]:
    one = case.settings
    public = [subnet.id for subnet in subnets if subnet.way.startswith("igw-")]
    through_nat = [subnet for subnet in subnets if subnet.way.startswith("nat-")]
    elsewhere = [subnet for subnet in subnets if subnet.way and subnet.id not in public and subnet not in through_nat]
    closed = [subnet for subnet in subnets if not subnet.way]
    if public and not one.compute_assign_public_ip:
        yield wrong(
            f"{_all(public)} {_verb(public)} to the internet by a gateway, which only lets machines with a public "
            "address out: set compute_assign_public_ip=True."
        )
    elif public:
        yield well(f"{_all(public)} {_verb(public)} to the internet, with a public address for each machine")
    for subnet in elsewhere:
        yield open_(f"{subnet.id} leads to {subnet.way}, behind which nobody sees from here.")
    if not (through_nat or closed):
        return
    try:
        endpoints = _endpoints(ec2, vpc)
    except NotAllowed as refused:
        names = _all([subnet.id for subnet in (*through_nat, *closed)])
        yield open_(f"Whether {names} can do without the internet: {refused}.")
        return
    if through_nat:
        yield well(f"{_all([subnet.id for subnet in through_nat])} {_verb(through_nat)} to the internet by NAT")
    costly = [subnet for subnet in through_nat if not _has_s3(subnet, endpoints)]
    if costly:
        tables = " ".join(sorted({subnet.table for subnet in costly}))
        yield warning(
            "All that passes between tasks goes through the NAT gateway, which costs by the GB ($0.045 in us-east-1), "
            "as there is no endpoint for S3, which is free: aws ec2 create-vpc-endpoint --vpc-id "
            f"{vpc} --service-name com.amazonaws.{one.region}.s3 --route-table-ids {tables} --region {one.region}"
        )
    for subnet in closed:
        yield _closed(case, subnet, endpoints)


def _closed(case: Case, subnet: _Subnet, endpoints: _Endpoints) -> Finding:
    """A subnet without any way out needs an endpoint for each service."""
    one = case.settings
    lacking = [] if _has_s3(subnet, endpoints) else ["s3 (a gateway endpoint is free)"]
    if one.compute_image != AUTO and parse_ecr(one.compute_image) is None:
        return wrong(f"{subnet.id} has no way to the internet, where the registry of {one.compute_image} is.")
    wanted = ["ecr.api", "ecr.dkr", *(["logs"] if one.log_group else [])]
    lacking += [service for service in wanted if service not in endpoints.services]
    if lacking:
        return wrong(
            f"{subnet.id} has no way to the internet, and no endpoint for {', '.join(lacking)}: add them, or a NAT "
            "gateway, or name public subnets with compute_assign_public_ip=True."
        )
    return well(f"{subnet.id} has endpoints for S3, {', '.join(wanted)}")


def _has_s3(subnet: _Subnet, endpoints: _Endpoints) -> bool:
    return subnet.table in endpoints.s3_tables or "s3" in endpoints.services


def _subnets(ec2: Any, wanted: Sequence[str]) -> tuple[list[_Subnet], list[str]]:
    """Those that are there, and the names of those that are not."""
    with asking("ec2:DescribeSubnets"):
        answer = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": list(wanted)}])
    there = {one["SubnetId"]: one for one in answer["Subnets"]}
    with asking("ec2:DescribeRouteTables"):
        routes = {vpc: routes_of(ec2, vpc) for vpc in {one["VpcId"] for one in there.values()}}
    found = [
        _Subnet(name, one["VpcId"], *way_of(one, routes[one["VpcId"]]), one["AvailableIpAddressCount"])
        for name, one in there.items()
    ]
    return found, [name for name in wanted if name not in there]


def _endpoints(ec2: Any, vpc: str) -> _Endpoints:
    with asking("ec2:DescribeVpcEndpoints"):
        pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        found = [one for page in pages for one in page["VpcEndpoints"] if one.get("State") == "available"]
    tables: set[str] = set()
    services: set[str] = set()
    for one in found:
        service = one["ServiceName"].split(".", 3)[3]
        if one["VpcEndpointType"] == "Gateway":
            tables |= set(one["RouteTableIds"]) if service == "s3" else set()
        else:
            services.add(service)
    return _Endpoints(frozenset(tables), frozenset(services))


def _groups(ec2: Any, wanted: Sequence[str], vpc: str) -> Iterator[Finding]:
    """Security groups have to be of that network, and to let HTTPS out."""
    if not wanted:
        return
    try:
        with asking("ec2:DescribeSecurityGroups"):
            answer = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": list(wanted)}])
    except NotAllowed as refused:
        yield open_(f"Whether {', '.join(wanted)} let machines out: {refused}.")
        return
    there = {one["GroupId"]: one for one in answer["SecurityGroups"]}
    for name in wanted:
        if name not in there:
            yield wrong(f"There is no security group {name}: correct compute_security_groups.")
        elif there[name]["VpcId"] != vpc:
            yield wrong(f"{name} is of {there[name]['VpcId']}, and the subnets are of {vpc}: name one of that network.")
    groups = [one for one in there.values() if one["VpcId"] == vpc]
    if groups and not any(_lets_https_out(rule) for one in groups for rule in one["IpPermissionsEgress"]):
        yield wrong(f"{', '.join(sorted(there))} let no HTTPS out, which machines need: allow port {_HTTPS}.")


def _lets_https_out(rule: Mapping[str, Any]) -> bool:
    ports = range(int(rule.get("FromPort", 0)), int(rule.get("ToPort", _HTTPS)) + 1)
    goes = rule.get("IpRanges") or rule.get("Ipv6Ranges") or rule.get("PrefixListIds") or rule.get("UserIdGroupPairs")
    return bool(goes) and (rule["IpProtocol"] == "-1" or (rule["IpProtocol"] == "tcp" and _HTTPS in ports))


def _all(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[object]) -> str:
    return "leads" if len(names) == 1 else "lead"
