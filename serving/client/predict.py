"""Prints the scores of texts, or writes those of a file: the command `predict`."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator

import click

from serving.client.answers import count_no_numbers
from serving.client.bulk.files import open_source
from serving.client.bulk.rows import Source
from serving.client.bulk.score import STDIN, score_file
from serving.client.bulk.text_files import LinesSource
from serving.client.client import Client
from serving.client.errors import EXIT_UNFORESEEN, FileError
from serving.client.failures import SHORT_OF_THREADS
from serving.client.options import ClientOptions
from serving.client.progress_bar import shown_progress
from serving.client.view import score_lines


def write_scores(options: ClientOptions, input_path: str, output_path: str, text_column: str, wait_s: float) -> None:
    """Writes a file's rows with their scores to another file, as `score_file` does, and prints a summary."""
    with shown_progress() as reporter:
        done = score_file(
            options,
            input_path,
            output_path,
            text_column=text_column,
            stdin=sys.stdin.buffer if sys.stdin else None,
            wait_s=wait_s,
            reporter=reporter,
        )
    before = f", {done.resumed_rows:,} of them before" if done.resumed_rows else ""
    _warn_of_no_numbers(done.no_numbers)
    with _printing():
        click.echo(
            f"{output_path}: {done.rows:,} rows scored by {options.model} version {done.version}{before}, "
            f"{done.seconds:.1f} s"
        )


def print_scores(
    options: ClientOptions, texts: tuple[str, ...], input_path: str, text_column: str, wait_s: float
) -> None:
    """Prints a line for each text.

    Args:
      options: of the client.
      texts: to score where `input_path` is empty.
      input_path: a file, or `-` for the lines of stdin.
      text_column: the input's column of texts.
      wait_s: seconds to wait for a server that is starting.

    Raises:
      FileError: the input cannot be read, or the lines cannot be printed.
      ServingError: a call failed.
    """
    chunks: Iterator[list[str]]
    if input_path:
        source: Source
        if input_path == STDIN:
            source = LinesSource("stdin", text_column, sys.stdin.buffer)
        else:
            source = open_source(input_path, text_column)
        chunks = (chunk.texts for chunk in source.chunks(options.rows_per_call))
    else:
        chunks = iter([list(texts)])
    no_numbers = 0
    with Client(options=options) as client:
        if wait_s:
            client.wait_until_ready(wait_s)
        score = functools.partial(client.predict_chunks, on_shortage=lambda: click.echo(SHORT_OF_THREADS, err=True))
        for scored, scores in _beside(chunks, score):
            no_numbers += count_no_numbers(scores)
            with _printing():
                for line in score_lines(scored, scores, options.unsure):
                    click.echo(line)
    _warn_of_no_numbers(no_numbers)


def _warn_of_no_numbers(count: int) -> None:
    if count:
        click.echo(f"warning: {count:,} scores are not finite (NaN or infinite)", err=True)


@contextlib.contextmanager
def _printing() -> Iterator[None]:
    """Raises an OSError of stdout as a FileError; click itself handles a closed pipe."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # What is still in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise FileError(
            f"stdout must be writable. Received: {error.strerror}. Make room where it goes.",
            exit_code=EXIT_UNFORESEEN,
        ) from error


def _beside(
    chunks: Iterator[list[str]], score: Callable[[Iterator[list[str]]], Iterator[list[float]]]
) -> Iterator[tuple[list[str], list[float]]]:
    """Yields each chunk with its scores, though scoring reads ahead."""
    ahead: deque[list[str]] = deque()

    def remembered() -> Iterator[list[str]]:
        for chunk in chunks:
            ahead.append(chunk)
            yield chunk

    for scores in score(remembered()):
        yield ahead.popleft(), scores
