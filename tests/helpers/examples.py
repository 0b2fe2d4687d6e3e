"""Writes tf.Examples as HeadlineExampleGen does. TensorFlow is imported by the first call."""

from __future__ import annotations


def serialized_example(title: str, label: int | None = None) -> bytes:
    """One row; without a label as a client sends it."""
    import tensorflow as tf

    feature = {"title": tf.train.Feature(bytes_list=tf.train.BytesList(value=[title.encode()]))}
    if label is not None:
        feature["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
