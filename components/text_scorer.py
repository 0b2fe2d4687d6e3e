"""An exported model as a function of texts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that text encoders are made of

from trainer import features
from trainer.tensorflow_setup import threads


class SignatureError(Exception):
    """A SavedModel is none that this project exports."""

    exit_code = 2


class TextScorer:
    """Scores texts by the signature that takes them, and tf.Examples by the one that parses them.

    Args:
      model_dir: of a SavedModel.
      batch_rows: texts scored at a time.
      device: TensorFlow's name of where it is done; None leaves it to TensorFlow.

    Raises:
      SignatureError: the model has no signature that maps titles to probabilities.
    """

    def __init__(self, model_dir: str | Path, batch_rows: int, device: str | None = None):
        self._device = device
        with tf.device(device):
            self._loaded = tf.saved_model.load(str(model_dir))  # a signature keeps no hold of its model
        self._signature = _titles_signature(self._loaded, model_dir)
        self._batch_rows = batch_rows

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the probability of clickbait for each text, float32 [texts]; NaN stays NaN.

        Neighbours that are alike in length and in words are scored faster.
        """
        encoded = [text.encode() for text in texts]
        batches = [encoded[start : start + self._batch_rows] for start in range(0, len(encoded), self._batch_rows)]
        with ThreadPoolExecutor(threads.SIDE_BY_SIDE) as pool:
            return np.concatenate([np.empty(0, np.float32), *pool.map(self._score, batches)])

    def score_examples(self, examples: Sequence[bytes]) -> np.ndarray:
        """Returns the probability of clickbait for each serialized tf.Example, float32 [examples], of one batch."""
        with tf.device(self._device):
            outputs = self._loaded.signatures[features.EXAMPLES_SIGNATURE](examples=tf.constant([*examples]))
        return outputs[features.PROBABILITY].numpy().ravel()

    def _score(self, batch: list[bytes]) -> np.ndarray:
        with tf.device(self._device):  # of this thread, one of the pool's
            return self._signature(title=tf.constant(batch))[features.PROBABILITY].numpy().ravel()


def _titles_signature(loaded: tf.Module, model_dir: str | Path) -> tf.types.experimental.ConcreteFunction:
    signature = loaded.signatures.get(features.RAW_SIGNATURE)
    if signature is not None:
        inputs, outputs = list(signature.structured_input_signature[1]), list(signature.structured_outputs)
        if inputs == [features.TITLE] and features.PROBABILITY in outputs:
            return signature
    raise SignatureError(
        f"The signature {features.RAW_SIGNATURE} must take {features.TITLE} and return {features.PROBABILITY}. "
        f"Received: {model_dir}, which has {', '.join(sorted(loaded.signatures)) or 'no signature'} and not that. "
        "Give a model that clickbait pushed."
    )
