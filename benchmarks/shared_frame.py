"""A frame of 100 MB from one process through S3 to another: what is lost against Parquet and boto3 by hand."""

from __future__ import annotations

import io
import time

from benchmarks.elsewhere import aws_elsewhere
from benchmarks.handover import make
from benchmarks.measure import Family, Figures, Metric

ROWS = 1_250_000


def _frame():
    frame = make(ROWS)
    frame.attrs.clear()
    frame["when"] = frame["when"].astype("datetime64[ms]")
    return frame


def with_cloudburst() -> Figures:
    from cloudburst.runtime import artifacts
    from cloudburst.runtime.stores.s3 import S3Store

    with aws_elsewhere() as aws:
        settings = aws.settings
        store = S3Store(settings["storage_bucket"], region=settings["region"], endpoint_url=settings["endpoint_url"])
        artifacts.read(artifacts.write(_frame().head(1000).copy(), store, "warm/0"), store)
        frame = _frame()
        began = time.perf_counter()
        artifact = artifacts.write(frame, store, "a/0")
        back = artifacts.read(artifact, store)
        seconds = time.perf_counter() - began
    return _figures(frame, back, seconds)


def by_hand() -> Figures:
    """Parquet with the same settings in memory, one upload and one download by boto3's own transfers, and back."""
    import boto3
    import pyarrow as pa
    import pyarrow.parquet as pq

    with aws_elsewhere() as aws:
        settings = aws.settings
        client = boto3.client("s3", region_name=settings["region"], endpoint_url=settings["endpoint_url"])
        bucket = settings["storage_bucket"]

        def through(frame, key):
            sink = io.BytesIO()
            table = pa.Table.from_pandas(frame)
            pq.write_table(
                table, sink, row_group_size=128 * 1024, compression="zstd", write_statistics=True, version="2.6"
            )
            sink.seek(0)
            client.upload_fileobj(sink, bucket, key)
            got = io.BytesIO()
            client.download_fileobj(bucket, key, got)
            return pq.read_table(pa.BufferReader(got.getbuffer())).to_pandas()

        through(_frame().head(1000), "warm")
        frame = _frame()
        began = time.perf_counter()
        back = through(frame, "frame")
        seconds = time.perf_counter() - began
    return _figures(frame, back, seconds)


def _figures(frame, back, seconds: float) -> Figures:
    if len(back) != len(frame) or back["word"].iloc[-1] != frame["word"].iloc[-1]:
        raise RuntimeError("not the frame that was sent")
    return {"rate": int(frame.memory_usage(deep=True).sum()) / seconds / 1e6}


FAMILY = Family(
    title="A frame of 100 MB through S3",
    contenders={"cloudburst": with_cloudburst, "pyarrow and boto3": by_hand},
    metrics={"rate": Metric("MB/s", better="higher", goal="at least 0.8 × by hand")},
    rounds=5,
    cap_s=120,
    note="Written, put, got and read again, on the fake AWS's S3. *By hand* there is no check of what was got.",
)
