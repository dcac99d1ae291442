"""The cluster, the workers' image, their log, and how many of them may run at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cloudburst import image as images
from cloudburst.aws.access import NotAllowed, asking
from cloudburst.doctor.findings import Case, Finding, open_, warning, well, wrong
from cloudburst.errors import CloudburstError
from cloudburst.providers.aws import image_wanted
from cloudburst.runtime.backends.engine import find_engine
from cloudburst.runtime.backends.fargate.preflight import Problem, of_cluster, of_image, of_log_group
from cloudburst.settings.aws import AUTO

_ON_DEMAND, _SPOT = "L-3032A538", "L-36FBB829"
"""Quotas of Fargate: vCPUs on demand, and Spot (see "AWS Fargate service quotas")."""
_LOOKS_BACK = timedelta(minutes=15)
_PERIOD_S = 300


def cluster(case: Case) -> Iterator[Finding]:
    """Whether it is active, and lends Spot capacity."""
    wants_spot = case.settings.spot
    problems = list(of_cluster(case.place, case.clients, spot_wanted=True))
    for one in problems:
        if one.setting == "spot" and not wants_spot:
            yield well(f"{case.place.cluster} is active, with FARGATE")
            yield warning(f"Stages with spot=True cannot run: {one.detail}")
        else:
            yield _finding(one)
    if not problems:
        yield well(f"{case.place.cluster} is active, with FARGATE and FARGATE_SPOT")


def image(case: Case) -> Iterator[Finding]:
    """Whether it is there, for the right processor and with this Python; ``"auto"`` may still be to be made."""
    place = case.place
    if place.image == AUTO:
        made = images.find(**image_wanted(case.settings))
        if made is None:
            yield open_(
                f"The image of this environment is not in {case.settings.compute_repository} yet: the first run makes "
                "it, or, beforehand, cloudburst image."
            )
            return
        place = replace(place, image=made.name)
    problems = list(of_image(place, case.clients))
    yield from map(_finding, problems)
    if not problems:
        yield well(f"{place.image} is there, for {place.architecture} and this Python")


def log_group(case: Case) -> Iterator[Finding]:
    """Whether it is there."""
    if case.place.log_group is None:
        yield open_("None is set (log_group): what workers print is not kept.")
        return
    problems = list(of_log_group(case.place, case.clients))
    yield from map(_finding, problems)
    if not problems:
        yield well(case.place.log_group)


def engine(case: Case) -> Iterator[Finding]:
    """Whether Docker or Podman is here, which only the making of images needs."""
    is_needed = case.settings.compute_image == AUTO
    try:
        found = find_engine()
        version = found.ask("version", "--format", "{{.Server.Version}}", about="tell its version").strip()
    except CloudburstError as error:
        if is_needed:
            yield wrong(f"{error} Or name an image that is made elsewhere, with compute_image.")
        else:
            yield open_(f"{error} Only cloudburst image and cb.init_docker need it.")
        return
    yield well(f"{found.name.capitalize()} {version} answers")


class _Quota(NamedTuple):
    limit: float
    used: float | None
    """``None`` where nobody tells."""


def quota(case: Case) -> Iterator[Finding]:
    """How many vCPUs may run at once, and how many do."""
    one = case.settings
    code, kind = (_SPOT, "Spot") if one.spot else (_ON_DEMAND, "on-demand")
    found = _quota(case, code)
    mend = (
        f"Ask for more: aws service-quotas request-service-quota-increase --service-code fargate --quota-code {code} "
        f"--desired-value {max(64, round(2 * found.limit))} --region {one.region}"
    )
    each = (one.default_size.cpu or 0) / 1024
    if found.limit < each:
        yield wrong(
            f"This account may run {found.limit:g} {kind} vCPU at once in {one.region}, and a machine of the default "
            f"size takes {each:g}. {mend}"
        )
        return
    free = found.limit - (found.used or 0.0)
    use = "of which nobody tells how many are in use" if found.used is None else f"{found.used:g} in use"
    room = int(free // each)
    said = f"{found.limit:g} {kind} vCPU at once, {use}: room for {room:,} machines of {each:g} vCPU"
    if room < 1:
        yield warning(f"{said} now, so a run waits. {mend}")
    else:
        yield well(said if room >= one.max_workers else f"{said} (max_workers is {one.max_workers:,})")


def _quota(case: Case, code: str) -> _Quota:
    quotas = case.clients("service-quotas")
    with asking("servicequotas:GetServiceQuota"):
        told = quotas.get_service_quota(ServiceCode="fargate", QuotaCode=code)["Quota"]
    metric = told.get("UsageMetric")
    try:
        used = _used(case.clients("cloudwatch"), metric) if metric else None
    except NotAllowed:
        used = None
    return _Quota(float(told["Value"]), used)


def _used(cloudwatch: Any, metric: dict[str, Any]) -> float:
    """What was in use a few minutes ago at most."""
    now = datetime.now(UTC)
    statistic = metric.get("MetricStatisticRecommendation") or "Maximum"
    with asking("cloudwatch:GetMetricStatistics"):
        points = cloudwatch.get_metric_statistics(
            Namespace=metric["MetricNamespace"],
            MetricName=metric["MetricName"],
            Dimensions=[{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()],
            StartTime=now - _LOOKS_BACK,
            EndTime=now,
            Period=_PERIOD_S,
            Statistics=[statistic],
        )["Datapoints"]
    newest: Iterable[dict[str, Any]] = sorted(points, key=lambda point: point["Timestamp"])[-1:]
    return sum(float(point[statistic]) for point in newest)


def _finding(problem: Problem) -> Finding:
    said = f"{problem.detail[:1].upper()}{problem.detail[1:]}"
    return open_(said) if problem.is_open else wrong(said)
