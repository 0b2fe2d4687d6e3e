"""`python -m bench.ingest`: the cost of an ingest, beside TFX's stock CsvExampleGen on the same files.

Both executors run on CSV files of distinct made-up headlines, in turns, each time in a fresh process, with Beam's
in-memory runner and no Beam flags. Prints Markdown. Wall and CPU are of the executor alone, the peak is of its process.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import run_module

OURS, STOCK = "HeadlineExampleGen", "CsvExampleGen"
_WORDS_OF_A_TITLE = 8
_LOG_LINES = 40


@dataclass(frozen=True)
class Contender:
    """A component, and the Beam flags it runs with."""

    component: str
    beam_flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.component, *self.beam_flags])


@dataclass(frozen=True)
class Cost:
    """The cost of an ingest: seconds, and the peak bytes of its process and that one's children."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--files", type=int, default=1, help="the rows are spread over that many files")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--no-stock-above",
        type=int,
        default=1_000_000,
        metavar="ROWS",
        help="the stock component does not run on more; 10 million may take it more than 15 GB; default %(default)s",
    )
    parser.add_argument(
        "--beam",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="FLAG",
        help="last: runs ours with these Beam flags as well, e.g. --direct_running_mode=multi_processing",
    )
    args = parser.parse_args()
    ours, stock = Contender(OURS), Contender(STOCK)
    contenders = [ours, *([Contender(OURS, tuple(args.beam))] if args.beam else []), stock]
    print(f"{os.cpu_count()} cores, {args.repeats} repeats, files: {args.files}\n")
    print("| rows | component | wall s (min..max) | CPU s | rows/s | peak GB | wall, CPU, peak / stock |")
    print("|---|---|---|---|---|---|---|", flush=True)
    cpu_per_row: dict[Contender, dict[int, float]] = {contender: {} for contender in contenders}
    for rows in args.rows:
        running = [contender for contender in contenders if contender != stock or rows <= args.no_stock_above]
        costs = _measure(running, rows, args.files, args.repeats)
        for contender in contenders:
            if contender not in costs:
                print(f"| {rows:,} | {contender} | not run above {args.no_stock_above:,} rows | | | | |", flush=True)
                continue
            print(f"| {rows:,} | {contender} | {_figures(rows, costs[contender], costs.get(stock))} |", flush=True)
            cpu_per_row[contender][rows] = statistics.median(cost.cpu for cost in costs[contender]) / rows
    print(f"\nCPU per row, as a multiple of that at {args.rows[0]:,} rows:\n")
    for contender, figures in cpu_per_row.items():
        if first := figures.get(args.rows[0]):
            print(f"- {contender}: " + ", ".join(f"{rows:,} {figure / first:.2f}" for rows, figure in figures.items()))


def _measure(contenders: Sequence[Contender], rows: int, files: int, repeats: int) -> dict[Contender, list[Cost]]:
    costs: dict[Contender, list[Cost]] = {contender: [] for contender in contenders}
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as scratch:
        data = Path(scratch, "data")
        data.mkdir()
        make_files(data, rows, files)
        for repeat in range(repeats):
            # Each second round is the other way round, so that a machine that gets slower or busier favours no one.
            for contender in contenders if repeat % 2 == 0 else reversed(contenders):
                costs[contender].append(_run(contender, data, rows))
    return costs


def make_files(folder: Path, rows: int, files: int) -> None:
    draw = random.Random(1)
    with Path("data/sample/headlines.csv").open(encoding="utf-8", newline="") as stream:
        words = sorted({word for row in csv.DictReader(stream) for word in row["title"].split()})
    numbers = iter(range(rows))
    for file in range(files):
        with (folder / f"{file:05}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["title", "label"])
            for number in itertools.islice(numbers, rows // files + (file < rows % files)):
                writer.writerow([" ".join([*draw.choices(words, k=_WORDS_OF_A_TITLE), str(number)]), number % 2])


def _run(contender: Contender, data: Path, rows: int) -> Cost:
    with tempfile.TemporaryDirectory(dir=data.parent) as target:
        (temporary := Path(target, "tmp")).mkdir()
        call = ["bench.ingest_one", contender.component, str(data), target, *contender.beam_flags]
        ended = run_module(call, {"TMPDIR": str(temporary)}, counts_children=True)
        if ended.code:
            last_lines = "".join(ended.log.splitlines(keepends=True)[-_LOG_LINES:])
            raise SystemExit(f"{contender} with {rows:,} rows: exit {ended.code}\n" + last_lines)
        figures = json.loads(ended.printed.splitlines()[-1])
        if figures["examples"] != rows:
            raise SystemExit(f"{contender} wrote {figures['examples']:,} examples of {rows:,} rows")
        return Cost(figures["wall"], figures["cpu"], ended.peak_kib * 1024)


def _figures(rows: int, costs: Sequence[Cost], stock: Sequence[Cost] | None) -> str:
    walls = sorted(cost.wall for cost in costs)
    wall, cpu, peak = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak"))
    ratios = [_ratio(costs, stock, name) for name in ("wall", "cpu", "peak")] if stock else []
    return " | ".join(
        [
            f"{wall:.1f} ({walls[0]:.1f}..{walls[-1]:.1f})",
            f"{cpu:.1f}",
            f"{rows / wall:,.0f}",
            f"{peak / 1e9:.2f}",
            ", ".join(ratios),
        ]
    )


def _ratio(costs: Sequence[Cost], stock: Sequence[Cost], name: str) -> str:
    # Of runs beside each other, so that what slows the machine down slows both.
    paired = (getattr(cost, name) / getattr(other, name) for cost, other in zip(costs, stock, strict=True))
    return f"{statistics.median(paired):.2f}"


if __name__ == "__main__":
    main()
