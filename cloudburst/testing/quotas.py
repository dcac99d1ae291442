"""Service Quotas and the use that CloudWatch tells of them, for what Fargate may run at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import moto.backends

from cloudburst.testing.account import ID
from cloudburst.testing.answers import Answer, Refusal, json_answer
from cloudburst.testing.operations import Request

_QUOTAS = {
    "L-3032A538": ("Fargate On-Demand vCPU resource count", "Standard/OnDemand", False),
    "L-36FBB829": ("Fargate Spot vCPU resource count", "Standard/Spot", True),
}
_UNLIMITED = 4000.0
"""What an account has that a test gave no quota: a company's, after it has asked for more."""

_LATE = timedelta(seconds=30)
"""CloudWatch tells of what was a little while ago."""


class Quotas:
    """Answers ``GetServiceQuota``, and has CloudWatch know the use.

    Parameters
    ----------
    region : str
        Where.
    on_demand, spot : float, optional
        How many vCPUs may run at once.
    used : callable
        How many do, given whether it is about Spot.
    """

    def __init__(self, region: str, on_demand: float | None, spot: float | None, used: Callable[[bool], float]) -> None:
        self._region = region
        self._quotas = {False: on_demand, True: spot}
        self._used = used

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if moto says it or it is about something else."""
        if request.service == "monitoring" and request.operation == "GetMetricStatistics":
            self._report()
        if request.service == "servicequotas" and request.operation == "GetServiceQuota":
            return self._quota(request.parameters)
        return None

    def _quota(self, asked: dict[str, Any]) -> Answer:
        known = _QUOTAS.get(str(asked.get("QuotaCode"))) if asked.get("ServiceCode") == "fargate" else None
        if known is None:
            raise Refusal("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        name, kind, is_spot = known
        limit = self._quotas[is_spot]
        return json_answer(
            {
                "Quota": {
                    "ServiceCode": "fargate",
                    "ServiceName": "AWS Fargate",
                    "QuotaCode": asked["QuotaCode"],
                    "QuotaName": name,
                    "Value": _UNLIMITED if limit is None else limit,
                    "Unit": "None",
                    "Adjustable": True,
                    "GlobalQuota": False,
                    "UsageMetric": {
                        "MetricNamespace": "AWS/Usage",
                        "MetricName": "ResourceCount",
                        "MetricDimensions": {
                            "Class": kind,
                            "Resource": "vCPU",
                            "Service": "Fargate",
                            "Type": "Resource",
                        },
                        "MetricStatisticRecommendation": "Maximum",
                    },
                }
            }
        )

    def _report(self) -> None:
        """Have moto's CloudWatch hold what runs now, as AWS's does every minute."""
        backend: Any = moto.backends.get_backend("cloudwatch")[ID][self._region]
        for _, kind, is_spot in _QUOTAS.values():
            names = {"Class": kind, "Resource": "vCPU", "Service": "Fargate", "Type": "Resource"}
            datum = {
                "MetricName": "ResourceCount",
                "Value": self._used(is_spot),
                "Timestamp": datetime.now(UTC).replace(tzinfo=None) - _LATE,
                "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
            }
            backend.put_metric_data("AWS/Usage", [datum])
