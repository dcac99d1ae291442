"""Files that pipelines read, on an AWS of the tests' own: those in S3, and those of the user's machine."""

from __future__ import annotations

import boto3
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from tests.aws.runs import on_aws

pytestmark = pytest.mark.no_cover

FRAME = pd.DataFrame({"n": range(40_000), "half": [number / 2 for number in range(40_000)], "text": "some text"})


@cb.stage(cpu=256, memory=512)
def rows(frame: pd.DataFrame) -> int:
    return len(frame)


def put(aws, path, key):
    bucket = aws.settings["storage_bucket"]
    boto3.client("s3").upload_file(str(path), bucket, key)
    return f"s3://{bucket}/{key}"


def keys(aws, prefix):
    bucket = aws.settings["storage_bucket"]
    found = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [one["Key"] for one in found]


def test_a_file_in_s3_is_read_where_it_lies_and_only_as_far_as_it_is_used(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet", row_group_size=4_000)
    with on_aws() as aws:
        read = cpd.read_parquet(put(aws, tmp_path / "a.parquet", "data/a.parquet"))
        late = read[read["n"] >= 36_000][["half"]]
        assert "2 of 3 columns, 1 of 10 row groups" in str(late.explain())
        pd.testing.assert_frame_equal(late.compute(), FRAME[FRAME["n"] >= 36_000][["half"]])
        assert rows(late).compute() == 4_000
        assert keys(aws, "cloudburst/sources/") == []


def test_s3_is_where_the_provider_says(tmp_path):
    FRAME[:10].to_parquet(tmp_path / "a.parquet")
    with on_aws() as aws, pytest.MonkeyPatch.context() as inside:
        url = put(aws, tmp_path / "a.parquet", "data/a.parquet")
        inside.delenv("AWS_ENDPOINT_URL")
        read = cpd.read_parquet(url)
        assert "a.parquet: 1 of 3 columns" in str(read["n"].explain())
        assert read["n"].sum().compute() == 45


def test_a_file_of_this_machine_is_sent_once(tmp_path):
    FRAME[:100].to_csv(tmp_path / "a.csv.gz", index=False)
    FRAME[:100].to_parquet(tmp_path / "a.parquet")
    with on_aws() as aws:
        text, columns = cpd.read_csv(tmp_path / "a.csv.gz"), cpd.read_parquet(tmp_path / "a.parquet")
        both = cpd.concat([text[["n"]], columns[["n"]]])
        want = pd.concat([FRAME[:100][["n"]]] * 2)
        pd.testing.assert_frame_equal(both.compute(), want)
        sent = keys(aws, "")
        sources = [key for key in sent if "/sources/" in f"/{key}"]
        assert sorted(key.rpartition("/")[2] for key in sources) == ["a.csv.gz", "a.parquet"]
        before = aws.calls["PutObject"]
        text.explain()
        assert aws.calls["PutObject"] == before
        pd.testing.assert_frame_equal(both.compute(), want)
        assert [key for key in keys(aws, "") if key in sources] == sources


def test_folders_that_hold_values_hold_them_there_too(tmp_path):
    FRAME[:10].assign(part="x").to_parquet(tmp_path / "data", partition_cols=["part"])
    with on_aws():
        read = cpd.read_parquet(tmp_path / "data")
        pd.testing.assert_frame_equal(read.compute(), pd.read_parquet(tmp_path / "data"))


def test_a_file_that_changes_in_s3_under_a_pipeline_is_told(tmp_path):
    FRAME[:10].to_parquet(tmp_path / "a.parquet")
    FRAME[:20].to_parquet(tmp_path / "b.parquet")
    with on_aws() as aws:
        url = put(aws, tmp_path / "a.parquet", "data/a.parquet")
        read = cpd.read_parquet(url)
        put(aws, tmp_path / "b.parquet", "data/a.parquet")
        with pytest.raises(cb.StoreError, match="has changed since the pipeline was planned"):
            read["n"].sum().compute()
