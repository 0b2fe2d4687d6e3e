"""Measures the cost of a step by each optimizer: `python -m bench.optimizers`.

Fine-tunes a stand-in of Universal Sentence Encoder 4 (or --encoder) on headlines at batch 32, each optimizer in a
process of its own, and prints Markdown: wall and CPU seconds a step, the process's peak memory, and the ratios to the
first optimizer, which is Keras's Adam. Each other one takes turns with it, for what else the machine does comes and
goes: figures are medians of the turns, and behind a ratio are the quarters between which half of the turns lie. With
`:bfloat16` or `:auto` behind its name an optimizer's products are of that `training.precision`.

With --accuracy it trains the default encoder by the default recipe instead, with row-sparse and with exact Adam (which
stands for dense Adam: it equals it, and --accuracy shows that for some steps), and prints the final accuracies.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TypedDict, get_args

from pipeline.config.pipeline_config import load_config
from trainer.settings import TrainingConfig
from trainer.tensorflow_setup import threads

DENSE, EXACT, SPARSE = "adam", "exact_adam", "lazy_adam"
_PROGRAM = (sys.executable, "-m", "bench.optimizers_one")


class Contender(NamedTuple):
    """An entry of `--optimizers`: `lazy_adam`, or `lazy_adam:bfloat16`."""

    name: str
    optimizer: str
    """`training.optimizer`"""
    precision: str
    """`training.precision`, the default recipe's where none is named"""

    @classmethod
    def parse(cls, name: str) -> Contender:
        optimizers, precisions = (
            get_args(TrainingConfig.model_fields[of].annotation) for of in ("optimizer", "precision")
        )
        optimizer, _, precision = name.partition(":")
        if optimizer in optimizers and precision in ("", *precisions):
            return cls(name, optimizer, precision or load_config().training.precision)
        raise argparse.ArgumentTypeError(
            f"An optimizer must be one of {', '.join(optimizers)}, with one of "
            f"{', '.join(f':{precision}' for precision in precisions)} or without. Received: {name}."
        )


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of an optimizer in a turn."""

    wall_s: float
    """The mean of a step."""
    cpu_s: float
    """The mean of a step."""
    peak_gb: float
    """Of the process until then, with TensorFlow and the encoder."""


class Figures(TypedDict):
    """Of one optimizer: medians of its turns, and their ratios to the first optimizer's."""

    optimizer: str
    steps_a_turn: int
    turns: int
    wall_s: float
    cpu_s: float
    peak_gb: float
    times_faster: float
    times_faster_quarters: list[float]
    times_less_cpu: float
    times_less_cpu_quarters: list[float]
    memory_ratio: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/sample/headlines.csv", help="CSV with title and label")
    parser.add_argument("--encoder", help="a SavedModel folder  [default: a stand-in of USE 4 in a temporary folder]")
    parser.add_argument("--table-rows", type=int, default=800_010, help="of the stand-in")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--steps", type=int, default=400, help="a turn, where they touch only the batch's rows")
    parser.add_argument("--exact-steps", type=int, default=100, help="a turn, of exact Adam")
    parser.add_argument("--dense-steps", type=int, default=3, help="a turn, of Keras's Adam")
    parser.add_argument(
        "--optimizers",
        nargs="+",
        type=Contender.parse,
        default=[Contender.parse(name) for name in (DENSE, EXACT, SPARSE, f"{SPARSE}:auto")],
        help="names of training.optimizer, each with :precision or without",
    )
    parser.add_argument("--accuracy", action="store_true", help="final accuracies on --data instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of --accuracy")
    parser.add_argument("--epochs", type=int, default=4, help="of --accuracy")
    parser.add_argument("--json", type=Path, help="writes the figures there")
    args = parser.parse_args(arguments)
    machine = {"cores": os.cpu_count(), "platform": platform.platform(), "tensorflow": metadata.version("tensorflow")}
    figures: dict[str, object]
    with tempfile.TemporaryDirectory() as scratch:
        if args.accuracy:
            figures = _quality(args)
        else:
            args.encoder = args.encoder or _stand_in(Path(scratch), args.table_rows)
            figures = {"costs": list(_costs(args))}
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, **figures}, indent=2), encoding="utf-8")


def _quality(args: argparse.Namespace) -> dict[str, object]:
    # Imports TensorFlow, which the processes that are measured do for themselves.
    from bench.optimizers_one import accuracies, default_encoder, equality

    encoder = args.encoder or default_encoder()
    recipe = {**load_config().training.model_dump(), "epochs": args.epochs}
    return {
        "accuracy": list(accuracies(args.data, encoder, recipe, args.seeds, (SPARSE, EXACT))),
        "equality": equality(args.data, encoder, args.batch_size, EXACT, DENSE),
    }


def _costs(args: argparse.Namespace) -> Iterator[Figures]:
    print(f"{os.cpu_count()} cores, batch {args.batch_size}, {args.turns} turns, {args.encoder}\n")
    print("| optimizer | steps a turn | wall s a step | CPU s a step | faster | less CPU | peak GB | of the first's |")
    print("|---|---|---|---|---|---|---|---|")
    first, *others = args.optimizers
    with _started(args, first) as reference:
        yield _compared(args, first, [(cost, cost) for cost in (_turn(reference) for _ in range(args.turns))])
        for other in others:
            with _started(args, other) as process:
                yield _compared(args, other, [(_turn(reference), _turn(process)) for _ in range(args.turns)])


def _compared(args: argparse.Namespace, contender: Contender, turns: Sequence[tuple[Cost, Cost]]) -> Figures:
    """The medians of turns, each of the first one and then of `contender`, as a row that is printed and as figures."""
    firsts, costs = zip(*turns, strict=True)
    faster = _quarters([first.wall_s / cost.wall_s for first, cost in turns])
    cheaper = _quarters([first.cpu_s / cost.cpu_s for first, cost in turns])
    wall, cpu = (statistics.median(getattr(cost, of) for cost in costs) for of in ("wall_s", "cpu_s"))
    peak, steps = costs[-1].peak_gb, _steps(args, contender)
    memory = peak / firsts[-1].peak_gb
    print(
        f"| {contender.name} | {steps} | {wall:.4f} | {cpu:.4f} | {faster[1]:.0f} ({faster[0]:.0f} to {faster[2]:.0f}) "
        f"| {cheaper[1]:.0f} ({cheaper[0]:.0f} to {cheaper[2]:.0f}) | {peak:.2f} | {memory:.2f} |",
        flush=True,
    )
    return {
        "optimizer": contender.name,
        "steps_a_turn": steps,
        "turns": len(turns),
        "wall_s": wall,
        "cpu_s": cpu,
        "peak_gb": peak,
        "times_faster": faster[1],
        "times_faster_quarters": faster,
        "times_less_cpu": cheaper[1],
        "times_less_cpu_quarters": cheaper,
        "memory_ratio": memory,
    }


def _quarters(ratios: Sequence[float]) -> list[float]:
    """The first quarter's end, the median and the third quarter's end."""
    return statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else [*ratios] * 3


def _steps(args: argparse.Namespace, contender: Contender) -> int:
    return {DENSE: args.dense_steps, EXACT: args.exact_steps}.get(contender.optimizer, args.steps)


@contextlib.contextmanager
def _started(args: argparse.Namespace, contender: Contender) -> Iterator[subprocess.Popen[str]]:
    """The process that measures one optimizer, until the end of the block."""
    call = [
        *(*_PROGRAM, contender.optimizer, contender.precision, args.encoder, args.data),
        *(str(args.batch_size), str(_steps(args, contender))),
    ]
    # Keras's Adam is not to be held back by what suits the others.
    environment = {**os.environ, **threads.TENSORFLOWS_OWN} if contender.optimizer == DENSE else None
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _turn(process: subprocess.Popen[str]) -> Cost:
    assert process.stdin and process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise subprocess.CalledProcessError(process.wait(), process.args)
    return Cost(**json.loads(answer))


def _stand_in(parent: Path, rows: int) -> str:
    """In a process of its own, whose memory goes when it ends."""
    call = [sys.executable, "-m", "pipeline", "encoder", "stand-in", str(parent), "--rows", str(rows)]
    return subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
