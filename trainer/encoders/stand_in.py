"""A stand-in for Universal Sentence Encoder 4: its signature and its size, with random weights.

For tests and measurements where the module itself is not available: it costs what USE 4 costs, and knows no language.
The shape is that of https://tfhub.dev/google/universal-sentence-encoder/4, a deep averaging network (Iyyer et al.,
2015, https://aclanthology.org/P15-1162): rows for words and bigrams, added up over the square root of their count, and
a small dense network without biases. 256,797,824 weights at the full table.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from trainer.encoders.errors import EncoderError

NAME = "use-4-stand-in-of-random-weights"
TABLE_ROWS = 800_010

_WIDTH, _DIMENSION = 320, 512
_LAYERS = {
    "hidden_1": (_WIDTH, _WIDTH),
    "hidden_2": (_WIDTH, _WIDTH),
    "hidden_3": (_WIDTH, _DIMENSION),
    "projection": (_WIDTH, _DIMENSION),
    "output": (_DIMENSION, _DIMENSION),
}
_ROWS_A_TIME = 65_536


class StandInEncoder(tf.train.Checkpoint):
    """String [n] to unit vectors float32 [n, 512], as a TF2 reusable SavedModel.

    Args:
      table_rows: words share the first half of the table by their hashes, bigrams the second.
    """

    def __init__(self, table_rows: int = TABLE_ROWS):
        super().__init__()
        self._words = table_rows // 2
        self._bigrams = table_rows - self._words
        self._table = tf.Variable(tf.zeros([table_rows, _WIDTH]), name="random_weights/embeddings")
        for start in range(0, table_rows, _ROWS_A_TIME):  # the whole table at once would be there three times
            rows = min(_ROWS_A_TIME, table_rows - start)
            self._table[start : start + rows].assign(_random([rows, _WIDTH], _WIDTH, seed=start))
        self._layers = {
            name: tf.Variable(_random(shape, shape[0], seed=-1 - number), name=f"random_weights/{name}")
            for number, (name, shape) in enumerate(_LAYERS.items())
        }
        self.variables = [self._table, *self._layers.values()]
        self.trainable_variables = list(self.variables)
        self.regularization_losses: list[Callable[[], tf.Tensor]] = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        words = tf.strings.split(inputs)
        bigrams = tf.strings.ngrams(words, 2)
        ids = tf.concat([_hashes(words, self._words), _hashes(bigrams, self._bigrams) + self._words], axis=1)
        embedded = tf.gather(self._table, ids.flat_values)
        # One kernel each way: the gradient of an unsorted sum would be half a dozen.
        mean = tf.sparse.segment_sqrt_n(
            embedded, tf.range(tf.shape(embedded)[0]), ids.value_rowids(), num_segments=tf.size(inputs)
        )
        w = self._layers
        hidden = tf.nn.relu(tf.nn.relu(mean @ w["hidden_1"]) @ w["hidden_2"])
        wide = tf.nn.relu(hidden @ w["hidden_3"] + mean @ w["projection"])
        return tf.math.l2_normalize(tf.tanh(wide @ w["output"]), axis=1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def serve(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes the signature `serving_default`, as USE 4 has it."""
        return {"outputs": self(inputs)}


def save_stand_in(parent: str | Path, table_rows: int = TABLE_ROWS) -> Path:
    """Writes the module (1.03 GB at the full table) to the folder `NAME` in `parent`.

    Raises:
      EncoderError: the folder exists, or cannot be written.
    """
    folder = Path(parent) / NAME
    if folder.exists():
        raise EncoderError(f"The stand-in's folder must be new. Received: {folder}, which exists. Remove it.")
    module = StandInEncoder(table_rows)
    try:
        tf.saved_model.save(module, str(folder), signatures=module.serve)
    except (OSError, tf.errors.OpError) as error:
        raise EncoderError(
            f"The stand-in's folder must be writable and have room for {4 * table_rows * _WIDTH / 1e9:.2f} GB and "
            f"more. Received: {folder}, {error}. Give another."
        ) from error
    return folder


def _hashes(texts: tf.RaggedTensor, buckets: int) -> tf.RaggedTensor:
    return tf.ragged.map_flat_values(lambda flat: tf.strings.to_hash_bucket_fast(flat, buckets), texts)


def _random(shape, inputs: int, seed: int) -> tf.Tensor:
    # As long as trained rows are, whatever the width.
    return tf.random.stateless_normal(shape, [4, seed], stddev=inputs**-0.5)
