"""Scores a file: all its rows, in order, in bounded memory, and resuming after a break.

`OUTPUT.partial/` holds the scores so far, and is gone when OUTPUT is there. The output appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from serving.classes import Unsure
from serving.client.answers import count_no_numbers
from serving.client.bulk.files import check_output, file_digest, open_sink, open_source, writing
from serving.client.bulk.rows import Contents, Source
from serving.client.bulk.score_log import Identity, ScoreLog
from serving.client.bulk.text_files import LinesSource
from serving.client.client import Client
from serving.client.errors import FileError, ServingError
from serving.client.failures import SHORT_OF_THREADS
from serving.client.options import ClientOptions

STDIN = "-"
CALLS_PER_CHUNK = 16
_SCHEMA_VERSION = 1


class BulkResult(NamedTuple):
    """The result of scoring a file."""

    rows: int
    resumed_rows: int
    """Rows that an earlier run had scored."""
    version: int
    seconds: float
    no_numbers: int
    """Scores that are NaN or infinite."""


class Reporter:
    """A base of progress reports, which shows nothing."""

    def say(self, message: str) -> None:
        """Shows a line that stays."""

    def progress(self, done: int, total: int) -> None:
        """Shows how many rows are scored."""


def score_file(
    options: ClientOptions,
    input_path: str | Path,
    output_path: str | Path,
    *,
    text_column: str,
    stdin: BinaryIO | None = None,
    wait_s: float = 0.0,
    reporter: Reporter | None = None,
) -> BulkResult:
    """Scores the texts of a file by one model version, and writes all its columns and `probability`.

    Where the options have a band of unsure scores, also `prediction`: `clickbait`, `news` or `unsure`.

    The version is looked up at the beginning and kept, whatever the server loads meanwhile.

    Args:
      options: of the client.
      input_path: .csv, .jsonl (both also with .gz), .parquet, .txt, or `-` for the lines of `stdin`.
      output_path: .csv, .jsonl (both also with .gz) or .parquet; replaced where it exists.
      text_column: the input's column of texts; for lines, the name of the output's column.
      stdin: the stream that `-` stands for.
      wait_s: seconds to wait for a server that is starting.
      reporter: shows the progress.

    Raises:
      FileError: the input cannot be read, or the output cannot be written.
      ServingError: a call failed; the scores until then are kept.
    """
    began = time.monotonic()
    reporter = reporter or Reporter()
    check_output(output_path)
    output = Path(output_path)
    if input_path != STDIN:
        source = open_source(input_path, text_column)
        if output.exists() and output.samefile(input_path):
            raise FileError(
                f"--output must be another file than --input. Received: {output_path} for both. Give another --output."
            )
    with _work_folder(output) as folder:
        if input_path == STDIN:
            if stdin is None:
                raise FileError(f"--input {STDIN} must have lines on stdin. Received: a closed stdin. Give a file.")
            input_path = folder / "input.txt"
            with writing(input_path), input_path.open("wb") as copy:
                shutil.copyfileobj(stdin, copy, 1 << 20)
            source = LinesSource(str(input_path), text_column)
        stamp = _stamp(input_path)
        contents = source.scan()
        with writing(output):  # a clash of names is known before anything is scored
            open_sink(folder / "output", output, contents, options.unsure).close()
        with Client(options=options) as client:
            version = client.pin_version(wait_s)
            identity = _identity(file_digest(input_path), text_column, client.options)
            with writing(folder), contextlib.closing(ScoreLog(folder, identity)) as log:
                resumed = log.rows
                _report_beginning(log, contents.rows, client.options, reporter)
                _score(client, source, log, contents.rows, reporter)
                if _stamp(input_path) != stamp:
                    raise FileError(
                        f"{input_path} must not change while it is scored. Received: a change. Run the command again."
                    )
                no_numbers = _write_output(source, contents, log, folder / "output", output, options.unsure)
        shutil.rmtree(folder, ignore_errors=True)
    return BulkResult(contents.rows, resumed, version, time.monotonic() - began, no_numbers)


def _identity(digest: str, text_column: str, options: ClientOptions) -> Identity:
    return {
        "schema_version": _SCHEMA_VERSION,
        "input": digest,
        "text_column": text_column,
        "model": options.model,
        "version": options.version,
        "signature": options.signature,
        "output_name": options.output_name,
    }


def _score(client: Client, source: Source, log: ScoreLog, total: int, reporter: Reporter) -> None:
    reporter.progress(log.rows, total)
    if log.rows == total:
        return
    texts = _texts_after(source, log.rows, client.options.rows_per_call * CALLS_PER_CHUNK)
    scored = client.predict_chunks(texts, on_shortage=lambda: reporter.say(SHORT_OF_THREADS))
    try:
        with contextlib.closing(scored):
            for scores in scored:
                log.append(scores)
                reporter.progress(log.rows, total)
    except ServingError as error:
        raise _resumable(error, client.options, log.rows, total) from None


def _resumable(error: ServingError, options: ClientOptions, rows: int, total: int) -> ServingError:
    """Returns an error that says what is kept of the run that it ended."""
    if not rows:
        return error
    version = options.version
    command = f"the same command with --version {version}" if error.code == "NOT_FOUND" else "the same command"
    kept = f"{rows:,} of {total:,} rows are scored and kept: {command} goes on, as long as version {version} is there."
    return ServingError(error.finding, f"{error.way} {kept}".strip(), exit_code=error.exit_code, code=error.code)


def _texts_after(source: Source, skipped: int, size: int) -> Iterator[list[str]]:
    for chunk in source.chunks(size):
        texts = chunk.texts[skipped:] if skipped else chunk.texts
        skipped = max(0, skipped - len(chunk.texts))
        if texts:
            yield texts


def _write_output(
    source: Source, contents: Contents, log: ScoreLog, temporary: Path, output: Path, unsure: Unsure | None
) -> int:
    """Returns how many scores are no numbers."""
    scores, no_numbers = log.read(), 0
    sink = open_sink(temporary, output, contents, unsure)
    try:
        for chunk in source.chunks(1 << 13):
            of_chunk = [next(scores) for _ in chunk.texts]
            sink.write(chunk, of_chunk)
            no_numbers += count_no_numbers(of_chunk)
    finally:
        sink.close()
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(output)
    folder = os.open(output.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return no_numbers


@contextlib.contextmanager
def _work_folder(output: Path) -> Iterator[Path]:
    """Yields `OUTPUT.partial`, locked for this process."""
    folder = output.with_name(f"{output.name}.partial")
    with writing(folder):
        folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FileError(
            f"{output} must be written by one process at a time. Received: another one that writes it. Wait for it, or "
            "give another --output."
        ) from None
    try:
        yield folder
    finally:
        if not any(file.name == "scores" and file.stat().st_size for file in folder.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _report_beginning(log: ScoreLog, total: int, options: ClientOptions, reporter: Reporter) -> None:
    which = f"{options.model} version {options.version}"
    if log.changes:
        changes = "; ".join(f"{name} was {was} and is {now}" for name, (was, now) in log.changes.items())
        reporter.say(f"starts over instead of resuming an earlier run: {changes}")
    elif log.rows:
        reporter.say(f"resumes after {log.rows:,} of {total:,} rows, which {which} scored before")


def _stamp(path: str | Path) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns
