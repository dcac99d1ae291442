"""Where on AWS machines are started, and the clients that speak to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

from cloudburst.errors import LaunchError
from cloudburst.runtime.aws_session import aws_session
from cloudburst.runtime.backends.fargate.refusals import refusal_of_error

Architecture = Literal["X86_64", "ARM64"]

_CONNECT_S = 5
_READ_S = 30
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class FargatePlace:
    """What the settings say of where and as what machines run."""

    cluster: str
    subnets: tuple[str, ...]
    image: str
    execution_role: str | None = None
    task_role: str | None = None
    security_groups: tuple[str, ...] = ()
    assign_public_ip: bool = False
    region: str | None = None
    """``None`` is what the environment says."""
    endpoint_url: str | None = None
    """Where something else answers in AWS's place."""
    architecture: Architecture = "X86_64"
    log_group: str | None = None
    """Where the workers' own words go; ``None`` keeps none."""
    spot: bool = False
    """What a shape gets that does not say."""
    user: str = ""
    """Whose machines these are, for their tags."""
    tags: tuple[tuple[str, str], ...] = ()
    """The user's own, name and value."""


class Clients:
    """The clients of AWS services for one place, each made when it is first needed. Any thread may use them.

    Parameters
    ----------
    place : FargatePlace
        Gives region and endpoint.
    """

    def __init__(self, place: FargatePlace) -> None:
        self._place = place
        self._made: dict[tuple[str, str | None], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, region: str | None = None) -> Any:
        """The client of a service.

        Raises
        ------
        LaunchError
            If there is no region.
        """
        with self._lock:
            client = self._made.get((service, region))
            if client is None:
                client = self._made[service, region] = self._new(service, region)
            return client

    def _new(self, service: str, region: str | None) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        # Adaptive: a client that is throttled all the same slows itself down before it asks again.
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            user_agent_extra="cloudburst",
        )
        region = region or self._place.region
        try:
            return aws_session().create_client(
                service, region_name=region, endpoint_url=self._place.endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise LaunchError(f"AWS cannot be spoken to: {refusal_of_error(error).detail}") from error
