"""The tables of TPC-H: made once by ``tpchgen-cli``, then written as pandas and Arrow themselves write files.

``python -m benchmarks.tpch DIR SCALE`` makes them and prints where they lie.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TABLES = ("lineitem", "orders", "customer")
FILES = 8
"""Of each table."""
ROW_GROUP = 128 * 1024
DATA, SCALE = "CLOUDBURST_BENCHMARKS_DATA", "CLOUDBURST_BENCHMARKS_SCALE"
"""Variables that tell a process that measures where the tables lie, and how large they are."""
SETTLED = "1"
"""Raised when the tables would be written otherwise: those of before are then made again."""


def usual_place() -> Path:
    """Where the tables are kept from one time to the next, unless said otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudburst-benchmarks"


def scale() -> str:
    """The scale factor that is measured."""
    return os.environ.get(SCALE, "1")


def tables() -> Path:
    """The folder of the tables, one folder in it for each."""
    folder = Path(os.environ.get(DATA) or usual_place())
    return folder / f"tpch-{scale()}-{SETTLED}"


def make(say: Callable[[str], None]) -> Path:
    """Make the tables unless they are there; they appear all at once or not at all."""
    there = tables()
    if there.is_dir():
        return there
    there.parent.mkdir(parents=True, exist_ok=True)
    say(f"making the tables of TPC-H at scale factor {scale()} in {there}")
    with tempfile.TemporaryDirectory(dir=there.parent, prefix="making-") as scratch:
        made, written = Path(scratch, "made"), Path(scratch, "written")
        _generate(made)
        files = [(table, number) for table in TABLES for number in range(FILES)]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda one: _rewrite(made, written, *one), files))
        try:
            written.rename(there)
        except OSError:  # another process was first
            if not there.is_dir():
                raise
    return there


def _generate(folder: Path) -> None:
    program = shutil.which("tpchgen-cli", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    if program is None:
        raise SystemExit("The tables are made by tpchgen-cli, which is not installed: run `make bench-dataframe`.")
    asked = ["--scale-factor", scale(), "--tables", ",".join(TABLES), "--parts", str(FILES)]
    subprocess.run([program, "parquet", *asked, "--output-dir", str(folder), "--quiet"], check=True)


def _rewrite(made: Path, written: Path, table: str, number: int) -> None:
    """One file, with types of which pandas makes arrays and no objects."""
    import pyarrow.parquet as pq

    target = written / table / f"{number}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    found = pq.read_table(made / table / f"{table}.{number + 1}.parquet")
    pq.write_table(found.cast(_plain(found.schema)), target, row_group_size=ROW_GROUP, compression="snappy")


def _plain(schema: Any) -> Any:
    """Decimals become floats, dates become times, views become text; whatever the generator said beside is left out."""
    import pyarrow as pa

    def plain(kind: Any) -> Any:
        if pa.types.is_decimal(kind):
            return pa.float64()
        if pa.types.is_date(kind):
            return pa.timestamp("us")
        return pa.string() if pa.types.is_string_view(kind) else kind

    return pa.schema([pa.field(field.name, plain(field.type)) for field in schema])


if __name__ == "__main__":
    os.environ.update({DATA: sys.argv[1], SCALE: sys.argv[2]})
    print(make(print))
