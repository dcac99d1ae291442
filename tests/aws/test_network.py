"""Where machines are started: what is found, and what is said of what will not do."""

import boto3
import pytest

from cloudburst.aws.access import Access
from cloudburst.aws.network import find_network
from cloudburst.errors import SetupError
from tests.aws.accounts import opened


@pytest.fixture
def ec2():
    with opened():
        yield boto3.client("ec2")


def vpc_of(ec2, *ways):
    """A VPC with a subnet for each way out: a gateway, a NAT, or none."""
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for number, way in enumerate(ways):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        if way == "gateway":
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        elif way == "nat":
            nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=ec2.allocate_address()["AllocationId"])
            ec2.create_route(
                RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat["NatGateway"]["NatGatewayId"]
            )
        subnets.append(subnet)
    return vpc, subnets


def test_the_public_subnets_of_the_default_vpc_are_found(ec2):
    found = find_network(Access("us-east-1"))
    zones = {one["SubnetId"]: one["AvailabilityZoneId"] for one in ec2.describe_subnets()["Subnets"]}
    assert found.has_public_ip
    assert {zones[one] for one in found.subnets} == set(zones.values()) - {"use1-az3"}
    assert len(zones) == 6
    assert ec2.describe_vpcs(VpcIds=[found.vpc])["Vpcs"][0]["IsDefault"]
    assert len(found.route_tables) == 1


def test_private_subnets_of_the_default_vpc_are_left_out(ec2):
    before = find_network(Access("us-east-1"))
    table = ec2.create_route_table(VpcId=before.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=before.subnets[0])
    assert find_network(Access("us-east-1")).subnets == before.subnets[1:]


def test_without_a_default_vpc_the_mend_is_said():
    with (
        opened(default_vpc=False),
        pytest.raises(SetupError, match=r"no default VPC in us-east-1.*--subnets.*create-default"),
    ):
        find_network(Access("us-east-1"))


def test_a_default_vpc_without_a_gateway_is_said(ec2):
    [table] = [one for one in ec2.describe_route_tables()["RouteTables"] if len(one["Routes"]) > 1]
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    with pytest.raises(SetupError, match="no subnet with a route to an internet gateway"):
        find_network(Access("us-east-1"))


@pytest.mark.parametrize(
    ("way", "is_public", "note"), [("gateway", True, ""), ("nat", False, ""), ("", False, "--s3-endpoint")]
)
def test_given_subnets_are_used_as_their_routes_say(ec2, way, is_public, note):
    vpc, [subnet] = vpc_of(ec2, way)
    found = find_network(Access("us-east-1"), [subnet])
    assert (found.vpc, found.subnets, found.has_public_ip) == (vpc, (subnet,), is_public)
    assert (note in found.note) if note else found.note == ""


def test_given_subnets_are_of_one_kind_and_one_network(ec2):
    _, [public, private] = vpc_of(ec2, "gateway", "nat")
    with pytest.raises(SetupError, match=f"{public} is public and {private} not"):
        find_network(Access("us-east-1"), [public, private])
    other = find_network(Access("us-east-1")).subnets[0]
    with pytest.raises(SetupError, match="of several networks"):
        find_network(Access("us-east-1"), [public, other])


def test_a_subnet_that_is_not_there_is_named(ec2):
    with pytest.raises(SetupError, match="There is no subnet subnet-1 in us-east-1"):
        find_network(Access("us-east-1"), ["subnet-1"])
