"""Prices as AWS tells them, asked of the fake one: told, kept, refused, late, and not asked for at all."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import boto3
import pytest

from cloudburst.prices import Asking, known_prices
from cloudburst.prices.table import table_prices
from cloudburst.testing import DENIED, LOST_ANSWER, SERVER_ERROR, SLOW, THROTTLED, FakeAWS, Faults
from tests.testing.fargate import until

HERE = "us-east-1"
NO_PRICES = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}],
}


def fake(*faults, **more):
    return FakeAWS(time_scale=0.01, faults=Faults(api={"GetProducts": faults}), **more)


def told(aws, region=HERE, wait_s=30.0):
    asking = Asking(region, aws.settings["endpoint_url"])
    asking.begin()
    return asking.prices(wait_s)


def kept_files():
    return [json.loads(file.read_text()) for file in Path(os.environ["CLOUDBURST_CACHE_DIR"]).iterdir()]


def test_aws_is_asked_once_and_believed_for_days():
    with fake() as aws:
        aws.prices["USE1-Fargate-vCPU-Hours:perCPU"] = "0.0512300000"
        prices = told(aws)
        assert (prices.source, prices.as_of) == ("live", datetime.now(UTC).date())
        assert prices.rates["X86_64"].vcpu == Decimal("0.05123")
        assert prices.rates["ARM64"] == table_prices(HERE).rates["ARM64"]
        assert prices.storage == table_prices(HERE).storage
        aws.prices["USE1-Fargate-vCPU-Hours:perCPU"] = "0.9"
        assert told(aws) == prices == known_prices(HERE, aws.settings["endpoint_url"])
        assert aws.calls["GetProducts"] == 1


def test_spare_capacity_is_always_of_the_table_and_keeps_its_date():
    with fake() as aws:
        prices = told(aws)
        assert prices.spot == table_prices(HERE).spot
        assert prices.spot_as_of == table_prices(HERE).spot_as_of != prices.as_of


def test_without_asking_the_table_is_what_is_known():
    with fake() as aws:
        assert known_prices(HERE, aws.settings["endpoint_url"]) == table_prices(HERE)
        assert Asking(HERE, aws.settings["endpoint_url"]).prices() == table_prices(HERE)
        assert aws.calls["GetProducts"] == 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (DENIED, "AccessDeniedException"),
        (THROTTLED, "ThrottlingException"),
        (SERVER_ERROR, "ServerException"),
        (LOST_ANSWER, "ConnectionClosedError"),
    ],
)
def test_where_aws_does_not_say_the_table_is_used_and_aws_is_left_in_peace(fault, why):
    with fake(fault) as aws:
        assert told(aws) == table_prices(HERE)
        assert told(aws) == table_prices(HERE)
        assert aws.calls["GetProducts"] == 1
        assert [one["refused"] for one in kept_files()] == [why]


def test_who_may_not_ask_gets_the_table():
    with fake(iam=True, caller_policy=NO_PRICES) as aws:
        assert told(aws) == table_prices(HERE)
        assert [one["refused"] for one in kept_files()] == ["AccessDeniedException"]


def test_a_slow_answer_is_not_waited_for_and_serves_the_next_run():
    with fake(SLOW.after(50)) as aws:  # half a real second
        assert told(aws, wait_s=0.05) == table_prices(HERE)
        until(lambda: known_prices(HERE, aws.settings["endpoint_url"]).source == "live", "the answer")


def test_an_answer_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr("cloudburst.prices.live.READ_S", 0.1)
    with fake(SLOW.after(100)) as aws:
        assert told(aws) == table_prices(HERE)
        assert [one["refused"] for one in kept_files()] == ["ReadTimeoutError"]


def test_an_answer_that_takes_for_ever_is_given_up(monkeypatch):
    monkeypatch.setattr("cloudburst.prices.live.LIMIT_S", -1.0)
    with fake() as aws:
        assert told(aws) == table_prices(HERE)
        assert [one["refused"] for one in kept_files()] == ["TimeoutError"]


def test_where_nobody_answers_the_table_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path))
    with fake(), socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    asking = Asking(HERE, address)
    asking.begin()
    assert asking.prices(30.0) == table_prices(HERE)


def test_an_address_that_is_none_is_no_trouble(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path))
    with fake() as aws:
        assert told(aws) != table_prices(HERE)
        monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path))
        asking = Asking(HERE, "no-address")
        asking.begin()
        assert asking.prices(30.0) == table_prices(HERE)


def test_a_region_without_fargate_is_not_asked_for_again():
    with fake() as aws:
        prices = told(aws, "mx-central-1")
        assert prices.rates == {}
        assert told(aws, "mx-central-1").rates == {}
        assert aws.calls["GetProducts"] == 1


@pytest.mark.parametrize("region", ["eu-central-1", "ap-south-1", "eu-west-1", "us-gov-west-1"])
def test_each_region_is_asked_for_where_the_price_list_is_near(region):
    with fake(region=region) as aws:
        prices = told(aws, region)
        assert prices.source == "live"
        table = table_prices(region)
        assert prices == replace(table, source="live", as_of=prices.as_of)


def test_many_products_come_in_pages():
    with fake() as aws:
        for number in range(250):
            aws.prices[f"USE1-Other-{number}"] = "1"
        aws.prices["USE1-Fargate-GB-Hours"] = aws.prices.pop("USE1-Fargate-GB-Hours")  # the last
        assert told(aws).rates["X86_64"] == table_prices(HERE).rates["X86_64"]
        assert aws.calls["GetProducts"] == 3


def test_where_no_thread_can_be_had_the_table_is_used(monkeypatch):
    def none(self):
        raise RuntimeError("can't start new thread")

    with fake() as aws:
        monkeypatch.setattr("threading.Thread.start", none)
        asking = Asking(HERE, aws.settings["endpoint_url"])
        asking.begin()
        assert asking.prices() == table_prices(HERE)


def test_the_fake_puts_nothing_into_the_users_own_cache():
    before = os.environ["CLOUDBURST_CACHE_DIR"]
    with fake() as aws:
        told(aws)
        assert os.environ["CLOUDBURST_CACHE_DIR"] != before
        inside = Path(os.environ["CLOUDBURST_CACHE_DIR"])
    assert os.environ["CLOUDBURST_CACHE_DIR"] == before
    assert not inside.exists()


# ---------------------------------------------------------------- the fake price list itself


def products(region=HERE, service="AmazonECS", where="us-east-1", **more):
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
    client = boto3.client("pricing", region_name=where)
    return client.get_products(ServiceCode=service, Filters=filters, **more)


def test_the_fake_answers_as_the_price_list_does():
    with fake():
        answer = products(MaxResults=2)
        assert answer["FormatVersion"] == "aws_v1"
        assert len(answer["PriceList"]) == 2
        one = json.loads(answer["PriceList"][0])
        assert one["product"]["attributes"]["usagetype"] == "USE1-Fargate-vCPU-Hours:perCPU"
        [term] = one["terms"]["OnDemand"].values()
        [price] = term["priceDimensions"].values()
        assert (price["unit"], price["pricePerUnit"]) == ("hours", {"USD": "0.0404800000"})
        more = products(MaxResults=100, NextToken=answer["NextToken"])
        usages = {json.loads(one)["product"]["attributes"]["usagetype"] for one in more["PriceList"]}
        assert {"USE1-Fargate-EphemeralStorage-GB-Hours", "USE1-Fargate-Windows-GB-Hours"} <= usages
        assert "NextToken" not in more
        assert products("eu-west-1")["PriceList"] == []
        assert products(service="AmazonEC2")["PriceList"] == []


def test_the_fake_refuses_what_aws_refuses():
    with fake():
        client = boto3.client("pricing", region_name="us-west-2")
        with pytest.raises(client.exceptions.ClientError, match="no price list in us-west-2"):
            products(where="us-west-2")
        client = boto3.client("pricing", region_name="us-east-1")
        with pytest.raises(client.exceptions.InvalidParameterException, match="does not play DescribeServices"):
            client.describe_services()
        with pytest.raises(client.exceptions.InvalidParameterException, match="ServiceCode"):
            products(service="")
