"""``python -m benchmarks`` measures all and writes it down, ``python -m benchmarks build hops`` prints some."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from benchmarks import plot, table, tpch
from benchmarks.machine import describe_machine
from benchmarks.measure import Row, load, measure

FAMILIES = ("build", "optimize", "deep", "throughput", "hops", "cold", "handover")
AWS_FAMILIES = ("remote_hops", "makespan", "shared_frame", "driving")
"""What runs on the fake AWS."""
DATAFRAME_FAMILIES = ("dataframe", "dataframe_plan", "columns")
"""What is about reading only what is needed."""
RESULTS = Path(__file__).with_name("results")
README = Path(__file__).parents[1] / "README.md"


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "families",
        nargs="*",
        choices=[[], *FAMILIES, *AWS_FAMILIES, *DATAFRAME_FAMILIES],
        help="only these, printed and not written",
    )
    parser.add_argument("--rounds", type=int, help="turns of each contender, instead of each family's own number")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--aws", action="store_true", help="what runs on the fake AWS, instead of the rest")
    others.add_argument("--dataframe", action="store_true", help="what is about dataframes, instead of the rest")
    parser.add_argument(
        "--data", default=str(tpch.usual_place()), help="where the tables of TPC-H are kept: %(default)s"
    )
    parser.add_argument("--scale", default="1", help="how large they are: %(default)s is about a gigabyte of text")
    asked = parser.parse_args()
    os.environ.update({tpch.DATA: asked.data, tpch.SCALE: asked.scale})
    chosen = asked.families or (AWS_FAMILIES if asked.aws else DATAFRAME_FAMILIES if asked.dataframe else FAMILIES)
    if "dataframe" in chosen:
        importlib.import_module("benchmarks.dataframe").make(say)
    began = time.perf_counter()
    rows: list[Row] = []
    for name in chosen:
        rows += measure(name, say, asked.rounds)
    families = {name: load(name) for name in chosen}
    suite = table.AWS if asked.aws else table.DATAFRAME if asked.dataframe else table.ALL
    machine = describe_machine(time.perf_counter() - began)
    report = table.report(rows, families, machine, suite)
    if asked.families:
        say(report)
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / suite.file).write_text(report, encoding="utf-8")
    if suite is not table.ALL:
        return
    plot.save(rows, families, RESULTS / table.PICTURE)
    table.write_between_markers(README, table.summary(rows, families))
    say(f"written to {RESULTS} in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
