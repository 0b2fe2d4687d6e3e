"""`make bench-training`: what fine-tuning costs, beside plain scripts, each in a process of its own.

- time to an accuracy: the recipe of a preset against the article's script (hub.KerasLayer, Dense(1), Keras's Adam,
  batch 32) on the same encoder and rows;
- the whole pipeline against a plain script that reads, trains the same steps, evaluates both splits and saves, for
  some numbers of rows;
- a step by each optimizer on embedding tables of some sizes (`bench.optimizers`; 800,010 rows take 14 GB);
- what importing and calling the command costs.

Writes `training.json` and `training.md`, with the machine and TensorFlow's version. `clickbait fetch` first, or give
--data.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

from bench.optimizers import Figures
from bench.processes import run_module
from bench.training_orders import Order, Plain, Reached, Recipe
from pipeline.config.pipeline_config import load_config
from serving.json_value import JsonValue
from trainer.tensorflow_setup import threads

ARTICLE, OURS, AS_IS = "article", "ours", "ours, cased as is"
_ARTICLES_TRAINING: Recipe = {"batch_size": 32, "epochs": 2, "casing": "as_is", "precision": "float32"}
_IMPORTED = ("serving.client", "pipeline.cli", "trainer.fine_tune", "pipeline.pipeline")
_CALLED = (["--help"], ["config"])
_ROUNDS = 3
_ENDED_WELL = (0, 4)  # few rows make a model that is not blessed, at the same cost


class Machine(TypedDict):
    """The facts of a machine that figures depend on."""

    processor: str
    cores: int | None
    instructions: list[str]
    memory_gb: float
    load_before: float
    tensorflow: str


class Cost(TypedDict):
    """Of a process: seconds, and its peak memory."""

    wall: float
    cpu: float
    peak_gb: float


class Start(Cost):
    """The medians of fresh processes that do nothing but start."""

    what: str


class Table(TypedDict):
    """Each optimizer on an embedding table of some size."""

    rows: int
    costs: list[Figures]


class PlainCost(Plain, Cost):
    """Of the plain script."""


class PipelineCost(Cost):
    """Of the pipeline, and what its verdict says of each component."""

    components: JsonValue


class Compared(TypedDict):
    """The pipeline beside the plain script, on the same rows."""

    rows: int
    epochs: int
    plain: PlainCost
    pipeline: PipelineCost


class Measured(TypedDict, total=False):
    """The content of `training.json`: the parts that were measured."""

    machine: Machine
    encoder: str
    wanted: float
    start: list[Start]
    quality: dict[str, Reached]
    tables: list[Table]
    pipeline: list[Compared]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/clickbait.csv")
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--preset", default="default")
    parts = ["start", "quality", "tables", "pipeline"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[3_200, 32_000], help="of the pipeline; more are made up"
    )
    parser.add_argument("--epochs", type=int, help="of the pipeline and its plain script; default: the preset's")
    parser.add_argument("--table-rows", type=int, nargs="+", default=[80_000, 800_010], help="of tables")
    parser.add_argument("--wanted", type=float, default=0.9846, help="accuracy on eval; default %(default)s")
    parser.add_argument("--evaluations", type=int, default=4, help="an epoch; default %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=1200, help="most that the article may train; default %(default)s"
    )
    parser.add_argument("--output", type=Path, default=Path("bench-results"))
    args = parser.parse_args(arguments)

    args.output.mkdir(parents=True, exist_ok=True)
    measured: Measured = {"machine": describe_machine(), "encoder": args.encoder, "wanted": args.wanted}
    training: Recipe = load_config(args.preset).training.model_dump()
    if "start" in args.parts:
        measured["start"] = _measure_start()
        _write(args.output, measured)
    if "quality" in args.parts:
        measured["quality"] = _measure_quality(args, training)
        _write(args.output, measured)
    for rows in args.table_rows if "tables" in args.parts else ():
        measured.setdefault("tables", []).append({"rows": rows, "costs": _measure_table(args, rows)})
        _write(args.output, measured)
    for rows in args.rows if "pipeline" in args.parts else ():
        measured.setdefault("pipeline", []).append(_measure_pipeline(args, training, rows))
        _write(args.output, measured)
    print(to_markdown(measured), end="")


def _write(folder: Path, measured: Measured) -> None:
    """After each part, for they take minutes."""
    (folder / "training.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    (folder / "training.md").write_text(to_markdown(measured), encoding="utf-8")


def describe_machine() -> Machine:
    """Cores, processor, memory and how busy it was, as Linux says it, and TensorFlow's version."""
    processor, memory = _facts("/proc/cpuinfo"), _facts("/proc/meminfo")
    flags = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}.intersection(processor.get("flags", "").split())
    return {
        "processor": processor.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "instructions": sorted(flags),
        "memory_gb": round(int(memory.get("MemTotal", "0 kB").split()[0]) / 1e6, 1),
        "load_before": round(os.getloadavg()[0], 1),
        "tensorflow": metadata.version("tensorflow"),
    }


def _facts(file: str) -> dict[str, str]:
    if not Path(file).is_file():  # another system
        return {}
    parts = (line.partition(":") for line in Path(file).read_text(encoding="utf-8").splitlines())
    return {name.strip(): value.strip() for name, _, value in parts}


def to_markdown(measured: Measured) -> str:
    """Returns the tables of the figures that `main` measured."""
    machine = measured["machine"]
    lines = [
        f"{machine['cores']} cores of {machine['processor']} ({', '.join(machine['instructions'])}), "
        f"{machine['memory_gb']} GB, load {machine['load_before']} before. TensorFlow {machine['tensorflow']}.",
        "",
    ]
    if start := measured.get("start"):
        lines += ["| a fresh process | CPU s | wall s | peak GB |", "|---|---|---|---|"]
        lines += [f"| {row['what']} | {row['cpu']:.2f} | {row['wall']:.2f} | {row['peak_gb']:.2f} |" for row in start]
        lines.append("")
    if quality := measured.get("quality"):
        lines += [
            f"| until {measured['wanted']} | steps | CPU s | wall s | accuracy | article's CPU, wall against it |"
        ]
        lines += ["|---|---|---|---|---|---|"]
        article = quality[ARTICLE]
        for name, found in quality.items():
            last = found["points"][-1]
            shown = f"{last['steps']:,} | {last['cpu']:.0f} | {last['wall']:.0f} | {last['accuracy']:.4f}"
            lines.append(
                f"| {name}{'' if found['reached'] else ', not reached'} | {shown} | {_times(article, found)} |"
            )
        lines.append("")
    if tables := measured.get("tables"):
        lines += ["| table rows | optimizer | CPU ms a step | wall ms | peak GB | less CPU, wall | of its memory |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for rows, cost in ((table["rows"], cost) for table in tables for cost in table["costs"]):
            cells = [f"{1e3 * cost['cpu_s']:.1f} | {1e3 * cost['wall_s']:.1f} | {cost['peak_gb']:.2f}"]
            cells += [f"{cost['times_less_cpu']:.0f}, {cost['times_faster']:.0f} | {cost['memory_ratio']:.2f}"]
            lines.append(f"| {rows:,} | {cost['optimizer']} | {' | '.join(cells)} |")
        lines.append("")
    if pipeline := measured.get("pipeline"):
        costs = "pipeline CPU s | wall s | peak GB | plain CPU s | wall s | peak GB | CPU, wall"
        lines += [f"| rows | epochs | steps | {costs} |"]
        lines += ["|---|---|---|---|---|---|---|---|---|---|"]
        for compared in pipeline:
            ours, plain, steps = compared["pipeline"], compared["plain"], compared["plain"]["steps"]
            pair: tuple[Cost, Cost] = (ours, plain)
            cells = [f"{cost['cpu']:.0f} | {cost['wall']:.0f} | {cost['peak_gb']:.1f}" for cost in pair]
            ratios = f"{ours['cpu'] / plain['cpu']:.2f}, {ours['wall'] / plain['wall']:.2f}"
            lines.append(
                f"| {compared['rows']:,} | {compared['epochs']} | {steps:,} | {' | '.join(cells)} | {ratios} |"
            )
        lines.append("")
    return "\n".join(lines)


def _times(article: Reached, other: Reached) -> str:
    if article is other or not other["reached"]:
        return ""
    least = "" if article["reached"] else "more than "
    ends = article["points"][-1], other["points"][-1]
    ratios = (ends[0]["cpu"] / ends[1]["cpu"], ends[0]["wall"] / ends[1]["wall"])
    return least + ", ".join(f"{ratio:.1f}" for ratio in ratios)


def _measure_start() -> list[Start]:
    calls = {f"import {name}": ["timeit", "-n", "1", "-r", "1", f"import {name}"] for name in _IMPORTED}
    calls |= {f"clickbait {' '.join(more)}": ["pipeline", *more] for more in _CALLED}
    starts: list[Start] = []
    for what, call in calls.items():
        costs = [_run(call)[1] for _ in range(_ROUNDS)]
        wall, cpu, peak = zip(*((cost["wall"], cost["cpu"], cost["peak_gb"]) for cost in costs), strict=True)
        medians = map(statistics.median, (wall, cpu, peak))
        starts.append({"what": what, "wall": next(medians), "cpu": next(medians), "peak_gb": next(medians)})
    return starts


def _measure_table(args: argparse.Namespace, rows: int) -> list[Figures]:
    with tempfile.TemporaryDirectory(prefix="bench-training-") as scratch:
        figures = Path(scratch, "figures.json")
        _run(["bench.optimizers", "--data", args.data, "--table-rows", str(rows), "--json", str(figures)])
        costs: list[Figures] = json.loads(figures.read_text(encoding="utf-8"))["costs"]
        return costs


def _measure_quality(args: argparse.Namespace, training: Recipe) -> dict[str, Reached]:
    recipes = {OURS: training, AS_IS: {**training, "casing": "as_is"}, ARTICLE: {**training, **_ARTICLES_TRAINING}}
    reached: dict[str, Reached] = {}
    for name, recipe in recipes.items():
        order: Order = {
            "contender": ARTICLE if name == ARTICLE else OURS,
            "data": args.data,
            "rows": None,
            "encoder": args.encoder,
            "training": recipe,
            "wanted": args.wanted,
            "evaluations": args.evaluations,
            "seconds": args.seconds,
        }
        reached[name] = _run_one(order)
    return reached


def _measure_pipeline(args: argparse.Namespace, training: Recipe, rows: int) -> Compared:
    with tempfile.TemporaryDirectory(prefix="bench-training-") as scratch:
        data = Path(scratch, "rows.csv")
        _write_rows(data, args.data, rows)
        epochs = args.epochs or load_config(args.preset).training.epochs
        order: Order = {
            "contender": "plain",
            "data": str(data),
            "rows": None,
            "encoder": args.encoder,
            "training": {**training, "epochs": epochs},
            "output": f"{scratch}/model",
        }
        plain: PlainCost = _run_one(order)
        call = ["pipeline", "run", "--data", str(data), "--preset", args.preset, "--encoder", args.encoder]
        cost = _run([*call, "--epochs", str(epochs), "--output", f"{scratch}/output"])[1]
        (verdict,) = Path(scratch, "output", "runs").glob("*/verdict.json")
        components = json.loads(verdict.read_text(encoding="utf-8"))["components"]
    return {"rows": rows, "epochs": epochs, "plain": plain, "pipeline": {**cost, "components": components}}


def _write_rows(target: Path, source: str, rows: int) -> None:
    """So many rows; where the source has fewer they come again, with the round's number behind them."""
    with Path(source).open(encoding="utf-8", newline="") as stream:
        known = [(row["title"], row["label"]) for row in csv.DictReader(stream)]
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "label"])
        for number in range(rows):
            turn, place = divmod(number, len(known))
            title, label = known[place]
            writer.writerow([f"{title} {turn}" if turn else title, label])


def _run_one(order: Order) -> Any:
    # The article's script has the threads that TensorFlow takes.
    environment = threads.TENSORFLOWS_OWN if order["contender"] == ARTICLE else {}
    printed, cost = _run(["bench.training_one", json.dumps(order)], **environment)
    return {**cost, **json.loads(printed.splitlines()[-1])}


def _run(call: Sequence[str], **environment: str) -> tuple[str, Cost]:
    """Runs a module in a process of its own: what it prints, and what it cost."""
    ended = run_module(call, environment)
    if ended.code not in _ENDED_WELL:
        raise SystemExit(f"{' '.join(call)}: exit {ended.code}\n{ended.printed[-2000:]}{ended.log[-4000:]}")
    return ended.printed, {"wall": ended.wall, "cpu": ended.cpu, "peak_gb": ended.peak_kib / 1e6}


if __name__ == "__main__":
    main()
