"""A file of texts as shards of tf.Examples. Needs no TFX."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from serving.client.bulk.files import file_digest, open_source
from serving.client.errors import FileError
from trainer import features

ROW = "row"

_SHARD_ROWS = 100_000
_CHUNK_ROWS = 10_000


def write_examples(path: str, text_column: str, content_digest: str, folder: str | Path) -> int:
    """Writes gzipped TFRecords, and returns how many rows the file has.

    Args:
      path: of the file.
      text_column: its column of texts.
      content_digest: sha256 that the file must have.
      folder: for the shards; a file without rows makes one that is empty.

    Raises:
      FileError: the file cannot be read, a row has no text, or the content is another.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = enumerate(_texts(path, text_column))
    written = 0
    for number in itertools.count():
        shard = Path(folder, f"data_tfrecord-{number:05d}.gz")
        with tf.io.TFRecordWriter(str(shard), "GZIP") as writer:
            for row, text in itertools.islice(rows, _SHARD_ROWS):
                writer.write(_example(row, text))
                written += 1
        if written < (number + 1) * _SHARD_ROWS:
            break
    if file_digest(path) != content_digest:
        raise FileError(
            f"The file must not change while a run reads it. Received: {path}, which has changed since the run began. "
            "Run again."
        )
    return written


def _texts(path: str, text_column: str) -> Iterator[str]:
    for chunk in open_source(path, text_column).chunks(_CHUNK_ROWS):
        yield from chunk.texts


def _example(row: int, text: str) -> bytes:
    example = tf.train.Example()
    example.features.feature[features.TITLE].bytes_list.value.append(text.encode())
    example.features.feature[ROW].int64_list.value.append(row)
    return example.SerializeToString()
