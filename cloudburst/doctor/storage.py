"""The bucket: there, in the right region, to be read and written, and true to conditional writes."""

from __future__ import annotations

from collections.abc import Iterator

from cloudburst.doctor.findings import Case, Finding, well
from cloudburst.providers.aws import store_url_of
from cloudburst.runtime.stores.s3 import S3Store


def bucket(case: Case) -> Iterator[Finding]:
    """Write a small object on two conditions, read it, and remove it. What goes wrong is raised."""
    store = S3Store.open(store_url_of(case.settings))
    store.check()
    place = f"s3://{store.bucket}/{store.prefix}".rstrip("/")
    yield well(f"{place} can be listed, read and written; conditional writes are honoured")
