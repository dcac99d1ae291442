"""The AWS account inside moto: what is in it, and how it is furnished so that a pipeline can run."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import moto.backends
from moto.iam.models import SERVICE_NAME_CONVERSION

SERVICE_NAME_CONVERSION.setdefault("ecs", "ECS")  # without it the role of ECS would be AWSServiceRoleForecs

ID = "123456789012"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Account:
    """One account in one region, as moto keeps it.

    Parameters
    ----------
    region : str
        Where everything is.
    """

    region: str

    def _backend(self, service: str, region: str = "") -> Any:
        return moto.backends.get_backend(service)[ID][region or self.region]  # type: ignore[call-overload]

    @cached_property
    def s3(self) -> Any:
        """Buckets."""
        return self._backend("s3", "aws")

    @cached_property
    def ecs(self) -> Any:
        """Clusters and task definitions."""
        return self._backend("ecs")

    @cached_property
    def ec2(self) -> Any:
        """Networks."""
        return self._backend("ec2")

    @cached_property
    def ecr(self) -> Any:
        """Images."""
        return self._backend("ecr")

    @cached_property
    def iam(self) -> Any:
        """Users, roles and policies."""
        return self._backend("iam", "aws")

    @cached_property
    def logs(self) -> Any:
        """Log groups and streams."""
        return self._backend("logs")

    @property
    def registry(self) -> str:
        """The host of the account's images."""
        return f"{ID}.dkr.ecr.{self.region}.amazonaws.com"

    def role(self, name: str, policy: Any) -> str:
        """Make a role that ECS tasks may take; its ARN."""
        made = self.iam.create_role(name, json.dumps(_TRUST), "/", None, "", [], "3600")
        self.iam.put_role_policy(name, "allowed", json.dumps(policy))
        return str(made.arn)

    def ecs_role(self, *, wanted: bool) -> bool:
        """Whether ECS has its own role in the account; it is made if it is wanted and not there."""
        name = "AWSServiceRoleForECS"
        was_there = any(role.name == name for role in self.iam.roles.values())
        if wanted and not was_there:
            self.iam.create_service_linked_role("ecs.amazonaws.com", "", "")
        return was_there

    def network(self) -> tuple[list[str], str]:
        """Make a VPC with public subnets in two zones of the region and a security group; their ids."""
        vpc = self.ec2.create_vpc("10.0.0.0/16")
        zones = [zone.name for zone in self.ec2.describe_availability_zones() if zone.state == "available"][:2]
        subnets = [
            self.ec2.create_subnet(vpc.id, f"10.0.{number}.0/24", availability_zone=zone).id
            for number, zone in enumerate(zones)
        ]
        self._open(vpc.id)
        group = self.ec2.create_security_group("cloudburst", "workers", vpc_id=vpc.id)
        return subnets, str(group.id)

    def default_vpc(self, *, wanted: bool) -> None:
        """Give the default VPC its way to the internet, as AWS does; or take it away."""
        [vpc] = [one for one in self.ec2.vpcs.values() if one.is_default]
        if wanted:
            self._open(vpc.id)
            return
        for subnet in self.ec2.describe_subnets(filters={"vpc-id": [vpc.id]}):
            self.ec2.delete_subnet(subnet.id)
        self.ec2.delete_vpc(vpc.id)

    def _open(self, vpc: str) -> None:
        """Give a VPC a way to the internet."""
        gateway = self.ec2.create_internet_gateway()
        self.ec2.attach_internet_gateway(gateway.id, vpc)
        [table] = self.ec2.describe_route_tables(filters={"vpc-id": [vpc], "association.main": ["true"]})
        self.ec2.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)

    def push(self, repository: str, tag: str, architecture: str, labels: dict[str, str]) -> str:
        """Have an image in the registry that was built for an architecture; its URI."""
        if repository not in self.ecr.repositories:
            self.ecr.create_repository(repository, None, {"encryptionType": "AES256"}, {}, "MUTABLE", [])
        config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Labels": labels}}).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "size": 1, "digest": digest}],
        }
        self.ecr.put_image(repository, json.dumps(manifest), tag, MANIFEST)
        _CONFIGS[digest] = config
        return f"{self.registry}/{repository}:{tag}"

    def image_config(self, image: str) -> dict[str, Any] | None:
        """The configuration of an image of this registry. Raises ``LookupError`` if it is not there."""
        host, _, rest = image.partition("/")
        if host != self.registry:
            return None
        name, _, digest = rest.partition("@")
        name, _, tag = name.partition(":")
        repository = self.ecr.repositories.get(name)
        for one in repository.images if repository is not None else ():
            if one.get_image_digest() == digest or (not digest and (tag or "latest") in one.image_tags):
                config = _CONFIGS.get(json.loads(one.image_manifest).get("config", {}).get("digest", ""))
                return json.loads(config) if config is not None else None
        raise LookupError(image)


_CONFIGS: dict[str, bytes] = {}
"""Image configurations by digest: moto keeps manifests only."""


def keep_config(digest: str, config: bytes) -> None:
    """Keep the configuration of an image."""
    _CONFIGS[digest] = config


def image_layer(digest: str) -> bytes | None:
    """What lies under a digest."""
    return _CONFIGS.get(digest)


def own_architecture() -> str:
    """The architecture of this machine as images name it."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "amd64"
