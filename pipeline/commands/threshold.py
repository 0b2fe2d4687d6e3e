"""`clickbait threshold`: chooses a version's decision threshold, and proposes thresholds for later runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape

from pipeline.commands.options import (
    CONFIG_FILE,
    LABEL_COLUMN,
    MODEL,
    OUTPUT,
    OUTPUT_TO_READ,
    OVERRIDES,
    PRESET,
    TEXT_COLUMN,
)
from pipeline.config.paths import OutputPaths
from pipeline.terminal import open_console, quiet, shorten
from serving.versions import version_folder
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from components.evaluator.intervals import Estimate
    from components.evaluator.thresholds import Choice
    from pipeline.results.thresholds import LabelledScores
    from pipeline.results.verdict import Verdict

_RUN = click.option("--run", metavar="RUN", help="A run's id, its beginning, or its folder.  [default: the newest]")
_PIPE_WIDTH = 240


@click.group()
def threshold() -> None:
    """Choose a decision threshold, or propose thresholds for later runs."""


@threshold.command()
@click.option("--precision", type=float, metavar="SHARE", help="Which both answers are to have, e.g. 0.95.")
@click.option("--recall", type=float, metavar="SHARE", help="Which each class is to have.")
@click.option("--coverage", type=float, metavar="SHARE", help="Of the texts that are to have an answer.")
@click.option("--data", "data_path", metavar="FILE", help="Labelled rows, scored here.  [default: the run's own]")
@_RUN
@TEXT_COLUMN
@LABEL_COLUMN
@MODEL
@OUTPUT
@PRESET
@CONFIG_FILE
@OVERRIDES
def choose(
    precision: float | None,
    recall: float | None,
    coverage: float | None,
    data_path: str | None,
    run: str | None,
    text_column: str | None,
    label_column: str | None,
    model: str | None,
    output: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Choose a threshold, and the band of scores too unsure for a class, and write both into the version's card.

    By default on the evaluation rows of the newest run, for the version that it pushed; with --data on other labelled
    rows, for the newest version, or with --run for that run's. What is wanted is to hold on other rows, too: the choice
    leaves room for chance.
    """
    given = {"precision": precision, "recall": recall, "coverage": coverage}
    wanted = {name: share for name, share in given.items() if share is not None}
    if len(wanted) != 1:
        raise click.UsageError(
            "One of --precision, --recall and --coverage must be given. Received: "
            f"{', '.join(f'--{name}' for name in wanted) or 'none'}. Give one, e.g. --precision 0.95."
        )
    ((name, share),) = wanted.items()
    from components.evaluator.thresholds import ThresholdError, choose_threshold
    from pipeline.config.pipeline_config import load_config
    from pipeline.results.run_folders import find_run
    from pipeline.results.thresholds import record_choice, scores_of_file, scores_of_run

    flags = {"output": output, "model_name": model, "data.text_column": text_column, "data.label_column": label_column}
    config = load_config(preset, config_file, overrides, flags)
    paths = OutputPaths.of(config)
    known = version_folder.list_versions(paths.serving_model)
    verdict = None if data_path and not run else find_run(paths.runs.parent, run)
    version = _pushed_version(verdict) if verdict else max(known, default=None)
    if data_path and version not in known:
        received = f"run {verdict.run_id}, whose model is not there" if verdict else "no version"
        raise ThresholdError(
            f"--data must be scored by a version in {paths.serving_model}. Received: {received}. Type `clickbait run`, "
            "or give --output, or --run with one that pushed."
        )
    with quiet():
        if data_path:
            labelled = scores_of_file(data_path, config.data, paths.serving_model / str(version))
        else:
            assert verdict is not None
            labelled = scores_of_run(verdict)
    choice = choose_threshold(labelled.labels, labelled.scores, name, share)
    card = None
    if version is not None and version in known:
        card = record_choice(paths.serving_model, version, name, share, choice, labelled)
    console = open_console(pipe_width=_PIPE_WIDTH)
    print_choice(console, choice, labelled)
    if card:
        _line(console, "card", shorten(card))
        _line(console, "next", f"clickbait predict --unsure {shlex.quote(shorten(card))} TEXT")
    else:
        low, high = choice.unsure
        _line(console, "card", "not written: no version that clickbait pushed is this model")
        _line(console, "next", f"clickbait predict --unsure {low:.6g},{high:.6g} TEXT")


@threshold.command()
@_RUN
@OUTPUT_TO_READ
@click.option("--output-file", type=click.Path(path_type=Path), help="Write it there.  [default: print it]")
def propose(run: str | None, output: str, output_file: Path | None) -> None:
    """Propose thresholds for later runs, which a run's model meets by its 95 % intervals, for `run --config FILE`."""
    from components.evaluator.thresholds import ThresholdError
    from pipeline.results.run_folders import find_run
    from pipeline.results.thresholds import propose_bounds

    text = propose_bounds(find_run(output, run))
    if output_file is None:
        click.echo(text, nl=False)
        return
    try:
        write_whole(output_file, text)
    except OSError as error:
        raise ThresholdError(
            f"--output-file must be writable. Received: {output_file}: {error.strerror}. Give another path."
        ) from error
    click.echo(f"wrote {output_file}: clickbait run --config {output_file}")


def print_choice(console: Console, choice: Choice, labelled: LabelledScores) -> None:
    """Prints a threshold and a band, with the shares that they reach on the rows that they were chosen on."""
    left_out = f", {labelled.left_out:,} more are left out" if labelled.left_out else ""
    _line(console, "rows", f"{len(labelled.labels):,} · {labelled.data}{left_out}")
    low, high = choice.unsure
    shares = choice.shares
    reached = f"precision {_estimate(shares['precision'])}, recall {_estimate(shares['recall'])}"
    _line(console, "threshold", f"{choice.threshold:.6g}: {reached}")
    _line(console, "unsure", f"{low:.6g} to {high:.6g}: outside of it lie {_estimate(shares['coverage'])} of the rows")
    news = shares.get("news_precision")
    _line(console, "news", f"precision {_estimate(news)} below it" if news else "no score is sure enough for news")


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _pushed_version(verdict: Verdict) -> int | None:
    return verdict.pushed.version if verdict.pushed else None


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<11}[/]{escape(text)}", soft_wrap=True)
