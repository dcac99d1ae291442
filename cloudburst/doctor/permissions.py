"""The roles of workers, and what the caller's own policies allow: all of ``docs/iam/caller.json``, PassRole with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Template
from typing import Any, NamedTuple

from cloudburst.aws.access import NotAllowed, asking
from cloudburst.aws.policies import CALLER, PUSHER, policy
from cloudburst.doctor.findings import Case, Finding, open_, well, wrong
from cloudburst.image.registry import is_in_ecr
from cloudburst.runtime.backends.fargate.registries import parse_ecr
from cloudburst.settings.aws import AUTO

_ECS = "ecs-tasks.amazonaws.com"
_MAY_BE_MISSING = ("Check", "Read", "MakeTheRepository")
"""How statements begin that runs do without."""


class _Role(NamedTuple):
    setting: str
    arn: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


def roles(case: Case) -> Iterator[Finding]:
    """Whether they are there, and ECS may take them."""
    one = case.settings
    iam = case.access("iam")
    for role in (
        _Role("compute_execution_role", one.compute_execution_role),
        _Role("compute_task_role", one.compute_task_role),
    ):
        if role.account != case.access.account:
            yield wrong(
                f"{role.arn} is of another account than your credentials, {case.access.account}: roles are handed over "
                f"within one. Correct {role.setting}, or take credentials of that account."
            )
            continue
        try:
            found = _role(iam, role.name)
        except NotAllowed as refused:
            yield open_(f"{role.name}: {refused}, so ECS alone can tell whether it will do.")
            continue
        if found is None:
            yield wrong(f"There is no role {role.name}: correct {role.setting}, or let cloudburst setup make it.")
        elif not _trusts_ecs(found["AssumeRolePolicyDocument"]):
            yield wrong(
                f"ECS may not take {role.name}: its trust policy has to let {_ECS} do sts:AssumeRole (docs/iam has it)."
            )
        else:
            yield well(f"{role.name}, which ECS may take")


def permissions(case: Case) -> Iterator[Finding]:
    """Whether these credentials may do what runs ask for, and pushing where they make the image: IAM tells it."""
    iam = case.access("iam")
    source = _principal(case.access.identity, iam)
    if source is None:
        yield well(f"{case.access.identity} may do everything")
        return
    is_well = True
    one = case.settings
    pushes = one.compute_image == AUTO and is_in_ecr(one.compute_repository)
    for file in (CALLER, PUSHER) if pushes else (CALLER,):
        for statement in _statements(case, file):
            refused = _refused(iam, source, statement)
            if refused is None:
                yield open_(f"IAM does not know {source}, so only a run can tell what it may do.")
                return
            if refused:
                is_well = False
                yield wrong(
                    f"Your credentials may not {' and '.join(refused)} on {', '.join(_listed(statement['Resource']))}: "
                    f"docs/iam/{file} allows it, as a policy of cloudburst setup does."
                )
    if is_well:
        yield well("Your credentials may do all that runs ask for, and hand the roles to machines")


def _role(iam: Any, name: str) -> Any:
    """What IAM tells of a role; ``None`` if there is none."""
    with asking("iam:GetRole"):
        try:
            return iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return None


def _trusts_ecs(document: Mapping[str, Any]) -> bool:
    return any(
        one.get("Effect") == "Allow"
        and "sts:assumerole" in [action.lower() for action in _listed(one.get("Action"))]
        and _ECS in _listed((one.get("Principal") or {}).get("Service"))
        for one in _listed(document.get("Statement"))
    )


def _principal(arn: str, iam: Any) -> str | None:
    """Whose policies are asked about: the user, or the role behind a session; ``None`` for the account's root."""
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind == "root":
        return None
    if kind != "assumed-role":
        return arn
    found = _role(iam, name.partition("/")[0])  # which alone tells the path of its name
    return arn if found is None else str(found["Arn"])


def _statements(case: Case, file: str) -> list[dict[str, Any]]:
    """What a policy of the docs allows that runs take, of these settings."""
    one = case.settings
    image = parse_ecr(one.compute_image)
    pushed = parse_ecr(one.compute_repository)
    names = {
        "bucket": one.storage_bucket,
        "prefix": one.storage_prefix,
        "cluster": one.compute_cluster.rpartition("/")[2],
        "log_group": one.log_group or "*",
        "repository": next((known.repository for known in (image, pushed) if known), one.compute_repository),
        "region": one.region,
        "account": case.access.account,
        "execution_role": one.compute_execution_role,
        "task_role": one.compute_task_role,
    }

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: placed(part) for name, part in value.items()}
        if isinstance(value, list):
            return [placed(part) for part in value]
        return Template(value).safe_substitute(names).replace("//", "/")

    statements: list[dict[str, Any]] = placed(policy(file)["Statement"])
    return [one for one in statements if not one["Sid"].startswith(_MAY_BE_MISSING)]


def _refused(iam: Any, source: str, statement: Mapping[str, Any]) -> list[str] | None:
    """The actions of a statement that are not allowed on what it names; ``None`` if IAM does not know who asks."""
    context = [
        {"ContextKeyName": name, "ContextKeyValues": _listed(value), "ContextKeyType": "string"}
        for conditions in statement.get("Condition", {}).values()
        for name, value in conditions.items()
    ]
    with asking("iam:SimulatePrincipalPolicy"):
        try:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=source,
                ActionNames=_listed(statement["Action"]),
                ResourceArns=_listed(statement["Resource"]),
                ContextEntries=context,
            )
        except iam.exceptions.NoSuchEntityException:
            return None
    results = answer["EvaluationResults"]
    return sorted({one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed"})


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
