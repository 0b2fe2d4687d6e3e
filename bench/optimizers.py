"""What a step costs by each optimizer: `python -m bench.optimizers`.

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
import csv
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pipeline.config.pipeline_config import load_config
from trainer.settings import TrainingConfig
from trainer.tensorflow_setup import threads

DENSE, EXACT, SPARSE = "adam", "exact_adam", "lazy_adam"
_UNTIMED_TURNS = 2
_EQUAL_STEPS = 20
_PROGRAM = (sys.executable, "-m", "bench.optimizers")


class Contender(NamedTuple):
    """What `--optimizers` names: `lazy_adam`, or `lazy_adam:bfloat16`."""

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
            f"It is one of {', '.join(optimizers)}, with one of {', '.join(f':{one}' for one in precisions)} or "
            f"without. Received: {name}."
        )


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one optimizer in one turn."""

    wall_s: float
    """Of one step, the mean."""
    cpu_s: float
    """The same."""
    peak_gb: float
    """Of the process until then, with TensorFlow and the encoder."""


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
    parser.add_argument("--one", type=Contender.parse, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        _measure(asked)
        return
    machine = {"cores": os.cpu_count(), "platform": platform.platform(), "tensorflow": metadata.version("tensorflow")}
    with tempfile.TemporaryDirectory() as scratch:
        if asked.accuracy:
            asked.encoder = asked.encoder or _default_encoder()
            found = {"accuracy": list(_accuracies(asked)), "equality": _equality(asked)}
        else:
            asked.encoder = asked.encoder or _stand_in(Path(scratch), asked.table_rows)
            found = {"costs": list(_costs(asked))}
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine, **found}, indent=2), encoding="utf-8")


def _costs(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    print(f"{os.cpu_count()} cores, batch {asked.batch_size}, {asked.turns} turns, {asked.encoder}\n")
    print("| optimizer | steps a turn | wall s a step | CPU s a step | faster | less CPU | peak GB | of the first's |")
    print("|---|---|---|---|---|---|---|---|")
    first, *others = asked.optimizers
    with _started(asked, first) as reference:
        yield _compared(asked, first, [(cost, cost) for cost in (_turn(reference) for _ in range(asked.turns))])
        for other in others:
            with _started(asked, other) as process:
                yield _compared(asked, other, [(_turn(reference), _turn(process)) for _ in range(asked.turns)])


def _compared(asked: argparse.Namespace, contender: Contender, turns: Sequence[tuple[Cost, Cost]]) -> dict[str, Any]:
    """The medians of turns, each of the first one and then of `contender`, as a row that is printed and as figures."""
    firsts, costs = zip(*turns, strict=True)
    faster = _quarters([first.wall_s / cost.wall_s for first, cost in turns])
    cheaper = _quarters([first.cpu_s / cost.cpu_s for first, cost in turns])
    wall, cpu = (statistics.median(getattr(cost, of) for cost in costs) for of in ("wall_s", "cpu_s"))
    peak, steps = costs[-1].peak_gb, _steps(asked, contender)
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


def _steps(asked: argparse.Namespace, contender: Contender) -> int:
    return {DENSE: asked.dense_steps, EXACT: asked.exact_steps}.get(contender.optimizer, asked.steps)


@contextlib.contextmanager
def _started(asked: argparse.Namespace, contender: Contender) -> Iterator[subprocess.Popen]:
    """The process that measures one optimizer, until the end of the block."""
    call = [
        *(*_PROGRAM, "--one", contender.name, "--encoder", asked.encoder),
        *("--data", asked.data, "--batch-size", str(asked.batch_size), "--steps", str(_steps(asked, contender))),
    ]
    # Keras's Adam is not to be held back by what suits the others.
    environment = {**os.environ, **threads.TENSORFLOWS_OWN} if contender.optimizer == DENSE else None
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _turn(process: subprocess.Popen) -> Cost:
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise subprocess.CalledProcessError(process.wait(), process.args)
    return Cost(**json.loads(answer))


def _measure(asked: argparse.Namespace) -> None:
    """Takes a turn for each line that comes in, and prints its `Cost`.

    A turn is an epoch of one long `fit`, as the Trainer calls it: a call a step from Python would cost more than the
    step, and another `fit` would begin again with the same batches.
    """
    import tf_keras

    from trainer.fitting.pace import MOST_STEPS
    from trainer.tensorflow_setup.graphs import training_graphs

    class Turns(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch >= _UNTIMED_TURNS:
                wall = (time.perf_counter() - self.start) / asked.steps
                cpu = (time.process_time() - self.began) / asked.steps
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
                print(json.dumps(dataclasses.asdict(Cost(wall, cpu, peak))), flush=True)
            if epoch + 1 >= _UNTIMED_TURNS:
                self.model.stop_training = not sys.stdin.readline()
                self.start, self.began = time.perf_counter(), time.process_time()

    model = _model(asked.encoder, asked.one.optimizer, steps_per_execution=MOST_STEPS)
    batches = _batches(asked.data, asked.batch_size)
    with training_graphs(asked.one.precision):
        model.fit(batches, steps_per_epoch=asked.steps, epochs=sys.maxsize, verbose=0, callbacks=[Turns()])


def _accuracies(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import numpy as np
    import tensorflow as tf

    from bench.training_one import batches, our_model
    from trainer import casing
    from trainer.tensorflow_setup.graphs import training_graphs

    recipe = load_config().training.model_dump()
    texts, labels = _read(asked.data)
    print(f"{os.cpu_count()} cores, {asked.data}, {asked.encoder}, {asked.epochs} epochs\n")
    print("| seed | optimizer | evaluation accuracy | loss | CPU s |")
    print("|---|---|---|---|---|")
    for seed in asked.seeds:
        order = np.random.default_rng(seed).permutation(len(texts))
        evaluated, trained = np.split(order, [len(texts) * 3 // 10])
        for name in (SPARSE, EXACT):
            training = {**recipe, "optimizer": name, "seed": seed, "epochs": asked.epochs}
            model = our_model(asked.encoder, training, len(trained))
            before = time.process_time()
            training_graphs(training["precision"])(model.fit)(
                batches((texts[trained], labels[trained]), training), epochs=asked.epochs, verbose=0
            )
            cpu = time.process_time() - before
            normal = casing.normalise(tf.constant(texts[evaluated]), training["casing"])
            loss, accuracy = model.evaluate(normal, labels[evaluated], batch_size=256, verbose=0)
            print(f"| {seed} | {name} | {accuracy:.4f} | {loss:.4f} | {cpu:.0f} |", flush=True)
            yield {"seed": seed, "optimizer": name, "accuracy": accuracy, "loss": loss, "cpu_s": cpu}


def _equality(asked: argparse.Namespace) -> dict[str, Any]:
    """How far weights lie apart after the same steps by exact and by Keras's Adam, and how far those went."""
    import numpy as np

    trained = {}
    for name in (EXACT, DENSE):
        model = _model(asked.encoder, name)
        start = [weight.numpy() for weight in model.trainable_weights]
        for batch in _batches(asked.data, asked.batch_size).take(_EQUAL_STEPS):
            model.train_on_batch(*batch)
        trained[name] = [weight.numpy() for weight in model.trainable_weights]
    pairs = zip(trained[EXACT], trained[DENSE], strict=True)
    apart = max(float(np.max(np.abs(one - other))) for one, other in pairs)
    way = max(float(np.max(np.abs(one - other))) for one, other in zip(start, trained[DENSE], strict=True))
    print(f"\nAfter {_EQUAL_STEPS} steps exact and dense Adam lie {apart:.1e} apart; the weights went {way:.1e}.")
    return {"steps": _EQUAL_STEPS, "largest_difference": apart, "largest_way": way}


def _model(encoder: str, optimizer: str, steps_per_execution: int = 1):
    from trainer.model import build_model, compile_model

    model = build_model(encoder, fine_tune=True, seed=1)
    compile_model(
        model,
        optimizer=optimizer,
        learning_rate=1e-3,
        learning_rate_decay="constant",
        steps=1,
        steps_per_execution=steps_per_execution,
    )
    return model


def _batches(data: str, batch_size: int):
    """A dataset without end; its batches are cut beforehand, for shuffling and batching costs as much as a step."""
    import numpy as np
    import tensorflow as tf

    from trainer.inputs import prefetched

    texts, labels = _read(data)
    order = np.random.default_rng(1).permutation(len(texts))
    order = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return prefetched(tf.data.Dataset.from_tensor_slices((texts[order], labels[order])).repeat())


def _read(data: str):
    """Texts and labels of a CSV, as arrays."""
    import numpy as np

    with Path(data).open(encoding="utf-8", newline="") as stream:
        rows = [(row["title"].encode(), float(row["label"])) for row in csv.DictReader(stream)]
    texts, labels = zip(*rows, strict=True)
    return np.array(texts, object), np.array(labels, np.float32)


def _stand_in(parent: Path, rows: int) -> str:
    """In a process of its own, whose memory goes when it ends."""
    call = [sys.executable, "-m", "pipeline", "encoder", "stand-in", str(parent), "--rows", str(rows)]
    return subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _default_encoder() -> str:
    from trainer.encoders.resolve import resolve_encoder

    return str(resolve_encoder("embedded").path)


if __name__ == "__main__":
    main()
