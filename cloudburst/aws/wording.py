"""What is in a stack, and what goes wrong with it, in words for people who do not know CloudFormation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudburst.aws.stack import Change, Event
from cloudburst.aws.template import PREFIX

_THINGS = {
    "Bucket": (
        "S3 bucket {bucket}",
        f"encrypted and private; what runs leave in {PREFIX}/ goes after {{run_days}} days",
    ),
    "BucketPolicy": ("bucket policy of {bucket}", "nothing but TLS"),
    "Cluster": ("ECS cluster {name}", "{capacity}; it has no machines of its own"),
    "Repository": ("ECR repository {name}", "images of workers; scanned, the newest 30 are kept"),
    "LogGroup": ("log group /cloudburst/{name}", "what workers print, for {log_days} days"),
    "ExecutionRole": ("role {name}-{region}-execution", "ECS pulls the image and writes the log"),
    "TaskRole": ("role {name}-{region}-task", f"workers read and write {{bucket}}/{PREFIX}, and nothing else"),
    "CallerPolicy": ("policy {name}-{region}-caller", "attach it to those who run pipelines"),
    "PusherPolicy": ("policy {name}-{region}-pusher", "attach it to those who push images"),
    "SecurityGroup": ("security group in {vpc}", "nothing comes in"),
    "S3Endpoint": ("gateway endpoint for S3 in {vpc}", "traffic to S3 stays inside AWS; it is free"),
}
_ACTIONS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "+", "Dynamic": "~"}
_CASCADE = re.compile(
    r"Resource (?:creation|update|deletion) cancel+ed|The following resource\(s\) failed|No reason provided",
    re.IGNORECASE,
)
_MENDS = (
    (
        r"already exists|AlreadyExists|BucketAlreadyOwnedByYou",
        "Something of that name is there already: choose another, with --name.",
    ),
    (
        r"service[- ]linked role",
        "ECS had no role of its own in this account yet, and was just given one: run cloudburst setup again.",
    ),
    (
        r"not authorized|AccessDenied|is not permitted|Access Denied",
        "These credentials may not do that: somebody who may can do it for you.",
    ),
    (
        r"LimitExceeded|limit|quota|maximum",
        "A quota of the account is used up: remove what is not needed, or ask AWS for more (Service Quotas).",
    ),
    (
        r"must (?:detach|delete) (?:all )?policies",
        "Somebody has attached policies of their own to it: detach them, and try again.",
    ),
    (
        r"still.*(?:use|active)|DependencyViolation|dependent object|cannot be deleted while|DeleteConflict",
        "Something still uses it: end what runs there (cloudburst runs stop), and try again.",
    ),
)


def thing(name: str, words: Mapping[str, str]) -> str:
    """What something in the template is, with its name in the account.

    >>> thing("Cluster", {"name": "cloudburst"})
    'ECS cluster cloudburst'
    """
    return _THINGS[name][0].format_map(words) if name in _THINGS else name


def lines(changes: Sequence[Change], words: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each change: a sign, the thing, and what it is for; in the order of the template.

    Examples
    --------
    >>> words = {"bucket": "data", "run_days": "30"}
    >>> lines([Change("Add", "BucketPolicy", "AWS::S3::BucketPolicy", "", False)], words)
    [('+', 'bucket policy of data', 'nothing but TLS')]
    """
    order = list(_THINGS)
    told = []
    for change in sorted(changes, key=lambda one: order.index(one.name) if one.name in order else len(order)):
        what = (
            thing(change.name, words) if change.name in _THINGS else f"{change.kind} {change.physical or change.name}"
        )
        why = _THINGS[change.name][1].format_map(words) if change.name in _THINGS else ""
        if change.action == "Modify":
            why = "a new one takes its place" if change.replaces else "changed"
        elif change.action == "Remove":
            why = "removed"
        told.append((_ACTIONS.get(change.action, "~"), what, why))
    return told


def cause(events: Sequence[Event], words: Mapping[str, str]) -> str:
    """The first real reason among events: what else failed, failed for it.

    Examples
    --------
    >>> late = Event("2", "Cluster", "AWS::ECS::Cluster", "", "CREATE_FAILED", "Resource creation cancelled")
    >>> first = Event("1", "Repository", "AWS::ECR::Repository", "", "CREATE_FAILED", "cloudburst already exists")
    >>> cause([first, late], {"name": "cloudburst"}).partition(". ")[0]
    'ECR repository cloudburst: cloudburst already exists'
    """
    failures = [event for event in events if event.is_failure]
    real = [event for event in failures if event.reason and not _CASCADE.search(event.reason)]
    if not real:
        return failures[0].reason.rstrip(".") + "." if failures else "CloudFormation gives no reason."
    first = real[0]
    said = _bare(first.reason)
    mend = next((mend for pattern, mend in _MENDS if re.search(pattern, first.reason, re.IGNORECASE)), "")
    return f"{thing(first.name, words)}: {said}.{' ' if mend else ''}{mend}"


def _bare(reason: str) -> str:
    """A reason without what only CloudFormation's own makers need."""
    bare = re.sub(
        r'^Resource handler returned message: "(.*?)"?(?: \(RequestToken.*)?$', r"\1", reason, flags=re.DOTALL
    )
    bare = re.sub(r"\s*\((?:Service|RequestToken)[^)]*\)?", "", bare)
    return " ".join(bare.split()).rstrip(' ."')
