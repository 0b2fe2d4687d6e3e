"""Trains the baselines on the split train and writes all splits with their scores. Needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf
from sklearn.pipeline import Pipeline

from components.baseline_scorer.models import BASELINES, NoBaselineError, score_texts, train_baseline
from components.record_batches import add_columns, distinct_texts, read_values, texts
from trainer import features

_CHUNK_ROWS = 65_536


def score_splits(sources: Mapping[str, str], targets: Mapping[str, str], max_train_rows: int) -> str:
    """Writes the rows with a column for each of `BASELINES`.

    Args:
      sources: the folders of the splits, by name.
      targets: the folders of the splits that are written.
      max_train_rows: more are not learnt from.

    Returns:
      Why there are no such columns; empty where there are.
    """
    scores, reason = {}, ""
    try:
        models = _train(sources[features.TRAIN_SPLIT], max_train_rows)
    except NoBaselineError as error:
        reason = str(error)
    else:
        titles = distinct_texts(sources.values(), features.TITLE)
        scores = {name: _score_distinct(model, map(BASELINES[name], titles)) for name, model in models.items()}

    def columns_of(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        titles = texts(batch, features.TITLE)
        return {
            name: np.array([found[BASELINES[name](title)] for title in titles], np.float32)
            for name, found in scores.items()
        }

    for split, source in sources.items():
        add_columns(source, targets[split], columns_of)
    return reason


def _train(folder: str, max_rows: int) -> dict[str, Pipeline]:
    titles: list[str] = []
    labels: list[int] = []
    for batch in read_values(folder, {features.TITLE: tf.string, features.LABEL: tf.int64}):
        titles += [title.decode() for title in batch[features.TITLE]]
        labels += batch[features.LABEL].tolist()
        if len(titles) >= max_rows:
            break
    titles, labels = titles[:max_rows], labels[:max_rows]
    return {name: train_baseline([*map(read, titles)], labels) for name, read in BASELINES.items()}


def _score_distinct(model: Pipeline, found) -> dict[str, float]:
    distinct = sorted(set(found))
    scores: dict[str, float] = {}
    for start in range(0, len(distinct), _CHUNK_ROWS):
        chunk = distinct[start : start + _CHUNK_ROWS]
        scores |= zip(chunk, score_texts(model, chunk).tolist(), strict=True)
    return scores
