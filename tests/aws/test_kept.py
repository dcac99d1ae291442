"""What is persisted and cached is there when all of ``runs/`` has gone, and is not worked out anew."""

from __future__ import annotations

import pickle
from collections import Counter

import boto3
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.cli import main
from cloudburst.runtime.codecs.parquet import ROW_GROUP
from cloudburst.runtime.stores import s3_transfer
from cloudburst.testing import FakeAWS
from tests.aws.leftovers import keys
from tests.aws.runs import on_aws, ran
from tests.contracts.equality import assert_same

pytestmark = pytest.mark.slow

ROWS = 200_000


@cb.stage(cpu=256, memory=1024)
def measured():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"n": np.arange(ROWS), "a": rng.random(ROWS), "b": rng.random(ROWS)})


@cb.stage(cpu=256, memory=512)
def doubled(item):
    return bytes([item]) * 50_000 * 2


@cb.stage(cpu=256, memory=512)
def size(value):
    return len(value)


def under(aws: FakeAWS, folder: str) -> list[str]:
    return [key for key in keys(aws.settings) if key.startswith(f"{aws.settings['storage_prefix']}/{folder}/")]


def later(aws: FakeAWS, *kept, **given):
    """The same Deferreds in another program of the same user, after the lifecycle has removed all runs."""
    written = pickle.dumps(kept)
    cb.init_local()
    client = boto3.client("s3")
    for key in under(aws, "runs"):
        client.delete_object(Bucket=aws.settings["storage_bucket"], Key=key)
    cb.init_aws(**{**aws.settings, **given})
    return pickle.loads(written)


def test_what_is_kept_outlives_its_run():
    frame = measured.func()
    with on_aws(max_workers=2) as aws:
        cached, fanned = measured.options(cache=True), doubled.options(cache=True)
        kept = measured().assign(c=1).persist()
        anonymous = cb.defer(lambda value: value, pure=False)(measured()).persist()  # known by no digest
        assert ran(aws, cb.defer([size(cached()), fanned.map([1, 2, 1])])).value[0] == ROWS
        assert under(aws, "runs") == [], "what is kept does not lie there twice"

        kept, anonymous = later(aws, kept, anonymous, max_workers=2)
        before = len(aws.tasks())
        assert_same(kept.compute(), frame.assign(c=1))
        assert_same(anonymous.compute(), frame)
        assert_same(cached().compute(), frame)
        assert fanned.map([1, 2, 1]).compute() == [doubled.func(item) for item in (1, 2, 1)]
        assert len(aws.tasks()) == before, "nothing was worked out"
        for stored in (kept, cached()):
            narrow = ran(aws, size(stored[["b"]]))
            few = ran(aws, stored[stored["n"] >= ROW_GROUP + 5][["a", "n"]])
            assert narrow.value == ROWS
            assert_same(few.value, frame[frame["n"] >= ROW_GROUP + 5][["a", "n"]])
            assert narrow.of("measured") == few.of("measured") == []


def copies(calls: Counter[str]) -> int:
    return calls["CopyObject"] + calls["CreateMultipartUpload"]


def test_a_kept_value_is_copied_once():
    with on_aws(max_workers=2) as aws:
        cached = measured.options(cache=True)
        before = Counter(aws.calls)
        size(cached()).compute()
        assert copies(aws.calls - before) == 1
        cached().compute()  # read from where it is
        measured().persist()  # known here: it is not even run
        [_] = later(aws, 1, max_workers=2)
        measured().persist()  # the same value anew
        cached().persist()
        assert copies(aws.calls - before) == 1
        assert len(under(aws, "values")) == 1
        fanned = doubled.options(cache=True)
        size(fanned.map(range(20))).compute()
        assert copies(aws.calls - before) == 1 + 20
        doubled(3).compute()
        size(doubled(4)).compute()
        assert copies(aws.calls - before) == 1 + 20, "what nobody keeps is not copied"


def test_a_large_value_is_copied_in_parts_and_encrypted_as_all_else(monkeypatch):
    monkeypatch.setattr(s3_transfer, "ONE_COPY", 1 << 20)
    monkeypatch.setattr(s3_transfer, "COPY_PART", 5 << 20)
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    with on_aws(storage_kms_key=key) as aws:
        kept = doubled(1).persist()
        frame = measured().assign(c=lambda frame: np.random.default_rng(1).random(len(frame))).persist()
        assert aws.calls["UploadPartCopy"] == 2  # 5 MiB is the least that a part has, but for the last
        kept, frame = later(aws, kept, frame, storage_kms_key=key)
        assert size(kept).compute() == 100_000
        assert frame["c"].sum().compute() == np.random.default_rng(1).random(ROWS).sum()
        for name in under(aws, "values"):
            told = boto3.client("s3").head_object(Bucket=aws.settings["storage_bucket"], Key=name)
            assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", key)


@pytest.fixture
def cleaned(capsys, monkeypatch):
    """What ``runs clean`` says."""

    def clean(aws: FakeAWS, *options: str) -> str:
        monkeypatch.setenv("CLOUDBURST_STORAGE_BUCKET", aws.settings["storage_bucket"])
        monkeypatch.setenv("CLOUDBURST_STORAGE_PREFIX", aws.settings["storage_prefix"])
        capsys.readouterr()
        assert main(["runs", "clean", "--older-than", "0", "--yes", *options]) == 0
        return capsys.readouterr().out

    return clean


def test_kept_values_are_cleaned_only_when_that_is_asked_for(cleaned):
    with on_aws(max_workers=2) as aws:
        kept = doubled(1).persist()
        assert "1 object with kept values" in cleaned(aws)
        assert "1 object with kept values" in cleaned(aws, "--kept", "1d")
        [kept] = later(aws, kept, max_workers=2)
        assert size(kept).compute() == 100_000
        assert "with 1 kept value" in cleaned(aws, "--kept", "0")
        assert under(aws, "kept") == under(aws, "values") == []
        assert "it was kept by persist() or a cached stage, and has been removed" in str(ran(aws, size(kept)).error)
