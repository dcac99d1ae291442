"""How machines get to S3, the registry and the log."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from cloudburst.doctor import routes
from cloudburst.testing import FakeAWS
from tests.doctor.cases import case_of, only, seen


class Network:
    """A VPC of the fake account with one subnet, whose way out a test decides."""

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.subnet_of("10.1.0.0/24")
        self.table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)

    def subnet_of(self, block: str) -> str:
        return self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=block)["Subnet"]["SubnetId"]

    def by_nat(self) -> None:
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = self.ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

    def by_gateway(self) -> None:
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

    def endpoint(self, service: str, kind: str = "Interface") -> None:
        where: dict[str, Any] = {"RouteTableIds": [self.table]} if kind == "Gateway" else {"SubnetIds": [self.subnet]}
        self.ec2.create_vpc_endpoint(
            VpcId=self.vpc, ServiceName=f"com.amazonaws.us-east-1.{service}", VpcEndpointType=kind, **where
        )


@pytest.fixture
def net(aws):
    return Network()


def settings(net: Network, **more: Any) -> dict[str, Any]:
    return {"compute_subnets": [net.subnet], "compute_security_groups": None, **more}


def test_public_subnets_with_public_addresses_are_well(aws):
    found = seen(routes.network, case_of(aws))
    assert [mark for mark, _ in found] == ["well"]
    assert found[0][1].endswith("lead to the internet, with a public address for each machine")


def test_public_subnets_let_no_machine_out_that_has_no_public_address(aws):
    mark, said = seen(routes.network, case_of(aws, compute_assign_public_ip=False))[0]
    assert mark == "wrong"
    assert "set compute_assign_public_ip=True" in said


def test_a_nat_gateway_without_an_endpoint_for_s3_costs(aws, net):
    net.by_nat()
    found = seen(routes.network, case_of(aws, **settings(net)))
    assert [mark for mark, _ in found] == ["well", "warning"]
    assert f"aws ec2 create-vpc-endpoint --vpc-id {net.vpc}" in found[1][1]
    assert f"--route-table-ids {net.table}" in found[1][1]
    net.endpoint("s3", "Gateway")
    assert [mark for mark, _ in seen(routes.network, case_of(aws, **settings(net)))] == ["well"]


def test_a_closed_subnet_needs_an_endpoint_for_each_service(aws, net):
    mark, said = only(routes.network, case_of(aws, **settings(net)))
    assert mark == "wrong"
    assert "no endpoint for s3 (a gateway endpoint is free), ecr.api, ecr.dkr, logs" in said
    net.endpoint("s3", "Gateway")
    net.endpoint("ecr.api")
    net.endpoint("ecr.dkr")
    assert "no endpoint for logs:" in only(routes.network, case_of(aws, **settings(net)))[1]
    assert only(routes.network, case_of(aws, **settings(net, log_group=None)))[0] == "well"
    net.endpoint("logs")
    assert only(routes.network, case_of(aws, **settings(net)))[0] == "well"


def test_a_closed_subnet_cannot_reach_another_registry(aws, net):
    mark, said = only(routes.network, case_of(aws, **settings(net, compute_image="ghcr.io/team/worker")))
    assert mark == "wrong"
    assert "where the registry of ghcr.io/team/worker is" in said


def test_a_gateway_makes_a_subnet_public(aws, net):
    net.by_gateway()
    assert only(routes.network, case_of(aws, **settings(net)))[0] == "well"


def test_subnets_that_are_not_there_or_of_two_networks_are_wrong(aws, net):
    mark, said = only(routes.network, case_of(aws, compute_subnets=[net.subnet, "subnet-0dead"]))
    assert (mark, said) == ("wrong", "There is no subnet subnet-0dead in us-east-1: correct compute_subnets.")
    both = [net.subnet, *aws.settings["compute_subnets"]]
    assert "are of several networks" in only(routes.network, case_of(aws, compute_subnets=both))[1]


def test_a_subnet_that_is_nearly_full_is_tight(aws, net, monkeypatch):
    small = net.subnet_of("10.1.1.0/28")
    for number in range(5, 10):
        net.ec2.create_network_interface(SubnetId=small, PrivateIpAddress=f"10.1.1.{number}")
    net.by_gateway()
    net.ec2.associate_route_table(RouteTableId=net.table, SubnetId=small)
    found = seen(routes.network, case_of(aws, **settings(net, compute_subnets=[small])))
    assert [mark for mark, _ in found] == ["well", "warning"]
    assert f"{small} has " in found[1][1]


def test_security_groups_have_to_be_of_the_network_and_to_let_https_out(aws, net):
    net.by_gateway()
    group = net.ec2.create_security_group(GroupName="shut", Description="-", VpcId=net.vpc)["GroupId"]
    open_group = case_of(aws, **settings(net, compute_security_groups=[group]))
    assert [mark for mark, _ in seen(routes.network, open_group)] == ["well"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    net.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    found = seen(routes.network, case_of(aws, **settings(net, compute_security_groups=[group])))
    assert found[-1] == ("wrong", f"{group} let no HTTPS out, which machines need: allow port 443.")
    theirs = case_of(aws, **settings(net, compute_security_groups=aws.settings["compute_security_groups"]))
    assert "name one of that network" in seen(routes.network, theirs)[-1][1]
    missing = case_of(aws, **settings(net, compute_security_groups=["sg-0dead"]))
    assert "There is no security group sg-0dead" in seen(routes.network, missing)[-1][1]


@pytest.mark.parametrize(
    ("rule", "lets_out"),
    [
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True),
        ({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True),
        ({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "PrefixListIds": [{"PrefixListId": "pl-1"}]}, True),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, False),
        ({"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, False),
        ({"IpProtocol": "-1", "IpRanges": []}, False),
    ],
)
def test_which_rules_let_https_out(rule, lets_out):
    assert routes._lets_https_out(rule) is lets_out


def test_a_network_that_may_not_be_looked_at_is_left_open():
    allowed = {"Effect": "Allow", "Action": ["ec2:DescribeSubnets", "ec2:DescribeRouteTables"], "Resource": "*"}
    with FakeAWS(iam=True, caller_policy={"Version": "2012-10-17", "Statement": [allowed]}) as aws:
        found = seen(routes.network, case_of(aws))
        assert [mark for mark, _ in found] == ["well", "open"]
        assert "may not ec2:DescribeSecurityGroups" in found[1][1]
