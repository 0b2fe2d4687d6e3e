"""Trains the baselines on the split train and writes all splits with their scores. Needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf
from sklearn.pipeline import Pipeline

from components.baseline_scorer.models import BASELINES, TFIDF_LOWER, NoBaselineError, score_texts, train_baseline
from components.record_batches import Split, add_columns, distinct_texts, parts_of_splits, read_values, texts
from components.slices import CHALLENGE
from trainer import features

_CHUNK_ROWS = 65_536


def score_splits(sources: Mapping[str, str], targets: Mapping[str, str], max_train_rows: int) -> str:
    """Writes the rows with a column for each of `BASELINES`, and those of challenges with `tfidf_lower`.

    Args:
      sources: the folders of the splits, by name.
      targets: the folders of the splits that are written.
      max_train_rows: more are not learnt from.

    Returns:
      Why there are no such columns; empty where there are.
    """
    models, reason = train_baselines(sources[features.TRAIN_SPLIT], max_train_rows)
    home = dict(sources)
    parts: list[Mapping[str, Split]] = [home]
    if CHALLENGE in home:
        parts += parts_of_splits({CHALLENGE: home.pop(CHALLENGE)})
    for part in parts:
        score_rows(models, part, targets)
    return reason


def train_baselines(folder: str, max_rows: int) -> tuple[dict[str, Pipeline], str]:
    """Returns the models of `BASELINES`, trained on the first rows of a split; or none, and why."""
    titles: list[str] = []
    labels: list[int] = []
    for batch in read_values(folder, {features.TITLE: tf.string, features.LABEL: tf.int64}):
        titles += [title.decode() for title in batch[features.TITLE]]
        labels += batch[features.LABEL].tolist()
        if len(titles) >= max_rows:
            break
    titles, labels = titles[:max_rows], labels[:max_rows]
    try:
        return {name: train_baseline([*map(read, titles)], labels) for name, read in BASELINES.items()}, ""
    except NoBaselineError as error:
        return {}, str(error)


def score_rows(models: Mapping[str, Pipeline], sources: Mapping[str, Split], targets: Mapping[str, str]) -> None:
    """Writes rows with the scores of the models, each distinct text of all these splits scored once.

    Args:
      models: by their names; of challenges `tfidf_lower` alone scores.
      sources: the splits, or parts of them, by name: either challenges or others.
      targets: the folders of the splits that are written.
    """
    if CHALLENGE in sources:
        models = {name: model for name, model in models.items() if name == TFIDF_LOWER}
    titles = distinct_texts(sources.values(), features.TITLE) if models else set()
    scores = {name: _score_distinct(model, map(BASELINES[name], titles)) for name, model in models.items()}

    def columns_of(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        titles = texts(batch, features.TITLE)
        return {
            name: np.array([found[BASELINES[name](title)] for title in titles], np.float32)
            for name, found in scores.items()
        }

    for split, source in sources.items():
        add_columns(source, targets[split], columns_of)


def _score_distinct(model: Pipeline, found) -> dict[str, float]:
    distinct = sorted(set(found))
    scores: dict[str, float] = {}
    for start in range(0, len(distinct), _CHUNK_ROWS):
        chunk = distinct[start : start + _CHUNK_ROWS]
        scores |= zip(chunk, score_texts(model, chunk).tolist(), strict=True)
    return scores
