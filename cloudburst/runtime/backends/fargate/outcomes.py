"""How a task ended, from what ECS says of it: one table, whose first row that fits is the answer.

What the worker committed to the store is the truth and was read before; this is for tasks that left no record. The
order matters: capacity that was reclaimed may also show exit code 137, and a task that somebody stopped may also show
that its image could not be pulled.
"""

from __future__ import annotations

from collections.abc import Callable
from signal import Signals
from typing import Literal, NamedTuple

from cloudburst.runtime.backends.fargate.signs import Signs, shortened, signs_of
from cloudburst.runtime.events import LaunchCause

FellCause = Literal["lost", "memory", "reclaimed", "host", "stopped"]


class Outcome(NamedTuple):
    """What became of a machine."""

    kind: str
    """The row of the table."""
    cause: FellCause
    detail: str
    """For people: what happened, in ECS's own words, and the mend where there is one."""
    launch: LaunchCause | None = None
    """If the worker never came to run: why, in the words of a launch."""
    borne: int = 0
    """So many launches may end like this before it is taken for a wrong setting; until then it passes."""


class Row(NamedTuple):
    """One row: what is seen, what it means, and what to do."""

    kind: str
    fits: Callable[[Signs], bool]
    cause: FellCause
    launch: LaunchCause | None
    """What it means for a launch. ``setup`` holds also where the container was started."""
    what: str
    mend: str = ""
    borne: int = 0


NETWORK = (
    "Check the network: a subnet without a NAT gateway or VPC endpoints (ECR, S3, CloudWatch Logs) needs "
    "compute_assign_public_ip=True and a route to an internet gateway (compute_subnets), and the security groups must "
    "let HTTPS out (compute_security_groups)."
)
_PULL_ROLE = (
    "Check compute_execution_role: it needs ecr:GetAuthorizationToken, ecr:BatchGetImage and "
    "ecr:GetDownloadUrlForLayer on the repository of compute_image."
)
_TRUST = (
    "Check compute_execution_role and compute_task_role: they must exist and trust ecs-tasks.amazonaws.com "
    "(sts:AssumeRole)."
)
_PASSING_PULL = (
    r"i/o timeout|tls handshake timeout|connection reset|toomanyrequests|too many requests|unexpected eof|\b50[0234]\b"
)
_ABSENT = r"not found|manifest unknown|does not exist|name unknown|repository .* not|invalid reference"
_REFUSED = r"\b40[13]\b|forbidden|denied|not authorized|unauthorized|no basic auth|authorization"
_UNREACHED = r"no route|unreachable|no such host|dial tcp|client\.timeout|context deadline|connection refused|timeout"
_OTHER_MACHINE = (
    r"exec format error|matching platform|no matching manifest|platform mismatch|"
    r"does not match the (?:expected|specified|detected).*platform|image platform"
)
_NO_START = (
    r"cannotstartcontainererror|cannotcreatecontainererror|containerruntimeerror|oci runtime|executable file not found"
)


def _pull(pattern: str) -> Callable[[Signs], bool]:
    return lambda signs: signs.says(r"cannotpull\w*") and signs.says(pattern)


def _start(pattern: str) -> Callable[[Signs], bool]:
    return lambda signs: signs.says(r"resourceinitializationerror") and signs.says(pattern)


TABLE: tuple[Row, ...] = (
    Row(
        "reclaimed",
        lambda signs: signs.stop_code in ("SpotInterruption", "TerminationNotice"),
        "reclaimed",
        "capacity",
        "AWS took its Spot capacity back",
    ),
    Row("host", lambda signs: signs.stop_code == "InfrastructureHealth", "host", "passing", "the host under it failed"),
    Row("stopped", lambda signs: signs.stop_code == "UserInitiated", "stopped", "passing", "somebody stopped it"),
    Row(
        "memory",
        lambda signs: signs.exit_code in (137, None) and signs.says(r"^\s*outofmemoryerror"),
        "memory",
        None,
        "it ran out of memory",
    ),
    Row(
        "architecture",
        lambda signs: signs.says(_OTHER_MACHINE) or "exec format error" in signs.tail,
        "lost",
        "setup",
        "the image is for another kind of CPU",
        'Build the image for the architecture of the settings, or set architecture="ARM64" or "X86_64" to that of '
        "compute_image.",
    ),
    Row(
        "pull timed out",
        _pull(_PASSING_PULL),
        "lost",
        "setup",
        "the image could not be pulled in time",
        NETWORK,
        borne=3,
    ),
    Row(
        "pull: no such image",
        _pull(_ABSENT),
        "lost",
        "setup",
        "the image is not there",
        "Check compute_image: push the image, or correct its repository or tag.",
    ),
    Row("pull: refused", _pull(_REFUSED), "lost", "setup", "the image may not be pulled", _PULL_ROLE),
    Row(
        "pull: no room",
        _pull(r"no space left|failed to register layer"),
        "lost",
        "setup",
        "the image does not fit on the machine's disk",
        "Make the image smaller, or give the stage ephemeral_storage= of 21 GiB or more.",
    ),
    Row("pull: no route", _pull(_UNREACHED), "lost", "setup", "the registry could not be reached", NETWORK),
    Row("pull", _pull(""), "lost", "setup", "the image could not be pulled", f"Check compute_image. {_PULL_ROLE}"),
    Row(
        "start: log group",
        _start(r"log group|log driver|logger|log stream|awslogs"),
        "lost",
        "setup",
        "its log could not be written",
        "Check log_group: it must exist in the region, and compute_execution_role needs logs:CreateLogStream and "
        "logs:PutLogEvents on it.",
        borne=1,
    ),
    Row(
        "start: refused",
        _start(r"accessdenied|not authorized|unauthorized|assume"),
        "lost",
        "setup",
        "the execution role may not do what the start of a machine takes",
        f"{_PULL_ROLE} It must trust ecs-tasks.amazonaws.com.",
        borne=1,
    ),
    Row("start", _start(""), "lost", "setup", "what its start takes could not be fetched", NETWORK, borne=1),
    Row("role", lambda signs: signs.says(r"unable to assume"), "lost", "setup", "a role could not be assumed", _TRUST),
    Row(
        "program",
        lambda signs: signs.says(_NO_START),
        "lost",
        "setup",
        "its program could not be started",
        "Check compute_image: it must be a cloudburst worker image, whose entry point is the worker program.",
    ),
    Row(
        "quota",
        lambda signs: not signs.has_run and signs.says(r"limit on the number of vcpus|vcpu limit"),
        "lost",
        "quota",
        "the account's vCPU quota is used up",
        "Wait, set max_workers lower, or ask AWS for a higher quota.",
    ),
    Row(
        "capacity",
        lambda signs: not signs.has_run and signs.says(r"capacity is unavailable|insufficient capacity|no capacity"),
        "lost",
        "capacity",
        "AWS has no capacity for it now",
        "Give subnets in more availability zones (compute_subnets).",
    ),
    Row(
        "network interface",
        lambda signs: not signs.has_run and signs.says(r"network interface"),
        "lost",
        "passing",
        "its network interface did not come up",
        "If this goes on, look for free addresses in compute_subnets.",
    ),
    Row(
        "storage",
        lambda signs: not signs.has_run and signs.says(r"ephemeral ?storage"),
        "lost",
        "passing",
        "its disk did not come up",
    ),
    Row(
        "not started",
        lambda signs: signs.stop_code == "TaskFailedToStart" or (not signs.has_run and signs.says(r"internalerror")),
        "lost",
        "passing",
        "ECS could not start it",
    ),
)


def outcome_of(task: object, tail: str = "") -> Outcome:
    """What became of a task that has stopped.

    Parameters
    ----------
    task : object
        One of the ``tasks`` that DescribeTasks answers with. Whatever it is, there is an outcome.
    tail : str
        The last that it printed: what only its log says, such as ``exec format error``.

    Returns
    -------
    Outcome

    Examples
    --------
    >>> outcome_of({"stopCode": "SpotInterruption", "containers": [{"exitCode": 137}]}).cause
    'reclaimed'
    >>> outcome_of({"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 139}]}).detail
    'it ended with exit code 139 (SIGSEGV)'
    """
    signs = signs_of(task, tail)
    for row in TABLE:
        if row.fits(signs):
            launch = row.launch if row.launch == "setup" or not signs.has_run else None
            return Outcome(row.kind, row.cause, _told(row.what, signs, row.mend), launch, row.borne)
    launch = None if signs.has_run else "passing"
    return Outcome("exited", "lost", _told(_exit(signs.exit_code), signs, ""), launch)


def is_worth_its_log(task: object) -> bool:
    """Whether the log may say why a task ended where ECS does not: the kernel's refusal to run its program."""
    signs = signs_of(task)
    return signs.stop_code in ("EssentialContainerExited", "") and signs.exit_code in (1, 126, 127, 255)


def with_evidence(what: str, said: str, mend: str = "") -> str:
    """One text of what happened, what AWS says of it, and what to do.

    >>> with_evidence("the image is not there", "CannotPullContainerError: not found", "Check compute_image.")
    'the image is not there (AWS says: CannotPullContainerError: not found). Check compute_image.'
    """
    evidence = f" (AWS says: {shortened(said).rstrip('.')})" if said.strip() else ""
    return f"{what}{evidence}. {mend}" if mend else f"{what}{evidence}"


def _told(what: str, signs: Signs, mend: str) -> str:
    return with_evidence(what, "" if signs.said == _USUAL else signs.said, mend)


_USUAL = "Essential container in task exited"


def _exit(code: int | None) -> str:
    if code is None:
        return "it ended, and ECS does not say why"
    name = ""
    if code > 128 and code - 128 in {one.value for one in Signals}:
        name = f" ({Signals(code - 128).name})"
    return f"it ended with exit code {code}{name}"
