"""The command `predict`. Imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from serving.client.bulk.rows import Source

STDIN = "-"


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--input", "input_path", metavar="FILE", help=".csv, .jsonl (or .gz), .parquet, .txt; - for stdin's lines."
)
@click.option("--output", "output_path", metavar="FILE", help=".csv, .jsonl or .parquet; all columns and probability.")
@click.option("--text-column", default="title", show_default=True, help="The input's column of texts.")
@click.option("--target", default="", help="HOST:PORT, or dns:///HOST:PORT.  [default: localhost:8500, REST 8501]")
@click.option("--model", default="clickbait", show_default=True, help="The model's name on the server.")
@click.option("--version", type=int, help="The model's version.  [default: the server's choice]")
@click.option("--label", default="", help="The version's label, e.g. canary.")
@click.option("--signature", default="serving_default", show_default=True, help="The model's signature.")
@click.option("--input-name", default="", help="The signature's input.  [default: title]")
@click.option("--output-name", default="probability", show_default=True, help="The signature's output.")
@click.option("--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds, of each call.")
@click.option("--wait", "wait_s", type=float, default=0.0, help="Seconds to wait for a server that is starting.")
@click.option("--rows-per-call", type=int, default=512, show_default=True, help="Texts in a call, at most.")
@click.option("--in-flight", "calls_in_flight", type=int, default=4, show_default=True, help="Calls at once, at most.")
@click.option("--tls", is_flag=True, help="Connect by TLS and trust the public authorities.")
@click.option("--tls-ca", metavar="FILE", help="Connect by TLS and trust this authority (PEM).")
@click.option("--tls-cert", metavar="FILE", help="The client's certificate (PEM), for mTLS.")
@click.option("--tls-key", metavar="FILE", help="Its key (PEM).")
@click.option("--tls-server-name", metavar="NAME", help="The name in the server's certificate, if not the host's.")
@click.option("--rest", is_flag=True, help="REST instead of gRPC.")
@click.option("--log-to", metavar="DIR", help="Log texts and scores there, for `clickbait monitor`.  [default: not]")
@click.option("--log-rate", type=float, default=1.0, show_default=True, help="The share of the calls that is logged.")
def predict_command(
    texts: tuple[str, ...],
    input_path: str | None,
    output_path: str | None,
    text_column: str,
    wait_s: float,
    tls: bool,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_server_name: str | None,
    **options,
) -> None:
    """Score texts with a TF Serving model: the TEXTs given, a file's, or the lines of stdin.

    A file that was being scored when the command was killed goes on where it was when the same command is given again.
    """
    chosen_path = _choose_input(texts, input_path, output_path)
    # Else gRPC's own log lines stand beside the message.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from serving.client.options import ClientOptions, Tls, check_wait

    check_wait(wait_s)
    secured = tls or tls_ca or tls_cert or tls_key or tls_server_name
    client_options = ClientOptions(
        tls=Tls(tls_ca, tls_cert, tls_key, tls_server_name) if secured else None,
        **options,
    )
    if output_path:
        _score_file(client_options, chosen_path, output_path, text_column, wait_s)
        return
    _print_scores(client_options, texts, chosen_path, text_column, wait_s)


def _choose_input(texts: tuple[str, ...], input_path: str | None, output_path: str | None) -> str:
    """The file or `-`; empty where the texts are given."""
    if texts and input_path:
        raise click.UsageError("The texts are given or read from --input. Received: both. Leave one out.")
    if texts and output_path:
        raise click.UsageError("--output goes with --input. Received: TEXT and --output. Put the texts into a file.")
    if not texts and not input_path:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError(
                "There is something to score. Received: nothing. Give TEXT, --input or lines on stdin."
            )
        return STDIN
    return input_path or ""


def _score_file(options, input_path: str, output_path: str, text_column: str, wait_s: float) -> None:
    from serving.client.bulk.score import score_file
    from serving.client.view import shown_progress

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


def _print_scores(options, texts: tuple[str, ...], input_path: str, text_column: str, wait_s: float) -> None:
    from serving.client.answers import count_no_numbers
    from serving.client.client import Client
    from serving.client.view import score_lines

    chunks: Iterator[list[str]]
    if input_path:
        from serving.client.bulk.files import open_source
        from serving.client.bulk.text_files import LinesSource

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
        for scored, scores in _beside(chunks, client.predict_chunks):
            no_numbers += count_no_numbers(scores)
            with _printing():
                for line in score_lines(scored, scores):
                    click.echo(line)
    _warn_of_no_numbers(no_numbers)


def _warn_of_no_numbers(count: int) -> None:
    if count:
        click.echo(f"warning: {count:,} scores are no numbers (NaN or infinite)", err=True)


@contextlib.contextmanager
def _printing() -> Iterator[None]:
    """Turns a full disk behind stdout into a FileError; that nobody reads on is click's to end."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # What is still in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        from serving.client.errors import EXIT_UNFORESEEN, FileError

        raise FileError(
            f"What is printed can be written. Received: {error.strerror}. Make room where stdout goes.",
            exit_code=EXIT_UNFORESEEN,
        ) from error


def _beside(
    chunks: Iterator[list[str]], score: Callable[[Iterator[list[str]]], Iterator[list[float]]]
) -> Iterator[tuple[list[str], list[float]]]:
    """Each chunk with its scores, though scoring reads ahead."""
    from collections import deque

    ahead: deque[list[str]] = deque()

    def remembered() -> Iterator[list[str]]:
        for chunk in chunks:
            ahead.append(chunk)
            yield chunk

    for scores in score(remembered()):
        yield ahead.popleft(), scores
