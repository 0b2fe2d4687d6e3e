"""`make bench`: seeds and casings of the default preset, beside linear baselines, on one split.

Each seed is a whole run of the pipeline in a process of its own; the casings are scored with its SavedModel.
Prints Markdown; `clickbait fetch` first, or give --data.
"""

from __future__ import annotations

import math

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the encoder's ops
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from bench.processes import run_module
from pipeline.results.lineage import read_outputs
from pipeline.results.run_folders import read_run
from trainer import features

CASINGS: dict[str, Callable[[str], str]] = {"as is": str, "lower": str.lower, "Title": str.title, "UPPER": str.upper}
ARTICLE_EXAMPLES = (
    "21 Pictures That Will Make You Feel Like You're 99 Years Old",
    "Google announces TensorFlow 2.0",
)
BASELINES = {
    "LinearSVC, characters 2-5, cased": {"analyzer": "char", "ngram_range": (2, 5), "lowercase": False},
    "LinearSVC, words 1-2, cased": {"ngram_range": (1, 2), "lowercase": False},
    "LinearSVC, words 1-2, lower-cased": {"ngram_range": (1, 2), "lowercase": True},
}
_BATCH_ROWS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data", default="data/clickbait.csv")
    parser.add_argument("--output", default=None, help="keeps the runs there; by default they are thrown away")
    parser.add_argument("--no-baselines", action="store_true", help="leaves out the linear models")
    parser.add_argument("rest", nargs="*", help="after `--`: goes on to `clickbait run`")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(args.output or scratch)
        print(f"{os.cpu_count()} cores, {args.data}\n")
        print("| model | " + " | ".join(CASINGS) + " | train (as is) | examples | wall s | CPU s | peak GB |")
        print("|---|" + "---|" * (len(CASINGS) + 5))
        for seed in args.seeds:
            print(_seed_row(seed, args.data, output / f"seed-{seed}", args.rest), flush=True)
        train, held_out = (_read_split(output / f"seed-{args.seeds[0]}", split) for split in ("train", "eval"))
    for name, options in BASELINES.items() if not args.no_baselines else ():
        model = make_pipeline(TfidfVectorizer(**options), LinearSVC()).fit(*train)
        figures = [
            _percent(model.predict([casing(text) for text in held_out[0]]), held_out[1]) for casing in CASINGS.values()
        ]
        print(f"| {name} | " + " | ".join(figures) + " | | | | | |", flush=True)


def _seed_row(seed: int, data: str, output: Path, rest: Sequence[str]) -> str:
    call = ["pipeline", "run", "--data", data, "--seed", str(seed), "--output", str(output), *rest]
    ended = run_module(call, shows_log=True)
    name = " ".join([f"seed {seed}", *rest])
    verdict = read_run(output)
    if not verdict.thresholds:
        return f"| {name} | exit {ended.code}: {verdict.reason} |"
    model = read_outputs(output / "metadata.db", "clickbait")["Trainer"]["model"]
    signature = tf.saved_model.load(f"{model.uri}/Format-Serving").signatures[features.RAW_SIGNATURE]
    titles, labels = _read_split(output, features.EVAL_SPLIT)
    scored = {name: _score(signature, [casing(text) for text in titles]) for name, casing in CASINGS.items()}
    figures = [_percent(scores > 0.5, labels) for scores in scored.values()]
    reached = {
        threshold.split: threshold.observed or math.nan
        for threshold in verdict.thresholds
        if threshold.rule == "accuracy"
    }
    train = reached[features.TRAIN_SPLIT]
    examples = ", ".join(f"{score:.3f}" for score in _score(signature, ARTICLE_EXAMPLES))
    cost = f"{ended.wall:.0f} | {ended.cpu:.0f} | {ended.peak_kib / 1e6:.1f}"
    return f"| {name}, {verdict.status} | " + " | ".join(figures) + f" | {100 * train:.2f} | {examples} | {cost} |"


def _read_split(output: Path, split: str) -> tuple[list[str], np.ndarray]:
    examples = read_outputs(output / "metadata.db", "clickbait")["HeadlineExampleGen"]["examples"]
    files = [str(file) for file in sorted(Path(examples.uri, f"Split-{split}").iterdir())]
    titles, labels = [], []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        row = tf.train.Example.FromString(record).features.feature
        titles.append(row[features.TITLE].bytes_list.value[0].decode())
        labels.append(row[features.LABEL].int64_list.value[0])
    return titles, np.array(labels)


def _score(signature, texts: Sequence[str]) -> np.ndarray:
    batches = [texts[start : start + _BATCH_ROWS] for start in range(0, len(texts), _BATCH_ROWS)]
    scores = [signature(**{features.TITLE: tf.constant(batch)})[features.PROBABILITY] for batch in batches]
    return tf.concat(scores, axis=0).numpy()[:, 0]


def _percent(predicted: np.ndarray, labels: np.ndarray) -> str:
    return f"{100 * np.mean(predicted == labels):.2f}"


if __name__ == "__main__":
    main()
