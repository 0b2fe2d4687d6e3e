"""Files of texts: which format a file has, and what all formats have in common."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from serving.client.errors import EXIT_UNFORESEEN, FileError
from trainer.features import PROBABILITY

if TYPE_CHECKING:
    import pyarrow as pa

INPUT_SUFFIXES = (".csv", ".jsonl", ".parquet", ".txt")
OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


class Chunk(NamedTuple):
    """Rows that follow each other, in the form that their file gives them; a sink takes any."""

    texts: list[str]
    rows: list[Sequence[Any]] | None = None
    """A value for each of the source's columns."""
    objects: list[dict[str, Any]] | None = None
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


def open_source(path: str | Path, text_column: str, *, option: str = "--input") -> Source:
    """A file by its suffix: .csv, .jsonl (both also with .gz), .parquet, or .txt with a text a line.

    Args:
      path: of the file.
      text_column: its column of texts.
      option: what errors call the path.

    Raises:
      FileError: it is none of these, or not there.
    """
    suffix = _suffix(path, INPUT_SUFFIXES, option)
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "no such file"
        raise FileError(f"{option} is a file. Received: {path}: {found}.")
    if suffix == ".parquet":
        from serving.client.parquet_files import ParquetSource

        return ParquetSource(str(path), text_column)
    from serving.client.text_files import CsvSource, JsonlSource, LinesSource

    kind = {".csv": CsvSource, ".jsonl": JsonlSource, ".txt": LinesSource}[suffix]
    return kind(str(path), text_column)


def check_output(path: str | Path) -> None:
    """Raises FileError where no file of scores can have that name."""
    _suffix(path, OUTPUT_SUFFIXES, "--output")
    if not Path(path).absolute().parent.is_dir():
        raise FileError(f"--output lies in a folder that is there. Received: {path}. Make the folder.")
    if Path(path).is_dir():
        raise FileError(f"--output is a file. Received: {path}, a folder.")


def open_sink(path: str | Path, output: str | Path, contents: Contents) -> Sink:
    """A file at `path` in the format that the name `output` says.

    Raises:
      FileError: the input has a column of the score's name.
    """
    if PROBABILITY in contents.columns:
        raise FileError(
            f"The output has the input's columns and {PROBABILITY!r}. Received: an input that has {PROBABILITY!r} "
            "already. Rename that column."
        )
    suffix = _suffix(output, OUTPUT_SUFFIXES, "--output")
    if suffix == ".parquet":
        from serving.client.parquet_files import ParquetSink

        return ParquetSink(str(path), contents)
    from serving.client.text_sinks import CsvSink, JsonlSink

    kind = {".csv": CsvSink, ".jsonl": JsonlSink}[suffix]
    return kind(str(path), contents, compressed=str(output).endswith(".gz"))


def file_digest(path: str | Path) -> str:
    """The sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns a disk's refusal into a FileError that names what was written."""
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{path} can be written. Received: {error.strerror or error}. Make room or choose another --output; the "
            "same command goes on where it stopped.",
            exit_code=EXIT_UNFORESEEN,
        ) from error


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


def _suffix(path: str | Path, known: Sequence[str], option: str) -> str:
    suffix = Path(str(path).removesuffix(".gz")).suffix.lower()
    if suffix not in known or (suffix == ".parquet" and str(path).endswith(".gz")):
        raise FileError(f"{option} ends in {', '.join(known)}, which says its format. Received: {path}. Rename it.")
    return suffix
