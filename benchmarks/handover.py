"""Hand a large frame from a worker to this process.

There is one worker, so that the one that is measured has done it before.
"""

from __future__ import annotations

import mmap
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Family, Figures, Metric
from benchmarks.memory import Watch
from benchmarks.peers import distributed_client, process_pool, ray_running

ROWS = 12_500_000


def make(rows):
    """A mixed frame of about 80 bytes a row that says when it was ready."""
    import numpy as np
    import pandas as pd

    numbers = np.arange(rows)
    words = pd.Series([f"word {number:012}" for number in range(1_000)], dtype="str")
    columns = {f"float {place}": numbers * (place + 0.5) for place in range(4)}
    columns |= {f"int {place}": numbers + place for place in range(2)}
    columns["when"] = pd.Timestamp("2013-01-01").to_datetime64() + numbers.astype("timedelta64[s]")
    columns["flag"] = numbers % 3 == 0
    columns["kind"] = pd.Categorical.from_codes((numbers % 7).astype("int8"), list("abcdefg"))
    columns["word"] = words.array.take(numbers % 1_000)
    frame = pd.DataFrame(columns, copy=False)
    frame.attrs["made"] = time.monotonic()
    return frame


def handed(fetch: Callable[[int], Any], rows: int = ROWS) -> Figures:
    """Gigabytes a second from its being ready there to its being here, and the peak of all memory over its size."""
    fetch(1_000)
    # A virtual machine gets its memory from the host when it is first touched: nobody is to pay for that here.
    subprocess.run([sys.executable, "-c", "len(b'1' * (3 << 30))"], check=True)
    with Watch() as watch:
        frame = fetch(rows)
        seconds = time.monotonic() - frame.attrs["made"]
    size = int(frame.memory_usage(deep=True).sum())
    if len(frame) != rows or frame["word"].iloc[-1] != f"word {(rows - 1) % 1_000:012}":
        raise RuntimeError("not the frame that was made")
    return {"rate": size / seconds / 1e9, "peak": watch.peak / size}


kept: list[Any] = []


def write(path, rows):
    """The floor's worker: pickle 5 and its buffers, written to shared memory one after another."""
    frame = make(rows)
    kept[:] = [frame]  # giving its memory back takes long and is no part of handing it over
    buffers = []
    # Times are pickled within the pickle and not beside it: as numbers they go like everything else.
    when = frame.pop("when").to_numpy()
    head = pickle.dumps((frame, when.view("int64"), when.dtype), protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    with open(path, "wb", buffering=0) as file:
        for part in parts:
            written = 0
            while written < len(part):
                written += file.write(part[written:])
    return [len(part) for part in parts]


def with_floor() -> Figures:
    import pandas as pd

    shared = Path("/dev/shm")
    with process_pool(1) as pool, tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:

        def fetch(rows: int) -> Any:
            path = os.path.join(folder, "frame")
            lengths = pool.submit(write, path, rows).result()
            with open(path, "rb") as file:
                mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            os.unlink(path)
            parts, place = [], 0
            for length in lengths:
                parts.append(mapped[place : place + length])
                place += length
            frame, when, kind = pickle.loads(parts[0], buffers=parts[1:])
            frame["when"] = pd.Series(when.view(kind), copy=False)
            return frame

        return handed(fetch)


def with_cloudburst() -> Figures:
    import cloudburst as cb

    cb.init_local(workers=1)
    stage = cb.stage(make)
    return handed(lambda rows: stage(rows).compute())


def with_futures() -> Figures:
    with process_pool(1) as pool:
        return handed(lambda rows: pool.submit(make, rows).result(), ROWS // 4)


def with_ray() -> Figures:
    with ray_running(1, object_store_memory=4 << 30) as ray:
        function = ray.remote(make)
        return handed(lambda rows: ray.get(function.remote(rows)))


def with_distributed() -> Figures:
    with distributed_client(1) as client:
        return handed(lambda rows: client.submit(make, rows, pure=False).result(), ROWS // 4)


FAMILY = Family(
    title="Hand over a frame of 1 GB",
    contenders={
        "floor": with_floor,
        "cloudburst": with_cloudburst,
        "ray": with_ray,
        "distributed": with_distributed,
        "concurrent.futures": with_futures,
    },
    metrics={
        "rate": Metric("GB/s", "higher", goal="≥ 0.8 × the floor; ahead of ray"),
        "peak": Metric("× the frame", goal="≤ 3"),
    },
    note="Floats, integers, times, booleans, categories and text, from the moment when the worker has made the frame "
    "to the moment when it is here. The floor is pickle 5 with its buffers written to shared memory and mapped back. "
    "Peak: of the whole machine's memory, from before the frame was made. "
    "distributed and concurrent.futures are given a quarter of it.",
)
