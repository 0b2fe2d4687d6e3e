"""One contender of `bench.training` in a process of its own: prints what it took as a line of JSON."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import csv
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the encoder's ops
import tf_keras

from bench.training_orders import Order, Plain, Point, Reached, Recipe
from trainer import casing, recipe
from trainer.encoders.resolve import resolve_encoder
from trainer.export import export_model
from trainer.inputs import prefetched
from trainer.settings import TrainerSettings
from trainer.tensorflow_setup.graph_options import training_graphs

_TRAIN_PERCENT = 70
_EVAL_BATCH_ROWS = 256

Rows = tuple[Sequence[str] | np.ndarray, np.ndarray]


class Clock:
    """Wall and CPU seconds of this process while it runs."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> Clock:
        self._began = time.monotonic(), _cpu_seconds()
        return self

    def __exit__(self, *failure: object) -> None:
        self.wall += time.monotonic() - self._began[0]
        self.cpu += _cpu_seconds() - self._began[1]


def read_rows(file: str | Path, limit: int | None = None) -> tuple[Rows, Rows]:
    """The rows of train and eval, parted by a hash of the title."""
    parts: tuple[list[tuple[str, float]], list[tuple[str, float]]] = ([], [])
    with Path(file).open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            if number == limit:
                break
            bucket = int(hashlib.sha256(row["title"].encode()).hexdigest(), 16) % 100
            parts[bucket >= _TRAIN_PERCENT].append((row["title"], float(row["label"])))
    train, held_out = (([title for title, _ in part], np.array([label for _, label in part])) for part in parts)
    return train, held_out


def trainer_settings(encoder: str, recipe: Recipe) -> TrainerSettings:
    """Returns the Trainer's settings for a recipe and the folder of an encoder."""
    here = {"encoder": encoder, "encoder_digest": "", "offline": True, "eval_batch_size": _EVAL_BATCH_ROWS}
    return TrainerSettings(**here, **recipe)  # type: ignore[arg-type]  # as the configuration has checked them


def the_articles_model(settings: TrainerSettings, rows: int) -> tf_keras.Model:
    """As the article writes it, but for the module and the seed of Keras's own initial weights."""
    initial = tf_keras.initializers.GlorotUniform(settings.seed)
    model = tf_keras.Sequential(
        [
            hub.KerasLayer(settings.encoder, input_shape=[], dtype=tf.string, trainable=True),
            tf_keras.layers.Dense(1, activation="sigmoid", kernel_initializer=initial),
        ]
    )
    # Keras compiles with XLA where it can, and it cannot compile strings.
    adam = tf_keras.optimizers.Adam(jit_compile=False)
    model.compile(adam, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


def our_model(settings: TrainerSettings, rows: int) -> tf_keras.Model:
    """As the Trainer makes it."""
    model = recipe.build(settings, settings.encoder)
    recipe.prepare(model, settings, rows)
    return model


def batches(rows: Rows, settings: TrainerSettings) -> tf.data.Dataset:
    """An epoch, shuffled anew each time and cased by policy."""
    made = tf.data.Dataset.from_tensor_slices((list(rows[0]), rows[1].astype(np.float32)))
    made = made.shuffle(len(rows[0]), seed=settings.seed).batch(settings.batch_size)
    if settings.casing == "augment":
        seeds = tf.data.Dataset.random(seed=settings.seed, rerandomize_each_iteration=True).batch(2)
        made = tf.data.Dataset.zip(made, seeds).map(lambda row, drawn: (casing.augment(row[0], drawn), row[1]))
    return prefetched(made.map(lambda title, label: (casing.normalise(title, settings.casing), label)))


def accuracy(model: tf_keras.Model, rows: Rows, policy: str) -> float:
    """Of the rows as they are."""
    titles = tf.data.Dataset.from_tensor_slices(list(rows[0])).batch(_EVAL_BATCH_ROWS)
    scores = model.predict(prefetched(titles.map(lambda batch: casing.normalise(batch, policy))), verbose=0)
    return float(np.mean((scores[:, 0] > 0.5) == rows[1]))


def reach(order: Order, settings: TrainerSettings) -> Reached:
    """Trains until an accuracy on eval, or a limit of seconds, is reached; evaluating is not counted."""
    (train, held_out), clock = read_rows(order["data"], order["rows"]), Clock()
    points: list[Point] = []
    steps_per_epoch = -(-len(train[0]) // settings.batch_size)
    every = max(1, steps_per_epoch // order["evaluations"])
    make = the_articles_model if order["contender"] == "article" else our_model
    with training_graphs(settings.precision):
        model = make(settings, len(train[0]))
        done = 0
        for count, part in _parts(batches(train, settings).repeat(settings.epochs), every):
            with clock:
                model.fit(part, steps_per_epoch=count, verbose=0)
            done += count
            reached = accuracy(model, held_out, settings.casing)
            points.append({"steps": done, "wall": clock.wall, "cpu": clock.cpu, "accuracy": reached})
            if reached >= order["wanted"] or clock.wall > order["seconds"]:
                break
    return {"points": points, "reached": points[-1]["accuracy"] >= order["wanted"]}


def plain(order: Order, settings: TrainerSettings) -> Plain:
    """Reads, trains all epochs of the recipe, evaluates both splits and saves: the work without a pipeline."""
    train, held_out = read_rows(order["data"], order["rows"])
    steps = -(-len(train[0]) // settings.batch_size) * settings.epochs
    model = our_model(settings, len(train[0]))
    with Clock() as fitting:
        training_graphs(settings.precision)(model.fit)(batches(train, settings), epochs=settings.epochs, verbose=0)
    reached = {name: accuracy(model, rows, settings.casing) for name, rows in (("train", train), ("eval", held_out))}
    export_model(model, order["output"], policy=settings.casing)
    return {"steps": steps, "fit_wall": fitting.wall, "fit_cpu": fitting.cpu, "accuracy": reached}


def _parts(dataset: tf.data.Dataset, steps: int) -> Iterator[tuple[int, tf.data.Dataset]]:
    """The dataset in pieces of so many steps, each gone through once, as one iteration of the whole."""
    iterator, spec = iter(dataset), dataset.element_spec
    while True:
        piece = [batch for _, batch in zip(range(steps), iterator, strict=False)]
        if not piece:
            return
        made = tf.data.Dataset.from_generator(lambda piece=piece: iter(piece), output_signature=spec)
        yield len(piece), prefetched(made)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(order: Order) -> Plain | Reached:
    """Runs the contender that the order names."""
    settings = trainer_settings(str(resolve_encoder(order["encoder"], offline=True).path), order["training"])
    return plain(order, settings) if order["contender"] == "plain" else reach(order, settings)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    print(json.dumps(main(json.loads(sys.argv[1]))))
