"""What can be seen to be wrong before anything is started: each setting that AWS knows nothing of is named at once.

What these credentials may not look at is left open: starting a machine then says it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from cloudburst.errors import LaunchError
from cloudburst.runtime.backends.fargate.outcomes import with_evidence
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import code_of, refusal_of_error
from cloudburst.runtime.backends.fargate.registries import image_facts, parse_ecr

PYTHON_LABEL = "org.cloudburst.python"
"""The label in which an image says which Python it has: ``3.11``."""

_MAY_NOT = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")


class Problem(NamedTuple):
    """A setting that will not do."""

    setting: str
    detail: str
    is_open: bool = False
    """Whether it is only that nobody can look at it from here."""


def preflight(place: FargatePlace, *, spot_wanted: bool = False, clients: Clients | None = None) -> None:
    """See that what the settings name is there.

    Parameters
    ----------
    place : FargatePlace
        The settings.
    spot_wanted : bool
        Whether a stage wants spare capacity.
    clients : Clients, optional
        Those of the place by default.

    Raises
    ------
    LaunchError
        Naming every setting that is wrong, with the mend.
    """
    found = problems(place, spot_wanted=spot_wanted, clients=clients)
    if found:
        listed = "\n".join(f"  {one.setting}: {one.detail}" for one in found)
        raise LaunchError(f"Nothing was started on Fargate, because these settings are wrong:\n{listed}")


def problems(place: FargatePlace, *, spot_wanted: bool = False, clients: Clients | None = None) -> list[Problem]:
    """What is wrong with the settings; see ``preflight``."""
    clients = clients or Clients(place)
    found = list(of_cluster(place, clients, spot_wanted=spot_wanted or place.spot))
    if not any(one.setting in ("credentials", "region") for one in found):  # all else would say the same
        found += of_log_group(place, clients)
        found += of_image(place, clients)
    return [one for one in found if not one.is_open]


def of_cluster(place: FargatePlace, clients: Clients, *, spot_wanted: bool) -> Iterator[Problem]:
    """What is wrong with the cluster."""
    from botocore.exceptions import BotoCoreError, ClientError

    ecs = clients("ecs")
    try:
        answer = ecs.describe_clusters(clusters=[place.cluster])
    except (BotoCoreError, ClientError) as error:
        yield _refused(error, "compute_cluster", "ecs:DescribeClusters")
        return
    cluster = next(iter(answer.get("clusters", ())), None)
    if cluster is None or cluster.get("status") != "ACTIVE":
        what = f"there is no cluster {place.cluster!r} in {ecs.meta.region_name}"
        if cluster is not None:
            what = f"cluster {place.cluster!r} is {cluster.get('status')}"
        yield Problem("compute_cluster", f"{what}. Create it, or correct compute_cluster or region.")
    elif spot_wanted and "FARGATE_SPOT" not in cluster.get("capacityProviders", ()):
        yield Problem(
            "spot",
            f"cluster {place.cluster!r} has no capacity provider FARGATE_SPOT. Associate it: aws ecs "
            f"put-cluster-capacity-providers --cluster {place.cluster} --capacity-providers FARGATE FARGATE_SPOT "
            "--default-capacity-provider-strategy []",
        )


def of_log_group(place: FargatePlace, clients: Clients) -> Iterator[Problem]:
    """What is wrong with the log group, if one is wanted."""
    from botocore.exceptions import BotoCoreError, ClientError

    log_group = place.log_group
    if not log_group:
        return
    logs = clients("logs")
    try:
        answer = logs.describe_log_groups(logGroupNamePrefix=log_group)
    except (BotoCoreError, ClientError) as error:
        yield _refused(error, "log_group", "logs:DescribeLogGroups")
        return
    # Of all that begin so, the shortest comes first.
    if log_group not in [one.get("logGroupName") for one in answer.get("logGroups", ())]:
        yield Problem(
            "log_group",
            f"there is no log group {log_group!r} in {logs.meta.region_name}, and no machine starts without. Create "
            f"it: aws logs create-log-group --log-group-name {log_group}; or leave out log_group.",
        )


def of_image(place: FargatePlace, clients: Clients) -> Iterator[Problem]:
    """What is wrong with the image."""
    image = parse_ecr(place.image)
    if image is None:
        yield Problem("compute_image", f"{place.image} is not in ECR: its registry is not asked.", is_open=True)
        return
    facts = image_facts(clients("ecr", image.region), image, place.architecture)
    if facts.is_there is None:
        yield Problem("compute_image", f"ECR does not let these credentials look at {place.image}.", is_open=True)
    if facts.is_there is False:
        detail = with_evidence(
            f"{place.image} is not there", facts.missing, "Push the image, or correct its repository or tag."
        )
        yield Problem("compute_image", detail)
    if facts.architectures and place.architecture not in facts.architectures:
        built_for = " and ".join(sorted(facts.architectures))
        yield Problem(
            "architecture",
            f"{place.image} is built for {built_for}, not for {place.architecture}. Build it for that, or set "
            f"architecture={min(facts.architectures)!r}.",
        )
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    theirs = (facts.labels or {}).get(PYTHON_LABEL)
    if theirs is not None and theirs != ours:
        yield Problem(
            "compute_image",
            f"{place.image} has Python {theirs}, and this program runs on {ours}: functions cannot travel between "
            "them. Build the image anew from this environment, or run the program on that Python.",
        )


def _refused(error: Exception, setting: str, action: str) -> Problem:
    if code_of(error) in _MAY_NOT:
        return Problem(setting, f"These credentials may not {action}.", is_open=True)
    refusal = refusal_of_error(error)
    return Problem(refusal.setting or "region", refusal.detail)
