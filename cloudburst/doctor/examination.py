"""All checks in their order: what one needs of others, and what becomes of what it could not ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudburst.aws.access import NotAllowed
from cloudburst.doctor import account, compute, permissions, routes, storage
from cloudburst.doctor.findings import Case, Check, Finding, Result, open_, wrong
from cloudburst.errors import CloudburstError

_ALL = ("settings", "credentials")

CHECKS: tuple[Check, ...] = (
    Check("settings", account.settings),
    Check("credentials", account.credentials),
    Check("region", account.region),
    Check("bucket", storage.bucket, _ALL),
    Check("cluster", compute.cluster, _ALL),
    Check("image", compute.image, _ALL),
    Check("roles", permissions.roles, _ALL),
    Check("permissions", permissions.permissions, _ALL),
    Check("network", routes.network, _ALL),
    Check("log group", compute.log_group, _ALL),
    Check("quota", compute.quota, _ALL),
    Check("engine", compute.engine, ("settings",)),
)
"""What is looked at, in this order."""


def examine(case: Case, checks: Sequence[Check] = CHECKS) -> Iterator[Result]:
    """Look at everything; each result comes as soon as it is known.

    Parameters
    ----------
    case : Case
        What is looked at.
    checks : sequence of Check
        Each after those that it needs.
    """
    ill: set[str] = set()
    for check in checks:
        result = Result(check.name, tuple(_looked(check, case, ill)))
        if result.mark == "wrong":
            ill.add(check.name)
        yield result


def _looked(check: Check, case: Case, ill: set[str]) -> list[Finding]:
    in_the_way = [name for name in check.needs if name in ill]
    if in_the_way:
        return [open_(f"not looked at, as {' and '.join(in_the_way)} {'is' if len(in_the_way) == 1 else 'are'} wrong")]
    found: list[Finding] = []
    try:
        found.extend(check.look(case))
    except NotAllowed as refused:
        found.append(open_(f"{str(refused)[:1].upper()}{str(refused)[1:]}: docs/iam/caller.json allows it."))
    except CloudburstError as error:
        found.append(wrong(str(error)))
    return found
