"""Objects that are answered without moto: they come as moto itself would give them."""

from __future__ import annotations

import boto3
import pyarrow.fs
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS
from cloudburst.testing.objects import _span

BODY = bytes(range(256)) * 10
NOT_TOLD = {"RequestId", "HostId", "RetryAttempts", "HTTPHeaders"}
KEYS = {
    "plain/key": {},
    "a b/ü+c=%20&d": {"ContentType": "text/plain", "Metadata": {"one": "two"}},
    "encrypted": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "1234"},
    "summed": {"ChecksumAlgorithm": "SHA256"},
}


@pytest.fixture(scope="module")
def aws():
    with FakeAWS() as aws:
        s3 = boto3.client("s3")
        for key, more in KEYS.items():
            s3.put_object(Bucket=aws.settings["storage_bucket"], Key=key, Body=BODY, **more)
        yield aws


def told(answer):
    """What a client sees of an answer."""
    body = answer["Body"].read() if "Body" in answer else None
    seen = {name: value for name, value in answer.items() if name not in {"Body", "ResponseMetadata"}}
    return seen, body, answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("span", [None, "bytes=0-99", "bytes=100-", "bytes=-100", "bytes=2000-9999", "bytes=0-2559"])
def test_an_object_is_given_as_moto_gives_it(aws, key, span):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    asked = {"Bucket": bucket, "Key": key} | ({"Range": span} if span else {})
    etag = s3.head_object(Bucket=bucket, Key=key)["ETag"]
    # A condition is moto's to answer.
    assert told(s3.get_object(**asked)) == told(s3.get_object(**asked, IfMatch=etag))


@pytest.mark.parametrize("key", KEYS)
def test_a_head_is_given_as_moto_gives_it(aws, key):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    ours = s3.head_object(Bucket=bucket, Key=key)
    assert told(ours) == told(s3.head_object(Bucket=bucket, Key=key, IfMatch=ours["ETag"]))
    assert ours["ContentLength"] == len(BODY)


def test_what_is_missing_is_missing(aws):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="missing")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="missing")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.get_object(Bucket="no-such-bucket", Key="missing")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="plain/key", Range="bytes=9999-")


def test_an_empty_object_and_one_in_parts_are_given(aws):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    sizes = [5 << 20, 17]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=b"x" * size)["ETag"]}
        for n, size in enumerate(sizes, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert len(s3.get_object(Bucket=bucket, Key="parts")["Body"].read()) == sum(sizes)


def test_older_versions_are_given_by_moto(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="versioned", Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket="versioned", Key="a", Body=b"2")
    assert s3.get_object(Bucket="versioned", Key="a")["Body"].read() == b"2"
    assert s3.get_object(Bucket="versioned", Key="a", VersionId=first)["Body"].read() == b"1"


def test_arrow_reads_them_too(aws):
    import os

    there = pyarrow.fs.S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=aws.settings["endpoint_url"],
        region="us-east-1",
    )
    with there.open_input_file(f"{aws.settings['storage_bucket']}/plain/key") as file:
        assert file.size() == len(BODY)
        assert file.read_at(100, 50) == BODY[50:150]


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        (None, (0, 10)),
        ("bytes=0-3", (0, 4)),
        ("bytes=3-", (3, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=10-", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
    ],
)
def test_spans_are_read(asked, span):
    assert _span(asked, 10) == span
