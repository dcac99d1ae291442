"""The provider of AWS: what of its settings goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.providers.aws import AwsProvider
from cloudburst.runtime.backends.fargate.requests import LONGEST_VARIABLE
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.stores.s3 import S3Store
from cloudburst.runtime.terms import Terms
from tests.settings.test_aws import settings


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path))


def provider(**changed: Any) -> AwsProvider:
    return AwsProvider(settings(**changed))


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ({}, "s3://my-s3-bucket?region=us-east-1"),
        ({"storage_prefix": "a/b/"}, "s3://my-s3-bucket/a/b?region=us-east-1"),
        (
            {"endpoint_url": "http://127.0.0.1:5000", "storage_kms_key": "alias/k"},
            "s3://my-s3-bucket?region=us-east-1&endpoint_url=http%3A%2F%2F127.0.0.1%3A5000&kms=alias%2Fk",
        ),
    ],
)
def test_workers_open_the_store_with_all_that_concerns_it(changed: dict[str, Any], url: str) -> None:
    made = provider(**changed)
    assert made.store_url == url
    store = S3Store.open(url)
    assert (store.bucket, store.prefix) == ("my-s3-bucket", made.settings.storage_prefix)
    assert (store.region, store.endpoint_url, store.kms_key) == (
        "us-east-1",
        made.settings.endpoint_url,
        made.settings.storage_kms_key,
    )
    assert S3Store.open(store.url).url == store.url


def test_the_fleet_is_told_all_that_concerns_machines() -> None:
    made = provider(
        compute_security_groups=["sg-1"], log_group="/x", spot=True, architecture="ARM64", tags={"a": "b"}, linger=0
    )
    place, given = made._place(), made.settings
    assert (place.cluster, place.subnets, place.image) == (
        given.compute_cluster,
        given.compute_subnets,
        given.compute_image,
    )
    assert (place.execution_role, place.task_role) == (given.compute_execution_role, given.compute_task_role)
    assert (place.security_groups, place.assign_public_ip, place.region) == (("sg-1",), True, "us-east-1")
    assert (place.architecture, place.log_group, place.spot, place.tags) == ("ARM64", "/x", True, (("a", "b"),))
    assert place.user == made.user


def test_a_workers_variable_is_short_whatever_the_settings_are() -> None:
    longest = {"storage_bucket": "b" * 63, "storage_prefix": "p" * 200, "region": "us-gov-west-1"}
    arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    made = provider(**longest, storage_kms_key=arn, endpoint_url="https://" + "e" * 200)
    store = MemoryStore()
    store.url = made.store_url  # type: ignore[misc]
    assert len(Pool(store, made.user, made.secret, Terms()).variable) <= LONGEST_VARIABLE
    with pytest.raises(
        cb.SettingsError, match="storage_prefix, storage_kms_key and endpoint_url together are too long"
    ):
        provider(**longest, endpoint_url="https://" + "e" * 500)


def test_it_shows_where_it_is_and_no_key() -> None:
    made = provider()
    assert repr(made) == "<AWS provider: cluster data in us-east-1, storage in s3://my-s3-bucket>"
    pool = Pool(MemoryStore(), made.user, made.secret, Terms())
    shown = repr(made) + repr(vars(made)["settings"]) + repr(pool)
    assert made.secret.hex() not in shown
    assert pool.secret.hex() not in shown
    assert pool.secret.hex() in pool.variable


def test_nothing_is_asked_of_aws_before_the_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Store, "check", lambda self: pytest.fail("AWS was asked"))
    with cb.using(provider()) as made:
        assert made.limits(keep_going=False).workers == 100
