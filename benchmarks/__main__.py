"""``python -m benchmarks`` measures all and writes it down, ``python -m benchmarks build hops`` prints some."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks import plot, table
from benchmarks.machine import describe_machine
from benchmarks.measure import Row, load, measure

FAMILIES = ("build", "optimize", "deep", "throughput", "hops", "cold", "handover")
AWS_FAMILIES = ("remote_hops", "makespan", "shared_frame", "driving")
"""What runs on the fake AWS."""
PICTURE = "benchmarks.png"
RESULTS = Path(__file__).with_name("results")
README = Path(__file__).parents[1] / "README.md"


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "families", nargs="*", choices=[[], *FAMILIES, *AWS_FAMILIES], help="only these, printed and not written"
    )
    parser.add_argument("--rounds", type=int, help="turns of each contender, instead of each family's own number")
    parser.add_argument("--aws", action="store_true", help="what runs on the fake AWS, instead of the rest")
    asked = parser.parse_args()
    began = time.perf_counter()
    rows: list[Row] = []
    usual = AWS_FAMILIES if asked.aws else FAMILIES
    for name in asked.families or usual:
        rows += measure(name, say, asked.rounds)
    families = {name: load(name) for name in asked.families or usual}
    report = table.report(rows, families, describe_machine(time.perf_counter() - began), None if asked.aws else PICTURE)
    if asked.families:
        say(report)
        return
    RESULTS.mkdir(exist_ok=True)
    if asked.aws:
        (RESULTS / "aws.md").write_text(report, encoding="utf-8")
        return
    (RESULTS / "README.md").write_text(report, encoding="utf-8")
    plot.save(rows, families, RESULTS / PICTURE)
    table.write_between_markers(README, table.summary(rows, families))
    say(f"written to {RESULTS} in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
