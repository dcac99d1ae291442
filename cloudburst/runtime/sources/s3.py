"""Files in S3 as sources want them: listed, looked at, and read here and there as long as they are the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cloudburst.errors import NotFound, UsageError
from cloudburst.files import S3, File
from cloudburst.runtime.stores import s3_errors, s3_transfer
from cloudburst.runtime.stores.ranges import Range
from cloudburst.runtime.stores.s3_client import Connection

_TRIES = 8
_GONE = ("NoSuchKey", "404", "NotFound")


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key.

    >>> split_url("s3://bucket/a/b.parquet")
    ('bucket', 'a/b.parquet')
    """
    bucket, _, key = url.removeprefix(S3).partition("/")
    if not bucket:
        raise UsageError(f"{url!r} names no bucket: a path in S3 is s3://bucket/key.")
    return bucket, key


def head(url: str, region: str | None, endpoint_url: str | None) -> File | None:
    """An object as it is now; ``None`` if there is none of that name."""
    bucket, key = split_url(url)
    with _told("read", url, region):
        try:
            answer = _connection(region, endpoint_url).client.head_object(Bucket=bucket, Key=key)
        except Exception as error:
            if s3_errors.code_of(error) in _GONE:
                return None
            raise
    return File(url, answer["ContentLength"], _version(answer["ETag"]))


def listed(prefix: str, region: str | None, endpoint_url: str | None) -> Iterator[File]:
    """All objects whose url begins so, in the order of their keys; those that consoles make for folders are none."""
    bucket, start = split_url(prefix)
    options: dict[str, str] = {}
    while True:
        with _told("list", prefix, region):
            client = _connection(region, endpoint_url).client
            answer = client.list_objects_v2(Bucket=bucket, Prefix=start, **options)
        for one in answer.get("Contents", ()):
            if not one["Key"].endswith("/"):
                yield File(f"{S3}{bucket}/{one['Key']}", one["Size"], _version(one["ETag"]))
        if not answer["IsTruncated"]:
            return
        options = {"ContinuationToken": answer["NextContinuationToken"]}


def get(file: File, ranges: Sequence[Range], region: str | None, endpoint_url: str | None) -> memoryview | None:
    """Byte ranges of an object, none of them empty, one after another; ``None`` if it is no longer the same.

    Raises
    ------
    NotFound
        If it is no more.
    """
    bucket, key = split_url(file.path)
    data = s3_transfer.memory(sum(end - start for start, end in ranges))
    where = {"Bucket": bucket, "Key": key, "IfMatch": f'"{file.version}"'}
    with _told("read", file.path, region):
        connection = _connection(region, endpoint_url)
        try:
            s3_transfer.download_ranges(
                connection.client, connection.pool, where, ranges, s3_transfer.into_memory(data)
            )
        except Exception as error:
            if s3_errors.code_of(error) in ("PreconditionFailed", "412"):
                return None
            raise
    return data


def _connection(region: str | None, endpoint_url: str | None) -> Connection:
    """The client for what boto3's own settings are now: a test, or the next run in a warm worker, may have others."""
    said = frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    return _connection_of(region, endpoint_url, said)


@lru_cache(maxsize=4)
def _connection_of(region: str | None, endpoint_url: str | None, _said: frozenset[tuple[str, str]]) -> Connection:
    return Connection(region, endpoint_url, _TRIES)


def _version(etag: Any) -> str:
    return str(etag).strip('"')


@contextmanager
def _told(verb: str, url: str, region: str | None) -> Iterator[None]:
    """Say in our words what S3 or botocore says."""
    bucket, key = split_url(url)
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise UsageError(
            f"Reading {url} needs boto3, which is not installed: pip install 'cloudburst[aws]'."
        ) from error
    except Exception as error:
        if s3_errors.code_of(error) == "NoSuchBucket":
            raise NotFound(f"There is no bucket {bucket}, which {url} names.") from error
        told = s3_errors.explained(error, s3_errors.Doing(verb, key, bucket, region))
        if told is None:
            raise
        raise told from error
