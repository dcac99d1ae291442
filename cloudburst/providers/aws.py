"""Pipelines on AWS Fargate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from weakref import WeakKeyDictionary

from cloudburst import settings as of_this_machine
from cloudburst.errors import SettingsError, StoreError
from cloudburst.providers.base import Whereabouts
from cloudburst.providers.remote import RemoteProvider
from cloudburst.settings.aws import AUTO, AwsSettings

if TYPE_CHECKING:
    from cloudburst.prices import Spending, Tariff
    from cloudburst.runtime.backends.fargate.fleet import FargateFleet
    from cloudburst.runtime.backends.fargate.place import FargatePlace
    from cloudburst.runtime.backends.remote import RemoteBackend
    from cloudburst.runtime.pool import Pool
    from cloudburst.runtime.protocols import Life, Store
    from cloudburst.runtime.task import Plan


_LONGEST_URL = 768
"""Characters: with a pool's name and key behind it, it has to fit a worker's one variable."""


def place_of(settings: AwsSettings, user: str = "") -> FargatePlace:
    """Where machines are started, as settings have it."""
    from cloudburst.runtime.backends.fargate.place import FargatePlace

    return FargatePlace(
        cluster=settings.compute_cluster,
        subnets=settings.compute_subnets,
        image=settings.compute_image,
        execution_role=settings.compute_execution_role,
        task_role=settings.compute_task_role,
        security_groups=settings.compute_security_groups,
        assign_public_ip=settings.compute_assign_public_ip,
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        architecture=settings.architecture,
        log_group=settings.log_group,
        spot=settings.spot,
        user=user,
        tags=tuple(settings.tags.items()),
    )


def image_wanted(settings: AwsSettings) -> dict[str, Any]:
    """What ``image.build`` and ``image.find`` are told where the image is to be made of this environment."""
    from cloudburst.image.wishes import ARCHITECTURES

    return {
        "repository": settings.compute_repository,
        "platform": ARCHITECTURES[settings.architecture],
        "region": settings.region,
        "endpoint_url": settings.endpoint_url,
    }


def store_url_of(settings: AwsSettings) -> str:
    """The store as ``open_store`` opens it, here and in each worker."""
    asked = {"region": settings.region, "endpoint_url": settings.endpoint_url, "kms": settings.storage_kms_key}
    query = urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)
    slash = "/" if settings.storage_prefix else ""
    return f"s3://{settings.storage_bucket}{slash}{settings.storage_prefix}?{query}"


class AwsProvider(RemoteProvider):
    """One Fargate task for each worker, and S3 between them."""

    def __init__(self, settings: AwsSettings) -> None:
        super().__init__(settings.compute_image, settings.max_workers, settings.linger_s, settings.keep_warm_s)
        self.settings = settings
        self.default_size = settings.default_size
        self.s3 = {"endpoint_url": settings.endpoint_url, "region": settings.region}
        self._is_checked = False
        self._fleets: WeakKeyDictionary[Pool, FargateFleet] = WeakKeyDictionary()
        if len(self.store_url) > _LONGEST_URL:
            raise SettingsError(
                f"storage_prefix, storage_kms_key and endpoint_url together are too long to be told to each worker: "
                f"{self.store_url!r} has {len(self.store_url)} characters, and at most {_LONGEST_URL} are possible. "
                "Take a shorter storage_prefix."
            )

    def __repr__(self) -> str:
        one = self.settings
        return f"<AWS provider: cluster {one.compute_cluster} in {one.region}, storage in s3://{one.storage_bucket}>"

    @property
    def store_url(self) -> str:
        """Where the store is; see ``store_url_of``."""
        return store_url_of(self.settings)

    def _open_store(self) -> Store:
        from cloudburst.runtime.stores.s3 import S3Store

        store = S3Store.open(self.store_url)
        try:
            store.check()
        except StoreError as error:  # a setting is wrong: where in botocore it came up says nothing to the user
            raise error.with_traceback(None) from None
        return store

    def _have_image(self) -> None:
        """Make the workers' image of this environment when it is first needed, if that is what was asked for."""
        if self.settings.compute_image != AUTO:
            return
        from cloudburst import image

        with self._lock:
            if (one := self.settings).compute_image == AUTO:
                made = image.build(**image_wanted(one))
                self._image = made.name
                self.settings = replace(one, compute_image=made.name)

    def _place(self) -> FargatePlace:
        self._have_image()
        return place_of(self.settings, self.user)

    def whereabouts(self, backend: Any) -> Whereabouts:
        """Where these workers are."""
        from cloudburst.runtime.backends.fargate.definition import definition_of, family_of

        one, pool = self.settings, backend.pool
        return Whereabouts(
            user=self.user,
            pool=pool.id,
            prefix=pool.prefix,
            lease_limit_s=pool.terms.lease_limit_s,
            region=one.region,
            cluster=one.compute_cluster,
            architecture=one.architecture,
            spot=one.spot,
            log_group=one.log_group,
            definition=family_of(definition_of(self._place(), one.region)),
        )

    def _fleet(self, pool: Pool) -> FargateFleet:
        from cloudburst.runtime.backends.fargate.fleet import FargateFleet

        fleet = FargateFleet(self._place(), pool.id, pool.variable, scale=of_this_machine.time_scale())
        self._fleets[pool] = fleet
        return fleet

    def _fleet_again(self, pool: Pool) -> FargateFleet:
        fleet = self._fleet(pool)
        fleet.adopt()
        return fleet

    def _check_before_launch(self) -> None:
        from cloudburst.runtime.backends.fargate.preflight import preflight

        if not self._is_checked:
            preflight(self._place())
            self._is_checked = True

    def _lives(self, backend: RemoteBackend) -> Sequence[Life]:
        return self._fleets[backend.pool].lives()

    def tariff(self) -> Tariff:
        """List prices of this region, as they were asked for of late or as the table has them."""
        from cloudburst.prices import Tariff, known_prices

        one = self.settings
        return Tariff(known_prices(one.region, one.endpoint_url), one.architecture, one.max_workers)

    def spending(self, plan: Plan) -> Spending:
        """Watches a run, and asks AWS for its prices meanwhile if that was not done of late."""
        from cloudburst.prices import Asking, Spending

        one = self.settings
        return Spending(plan, one.region, one.architecture, Asking(one.region, one.endpoint_url))

    def _stop_leftovers(self, pools: list[str]) -> int:
        from cloudburst.runtime.backends.fargate.stopping import stop_leftovers

        return stop_leftovers(self._place(), pools, scale=of_this_machine.time_scale())
