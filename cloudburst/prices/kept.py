"""Prices that AWS was asked for, on this machine's disk for some days, so that not every run asks."""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from cloudburst.prices.tariff import PriceList, Rate
from cloudburst.settings.user import cache_directory

KEPT_S = 3 * 86400.0
REFUSED_S = 3600.0
"""How long AWS is not asked again after it would not say."""


class Kept:
    """The prices of a region as AWS told them.

    Parameters
    ----------
    region : str
        Whose.
    endpoint_url : str, optional
        Where something else answers in AWS's place: its prices are not mixed with AWS's own.

    Notes
    -----
    Whatever is wrong with the file or the directory is as if there were none: AWS is asked then, or the table is used.
    """

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        self.region = region
        directory = cache_directory()
        other = f"-{sha256(endpoint_url.encode()).hexdigest()[:8]}" if endpoint_url else ""
        self._path: Path | None = None if directory is None else directory / f"fargate-prices-{region}{other}.json"
        self._found = self._read()

    @property
    def is_fresh(self) -> bool:
        """Whether AWS need not be asked: it has told the prices of late, or that it would not."""
        if not self._found:
            return False
        limit_s = REFUSED_S if self._found.get("refused") else KEPT_S
        asked: float = self._found["asked"]
        return 0 <= time.time() - asked < limit_s

    @property
    def prices(self) -> PriceList | None:
        """The prices, if AWS has told them of late."""
        if not self.is_fresh or self._found.get("refused"):
            return None
        try:
            rates = {name: Rate(Decimal(vcpu), Decimal(gib)) for name, (vcpu, gib) in self._found["rates"].items()}
            storage = self._found["storage"]
            return PriceList(
                self.region,
                rates,
                None if storage is None else Decimal(storage),
                source="live",
                as_of=datetime.fromtimestamp(self._found["asked"], UTC).date(),
            )
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):  # somebody else's file
            return None

    def keep(self, prices: PriceList) -> None:
        """Write down what AWS has told."""
        storage = None if prices.storage is None else str(prices.storage)
        rates = {name: [str(rate.vcpu), str(rate.gib)] for name, rate in prices.rates.items()}
        self._write({"rates": rates, "storage": storage})

    def refuse(self, why: str) -> None:
        """Write down that AWS would not tell."""
        self._write({"refused": why})

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path is not None else None
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict) or found.get("v") != 1 or not isinstance(found.get("asked"), int | float):
            return {}
        return found

    def _write(self, what: dict[str, Any]) -> None:
        self._found = {"v": 1, "asked": time.time(), **what}
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(self._found), encoding="utf-8")
            fresh.replace(self._path)
        except OSError:  # a full or read-only disk: the next run asks again
            with suppress(OSError):
                fresh.unlink()
