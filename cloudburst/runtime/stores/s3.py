"""A store in a bucket of Amazon S3, or of anything else that speaks its protocol.

An object lies under ``<prefix>/<key>``. Up to 16 MiB it is one request; beyond, it is read and written by many at a
time. Of conditional writes only ``If-None-Match: *`` on a single put is needed, which S3's imitations know as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from itertools import islice
from time import sleep
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from uuid import uuid4

from cloudburst.errors import SettingsError, StoreError
from cloudburst.runtime.protocols import Buffer
from cloudburst.runtime.stores import s3_errors, s3_transfer
from cloudburst.runtime.stores.checks import PAGE, beyond, checked, cut, is_key
from cloudburst.runtime.stores.ranges import coalesced
from cloudburst.runtime.stores.s3_client import Connection
from cloudburst.runtime.stores.s3_transfer import ONE_REQUEST, WriteAt

TRIES = 8
"""How often a request is sent that S3 is too busy for: about half a minute, with botocore's back-off."""

_CHECK_TRIES = 3
_RACES = 10
_RACE_S = 0.1
_TOKEN = "cloudburst-put"
"""Metadata that tells one put from another with the same bytes."""


class S3Store:
    """Objects in a bucket.

    Parameters
    ----------
    bucket : str
        Its name.
    prefix : str, default ""
        What all keys begin with in the bucket, without a slash at its ends.
    region, endpoint_url : str, optional
        Where S3 is; by default as boto3's own settings say.
    kms_key : str, optional
        Id or ARN of the KMS key that everything is encrypted with.
    tries : int, default TRIES
        How often a request is sent that S3 is too busy for, or that the network loses.

    Examples
    --------
    >>> store = S3Store("my-s3-bucket", "team/cloudburst", region="us-east-1")
    >>> store.url
    's3://my-s3-bucket/team/cloudburst?region=us-east-1'
    """

    is_shared = True

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        kms_key: str | None = None,
        tries: int = TRIES,
    ) -> None:
        if prefix and not is_key(prefix):
            raise SettingsError(f"storage_prefix={prefix!r} is none: its segments are not empty and begin with no dot.")
        self.bucket = bucket
        self.prefix = prefix
        self.region = region
        self.endpoint_url = endpoint_url
        self.kms_key = kms_key
        self._root = f"{prefix}/" if prefix else ""
        self._encryption = {} if kms_key is None else {
            "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key, "BucketKeyEnabled": True
        }  # fmt: skip
        self._connection = Connection(region, endpoint_url, tries)

    @staticmethod
    def open(url: str) -> S3Store:
        """The store of that url, in any process that has credentials for it."""
        split = urlsplit(url)
        options = dict(parse_qsl(split.query))
        known = {name: options.pop(name, None) for name in ("region", "endpoint_url", "kms")}
        if options or not split.netloc:
            raise StoreError(
                f"{url!r} names no bucket of S3: it is s3://bucket/prefix?region=...&endpoint_url=...&kms=..."
            )
        return S3Store(
            split.netloc,
            unquote(split.path).strip("/"),
            region=known["region"],
            endpoint_url=known["endpoint_url"],
            kms_key=known["kms"],
        )

    @property
    def url(self) -> str:
        """Where it is and with what it is encrypted, for ``open_store``; without any credentials."""
        options = {"region": self.region, "endpoint_url": self.endpoint_url, "kms": self.kms_key}
        query = urlencode({name: value for name, value in options.items() if value is not None}, safe="/:")
        path = f"/{quote(self.prefix)}" if self.prefix else ""
        return f"s3://{self.bucket}{path}{'?' if query else ''}{query}"

    def __reduce__(self) -> tuple[Callable[[str], S3Store], tuple[str]]:
        return S3Store.open, (self.url,)

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """The object, or its byte ranges one after another, as writable memory of the caller's own."""
        if ranges is not None:
            return self._ranges(key, ranges)
        data = memoryview(b"")

        def open_memory(size: int) -> WriteAt:
            nonlocal data
            data = s3_transfer.memory(size)
            return s3_transfer.into_memory(data)

        self.download(key, open_memory)
        return data

    def download(self, key: str, open_target: Callable[[int], WriteAt]) -> int:
        """Read the object to wherever ``open_target`` says when it is told the size, which is returned.

        Chunks arrive in any order, from several threads. ``open_target`` is called again in the rare case that the
        object was replaced by another while it was read.
        """
        where = self._where(key)
        connection = self._connection
        with self._told("read", key):
            return s3_transfer.download(connection.client, connection.pool, where, open_target)

    def put(self, key: str, parts: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of parts. False only if ``if_absent`` and the key is taken."""
        where = self._where(key)
        views = [memoryview(part).cast("B") for part in parts if len(part)]
        connection = self._connection
        with self._told("write", key):
            if if_absent:
                return self._put_if_absent(where, b"".join(views))
            if sum(map(len, views)) > ONE_REQUEST:
                s3_transfer.upload(connection.client, connection.pool, where, views, self._encryption)
            else:
                connection.client.put_object(**where, Body=b"".join(views), **self._encryption)
            return True

    def copy(self, key: str, to: str) -> None:
        """Have S3 copy the object, encrypted with this store's key: none of its bytes come here."""
        source, target = self._where(key), self._where(to)
        connection = self._connection
        nbytes = self.size(key)
        with self._told("copy", key):
            s3_transfer.copy(connection.client, connection.pool, source, target, nbytes, self._encryption)

    def size(self, key: str) -> int:
        """Bytes of the object."""
        return int(self._head(key)["ContentLength"])

    def age_s(self, key: str) -> float:
        """Seconds since the object was written, to the second, by the clock of S3 alone."""
        answer = self._head(key)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return max(0.0, float((now - answer["LastModified"]).total_seconds()))

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, at most 1,000."""
        return [*self.sizes(prefix, after)]

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        """The same keys with the bytes of each object."""
        sizes: dict[str, int] = {}
        root = self._root
        options = {"StartAfter": root + after} if after else {}
        with self._told("list", prefix):
            while len(sizes) < PAGE:
                answer = self._connection.client.list_objects_v2(
                    Bucket=self.bucket, Prefix=root + prefix, MaxKeys=PAGE - len(sizes), **options
                )
                found = {one["Key"][len(root) :]: int(one["Size"]) for one in answer.get("Contents", ())}
                # Others' folders, as consoles make them, are none of ours.
                sizes |= {key: nbytes for key, nbytes in found.items() if is_key(key)}
                if not answer["IsTruncated"]:
                    break
                options = {"ContinuationToken": answer["NextContinuationToken"]}
        return sizes

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these, a thousand at a time; those that are not there are passed over."""
        remaining = iter([self._root + checked(key) for key in keys])
        while batch := list(islice(remaining, PAGE)):
            objects = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
            with self._told("delete", batch[0].removeprefix(self._root)):
                answer = self._connection.client.delete_objects(Bucket=self.bucket, Delete=objects)
            for one in answer.get("Errors", ()):
                if one["Code"] != "NoSuchKey":
                    raise s3_errors.explained_code(
                        one["Code"], one.get("Message", ""), self._doing("delete", one["Key"])
                    )

    def check(self) -> None:
        """See that the bucket is there and takes all that a run asks of it, quickly and before anything is started.

        Raises
        ------
        StoreError
            Naming the setting that is wrong, or what else is.
        AccessDenied
            If the credentials are wrong or a permission is missing.
        """
        quick = S3Store(
            self.bucket, self.prefix, region=self.region, endpoint_url=self.endpoint_url, kms_key=self.kms_key,
            tries=_CHECK_TRIES,
        )  # fmt: skip
        quick._check_region()
        quick.list("")
        key = f"checks/{uuid4().hex}"
        won = quick.put(key, [b"checked"], if_absent=True)
        try:
            if not won or quick.put(key, [b"checked"], if_absent=True):
                raise StoreError(
                    f"The server of bucket {self.bucket} does not keep its word that a key is written only if "
                    "it is absent (If-None-Match): name a bucket on Amazon S3, or a newer server, with storage_bucket=."
                )
            if bytes(quick.get(key)) != b"checked":
                raise StoreError(f"The bucket {self.bucket} gives back something else than was written to it.")
        finally:
            quick.delete([key])

    def _check_region(self) -> None:
        client = self._connection.client
        try:
            answer = client.head_bucket(Bucket=self.bucket)
        except Exception as error:
            # A policy may allow this for a prefix alone; if not even that, the listing that follows says so better.
            if s3_errors.code_of(error) not in ("403", "AccessDenied", "301", "400"):
                code = "NoSuchBucket" if s3_errors.code_of(error) == "404" else ""
                if code:
                    raise s3_errors.explained_code(code, "", self._doing("list", self.prefix)) from error
                with self._told("list", ""):
                    raise
            answer = getattr(error, "response", {})
        region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
        used = client.meta.region_name
        if region and used and region != used and used != "aws-global":
            raise s3_errors.wrong_region(self.bucket, region, used)

    def _put_if_absent(self, where: dict[str, str], data: bytes) -> bool:
        client = self._connection.client
        token = uuid4().hex
        for race in range(_RACES):
            try:
                client.put_object(**where, Body=data, IfNoneMatch="*", Metadata={_TOKEN: token}, **self._encryption)
                return True
            except Exception as error:
                code = s3_errors.code_of(error)
                if code in ("PreconditionFailed", "412"):
                    # If an answer was lost and the request sent again, it was this very put that took the key.
                    return _was_sent_again(error) and client.head_object(**where)["Metadata"].get(_TOKEN) == token
                if code not in ("ConditionalRequestConflict", "409") or race == _RACES - 1:
                    raise
            sleep(_RACE_S)
        raise AssertionError

    def _ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> memoryview:
        where = self._where(key)
        wanted = [(start, end) for start, end in ranges]
        if not wanted or any(not 0 <= start < end for start, end in wanted):
            self._see_that_they_are_there(key, wanted)
            wanted = [one for one in wanted if one[0] < one[1]]
        runs = coalesced(wanted)
        data = s3_transfer.memory(sum(end - start for start, end in runs))
        write = s3_transfer.into_memory(data)
        connection = self._connection
        with self._told("read", key):
            try:
                s3_transfer.download_ranges(connection.client, connection.pool, where, runs, write)
            except Exception as error:
                if s3_errors.code_of(error) in ("InvalidRange", "416"):
                    self._see_that_they_are_there(key, wanted)
                raise
        return data if runs == wanted else memoryview(_picked(data, runs, wanted, key))

    def _see_that_they_are_there(self, key: str, ranges: Sequence[tuple[int, int]]) -> None:
        size = self.size(key)
        for start, end in ranges:
            if not 0 <= start <= end <= size:
                raise beyond(key, size, start, end)

    def _head(self, key: str) -> dict[str, Any]:
        where = self._where(key)
        with self._told("read", key):
            answer: dict[str, Any] = self._connection.client.head_object(**where)
        return answer

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._root + checked(key)}

    def _doing(self, verb: str, whole_key: str) -> s3_errors.Doing:
        return s3_errors.Doing(verb, whole_key, self.bucket, self.region, self.kms_key)

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[None]:
        """Say in our words what S3 or botocore says."""
        try:
            yield
        except Exception as error:
            told = s3_errors.explained(error, self._doing(verb, self._root + key))
            if told is None:
                raise
            raise told from error


def _was_sent_again(error: Any) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _picked(data: memoryview, runs: list[tuple[int, int]], wanted: list[tuple[int, int]], key: str) -> bytearray:
    """The wanted ranges out of the runs that cover them."""
    shifts = []
    place = 0
    for start, end in runs:
        shifts.append((start, end, place - start))
        place += end - start
    cuts = []
    for start, end in wanted:
        shift = next(shift for first, last, shift in shifts if first <= start and end <= last)
        cuts.append((start + shift, end + shift))
    return cut(data, cuts, key)
