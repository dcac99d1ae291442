"""The AWS Price List, which moto lacks: ``GetProducts`` for what ECS charges in the fake's region."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cloudburst.prices.table import table_prices
from cloudburst.testing.answers import Answer, Refusal, json_answer
from cloudburst.testing.operations import Request

_MOST = 100
_REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
"""Where the Price List answers."""
_PREFIXES = {"eu-west-1": "EU", "ap-south-1": "APS3"}
_TERM, _DIMENSION = "JRTCKXETXF", "6YS6EN2CT7"
"""How AWS names terms on demand, and the one price that such a term has."""


class PriceListApi:
    """Answers ``GetProducts``.

    Parameters
    ----------
    region : str
        Whose prices there are.

    Attributes
    ----------
    prices : dict
        Dollars an hour as AWS writes them, by usage type: ``USE1-Fargate-vCPU-Hours:perCPU``. It may be changed.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self.prices = prices_of(region)

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if it is not about prices."""
        if request.service != "pricing":
            return None
        if request.region not in _REGIONS:
            raise Refusal("UnrecognizedClientException", f"There is no price list in {request.region}.")
        if request.operation != "GetProducts":
            raise Refusal("InvalidParameterException", f"FakeAWS does not play {request.operation} of the Price List.")
        return self._products(request.parameters)

    def _products(self, asked: Mapping[str, Any]) -> Answer:
        if not asked.get("ServiceCode"):
            raise Refusal("InvalidParameterException", "ServiceCode is required.")
        offers = [self._offer(usage, dollars) for usage, dollars in self.prices.items()]
        offers = [one for one in offers if _is_wanted(one, asked)]
        first = int(asked.get("NextToken") or 0)
        end = first + min(int(asked.get("MaxResults") or _MOST), _MOST)
        more = {"NextToken": str(end)} if end < len(offers) else {}
        told = [json.dumps(one) for one in offers[first:end]]
        return json_answer({"FormatVersion": "aws_v1", "PriceList": told, **more})

    def _offer(self, usage: str, dollars: str) -> dict[str, Any]:
        sku = hashlib.sha256(usage.encode()).hexdigest()[:16].upper()
        term = f"{sku}.{_TERM}"
        price: dict[str, Any] = {
            "rateCode": f"{term}.{_DIMENSION}",
            "unit": "GB-Hours" if "EphemeralStorage" in usage else "hours",
            "beginRange": "0",
            "endRange": "Inf",
            "pricePerUnit": {"USD": dollars},
            "appliesTo": [],
        }
        return {
            "product": {
                "sku": sku,
                "productFamily": "Compute",
                "attributes": {
                    "servicecode": "AmazonECS",
                    "servicename": "Amazon EC2 Container Service",
                    "regionCode": self._region,
                    "locationType": "AWS Region",
                    "usagetype": usage,
                },
            },
            "serviceCode": "AmazonECS",
            "terms": {
                "OnDemand": {
                    term: {
                        "sku": sku,
                        "offerTermCode": _TERM,
                        "termAttributes": {},
                        "priceDimensions": {price["rateCode"]: price},
                    }
                }
            },
        }


def prices_of(region: str) -> dict[str, str]:
    """What ECS charges in a region, as the package's table has it, among what is not for Linux on Fargate.

    >>> prices_of("us-east-1")["USE1-Fargate-ARM-GB-Hours"]
    '0.0035600000'
    """
    table = table_prices(region)
    head = _prefix(region)
    told = {}
    for architecture, infix in (("X86_64", ""), ("ARM64", "ARM-")):
        if (rate := table.rates.get(architecture)) is not None:
            told[f"{head}-Fargate-{infix}vCPU-Hours:perCPU"] = f"{rate.vcpu:.10f}"
            told[f"{head}-Fargate-{infix}GB-Hours"] = f"{rate.gib:.10f}"
    if table.storage is not None:
        told[f"{head}-Fargate-EphemeralStorage-GB-Hours"] = f"{table.storage:.10f}"
    windows = {
        f"{head}-Fargate-Windows-vCPU-Hours:perCPU": "0.0465520000",
        f"{head}-Fargate-Windows-OS-Hours:perCPU": "0.0460000000",
        f"{head}-Fargate-Windows-GB-Hours": "0.0051117500",
        f"{head}-ECS-Anywhere-Instance-hours": "0.0102500000",
    }
    return told | windows if told else {}


def _prefix(region: str) -> str:
    """How AWS begins usage types of a region: ``USE1``, ``EUC1``; its oldest ones go by no rule."""
    parts = region.split("-")
    return _PREFIXES.get(region) or "".join([parts[0].upper(), *[part[0].upper() for part in parts[1:-1]], parts[-1]])


def _is_wanted(offer: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    product = offer["product"]
    known = {"productFamily": product["productFamily"], **product["attributes"]}
    return asked["ServiceCode"] == offer["serviceCode"] and all(
        known.get(one["Field"]) == one["Value"] for one in asked.get("Filters") or ()
    )
