"""An encoder's vectors of texts, and a classifier of them while the encoder stays as it is."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the ops that text encoders are made of
from sklearn.linear_model import LogisticRegression

_BATCH_ROWS = 1024
#: Inverse strength of the penalty on the weights, as scikit-learn's `C`; vectors have length 1.
_C = 10.0


def encode(encoder: Path, texts: Sequence[str]) -> np.ndarray:
    """Returns the vectors of texts, float32 [texts, dimension].

    Args:
      encoder: folder of a TF2 reusable SavedModel that passes `check_encoder`.
      texts: one or more; bytes that are not UTF-8 are as Python's `surrogateescape` has them.
    """
    loaded = hub.load(str(encoder))
    encoded = [text.encode(errors="surrogateescape") for text in texts]
    batches = (encoded[start : start + _BATCH_ROWS] for start in range(0, len(encoded), _BATCH_ROWS))
    return np.concatenate([loaded(tf.constant(batch)).numpy() for batch in batches])


def fit_classifier(vectors: np.ndarray, labels: np.ndarray, *, copies: int = 1) -> LogisticRegression:
    """Fits logistic regression to vectors [n, dimension] and labels, 0 or 1 [n], and both.

    Args:
      vectors: of `copies` ways of writing each title, so that the penalty counts as of the titles alone.
      labels: of the vectors.
      copies: how many there are of a title.
    """
    return LogisticRegression(C=_C / copies, solver="newton-cholesky").fit(vectors, labels)
