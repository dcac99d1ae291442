"""Prices as AWS tells them now: asked for beside a run, which never waits long for the answer.

The Price List has no price of spare capacity (AWS shows these on a page alone), so those are always of the table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from cloudburst.prices.kept import Kept
from cloudburst.prices.offers import read_offers
from cloudburst.prices.table import table_prices
from cloudburst.prices.tariff import PriceList
from cloudburst.runtime.aws_session import aws_session

CONNECT_S, READ_S = 1.0, 2.0
LIMIT_S = 5.0
"""How long AWS is listened to altogether."""
WAIT_S = 2.0
"""How long the end of a run waits at most for an answer that is still under way."""
_PAGE = 100
_ENDPOINTS = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""The Price List answers in three regions, for all of them; elsewhere it is ``us-east-1``."""


def known_prices(region: str, endpoint_url: str | None = None) -> PriceList:
    """The prices of a region without asking anybody: those that AWS has told of late, else those of the table.

    Parameters
    ----------
    region : str
        As AWS names it.
    endpoint_url : str, optional
        Where something else answers in AWS's place.

    Returns
    -------
    PriceList
        Without rates where no list price is known.

    Examples
    --------
    >>> known_prices("xx-east-9").rates
    {}
    """
    return _merged(Kept(region, endpoint_url).prices, region)


class Asking:
    """Asks AWS for the prices of a region, if they are not known of late.

    Parameters
    ----------
    region : str
        As AWS names it.
    endpoint_url : str, optional
        Where something else answers in AWS's place.
    """

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._kept = Kept(region, endpoint_url)
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Ask, unless it is known; returns at once."""
        if not self._kept.is_fresh and self._thread is None:
            thread = threading.Thread(target=self._ask, name="cloudburst prices", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # as many threads as this process may have
                return
            self._thread = thread

    def prices(self, wait_s: float = WAIT_S) -> PriceList:
        """What is known after a wait at most: AWS's answer, else the table."""
        if self._thread is not None:
            self._thread.join(wait_s)
            if self._thread.is_alive():
                return table_prices(self._region)
        return _merged(self._kept.prices, self._region)

    def _ask(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = read_offers(self._offers(), self._region, datetime.now(UTC).date())
        except ClientError as error:
            self._kept.refuse(str(error.response.get("Error", {}).get("Code", "unknown")))
        except (BotoCoreError, TimeoutError, ValueError) as error:  # ValueError: an endpoint that is no URL
            self._kept.refuse(type(error).__name__)
        else:
            if found.rates:
                self._kept.keep(found)
            else:
                self._kept.refuse("no prices")

    def _offers(self) -> Iterator[str]:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"total_max_attempts": 1},
            user_agent_extra="cloudburst",
        )
        where = _ENDPOINTS.get(self._region.partition("-")[0], "us-east-1")
        client = aws_session().create_client(
            "pricing", region_name=where, endpoint_url=self._endpoint_url, config=config
        )
        until = monotonic() + LIMIT_S
        for page in client.get_paginator("get_products").paginate(
            ServiceCode="AmazonECS",
            Filters=[{"Type": "TERM_MATCH", "Field": "regionCode", "Value": self._region}],
            PaginationConfig={"PageSize": _PAGE},
        ):
            yield from page.get("PriceList", ())
            if monotonic() > until:
                raise TimeoutError(f"the price list was not told in {LIMIT_S:g} s")


def _merged(live: PriceList | None, region: str) -> PriceList:
    """Live prices, with those of spare capacity out of the table."""
    table = table_prices(region)
    return table if live is None else replace(live, spot=table.spot, spot_as_of=table.spot_as_of)
