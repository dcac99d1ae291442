"""The settings of pipelines on AWS, checked before anything is started. What only AWS can tell is asked later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudburst.errors import ResourceError, SettingsError
from cloudburst.resources import Size, parse_size
from cloudburst.settings.checks import CHECKS, DEFAULT_CPU, DEFAULT_MEMORY, LINGER_S, MAX_WORKERS, Architecture
from cloudburst.settings.origins import Sources, checked, found_settings

AUTO = "auto"
"""The image that is made of the environment at hand."""
REPOSITORY = "cloudburst"
"""In ECR, where nothing names another."""
_REQUIRED = (
    "storage_bucket", "compute_cluster", "compute_subnets", "compute_image", "compute_execution_role",
    "compute_task_role",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How pipelines run on AWS. The names are those of ``cb.init_aws``, where each is described."""

    storage_bucket: str
    compute_cluster: str
    compute_subnets: tuple[str, ...]
    compute_image: str
    compute_execution_role: str
    compute_task_role: str
    region: str
    compute_assign_public_ip: bool = False
    compute_security_groups: tuple[str, ...] = ()
    storage_prefix: str = ""
    storage_kms_key: str | None = None
    spot: bool = False
    architecture: Architecture = "X86_64"
    max_workers: int = MAX_WORKERS
    linger_s: float = LINGER_S
    keep_warm_s: float | None = None
    log_group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    endpoint_url: str | None = None
    compute_repository: str = REPOSITORY
    """Where ``compute_image="auto"`` pushes to."""
    default_size: Size = Size(DEFAULT_CPU, DEFAULT_MEMORY)


def aws_settings(profile: str | None = None, **given: Any) -> AwsSettings:
    """Check settings; what is not given is looked for in the environment, the project and the profile.

    Parameters
    ----------
    profile : str, optional
        The profile to use.
    **given
        As ``cb.init_aws`` takes them.

    Raises
    ------
    SettingsError
        Naming the setting, where it stands, what is wrong, and what would be right.
    """
    need_boto3("cb.init_aws(...)")
    return settings_of(found_settings(given, profile))


def settings_of(sources: Sources) -> AwsSettings:
    """Check settings that were found.

    Raises
    ------
    SettingsError
        As ``aws_settings`` does.
    """
    found = dict(sources.found)
    if repository := found.get("compute_repository"):  # what is pushed there is what is run
        found.setdefault("compute_image", repository._replace(value=AUTO))
    if missing := missing_settings(sources):
        raise _missing(missing[0], sources.profile)
    read = {name: checked(name, found.get(name), check) for name, check in CHECKS.items()}
    linger_s, keep_warm_s = _waits(read.pop("linger"), read.pop("keep_warm"))
    size = _default_size(read.pop("default_cpu"), read.pop("default_memory"))
    return AwsSettings(
        **read,
        linger_s=linger_s,
        keep_warm_s=keep_warm_s,
        compute_repository=repository_of(sources),
        default_size=size._replace(spot=read["spot"] or None),
    )


def repository_of(sources: Sources) -> str:
    """Where images are pushed to: as some place says, else ``cloudburst`` in ECR."""
    found = sources.found.get("compute_repository")
    return REPOSITORY if found is None else str(found.value)


def missing_settings(sources: Sources) -> list[str]:
    """What has to stand somewhere and does not; the image need not, where there is a repository to make one for."""
    there = {*sources.found, *(("compute_image",) if "compute_repository" in sources.found else ())}
    return [name for name in _REQUIRED if name not in there]


def wrong_settings(sources: Sources) -> list[str]:
    """What is wrong with settings, each in a sentence; what is missing is not."""
    found = []
    for name, check in CHECKS.items():
        if name in sources.found:
            try:
                checked(name, sources.found[name], check)
            except SettingsError as error:
                found.append(str(error))
    return found


def _missing(name: str, profile: str) -> SettingsError:
    mend = "cloudburst image builds one" if name == "compute_image" else "cloudburst setup makes all that is needed"
    return SettingsError(
        f"{name} is missing: it stands neither in the call, nor in CLOUDBURST_{name.upper()}, nor under "
        f"[tool.cloudburst] in pyproject.toml, nor in the profile {profile!r}. Give it; {mend}."
    )


def region_of(sources: Sources, who: str = "cloudburst setup") -> str:
    """The region that some place names: those of settings, then AWS's own.

    Parameters
    ----------
    sources : Sources
        All settings that were found.
    who : str
        Who asks, for a message where boto3 is missing.

    Raises
    ------
    SettingsError
        If none does, or it cannot be.
    """
    need_boto3(who)
    return str(checked("region", sources.found.get("region"), CHECKS["region"]))


def need_boto3(who: str) -> None:
    """Say what to install where boto3 is missing.

    Raises
    ------
    SettingsError
        If it is.
    """
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise SettingsError(f"{who} needs boto3, which is not installed: pip install 'cloudburst[aws]'.")


def _waits(linger_s: float, keep_warm_s: float | None) -> tuple[float, float | None]:
    if linger_s == 0 and keep_warm_s:
        raise SettingsError(
            f"linger=0 gives every task a machine of its own, and keep_warm={keep_warm_s:g} keeps machines for others: "
            "leave one of them out."
        )
    return linger_s, keep_warm_s


def _default_size(cpu: Any, memory: Any) -> Size:
    try:
        return parse_size(cpu, memory)
    except ResourceError as error:
        raise SettingsError(f"default_cpu and default_memory: {error}") from None
