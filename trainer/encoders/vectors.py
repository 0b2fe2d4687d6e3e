"""An encoder's vectors of texts."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the ops that text encoders are made of

_BATCH_ROWS = 1024


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
