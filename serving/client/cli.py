"""The command `predict`: its options. `predict` has the rest, imported late: gRPC's import costs 0.1 s."""

from __future__ import annotations

import os
import sys

import click

from serving.classes import Unsure
from serving.client.options import Tls, check_wait, merge_options

STDIN = "-"


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--input", "input_path", metavar="FILE", help=".csv, .jsonl (or .gz), .parquet, .txt; - for stdin's lines."
)
@click.option("--output", "output_path", metavar="FILE", help=".csv, .jsonl or .parquet; all columns and probability.")
@click.option(
    "--unsure",
    metavar="FROM,TO|CARD",
    help="Say unsure instead of a class for a score between, e.g. 0.3,0.8, or as in a version's card or folder; a file "
    "gets a column prediction.",
)
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
@click.option(
    "--stall-timeout",
    "stall_timeout_s",
    type=float,
    default=120.0,
    show_default=True,
    help="Seconds without an answer, after which a file's scoring ends.",
)
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
    unsure: str | None,
    text_column: str,
    wait_s: float,
    tls: bool,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_server_name: str | None,
    **options: object,
) -> None:
    """Score texts with a TF Serving model: the TEXTs given, a file's, or the lines of stdin.

    If the command is killed while it scores a file, the same command resumes where it stopped.
    """
    chosen_path = _choose_input(texts, input_path, output_path)
    check_wait(wait_s)
    secured = tls or tls_ca or tls_cert or tls_key or tls_server_name
    secure = Tls(tls_ca, tls_cert, tls_key, tls_server_name) if secured else None
    band = None if unsure is None else Unsure.parse(unsure)
    client_options = merge_options("", None, {"tls": secure, "unsure": band, **options})
    # Else gRPC's own log lines stand beside the message.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from serving.client.predict import print_scores, write_scores

    if output_path:
        write_scores(client_options, chosen_path, output_path, text_column, wait_s)
    else:
        print_scores(client_options, texts, chosen_path, text_column, wait_s)


def _choose_input(texts: tuple[str, ...], input_path: str | None, output_path: str | None) -> str:
    """Returns the file or `-`; empty where the texts are given."""
    if texts and input_path:
        raise click.UsageError("TEXT and --input must not be given together. Received: both. Leave one out.")
    if texts and output_path:
        raise click.UsageError(
            "--output must come with --input. Received: TEXT and --output. Put the texts into a file."
        )
    if not texts and not input_path:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Texts must be given. Received: none. Give TEXT, --input or lines on stdin.")
        return STDIN
    return input_path or ""
