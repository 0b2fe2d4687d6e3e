"""tf.data from an Examples artifact: titles and labels, shuffled, bucketed by length, cased by policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tensorflow as tf

from trainer import casing, features

_PARSE_ROWS = 1024  # tf.Examples parsed in one call


def matching_files(file_patterns: Iterable[str]) -> list[str]:
    """The files behind TFX's `train_files` or `eval_files`, sorted."""
    return sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))


def count_rows(files: Sequence[str]) -> int:
    """Rows in gzipped TFRecord files."""
    return int(_records(files).batch(_PARSE_ROWS).reduce(0, lambda n, batch: n + tf.size(batch)).numpy())


def training_dataset(
    files: Sequence[str], *, batch_size: int, shuffle_buffer_rows: int, length_buckets: int, policy: str, seed: int
) -> tf.data.Dataset:
    """Batches `(title string [n], label float32 [n])`; one pass is an epoch, and each epoch is shuffled anew.

    With `length_buckets` > 1, windows of that many batches are sorted by length and cut into batches, which are then
    shuffled: an encoder that pads to the longest text of a batch does less needless work. An encoder that packs its
    tokens, as the embedded one, gains nothing.
    """
    rows = _rows(files).shuffle(shuffle_buffer_rows, seed=seed, reshuffle_each_iteration=True)
    if length_buckets > 1:
        window = batch_size * length_buckets
        batches = rows.batch(window).flat_map(
            lambda title, label: _cut_by_length(title, label, batch_size, length_buckets, seed)
        )
    else:
        batches = rows.batch(batch_size)
    if policy == "augment":
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
        batches = tf.data.Dataset.zip(batches, seeds).map(
            lambda row, drawn: (casing.augment(row[0], drawn), row[1]), num_parallel_calls=tf.data.AUTOTUNE
        )
    return _prepared(batches, policy)


def evaluation_dataset(files: Sequence[str], *, batch_size: int, policy: str) -> tf.data.Dataset:
    """Batches `(title string [n], label float32 [n])` in the files' order, cased as in serving."""
    return _prepared(_rows(files).batch(batch_size), policy)


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
    return batches.map(
        lambda title, label: (casing.normalise(title, policy), label), num_parallel_calls=tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)
