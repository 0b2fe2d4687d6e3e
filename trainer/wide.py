"""The wide part of a model: a logit from the lower-cased words and character n-grams of a title.

An encoder reads what a title means; a linear model reads which words and spellings it consists of. Few rows teach them
different things, so that the two together are better than either. This part sees lower case alone, so that a title's
casing changes its logit only where a letter has no way back, as the German sharp s. It knows no language: words are
what white space parts, signs are words of their own, and n-grams stay between two spaces, so that a script without
spaces is read by its n-grams.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from trainer import casing

#: Hash buckets of words and pairs of words, and behind them those of character n-grams.
WORD_BUCKETS, CHARACTER_BUCKETS = 2**17, 2**18
BUCKETS = WORD_BUCKETS + CHARACTER_BUCKETS

_WORDS = (1, 2)
_CHARACTERS = (2, 3, 4, 5)
#: Inverse strength of the penalty on the weights, as scikit-learn's `C`.
_C = 10.0
_TITLES = 1024  # counted in one call


@dataclasses.dataclass(frozen=True)
class WideWeights:
    """What `fit` learns, for `WideLogit`."""

    importance: np.ndarray
    """Inverse document frequency of each bucket, float32 [BUCKETS]; 0 where no training title falls into it."""
    kernel: np.ndarray
    """Weight of each bucket, float32 [BUCKETS]."""
    bias: float


class WideLogit(tf_keras.layers.Layer):
    """Maps titles, string [n], to logits, float32 [n, 1]; training leaves its weights as they are.

    Args:
      weights: from `fit`; all zero if not given, for a layer whose weights are loaded.
    """

    def __init__(self, weights: WideWeights | None = None, *, name: str = "wide"):
        super().__init__(name=name)
        self._initial = weights

    def build(self, input_shape) -> None:
        initial = self._initial or WideWeights(np.zeros(BUCKETS), np.zeros(BUCKETS), 0.0)
        for field in dataclasses.fields(WideWeights):
            value = np.asarray(getattr(initial, field.name), np.float32)
            initializer = tf_keras.initializers.Constant(value)
            # Not trainable whatever the model is: `trainable` of a model is set for all of its layers.
            weight = self.add_weight(field.name, value.shape, initializer=initializer, trainable=False)
            setattr(self, field.name, weight)
        super().build(input_shape)

    def call(self, titles: tf.Tensor) -> tf.Tensor:
        rows, buckets, counts = _count(titles)
        values = _weighted(rows, buckets, counts, self.importance, tf.size(titles))
        logits = tf.math.unsorted_segment_sum(values * tf.gather(self.kernel, buckets), rows, tf.size(titles))
        return (logits + self.bias)[:, tf.newaxis]


def count(titles: Sequence[str | bytes]) -> sparse.csr_matrix:
    """Counts the words and n-grams of titles by their buckets, float32 [titles, BUCKETS]."""
    parts = [sparse.csr_matrix((0, BUCKETS), dtype=np.float32)]
    for batch in _batches(titles):
        rows, buckets, counts = (tensor.numpy() for tensor in _counting(batch))
        parts.append(sparse.csr_matrix((counts, (rows, buckets)), (len(batch), BUCKETS)))
    return sparse.vstack(parts, format="csr")


def fit(titles: Sequence[str | bytes], labels: Sequence[int] | np.ndarray) -> WideWeights:
    """Fits the weights by logistic regression; equal rows in equal order make equal weights.

    Args:
      titles: in any casing.
      labels: 0 or 1, and both.
    """
    return fit_counts(count(titles), labels)


def fit_counts(counts: sparse.csr_matrix, labels: Sequence[int] | np.ndarray) -> WideWeights:
    """Fits the weights as `fit` does, to counts from `count`, so that folds of the same titles count them once."""
    frequency = np.bincount(counts.indices, minlength=BUCKETS)
    present = np.flatnonzero(frequency)
    importance = np.zeros(BUCKETS, np.float32)
    importance[present] = np.log((1 + counts.shape[0]) / (1 + frequency[present])) + 1
    # Of scikit-learn's solvers for sparse data the quickest, and one that draws nothing at random.
    model = LogisticRegression(C=_C, solver="liblinear").fit(weigh(counts, importance)[:, present], labels)
    kernel = np.zeros(BUCKETS, np.float32)
    kernel[present] = model.coef_[0]
    return WideWeights(importance, kernel, float(model.intercept_[0]))


def logits_of_counts(weights: WideWeights, counts: sparse.csr_matrix) -> np.ndarray:
    """Returns the logits of `WideLogit`, float32 [titles], of titles from their counts."""
    return weigh(counts, weights.importance) @ weights.kernel + np.float32(weights.bias)


def weigh(counts: sparse.csr_matrix, importance: np.ndarray) -> sparse.csr_matrix:
    """Weighs counts as TF-IDF: 1 + log of a count, times the importance; words and n-grams of length 1 each."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    values = _weighted(rows, counts.indices.astype(np.int64), counts.data, importance, counts.shape[0]).numpy()
    return sparse.csr_matrix((values, counts.indices, counts.indptr), counts.shape)


def _batches(titles: Sequence[str | bytes]) -> Iterator[tf.Tensor]:
    for begin in range(0, len(titles), _TITLES):
        yield tf.constant(titles[begin : begin + _TITLES])


def _count(titles: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Counts the words and n-grams in titles, string [n].

    Returns:
      Of each bucket that a title falls into: the title's row int64 [k], the bucket int64 [k], how often float32 [k].
    """
    # TensorFlow parts words at ASCII's white space alone.
    spaced = tf.strings.regex_replace(casing.lower(titles), r"[\s\p{Z}\p{Cc}]+", " ")
    tokens = tf.strings.split(tf.strings.regex_replace(spaced, r"([^\p{L}\p{M}\p{N}_ ])", r" \1 "))
    words = tf.strings.ngrams(tokens, _WORDS, separator=" ")
    parts = tf.strings.split(spaced)
    distinct, places = tf.unique(parts.flat_values)
    spelled = tf.strings.unicode_decode(tf.strings.join([" ", distinct, " "]), "UTF-8")
    # `unicode_split` copies a word for each of its characters.
    spelled = spelled.with_flat_values(tf.strings.unicode_encode(spelled.flat_values[:, tf.newaxis], "UTF-8"))
    characters = tf.gather(tf.strings.ngrams(spelled, _CHARACTERS, separator=""), places)
    rows = tf.concat([_row_ids(words), tf.gather(_row_ids(parts), _row_ids(characters))], axis=0)
    buckets = tf.concat(
        [
            tf.strings.to_hash_bucket_fast(words.flat_values, WORD_BUCKETS),
            tf.strings.to_hash_bucket_fast(characters.flat_values, CHARACTER_BUCKETS) + WORD_BUCKETS,
        ],
        axis=0,
    )
    distinct_pairs, _, counts = tf.unique_with_counts(rows * BUCKETS + buckets)
    return distinct_pairs // BUCKETS, distinct_pairs % BUCKETS, tf.cast(counts, tf.float32)


def _row_ids(ragged: tf.RaggedTensor) -> tf.Tensor:
    """Returns `value_rowids()`, int64 [values], which in a graph takes the memory of all rows times the longest."""
    splits, count = ragged.row_splits, tf.size(ragged.flat_values, tf.int64)
    begun = tf.math.unsorted_segment_sum(tf.ones_like(splits[1:-1]), splits[1:-1], count + 1)
    return tf.cumsum(begun[:-1])


#: `_count` as a graph, whose operations need no Python in between.
_counting = tf.function(_count, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def _weighted(
    rows: tf.Tensor, buckets: tf.Tensor, counts: tf.Tensor, importance: tf.Tensor, titles: tf.Tensor | int
) -> tf.Tensor:
    """Returns the TF-IDF of each count, float32 [k]; a title's words together have length 1, and so have its n-grams.

    Args:
      rows: of the titles, int64 [k].
      buckets: int64 [k].
      counts: of a bucket in a title, float32 [k].
      importance: of each bucket, float32 [BUCKETS].
      titles: how many there are.
    """
    values = (1.0 + tf.math.log(counts)) * tf.gather(importance, buckets)
    halves = 2 * rows + tf.cast(buckets >= WORD_BUCKETS, tf.int64)
    squares = tf.math.unsorted_segment_sum(values**2, halves, 2 * titles)
    return tf.math.divide_no_nan(values, tf.sqrt(tf.gather(squares, halves)))
