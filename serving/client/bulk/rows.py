"""The interface of all formats of files: rows in, rows with their scores out, and errors of a row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from serving.classes import Unsure, class_of
from serving.client.errors import FileError
from serving.json_value import JsonObject
from trainer.features import PROBABILITY

if TYPE_CHECKING:
    import pyarrow as pa


PREDICTION = "prediction"
"""The output's column of classes, where the scores have a band that is unsure."""


class Chunk(NamedTuple):
    """Rows that follow each other, in the form that their file gives them; a sink takes any."""

    texts: list[str]
    rows: Sequence[Sequence[object]] | None = None
    """A value for each of the source's columns."""
    objects: list[JsonObject] | None = None
    batch: pa.RecordBatch | None = None


class Contents(NamedTuple):
    """The number of rows and the columns of a file."""

    rows: int
    columns: Mapping[str, str]
    """Names to kinds: `string`, `integer`, `number`, `boolean`, or `json` for any other."""
    schema: pa.Schema | None = None
    """Of a Parquet file."""


class Source(Protocol):
    """A file of texts, which can be read several times."""

    def scan(self) -> Contents:
        """Reads the whole file, and checks it.

        Raises:
          FileError: it cannot be read, or a row has no text.
        """

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Streams the rows, `size` at a time.

        Raises:
          FileError: as `scan`.
        """


class Sink(Protocol):
    """A file that scored rows are written to."""

    def write(self, chunk: Chunk, scores: Sequence[float]) -> None:
        """Appends rows with their scores; NaN and infinity, and their class, become null, or empty in CSV."""

    def close(self) -> None:
        """Completes the file."""


def added_columns(unsure: Unsure | None) -> list[str]:
    """Returns the columns that an output adds to the input's."""
    return [PROBABILITY] if unsure is None else [PROBABILITY, PREDICTION]


def predictions(scores: Sequence[float], unsure: Unsure) -> list[str | None]:
    """Returns the class of each score, None for one that is no number."""
    return [class_of(score, unsure) if math.isfinite(score) else None for score in scores]


def no_text(path: str, line: int, unit: str, received: str) -> FileError:
    """Returns the error for a row without a text."""
    return FileError(
        f"{path}: each row must have a text. Received: {received} at {unit} {line:,}. Fill it in, or remove the row."
    )


def no_column(path: str, text_column: str, columns: Sequence[str]) -> FileError:
    """Returns the error for a file without the column of texts."""
    known = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    return FileError(
        f"{path} must have a column {text_column!r}. Received: {known or 'none'}. Name the column of texts with "
        "--text-column."
    )
