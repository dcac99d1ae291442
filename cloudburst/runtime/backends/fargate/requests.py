"""What a RunTask call says: as short as its limits want it, and the same each time it is said again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cloudburst import __version__
from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.place import FargatePlace
from cloudburst.runtime.backends.fargate.signs import CONTAINER

MOST_AT_ONCE = 10
"""Tasks that one RunTask call may ask for."""
LONGEST_POOL_ID = 30
LONGEST_VARIABLE = 1024
"""Characters that a worker's one environment variable may have; all overrides of a call may have 8192."""
POOL_VARIABLE = "CLOUDBURST_POOL"

LAUNCH_TAG = "cloudburst:launch"
"""The tag that holds the token of the launch a machine came of."""
_NOT_IN_TAGS = re.compile(r"[^\w +\-=.:/@]")


class Chunk(NamedTuple):
    """A part of a launch: what one RunTask call asks for."""

    shape: Size
    count: int  # type: ignore[assignment]  # nobody counts what stands in a chunk
    token: str
    number: int
    """Which part of the launch."""
    generation: int = 0
    """Raised when other parameters are to be used: ECS refuses those under a token that it has seen."""

    def client_token(self, pool_id: str) -> str:
        """What makes this call, said again, the same call: it depends on nothing else.

        >>> Chunk(Size(1024, 2048), 10, "7", 0).client_token("p1")
        'cb-49ac8c424ead4bb126161a5f03f2ce9a-0-0'
        """
        digest = hashlib.sha256(f"{pool_id}\0{self.token}".encode()).hexdigest()[:32]
        return f"cb-{digest}-{self.number}-{self.generation}"


def chunks(shape: Size, count: int, token: str) -> Iterator[Chunk]:
    """A launch in parts of ten.

    >>> [chunk.count for chunk in chunks(Size(1024, 2048), 25, "1")]
    [10, 10, 5]
    """
    for number, first in enumerate(range(0, count, MOST_AT_ONCE)):
        yield Chunk(shape, min(MOST_AT_ONCE, count - first), token, number)


def started_by(pool_id: str) -> str:
    """Under which name the machines of a pool are found."""
    return f"cb-{pool_id}"


def check_pool(pool_id: str, pool_variable: str) -> None:
    """See that a pool's name and variable are short enough for every call, so that no launch can be too long.

    Raises
    ------
    InternalError
        If not: nothing that a user gives comes into them.
    """
    if not re.fullmatch(rf"[A-Za-z0-9_/-]{{1,{LONGEST_POOL_ID}}}", pool_id):
        raise InternalError(f"A pool is named by 1 to {LONGEST_POOL_ID} letters, digits, - _ or /, not {pool_id!r}.")
    if not 0 < len(pool_variable) <= LONGEST_VARIABLE or not pool_variable.isascii():
        raise InternalError(
            f"The variable of pool {pool_id} has {len(pool_variable)} characters: 1 to {LONGEST_VARIABLE} are allowed."
        )


def run_request(place: FargatePlace, pool_id: str, pool_variable: str, definition: str, chunk: Chunk) -> dict[str, Any]:
    """The parameters of RunTask for a part of a launch.

    Parameters
    ----------
    place : FargatePlace
        Where.
    pool_id, pool_variable : str
        Whose machines these are, and what tells them so. The variable is the whole of their environment.
    definition : str
        ARN of the task definition.
    chunk : Chunk
        How many, and of which shape.
    """
    shape = chunk.shape
    overrides: dict[str, Any] = {
        "containerOverrides": [{"name": CONTAINER, "environment": [{"name": POOL_VARIABLE, "value": pool_variable}]}],
    }
    if shape.cpu is not None and shape.memory is not None:
        overrides |= {"cpu": str(shape.cpu), "memory": str(shape.memory)}
    if shape.storage is not None:
        overrides["ephemeralStorage"] = {"sizeInGiB": shape.storage}
    network: dict[str, Any] = {
        "subnets": list(place.subnets),
        "assignPublicIp": "ENABLED" if place.assign_public_ip else "DISABLED",
    }
    if place.security_groups:
        network["securityGroups"] = list(place.security_groups)
    if is_spot(place, shape):
        capacity: dict[str, Any] = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
    else:
        capacity = {"launchType": "FARGATE"}
    return {
        "cluster": place.cluster,
        "taskDefinition": definition,
        "count": chunk.count,
        "clientToken": chunk.client_token(pool_id),
        "startedBy": started_by(pool_id),
        "networkConfiguration": {"awsvpcConfiguration": network},
        "overrides": overrides,
        "tags": _tags(place, pool_id, chunk),
        **capacity,
    }


def is_spot(place: FargatePlace, shape: Size) -> bool:
    """Whether a shape is had from spare capacity."""
    return place.spot if shape.spot is None else shape.spot


def _tags(place: FargatePlace, pool_id: str, chunk: Chunk) -> list[dict[str, str]]:
    shape = chunk.shape
    told = f"{shape.cpu or 'default'}/{shape.memory or 'default'}{f'/{shape.storage}' if shape.storage else ''}"
    own = {
        "cloudburst:pool": pool_id,
        "cloudburst:shape": told + (" spot" if is_spot(place, shape) else ""),
        "cloudburst:version": __version__,
        LAUNCH_TAG: chunk.token,
    }
    if place.user:
        own["cloudburst:user"] = place.user
    tags = dict(place.tags) | {name: _NOT_IN_TAGS.sub("_", value)[:256] for name, value in own.items()}
    return [{"key": name, "value": value} for name, value in tags.items()]
