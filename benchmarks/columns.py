"""Two columns of fifteen of a stored result: how much of it is fetched."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd

from benchmarks.measure import Family, Figures, Metric

ROWS = 500_000
TAKEN = ["float 1", "word 1"]
FRAME = "/a/make-"
"""What the key of the stored frame has in it."""


def make(rows) -> pd.DataFrame:
    """A frame of 15 columns that compresses as such frames do."""
    import numpy as np

    random = np.random.default_rng(4)
    words = pd.Series([f"word {number:06}" for number in range(10_000)], dtype="str")
    columns = {f"float {place}": random.standard_normal(rows).round(3) for place in range(6)}
    columns |= {f"int {place}": random.integers(0, 10 ** (place + 2), rows) for place in range(4)}
    columns |= {f"when {place}": np.datetime64("2013-01-01", "us") + random.integers(0, 1e15, rows) for place in (0, 1)}
    columns |= {f"word {place}": words.array.take(random.integers(0, len(words), rows)) for place in range(3)}
    return pd.DataFrame(columns)


def take(frame):
    """How many values the two columns have."""
    return frame[TAKEN].count()


class Meter:
    """What the fake AWS has given to workers of each object of S3."""

    def __init__(self) -> None:
        self.nbytes: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()

    def watch(self) -> None:
        """Count from now on: for a fake that is started after this."""
        from cloudburst.testing import fake, objects

        meter = self

        class Counted(objects.Objects):
            def __call__(self, request: Any) -> Any:
                answer = super().__call__(request)
                is_workers = request.key_id != os.environ["AWS_ACCESS_KEY_ID"]
                if request.operation == "GetObject" and is_workers and answer is not None:
                    _, key = request.bucket_and_key
                    meter.nbytes[key] += len(answer.body)
                    meter.requests[key] += 1
                return answer

        fake.Objects = Counted


def fetched(run: Callable[[Any], Any]) -> Figures:
    """What workers that have nothing of it fetch of a stored frame, over the compressed bytes of the two columns."""
    import cloudburst as cb
    from cloudburst.testing import FakeAWS

    meter = Meter()
    meter.watch()
    with FakeAWS() as aws:
        provider = cb.init_aws(**aws.settings)
        counts = run(provider)
    nbytes = sum(meter.nbytes[name] for name in meter.nbytes if FRAME in name)
    requests = sum(meter.requests[name] for name in meter.requests if FRAME in name)
    theirs = compressed()
    if list(counts.index) != TAKEN or set(counts) != {ROWS} or nbytes < theirs:
        raise RuntimeError(f"{counts.to_dict()} of {nbytes:,} bytes, where the columns have {theirs:,}")
    return {"fetched": nbytes / theirs, "requests": requests}


def compressed() -> int:
    """Bytes of the two columns in the Parquet file that is stored."""
    import pyarrow.parquet as pq

    from cloudburst.runtime.codecs.parquet import CODEC

    metadata = pq.read_metadata(io.BytesIO(b"".join(CODEC.encode(make(ROWS)))))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    return sum(column.total_compressed_size for column in columns if column.path_in_schema in TAKEN)


def by_a_stage(**said: Any) -> Figures:
    """A stage takes the frame that another one has made on a smaller worker, and says or does not say what it uses."""
    import cloudburst as cb

    frame = cb.stage(cpu=1024, memory=2048)(make)(ROWS)
    counts = cb.stage(cpu=4096, memory=8192, **said)(take)(frame)
    return fetched(lambda _: cb.compute(frame, counts)[1])


def with_cloudburst() -> Figures:
    return by_a_stage(reads={"frame": TAKEN})


def with_kept() -> Figures:
    """The frame is kept, and its worker gone, when two columns of it are asked for."""
    import cloudburst as cb

    def run(provider: Any) -> Any:
        with cb.using(provider):
            kept = cb.stage(cpu=1024, memory=2048)(make)(ROWS).persist()
        with cb.using(provider):
            return kept[TAKEN].count().compute()

    return fetched(run)


FAMILY = Family(
    title="Two of fifteen columns of a stored result",
    contenders={"cloudburst": with_cloudburst, "of what is kept": with_kept, "nothing is said": by_a_stage},
    metrics={
        "fetched": Metric("× the compressed bytes of the two columns", goal="at most 1.2"),
        "requests": Metric("requests"),
    },
    rounds=1,
    once=["cloudburst", "of what is kept", "nothing is said"],
    cap_s=120,
    note=f"A frame of {ROWS:,} rows that a stage has made lies in the fake AWS's S3, and another worker takes two "
    "columns of it; counted is what S3 answers to workers that ask for it, its footer included. *cloudburst* is a "
    "stage with `reads=` of a frame that is stored whole because it is also asked for itself, *of what is kept* is "
    "`kept[[...]]` on what `persist()` gave, and where *nothing is said* the stage is given all columns.",
)
