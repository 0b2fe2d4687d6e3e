"""Makes datasets from an Examples artifact: titles and labels, shuffled, bucketed by length, cased by policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from trainer import casing, features
from trainer.settings import TrainingConfig

_PARSE_ROWS = 1024  # tf.Examples parsed in one call
_PREFETCHED = 2  # batches

#: Nothing in a dataset of ours needs AutoGraph's translation, which takes longer than all else that makes it.
_untranslated = tf.autograph.experimental.do_not_convert


def matching_files(file_patterns: Iterable[str]) -> list[str]:
    """Returns the files that match TFX's `train_files` or `eval_files`, sorted."""
    return sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))


def count_rows(files: Sequence[str], most: int | None = None) -> int:
    """Counts the rows in gzipped TFRecord files, up to `most`."""
    records = _records(files).take(-1 if most is None else most)
    return int(records.batch(_PARSE_ROWS).reduce(0, lambda n, batch: n + tf.size(batch)).numpy())


@_untranslated
def training_dataset(
    files: Sequence[str], training: TrainingConfig, *, first_epoch: int = 0, first_batch: int = 0
) -> tf.data.Dataset:
    """Returns batches `(title string [n], label float32 [n])` of all epochs in turn, each shuffled anew.

    The order and casing of an epoch depend on `seed` and on its number alone, so that a training that resumes in the
    middle gets the same batches.

    With `length_buckets` > 1, windows of that many batches are sorted by length and cut into batches, which are then
    shuffled: an encoder that pads to the longest text of a batch does less needless work. An encoder that packs its
    tokens, as the embedded one, gains nothing.

    Args:
      files: from `matching_files`.
      training: the section, for the epochs, the rows of a batch (the last of an epoch may have fewer), the shuffle's
        window, the batches of a length-sorted window, the casing, and the seed of order and casing.
      first_epoch: the epoch to begin with, counted from 0.
      first_batch: how many batches of that epoch to leave out.
    """
    rows, batch_size, length_buckets = _rows(files), training.batch_size, training.length_buckets

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        drawn = tf.random.stateless_uniform([2], [training.seed, epoch], minval=None, maxval=None, dtype=tf.int64)
        shuffled = rows.shuffle(training.shuffle_buffer_rows, seed=drawn[0], reshuffle_each_iteration=False)
        if length_buckets > 1:
            window = batch_size * length_buckets
            batches = shuffled.batch(window).flat_map(
                lambda title, label: _cut_by_length(title, label, batch_size, length_buckets, drawn[1])
            )
        else:
            batches = shuffled.batch(batch_size)
        left_out = tf.where(epoch == first_epoch, tf.cast(first_batch, tf.int64), 0)
        return batches.enumerate().skip(left_out).map(lambda number, row: ([drawn[0], number], *row))

    batches = tf.data.Dataset.range(first_epoch, training.epochs).flat_map(one_epoch)
    augment = casing.augment if training.casing == "augment" else lambda title, _: title
    return _prepared(
        batches.map(lambda seeds, title, label: (augment(title, seeds), label), num_parallel_calls=tf.data.AUTOTUNE),
        training.casing,
    )


@_untranslated
def evaluation_dataset(
    files: Sequence[str], *, batch_size: int, policy: str, first_rows: int | None = None
) -> tf.data.Dataset:
    """Returns batches `(title string [n], label float32 [n])` in the files' order, cased as in serving, of known count.

    Args:
      files: from `matching_files`.
      batch_size: rows of a batch.
      policy: one of `trainer.casing.POLICIES`.
      first_rows: how many rows, at most; all if not given.
    """
    count = count_rows(files, first_rows)
    batches = _prepared(_rows(files).take(count).batch(batch_size), policy)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))


def read_rows(files: Sequence[str]) -> tuple[list[bytes], np.ndarray]:
    """Reads titles, UTF-8 as they are, and labels, int64 [n], into memory, in the files' order."""
    titles: list[bytes] = []
    labels: list[np.ndarray] = []
    for title, label in _rows(files).batch(_PARSE_ROWS).as_numpy_iterator():
        titles.extend(title)
        labels.append(label)
    return titles, np.concatenate([np.zeros(0, np.int64), *labels]).astype(np.int64)


def prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetches batches, without TensorFlow's tuning of buffers and threads.

    The thread that tunes sleeps for up to a minute, and the end of an iterator, as in `fit`, may wait until it wakes.
    `tf.data.AUTOTUNE` stands for a thread for each core then.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_PREFETCHED).with_options(options)


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP")


def _rows(files: Sequence[str]) -> tf.data.Dataset:
    spec = {
        features.TITLE: tf.io.FixedLenFeature([], tf.string),
        features.LABEL: tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(serialized):
        parsed = tf.io.parse_example(serialized, spec)
        return parsed[features.TITLE], tf.cast(parsed[features.LABEL], tf.float32)

    return _records(files).batch(_PARSE_ROWS).map(parse, num_parallel_calls=tf.data.AUTOTUNE).unbatch()


def _cut_by_length(title, label, batch_size, buckets, seed) -> tf.data.Dataset:
    order = tf.argsort(tf.strings.length(title, unit="UTF8_CHAR"))
    window = tf.data.Dataset.from_tensor_slices((tf.gather(title, order), tf.gather(label, order)))
    return window.batch(batch_size).shuffle(buckets, seed=seed)


def _prepared(batches: tf.data.Dataset, policy: str) -> tf.data.Dataset:
    cased = batches.map(
        lambda title, label: (casing.normalise(title, policy), label), num_parallel_calls=tf.data.AUTOTUNE
    )
    return prefetched(cased)
