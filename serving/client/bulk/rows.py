"""The interface of all formats of files: rows in, rows with their scores out, and errors of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from serving.client.errors import FileError
from serving.json_value import JsonObject

if TYPE_CHECKING:
    import pyarrow as pa


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
        """Appends rows with their scores; a score that is NaN or infinite becomes null, or empty in CSV."""

    def close(self) -> None:
        """Completes the file."""


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
