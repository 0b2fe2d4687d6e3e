"""Opens files of texts and of scores by the format that their suffix names."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving.classes import Unsure
from serving.client.bulk.rows import Contents, Sink, Source, added_columns
from serving.client.bulk.text_files import CsvSource, JsonlSource, LinesSource
from serving.client.bulk.text_sinks import CsvSink, JsonlSink
from serving.client.errors import EXIT_UNFORESEEN, FileError

INPUT_SUFFIXES = (".csv", ".jsonl", ".parquet", ".txt")
OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


def open_source(path: str | Path, text_column: str, *, option: str = "--input") -> Source:
    """Opens a file by its suffix: .csv, .jsonl (both also with .gz), .parquet, or .txt with a text a line.

    Args:
      path: of the file.
      text_column: its column of texts.
      option: the name of the path in errors.

    Raises:
      FileError: it has another suffix, or does not exist.
    """
    suffix = _suffix(path, INPUT_SUFFIXES, option)
    if not Path(path).is_file():
        kind = "a folder" if Path(path).is_dir() else "no such file"
        raise FileError(f"{option} must be a file. Received: {path}: {kind}. Give another path.")
    if suffix == ".parquet":
        from serving.client.bulk.parquet_files import ParquetSource

        return ParquetSource(str(path), text_column)
    kinds: dict[str, type[CsvSource | JsonlSource | LinesSource]]
    kinds = {".csv": CsvSource, ".jsonl": JsonlSource, ".txt": LinesSource}
    return kinds[suffix](str(path), text_column)


def check_output(path: str | Path) -> None:
    """Checks that a file of scores can have that path.

    Raises:
      FileError: it cannot.
    """
    _suffix(path, OUTPUT_SUFFIXES, "--output")
    if not Path(path).absolute().parent.is_dir():
        raise FileError(f"--output must be in a folder that exists. Received: {path}. Make the folder.")
    if Path(path).is_dir():
        raise FileError(f"--output must be a file. Received: {path}, a folder. Add a file name.")


def open_sink(path: str | Path, output: str | Path, contents: Contents, unsure: Unsure | None = None) -> Sink:
    """Opens a file at `path` for scores, in the format of the suffix of `output`.

    Args:
      path: of the file that is written.
      output: the path that it will have.
      contents: of the input.
      unsure: the band of unsure scores; where there is one, the file has classes, too.

    Raises:
      FileError: the input has a column of the score's name, or of the class's.
    """
    if clash := next((name for name in added_columns(unsure) if name in contents.columns), None):
        raise FileError(
            f"The input must have no column {clash!r}, which the output adds. Received: an input with it. "
            "Rename that column."
        )
    suffix = _suffix(output, OUTPUT_SUFFIXES, "--output")
    if suffix == ".parquet":
        from serving.client.bulk.parquet_files import ParquetSink

        return ParquetSink(str(path), contents, unsure)
    kinds: dict[str, type[CsvSink | JsonlSink]] = {".csv": CsvSink, ".jsonl": JsonlSink}
    return kinds[suffix](str(path), contents, unsure, compressed=str(output).endswith(".gz"))


def file_digest(path: str | Path) -> str:
    """Returns the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Raises an OSError inside as a FileError that names the file."""
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{path} must be writable. Received: {error.strerror or error}. Make room or give another --output; the "
            "same command resumes where it stopped.",
            exit_code=EXIT_UNFORESEEN,
        ) from error


def _suffix(path: str | Path, known: Sequence[str], option: str) -> str:
    suffix = Path(str(path).removesuffix(".gz")).suffix.lower()
    if suffix not in known or (suffix == ".parquet" and str(path).endswith(".gz")):
        raise FileError(f"{option} must end in {', '.join(known)}. Received: {path}. Rename it.")
    return suffix
