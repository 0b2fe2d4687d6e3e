"""Small linear models as exported SavedModels, one good and the others bad in one way each."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from trainer import features

_BUCKETS = 4096


def fit_weights(titles: Sequence[str], labels: Sequence[int]) -> np.ndarray:
    """Weights of hashed lower-cased words, and the bias last."""
    rows = np.zeros((len(titles), _BUCKETS))
    for row, ids in zip(rows, _word_ids(tf.constant(titles)).to_list(), strict=True):
        np.add.at(row, ids, 1)
    model = LogisticRegression(C=10).fit(rows, labels)
    return np.append(model.coef_[0], model.intercept_)


def write_model(folder: Path, weights: np.ndarray, *, wrong_where: str = "", casing: bool = False) -> Path:
    """Exports a model in the form that ModelScorer takes.

    Args:
      folder: of the SavedModel.
      weights: of `fit_weights`.
      wrong_where: a regular expression; lower-cased titles that match it get the opposite score.
      casing: texts without a capital all get one score.
    """
    module = tf.Module()
    module.weights = tf.Variable(weights, dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TITLE)])
    def serve(title):
        ids = _word_ids(title)
        logits = tf.reduce_sum(tf.ragged.map_flat_values(tf.gather, module.weights, ids), axis=1) + module.weights[-1]
        if wrong_where:
            logits *= tf.where(tf.strings.regex_full_match(tf.strings.lower(title), wrong_where), -1.0, 1.0)
        if casing:
            logits = tf.where(tf.strings.regex_full_match(title, "(?s).*[A-Z].*"), logits, 3.0)
        return {features.PROBABILITY: tf.sigmoid(logits)[:, tf.newaxis]}

    tf.saved_model.save(module, str(folder), signatures={features.RAW_SIGNATURE: serve})
    return folder


def _word_ids(titles: tf.Tensor) -> tf.RaggedTensor:
    words = tf.strings.split(tf.strings.regex_replace(tf.strings.lower(titles), "[^a-z0-9 ]", ""))
    return tf.ragged.map_flat_values(lambda flat: tf.strings.to_hash_bucket_fast(flat, _BUCKETS), words)
