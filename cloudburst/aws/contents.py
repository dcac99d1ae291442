"""What lies in a bucket, and emptying it: what is kept is told from what would go by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from cloudburst.aws.access import Access, code_of, plainly
from cloudburst.aws.template import DAYS, PREFIX
from cloudburst.errors import SetupError

_TRANSIENT = tuple(f"{PREFIX}/{folder}/" for folder in DAYS)
_ENOUGH = 100_000
"""Objects that are counted before "more than" has to do."""


class Contents(NamedTuple):
    """How much lies in a bucket."""

    passing: int
    """Objects that go by themselves after some days."""
    kept: int
    """All others: results that later runs read, and whatever else somebody put there."""
    is_all: bool

    def __str__(self) -> str:
        more = "" if self.is_all else "more than "
        verb = "is" if self.kept == 1 else "are"
        return f"{more}{_objects(self.kept)} that {verb} kept and {_objects(self.passing)} of runs"


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count:,} objects"


def bucket_state(access: Access, bucket: str) -> str:
    """Whose a bucket is: ``"none"``, ``"ours"``, ``"elsewhere"`` (ours, in another region) or ``"theirs"``.

    Raises
    ------
    SetupError
        If AWS cannot be asked.
    """
    from botocore.exceptions import ClientError

    with plainly(f"look for the bucket {bucket}"):
        try:
            told = access("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=access.account)
        except ClientError as error:
            known = {
                "404": "none",
                "NoSuchBucket": "none",
                "403": "theirs",
                "AccessDenied": "theirs",
                "301": "elsewhere",
            }
            if code_of(error) not in known:
                raise
            return known[code_of(error)]
    return "ours" if told.get("BucketRegion", access.region) == access.region else "elsewhere"


def contents(access: Access, bucket: str) -> Contents:
    """Count what lies in a bucket; versions too, if it was ever told to keep some."""
    passing = kept = 0
    with plainly(f"look into the bucket {bucket}"):
        for page in _pages(access("s3"), bucket):
            for key, _ in page:
                if key.startswith(_TRANSIENT):
                    passing += 1
                else:
                    kept += 1
            if passing + kept >= _ENOUGH:
                return Contents(passing, kept, is_all=False)
    return Contents(passing, kept, is_all=True)


def delete_bucket(access: Access, bucket: str) -> None:
    """Delete a bucket with all that is in it.

    Raises
    ------
    SetupError
        If AWS refuses.
    """
    with plainly(f"delete the bucket {bucket}"):
        s3 = access("s3")
        for page in _pages(s3, bucket):
            if page:
                named = [{"Key": key, **({"VersionId": version} if version else {})} for key, version in page]
                refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}).get("Errors")
                if refused:
                    raise SetupError(f"{refused[0]['Key']} in {bucket} could not be deleted: {refused[0]['Message']}.")
        uploads = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        for one in [one for page in uploads for one in page.get("Uploads", ())]:
            s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
        s3.delete_bucket(Bucket=bucket)


def _pages(s3: Any, bucket: str) -> Iterator[list[tuple[str, str]]]:
    """Keys and versions, up to a thousand at a time."""
    versioned = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    if not versioned:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield [(one["Key"], "") for one in page.get("Contents", ())]
        return
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        yield [(one["Key"], one["VersionId"]) for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]]
