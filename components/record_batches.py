"""The files of an Examples artifact as Arrow batches, in their order, coded by tfx_bsl in C++."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator
from tfx_bsl.coders import example_coder

from components.slices import SPLIT_VARIANTS

_BATCH_ROWS = 8192
# Compressing by zlib's default took most of the time of writing; this takes a third of that.
_COMPRESSION = tf.io.TFRecordOptions("GZIP", compression_level=1)
_PARTIAL = ".partial"


Split = str | Path | Sequence[Path]
"""The folder of a split, or some of its files."""

Part = dict[str, list[Path]]
"""The files of some rows of a split, in all their variants, by the split's name."""


def list_files(split: Split) -> list[Path]:
    """Returns the files of a split, in the order in which its rows are counted."""
    return sorted(Path(split).glob("*.gz")) if isinstance(split, str | Path) else [*split]


def parts_of_splits(sources: Mapping[str, str]) -> list[Part]:
    """Returns the parts of splits, each with all variants of its rows.

    Part by part, memory stays bounded however many rows there are. VariantExampleGen writes all files of a variant
    before those of the next.

    Args:
      sources: the folders of the splits, by name.
    """
    parts = []
    for split, folder in sources.items():
        files = list_files(folder)
        count = len(files) // len(SPLIT_VARIANTS[split])
        parts += [{split: files[number::count]} for number in range(count)]
    return parts


def read_batches(file: str | Path) -> Iterator[pa.RecordBatch]:
    """Reads the rows of a file, bounded in memory; each column is a list of values per row."""
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    for records in _batched(file):
        yield decoder.DecodeBatch(records)


def count_rows(file: str | Path) -> int:
    """Returns how many rows a file has, without decoding them."""
    return sum(1 for _ in _records(file))


def feature_names(files: Iterable[str | Path]) -> set[str]:
    """Returns the names of the first row's features; none where no file has a row."""
    for record in itertools.chain.from_iterable(map(_records, files)):
        return {*tf.train.Example.FromString(record).features.feature}
    return set()


def read_split(split: Split) -> Iterator[pa.RecordBatch]:
    """Reads the rows of all files of a split."""
    for file in list_files(split):
        yield from read_batches(file)


def read_values(split: Split, types: Mapping[str, tf.DType]) -> Iterator[dict[str, np.ndarray]]:
    """Reads some columns of all files, one value per row, at half the cost of whole batches; a text is `bytes`.

    Args:
      split: with these columns.
      types: of the columns, by their names: `tf.string`, `tf.int64` or `tf.float32`.
    """
    spec = {name: tf.io.FixedLenFeature([], kind) for name, kind in types.items()}
    for file in list_files(split):
        for records in _batched(file):
            yield {name: column.numpy() for name, column in tf.io.parse_example(records, spec).items()}


def distinct_texts(splits: Iterable[Split], name: str) -> set[str]:
    """Returns the distinct texts of a column of these splits."""
    values = (batch[name] for split in splits for batch in read_values(split, {name: tf.string}))
    return {text.decode() for batch in values for text in batch}


@contextlib.contextmanager
def open_writer(file: str | Path) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Yields a function that appends a batch to the file, which is there once it is whole."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    encoder = example_coder.RecordBatchToExamplesEncoder()
    # An engine may run a step twice, or lose its worker.
    partial = file.with_name(f"{file.name}-{secrets.token_hex(4)}{_PARTIAL}")
    try:
        with tf.io.TFRecordWriter(str(partial), _COMPRESSION) as writer:

            def write(batch: pa.RecordBatch) -> None:
                for record in encoder.encode(batch):
                    writer.write(record)

            yield write
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(folders: Iterable[str | Path]) -> None:
    """Removes what writers left in these folders that were killed."""
    for folder in folders:
        for partial in Path(folder).glob(f"*{_PARTIAL}"):
            partial.unlink()


def add_columns(source: Split, target: str | Path, make: Callable[[pa.RecordBatch], Mapping[str, np.ndarray]]) -> None:
    """Writes a split again, file by file, with columns added.

    Args:
      source: the split.
      target: the folder of the new split.
      make: the values of a batch's new columns, by their names.
    """
    for file in list_files(source):
        with open_writer(Path(target, file.name)) as write:
            for batch in read_batches(file):
                write(with_columns(batch, make(batch)))


def with_columns(batch: pa.RecordBatch, columns: Mapping[str, np.ndarray | Iterable[object]]) -> pa.RecordBatch:
    """Returns a batch with columns added, or replaced by their names; one value per row."""
    values = dict(zip(batch.schema.names, batch.columns, strict=True)) | {
        name: singles(column) for name, column in columns.items()
    }
    return pa.RecordBatch.from_arrays(list(values.values()), list(values))


def texts(batch: pa.RecordBatch, name: str) -> list[str]:
    """Returns the first value of each row of a column of texts."""
    return pc.list_element(batch.column(batch.schema.get_field_index(name)), 0).cast(pa.large_string()).to_pylist()


def numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Returns the first value of each row of a column of numbers, [rows]."""
    return pc.list_element(batch.column(batch.schema.get_field_index(name)), 0).to_numpy(zero_copy_only=False)


def singles(values: pa.Array | np.ndarray | Iterable[object]) -> pa.LargeListArray:
    """Returns a column of one value per row; a null is a value that is null."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    if pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        array = array.cast(pa.large_binary())
    return pa.LargeListArray.from_arrays(pa.array(np.arange(len(array) + 1), pa.int64()), array)


def _batched(file: str | Path) -> Iterator[list[bytes]]:
    records = _records(file)
    while batch := [*itertools.islice(records, _BATCH_ROWS)]:
        yield batch


def _records(file: str | Path) -> Iterator[bytes]:
    # A tf.data.Dataset takes 40 ms before its first record, and twice the time of this for each.
    records: Iterator[bytes] = RecordIterator(str(file), "GZIP")
    return records
