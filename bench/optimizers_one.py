"""One optimizer of `bench.optimizers` in this process: prints what a turn took for each line that comes in.

`python -m bench.optimizers_one OPTIMIZER PRECISION ENCODER DATA BATCH_SIZE STEPS`.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import csv
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import tensorflow as tf
import tf_keras

from bench.training_one import batches, our_model, trainer_settings
from bench.training_orders import Recipe
from trainer import casing
from trainer.encoders.resolve import resolve_encoder
from trainer.fitting.steps_per_call import MOST_STEPS
from trainer.inputs import prefetched
from trainer.model import build_model, compile_model
from trainer.settings import TrainingConfig
from trainer.tensorflow_setup.graph_options import training_graphs

UNTIMED_TURNS = 2
_EQUAL_STEPS = 20


class Accuracy(TypedDict):
    """Of a model that was trained by the recipe, on the rows left out."""

    seed: int
    optimizer: str
    accuracy: float
    loss: float
    cpu_s: float


class Equality(TypedDict):
    """How far weights lie apart after the same steps by two optimizers, and how far those went."""

    steps: int
    largest_difference: float
    largest_way: float


class _Turns(tf_keras.callbacks.Callback):
    """Prints a turn's cost when an epoch ends, and waits for the next line."""

    def __init__(self, steps: int):
        super().__init__()
        self._steps = steps
        self._start = self._began = 0.0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if epoch >= UNTIMED_TURNS:
            wall = (time.perf_counter() - self._start) / self._steps
            cpu = (time.process_time() - self._began) / self._steps
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
            print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_gb": peak}), flush=True)
        if epoch + 1 >= UNTIMED_TURNS:
            self.model.stop_training = not sys.stdin.readline()
            self._start, self._began = time.perf_counter(), time.process_time()


def main() -> None:
    """Takes turns until stdin ends.

    A turn is an epoch of one long `fit`, as the Trainer calls it: a call a step from Python would cost more than the
    step, and another `fit` would begin again with the same batches.
    """
    optimizer, precision, encoder, data, batch_size, steps = sys.argv[1:]
    model = _model(encoder, optimizer, steps_per_execution=MOST_STEPS)
    turn_batches = _batches(data, int(batch_size))
    with training_graphs(precision):
        model.fit(
            turn_batches, steps_per_epoch=int(steps), epochs=sys.maxsize, verbose=0, callbacks=[_Turns(int(steps))]
        )


def default_encoder() -> str:
    """The folder of the encoder that the default preset takes."""
    return str(resolve_encoder("embedded").path)


def accuracies(
    data: str, encoder: str, recipe: Recipe, seeds: Sequence[int], optimizers: Sequence[str]
) -> Iterator[Accuracy]:
    """Trains by the recipe with each seed and optimizer, and prints each final accuracy."""
    texts, labels = _read(data)
    print(f"{os.cpu_count()} cores, {data}, {encoder}, {recipe['epochs']} epochs\n")
    print("| seed | optimizer | evaluation accuracy | loss | CPU s |")
    print("|---|---|---|---|---|")
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(texts))
        evaluated, trained = np.split(order, [len(texts) * 3 // 10])
        for name in optimizers:
            settings = trainer_settings(encoder, {**recipe, "optimizer": name, "seed": seed})
            model = our_model(settings, len(trained))
            before = time.process_time()
            training_graphs(settings.precision)(model.fit)(
                batches((texts[trained], labels[trained]), settings), epochs=settings.epochs, verbose=0
            )
            cpu = time.process_time() - before
            normal = casing.normalise(tf.constant(texts[evaluated]), settings.casing)
            loss, accuracy = model.evaluate(normal, labels[evaluated], batch_size=256, verbose=0)
            print(f"| {seed} | {name} | {accuracy:.4f} | {loss:.4f} | {cpu:.0f} |", flush=True)
            yield {"seed": seed, "optimizer": name, "accuracy": accuracy, "loss": loss, "cpu_s": cpu}


def equality(data: str, encoder: str, batch_size: int, exact: str, dense: str) -> Equality:
    """Takes the same steps by exact and by Keras's Adam, and prints how far the weights lie apart."""
    trained: dict[str, list[np.ndarray]] = {}
    for name in (exact, dense):
        model = _model(encoder, name)
        start = [weight.numpy() for weight in model.trainable_weights]
        for batch in _batches(data, batch_size).take(_EQUAL_STEPS):
            model.train_on_batch(*batch)
        trained[name] = [weight.numpy() for weight in model.trainable_weights]
    apart, way = (_largest_difference(weights, trained[dense]) for weights in (trained[exact], start))
    print(f"\nAfter {_EQUAL_STEPS} steps exact and dense Adam lie {apart:.1e} apart; the weights went {way:.1e}.")
    return {"steps": _EQUAL_STEPS, "largest_difference": apart, "largest_way": way}


def _largest_difference(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    return max(float(np.max(np.abs(before - after))) for before, after in zip(left, right, strict=True))


def _model(encoder: str, optimizer: str, steps_per_execution: int = 1) -> tf_keras.Model:
    model = build_model(encoder, fine_tune=True, seed=1)
    compile_model(
        model,
        TrainingConfig.model_validate(
            {"optimizer": optimizer, "learning_rate": 1e-3, "learning_rate_decay": "constant"}
        ),
        steps=1,
        steps_per_execution=steps_per_execution,
    )
    return model


def _batches(data: str, batch_size: int) -> tf.data.Dataset:
    """A dataset without end; its batches are cut beforehand, for shuffling and batching costs as much as a step."""
    texts, labels = _read(data)
    order = np.random.default_rng(1).permutation(len(texts))
    order = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return prefetched(tf.data.Dataset.from_tensor_slices((texts[order], labels[order])).repeat())


def _read(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Texts and labels of a CSV."""
    with Path(data).open(encoding="utf-8", newline="") as stream:
        rows = [(row["title"].encode(), float(row["label"])) for row in csv.DictReader(stream)]
    texts, labels = zip(*rows, strict=True)
    return np.array(texts, object), np.array(labels, np.float32)


if __name__ == "__main__":
    main()
