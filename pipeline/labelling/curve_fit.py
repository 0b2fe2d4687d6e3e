"""Trains one model of a learning curve and scores the held-out rows: `python -m pipeline.labelling.curve_fit FOLDER`.

In a process of its own, so that the memory of a training is free when it ends, and a training that is killed takes no
other along.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from pydantic import JsonValue
from pydantic.dataclasses import dataclass

from components.errors import describe_failure
from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.results.words import FINE_TUNED, FROZEN, PUSHED, WARM_START
from serving.whole_file import write_whole
from trainer import features

JOB_FILE, RESULT_FILE = "job.json", "result.json"
_BATCH_ROWS = 256
_KILOBYTE = 1 if sys.platform == "darwin" else 1024  # what a unit of ru_maxrss is, in bytes


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Job(Recorded):
    """A model that is to be trained."""

    recipe: str
    titles: list[str]
    labels: list[int]
    held_out: list[str]
    held_out_labels: list[int]
    """For the metrics of the epochs alone."""
    settings: dict[str, JsonValue]
    """`TrainerSettings`."""
    encoder: str
    """The folder of the encoder's SavedModel."""
    pushed: str | None = None
    """The folder of the last pushed model."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Fitted(Recorded):
    """What came of a job."""

    scores: list[float] = field(default_factory=list)
    """Probabilities of class 1 of the held-out rows."""
    seconds: float = 0.0
    """From the imports to the last score."""
    memory_bytes: int = 0
    """Most that was resident."""
    error: str = ""


def main(folder: Path) -> None:
    """Reads the job in a folder, and writes its result beside it."""
    began = time.monotonic()
    job = Job.from_json((folder / JOB_FILE).read_bytes())
    try:
        scores = FITS.get(job.recipe, _linear)(job, folder)
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        fitted = Fitted(error=describe_failure(error)[1])
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE
        fitted = Fitted([float(score) for score in scores], round(time.monotonic() - began, 2), peak)
    write_whole(folder / RESULT_FILE, json.dumps(fitted.as_dict()))


def _fine_tuned(job: Job, folder: Path) -> np.ndarray:
    """Trains as the Trainer does, from the encoder or from the pushed model."""
    from trainer.fine_tune import fine_tune

    splits = {}
    for split, titles, labels in (
        (features.TRAIN_SPLIT, job.titles, job.labels),
        (features.EVAL_SPLIT, job.held_out, job.held_out_labels),
    ):
        splits[split] = folder / f"{split}.gz"
        _write_examples(splits[split], titles, labels)
    model = folder / "model"
    fine_tune(
        SimpleNamespace(
            train_files=[str(splits[features.TRAIN_SPLIT])],
            eval_files=[str(splits[features.EVAL_SPLIT])],
            custom_config=job.settings,
            hyperparameters=None,
            base_model=job.pushed if job.recipe == WARM_START else None,
            serving_model_dir=str(model),
            model_run_dir=str(folder / "logs" / "1"),
        )
    )
    return _scores_of(model, job.held_out)


def _pushed(job: Job, folder: Path) -> np.ndarray:
    assert job.pushed is not None
    return _scores_of(Path(job.pushed), job.held_out)


def _scores_of(model: Path, titles: Sequence[str]) -> np.ndarray:
    from components.text_scorer import TextScorer

    return TextScorer(model, _BATCH_ROWS)(titles)


def _frozen(job: Job, folder: Path) -> np.ndarray:
    """Fits logistic regression to the encoder's vectors."""
    from trainer.encoders.vectors import encode, fit_classifier

    vectors = encode(Path(job.encoder), [*job.titles, *job.held_out])
    model = fit_classifier(vectors[: len(job.titles)], np.array(job.labels))
    scores: np.ndarray = model.predict_proba(vectors[len(job.titles) :])[:, 1]
    return scores


def _linear(job: Job, folder: Path) -> np.ndarray:
    """Trains a baseline of BaselineScorer."""
    from components.baseline_scorer.models import BASELINES, score_texts, train_baseline

    read = BASELINES[job.recipe]
    return score_texts(train_baseline([*map(read, job.titles)], job.labels), [*map(read, job.held_out)])


def _write_examples(path: Path, titles: Sequence[str], labels: Sequence[int]) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for title, label in zip(titles, labels, strict=True):
            text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[title.encode()]))
            number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            named = tf.train.Features(feature={features.TITLE: text, features.LABEL: number})
            writer.write(tf.train.Example(features=named).SerializeToString())


FITS: dict[str, Callable[[Job, Path], np.ndarray]] = {
    FINE_TUNED: _fine_tuned,
    WARM_START: _fine_tuned,
    FROZEN: _frozen,
    PUSHED: _pushed,
}
"""By recipe; all others are baselines."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
