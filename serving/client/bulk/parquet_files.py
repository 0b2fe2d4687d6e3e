"""Parquet files: all columns keep their types. Only these need pyarrow, whose import costs 0.3 s CPU."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.classes import Unsure
from serving.client.bulk.rows import PREDICTION, Chunk, Contents, no_column, no_text, predictions
from serving.client.bulk.text_sinks import rows_of
from serving.client.errors import FileError
from trainer.features import PROBABILITY

_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "json": pa.string(),
}


_BINARY = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
# A text that stands in the file once may be that of all rows: a few kilobytes would become terabytes.
_MOST_TEXT_BYTES = 1 << 20
_MOST_BATCH_BYTES = 1 << 28

# What pyarrow.PyExtensionType writes: a type that is made by unpickling bytes of the file, which can run any code.
_PICKLED = "arrow.py_extension_type"


class ParquetSource:
    """A Parquet file whose column of texts is of strings or of UTF-8 in bytes.

    Args:
      path: of the file.
      text_column: the name of its column of texts.
    """

    def __init__(self, path: str, text_column: str):
        self.path = path
        self.text_column = text_column

    def scan(self) -> Contents:
        """As `Source.scan`."""
        with self._open() as file:
            rows = file.metadata.num_rows
        for _ in self._batches(1 << 12, [self.text_column]):
            pass
        return Contents(rows, dict.fromkeys(self._schema.names, "json"), self._schema)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        for texts, batch in self._batches(size, None):
            yield Chunk(texts, batch=batch)

    def _batches(self, size: int, columns: list[str] | None) -> Iterator[tuple[list[str], pa.RecordBatch]]:
        row = 0
        try:
            with self._open() as file:
                for packed in file.iter_batches(size, columns=columns):
                    batch = self._unpacked(packed, row)
                    yield self._texts(batch, row), batch
                    row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unpacked(self, packed: pa.RecordBatch, before: int) -> pa.RecordBatch:
        """Returns a batch with the file's own types; bytes and strings come dictionary-encoded."""
        is_whole = len(packed.schema) == len(self._schema)
        fields = list(self._schema) if is_whole else [self._schema.field(self.text_column)]
        columns, size = [], 0
        for field, column in zip(fields, packed.columns, strict=True):
            for lengths in _lengths(column):
                longest = pc.max(lengths).as_py() or 0
                size += pc.sum(lengths).as_py() or 0
                if field.name == self.text_column and longest > _MOST_TEXT_BYTES:
                    row = before + pc.index(lengths, longest).as_py() + 1
                    raise no_text(self.path, row, "row", f"{longest:,} bytes, more than {_MOST_TEXT_BYTES:,},")
            if size > _MOST_BATCH_BYTES:
                raise FileError(
                    f"{self.path}: rows must be of ordinary length. Received: {packed.num_rows:,} rows from row "
                    f"{before + 1:,} on that unpack to more than {_MOST_BATCH_BYTES:,} bytes. Leave out {field.name!r}."
                )
            columns.append(column.cast(field.type))
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))

    def _texts(self, batch: pa.RecordBatch, before: int) -> list[str]:
        texts: list[str] = batch.column(batch.schema.get_field_index(self.text_column)).to_pylist()
        for index, text in enumerate(texts):
            if isinstance(text, bytes):
                try:
                    texts[index] = text.decode()
                except UnicodeDecodeError as error:
                    received = f"bytes that are not UTF-8 ({error.reason})"
                    raise no_text(self.path, before + index + 1, "row", received) from error
            elif text is None:
                raise no_text(self.path, before + index + 1, "row", "null")
        return texts

    def _open(self) -> pq.ParquetFile:
        try:
            with warnings.catch_warnings(action="ignore"):  # pyarrow's advice how to trust such a file
                with pq.ParquetFile(_no_uri(self.path)) as file:
                    self._schema = schema = file.schema_arrow
                    leaves = [file.metadata.schema.column(index) for index in range(file.metadata.num_columns)]
                pickled = any(_PICKLED in str(type_) for type_ in schema.types)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        if pickled:
            raise FileError(
                f"{self.path}: a Parquet file must hold data alone. Received: a column of type {_PICKLED}, which is "
                "pickled Python and may run any code; it was not run. Write that column as its storage type."
            )
        if schema.names.count(self.text_column) != 1:
            raise no_column(self.path, self.text_column, schema.names)
        type_ = schema.field(self.text_column).type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        if type_ not in _BINARY:
            raise FileError(
                f"{self.path}: the column of texts must hold strings. Received: {self.text_column!r} of {type_}. Name "
                "another with --text-column."
            )
        packed = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        return pq.ParquetFile(_no_uri(self.path), read_dictionary=packed)

    def _unreadable(self, error: Exception) -> FileError:
        reason = " ".join(str(error).split()).rstrip(".")
        return FileError(
            f"{self.path} must be a readable Parquet file. Received: {reason}. Write it again, or give another --input."
        )


class ParquetSink:
    """A Parquet file with the input's columns, the score as float32 and, where there is a band, the class."""

    def __init__(self, path: str, contents: Contents, unsure: Unsure | None):
        self._columns = contents.columns
        self._unsure = unsure
        schema = contents.schema or pa.schema([(name, _TYPES[kind]) for name, kind in contents.columns.items()])
        self._schema = schema.append(pa.field(PROBABILITY, pa.float32()))
        if unsure is not None:
            self._schema = self._schema.append(pa.field(PREDICTION, pa.string()))
        self._writer = pq.ParquetWriter(_no_uri(path), self._schema)

    def write(self, chunk: Chunk, scores: Sequence[float]) -> None:
        """As `Sink.write`."""
        columns = chunk.batch.columns if chunk.batch is not None else self._arrays(chunk)
        finite = [score if math.isfinite(score) else None for score in scores]
        arrays = [*columns, pa.array(finite, pa.float32())]
        if self._unsure is not None:
            arrays.append(pa.array(predictions(scores, self._unsure), pa.string()))
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """As `Sink.close`."""
        self._writer.close()

    def _arrays(self, chunk: Chunk) -> list[pa.Array]:
        values = zip(*rows_of(chunk, list(self._columns)), strict=True)
        return [
            pa.array(
                [None if value is None else json.dumps(value, ensure_ascii=False) for value in column]
                if kind == "json"
                else column,
                _TYPES[kind],
            )
            for kind, column in zip(self._columns.values(), values, strict=True)
        ]


def _lengths(packed: pa.Array) -> Iterator[pa.Array]:
    """Yields the lengths in bytes of each text in a column, for each leaf of a nested one."""
    if pa.types.is_dictionary(packed.type) and packed.type.value_type in _BINARY:
        yield pc.take(pc.binary_length(packed.dictionary), packed.indices)
    elif pa.types.is_struct(packed.type):
        for part in packed.flatten():
            yield from _lengths(part)
    elif pa.types.is_map(packed.type):
        yield from _lengths(packed.keys)
        yield from _lengths(packed.items)
    elif isinstance(packed, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        yield from _lengths(packed.flatten())


def _no_uri(path: str) -> str:
    """Returns an absolute path: pyarrow may take a relative one for a URI."""
    return str(Path(path).absolute())
