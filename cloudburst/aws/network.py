"""The network that machines are started in: the default VPC's public subnets, or those that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cloudburst.aws.access import Access, plainly
from cloudburst.errors import SetupError

MOST_SUBNETS = 16
_WITHOUT_FARGATE = frozenset(["use1-az3", "usw1-az2", "apne1-az3", "cac1-az4", "cnn1-az4"])
"""Availability zones in which AWS has no Fargate (see "Supported Regions for Amazon ECS on AWS Fargate")."""
_EVERYWHERE = "0.0.0.0/0"


class Network(NamedTuple):
    """Subnets of one VPC."""

    vpc: str
    subnets: tuple[str, ...]
    has_public_ip: bool
    """Whether machines need a public address there."""
    route_tables: tuple[str, ...]
    note: str = ""
    """What the user should know."""


def find_network(access: Access, subnets: Sequence[str] = ()) -> Network:
    """Look at the subnets that were named, or find the public ones of the default VPC.

    Parameters
    ----------
    access : Access
        The account.
    subnets : sequence of str
        Ids; none to have them found.

    Raises
    ------
    SetupError
        If there is no default VPC, or the subnets are not there or not of one VPC.
    """
    with plainly("find the network"):
        ec2 = access("ec2")
        vpc = _default_vpc(ec2, access.region) if not subnets else ""
        asked = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]} if vpc else {}
        pages = ec2.get_paginator("describe_subnets").paginate(**asked)
        there = {one["SubnetId"]: one for page in pages for one in page["Subnets"]}
        chosen = [there[one] for one in subnets if one in there] if subnets else [*there.values()]
        missing = [one for one in subnets if one not in there]
        if missing:
            raise SetupError(f"There is no subnet {' and no '.join(missing)} in {access.region}: correct --subnets.")
        vpcs = sorted({one["VpcId"] for one in chosen})
        if len(vpcs) > 1:
            raise SetupError(f"The subnets are of several networks, {', '.join(vpcs)}: give those of one.")
        routes = routes_of(ec2, vpcs[0]) if vpcs else {}
    if not subnets:
        return _public(vpc, chosen, routes, access.region)
    return _given(vpcs[0], chosen, routes)


def _default_vpc(ec2: Any, region: str) -> str:
    found = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise SetupError(
            f"This account has no default VPC in {region}. Name the subnets that machines are to be started in, "
            "--subnets subnet-0abc,subnet-0def, or make a default VPC: aws ec2 create-default-vpc "
            f"--region {region}."
        )
    return str(found[0]["VpcId"])


def routes_of(ec2: Any, vpc: str) -> dict[str, tuple[str, str]]:
    """The routes of a network.

    Parameters
    ----------
    ec2 : object
        boto3's client.
    vpc : str
        Its id.

    Returns
    -------
    dict
        By subnet, and under "" for all others: the route table, and what its way to everywhere goes through.
    """
    pages = ec2.get_paginator("describe_route_tables").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    found: dict[str, tuple[str, str]] = {}
    for page in pages:
        for table in page["RouteTables"]:
            way = next((_target(route) for route in table["Routes"] if _is_default(route)), "")
            for association in table["Associations"]:
                subnet = "" if association.get("Main") else association.get("SubnetId")
                if subnet is not None:
                    found[subnet] = (table["RouteTableId"], way)
    return found


def _is_default(route: Mapping[str, Any]) -> bool:
    return route.get("DestinationCidrBlock") == _EVERYWHERE and route.get("State", "active") == "active"


def _target(route: Mapping[str, Any]) -> str:
    names = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")
    return next((str(route[name]) for name in names if route.get(name)), "")


def way_of(subnet: Mapping[str, Any], routes: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """A subnet's route table, and what its way to everywhere goes through; empty if it has none."""
    return routes.get(subnet["SubnetId"]) or routes.get("", ("", ""))


def _public(vpc: str, there: list[Any], routes: Mapping[str, tuple[str, str]], region: str) -> Network:
    public = [one for one in there if way_of(one, routes)[1].startswith("igw-")]
    if not public:
        raise SetupError(
            f"The default VPC {vpc} in {region} has no subnet with a route to an internet gateway. Name subnets from "
            "which machines reach S3 and the registry: --subnets subnet-0abc,subnet-0def."
        )
    public = [one for one in public if one.get("AvailabilityZoneId") not in _WITHOUT_FARGATE] or public
    public.sort(key=lambda one: (one["AvailabilityZone"], one["SubnetId"]))
    return _network(vpc, public[:MOST_SUBNETS], routes, has_public_ip=True)


def _given(vpc: str, chosen: list[Any], routes: Mapping[str, tuple[str, str]]) -> Network:
    ways = {one["SubnetId"]: way_of(one, routes)[1] for one in chosen}
    public = [subnet for subnet, way in ways.items() if way.startswith("igw-")]
    closed = [subnet for subnet, way in ways.items() if not way]
    if public and len(public) < len(ways):
        others = ", ".join(sorted(set(ways) - set(public)))
        raise SetupError(
            f"{', '.join(public)} {'is' if len(public) == 1 else 'are'} public and {others} not, but machines get a "
            "public address in all of them or in none: give subnets of one kind."
        )
    note = ""
    if closed:
        note = (
            f"{', '.join(closed)} {'has' if len(closed) == 1 else 'have'} no route to the internet: machines there "
            "need a gateway endpoint for S3 (--s3-endpoint) and interface endpoints for ecr.api, ecr.dkr and logs."
        )
    return _network(vpc, chosen, routes, has_public_ip=bool(public), note=note)


def _network(
    vpc: str, chosen: list[Any], routes: Mapping[str, tuple[str, str]], *, has_public_ip: bool, note: str = ""
) -> Network:
    tables = tuple(sorted({table for one in chosen if (table := way_of(one, routes)[0])}))
    return Network(vpc, tuple(one["SubnetId"] for one in chosen), has_public_ip, tables, note)
