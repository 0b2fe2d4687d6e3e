"""What all formats of files have in common: rows in, rows with their scores out, and what is wrong with a row."""

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
    """What a whole file holds."""

    rows: int
    columns: Mapping[str, str]
    """Names to kinds: `string`, `integer`, `number`, `boolean`, or `json` for what is none of these."""
    schema: pa.Schema | None = None
    """Of a Parquet file."""


class Source(Protocol):
    """A file of texts, to be read as often as one likes."""

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
        """Appends rows with their scores; one that is no number, NaN or infinite, becomes null, or empty in CSV."""

    def close(self) -> None:
        """Completes the file."""


def no_text(path: str, line: int, unit: str, found: str) -> FileError:
    """The error for a row without a text."""
    return FileError(
        f"{path}: each row has a text. Received: {found} at {unit} {line:,}. Fill it in, or remove the row."
    )


def no_column(path: str, text_column: str, columns: Sequence[str]) -> FileError:
    """The error for a file without the column of texts."""
    known = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    return FileError(
        f"{path}: expected a column {text_column!r}. Received: {known or 'none'}. Name the column of texts with "
        "--text-column."
    )
