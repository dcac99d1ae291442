"""Removing what was set up: what goes and what stays is said before, and a bucket with kept data stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cloudburst.aws.access import code_of, plainly
from cloudburst.aws.contents import bucket_state, contents, delete_bucket
from cloudburst.aws.setup import Setup
from cloudburst.aws.stack import TAG, Event
from cloudburst.aws.wording import thing
from cloudburst.errors import SetupError

_POLICIES = ("CallerPolicy", "PusherPolicy")
_ORDER = ("Cluster", "Repository", "LogGroup", "ExecutionRole", "TaskRole", *_POLICIES, "SecurityGroup", "S3Endpoint")


_LOOKS = 60
"""A machine takes up to a minute to stop, and is looked for every two seconds."""


class Removal(NamedTuple):
    """What would be removed."""

    has_stack: bool
    lines: list[str]
    """What goes."""
    stays: list[str]
    """What does not, and why."""
    bucket: str
    """The bucket that goes; empty if none does."""
    attached: list[tuple[str, str, str]]
    """Who has one of the policies: its ARN, and their kind and name."""
    cluster: str
    """Empty if there is none."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remove."""
        return not self.lines


def plan_removal(setup: Setup, *, bucket: str | None = None, delete_data: bool = False) -> Removal:
    """Look at what would go; nothing is removed.

    Parameters
    ----------
    setup : Setup
        What was set up.
    bucket : str, optional
        The bucket of a set-up that is removed already, where it had a name of its own.
    delete_data : bool
        Whether the bucket goes whatever is in it.

    Raises
    ------
    SetupError
        If machines still run in the cluster.
    """
    state = setup.state()
    there = setup.stack.resources() if state is not None else {}
    words = setup.words(state.parameters if state is not None else {})
    if "Cluster" in there:
        _refuse_running(setup, there["Cluster"])
    gone = [thing(name, words) for name in _ORDER if name in there]
    if "Repository" in there and (images := _images(setup, there["Repository"])):
        gone[gone.index(thing("Repository", words))] += f", with {images} image{'s' if images > 1 else ''}"
    attached: list[tuple[str, str, str]] = []
    for policy in [name for name in _POLICIES if name in there]:
        if having := _attached(setup, there[policy]):
            names = ", ".join(f"{kind} {name}" for kind, name in having)
            gone[gone.index(thing(policy, words))] += f", which is taken from {names}"
            attached += [(there[policy], *one) for one in having]
    if state is not None and not gone:
        gone.append(f"stack {setup.name}, which is {state.status}")
    known = there.get("Bucket") or (bucket or words["bucket"] if state is not None else bucket)
    going, stays = _bucket(setup, known or "", is_made="Bucket" in there, delete_data=delete_data)
    if going:
        gone.append(f"S3 bucket {going}, with {contents(setup.access, going)}")
    return Removal(state is not None, gone, stays, going, attached, there.get("Cluster", ""))


def remove(setup: Setup, removal: Removal, see: Callable[[Event], None]) -> None:
    """Remove what a plan says.

    Raises
    ------
    SetupError
        If something could not be removed; what is left of the stack can be removed later.
    """
    with plainly("take the policies from those who have them"):
        iam = setup.access("iam")
        for policy, kind, name in removal.attached:
            detach = getattr(iam, f"detach_{kind}_policy")
            detach(**{f"{kind.capitalize()}Name": name, "PolicyArn": policy})
    if removal.cluster:
        _await_stopping(setup, removal.cluster)
    if removal.has_stack:
        setup.clear_leftover(see)
    if removal.bucket:
        delete_bucket(setup.access, removal.bucket)


def _refuse_running(setup: Setup, cluster: str) -> None:
    with plainly("look for machines that run"):
        try:
            running = setup.access("ecs").list_tasks(cluster=cluster)["taskArns"]
        except setup.access("ecs").exceptions.ClusterNotFoundException:
            return
    if running:
        count = f"{len(running)} machines run" if len(running) > 1 else "1 machine runs"
        raise SetupError(f"{count} in cluster {setup.name}: wait for them, or end them (cloudburst runs stop).")


def _await_stopping(setup: Setup, cluster: str) -> None:
    """Wait for machines that are about to be gone: until then ECS keeps the cluster. After a while it may say so."""
    ecs = setup.access("ecs")
    with plainly("wait for machines that are stopping"):
        for _ in range(_LOOKS):
            try:
                stopping = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
            except ecs.exceptions.ClusterNotFoundException:
                return
            told = ecs.describe_tasks(cluster=cluster, tasks=stopping)["tasks"] if stopping else []
            if all(task["lastStatus"] == "STOPPED" for task in told):
                return
            setup.stack.pause()


def _images(setup: Setup, repository: str) -> int:
    with plainly("count images"):
        ecr = setup.access("ecr")
        try:
            pages = ecr.get_paginator("list_images").paginate(repositoryName=repository)
            return len({one["imageDigest"] for page in pages for one in page["imageIds"]})
        except ecr.exceptions.RepositoryNotFoundException:
            return 0


def _attached(setup: Setup, policy: str) -> list[tuple[str, str]]:
    with plainly("look who has the policy"):
        iam = setup.access("iam")
        try:
            pages = [*iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy)]
        except iam.exceptions.NoSuchEntityException:
            return []
    return [
        (kind, one[f"{kind.capitalize()}Name"])
        for page in pages
        for kind in ("user", "group", "role")
        for one in page.get(f"Policy{kind.capitalize()}s", ())
    ]


def _bucket(setup: Setup, name: str, *, is_made: bool, delete_data: bool) -> tuple[str, list[str]]:
    """The bucket that goes, and what is to be said of one that stays."""
    name = name or setup.own_bucket
    if bucket_state(setup.access, name) != "ours" or not (is_made or _is_tagged(setup, name)):
        return "", []
    inside = contents(setup.access, name)
    if delete_data or inside.kept == 0:
        return name, []
    return "", [f"The bucket {name} stays, with {inside}. Remove it too with --remove --delete-data."]


def _is_tagged(setup: Setup, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    with plainly(f"look at the bucket {bucket}"):
        try:
            tags = setup.access("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
        except ClientError as error:
            if code_of(error) != "NoSuchTagSet":
                raise
            return False
    return {"Key": TAG, "Value": setup.name} in tags
