"""Files of texts: by its name a file has a format."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving.client.bulk.rows import Contents, Sink, Source
from serving.client.bulk.text_files import CsvSource, JsonlSource, LinesSource
from serving.client.bulk.text_sinks import CsvSink, JsonlSink
from serving.client.errors import EXIT_UNFORESEEN, FileError
from trainer.features import PROBABILITY

INPUT_SUFFIXES = (".csv", ".jsonl", ".parquet", ".txt")
OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


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
        from serving.client.bulk.parquet_files import ParquetSource

        return ParquetSource(str(path), text_column)
    kinds: dict[str, type[CsvSource | JsonlSource | LinesSource]]
    kinds = {".csv": CsvSource, ".jsonl": JsonlSource, ".txt": LinesSource}
    return kinds[suffix](str(path), text_column)


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
        from serving.client.bulk.parquet_files import ParquetSink

        return ParquetSink(str(path), contents)
    kinds: dict[str, type[CsvSink | JsonlSink]] = {".csv": CsvSink, ".jsonl": JsonlSink}
    return kinds[suffix](str(path), contents, compressed=str(output).endswith(".gz"))


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


def _suffix(path: str | Path, known: Sequence[str], option: str) -> str:
    suffix = Path(str(path).removesuffix(".gz")).suffix.lower()
    if suffix not in known or (suffix == ".parquet" and str(path).endswith(".gz")):
        raise FileError(f"{option} ends in {', '.join(known)}, which says its format. Received: {path}. Rename it.")
    return suffix
