"""`clickbait curve`: how many labels a model needs."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.options import CONFIG_FILE, LABEL_COLUMN, MODEL, OUTPUT, OVERRIDES, TEXT_COLUMN
from pipeline.config.paths import OutputPaths
from pipeline.terminal import open_console, quiet, shorten
from serving.versions import version_folder
from serving.whole_file import write_whole
from trainer import saved_model

if TYPE_CHECKING:
    from pipeline.labelling.curve import Labelled
    from pipeline.labelling.curve_fit import Fitted
    from pipeline.labelling.curve_record import Curve, Fit

_PIPE_WIDTH = 240
_PYTHON = (sys.executable,)
_MEGABYTE = 1_000_000


@click.command()
@click.option("--data", "data_path", metavar="FILE", help="Labelled rows, as for run.")
@click.option("--rows", default="250,500,1000,2000,all", show_default=True, help="Sizes to train on.")
@click.option("--recipes", metavar="NAMES", help="Models, with commas between.  [default: all]")
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Samples of each size.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Folder of the curve.  [default: OUTPUT/curve]")
@TEXT_COLUMN
@LABEL_COLUMN
@MODEL
@OUTPUT
@click.option("--preset", default="own", show_default=True, help="Whose recipe is fine-tuned; as for run.")
@CONFIG_FILE
@OVERRIDES
def curve(
    data_path: str | None,
    rows: str,
    recipes: str | None,
    seeds: int,
    target: Path | None,
    text_column: str | None,
    label_column: str | None,
    model: str | None,
    output: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Show how good models become with more labels, and what the next thousand are likely to add.

    Each model trains on nested samples of the training rows and is judged on the same held-out rows, those of the
    split eval of a run. Models: fine_tuned (the preset's recipe), warm_start (the last pushed model, fine-tuned),
    pushed (the last pushed model as it is), frozen (logistic regression on the encoder's vectors), and the linear
    models tfidf_cased and tfidf_lower. Finished ones are in curve.json at once: the same command goes on from there.
    """
    from pipeline.config.pipeline_config import load_config
    from pipeline.labelling import curve as curves
    from pipeline.labelling.curve_page import PAGE_FILE, forecast_line, render_curve
    from pipeline.labelling.curve_record import CURVE_FILE, Curve, CurveError, open_curve, write_curve
    from pipeline.results.words import PUSHED, RECIPES, WARM_START
    from trainer.settings import TrainerSettings

    sizes_wanted, names = curves.parse_rows(rows), curves.parse_recipes(recipes or ",".join(RECIPES))
    flags = {
        "data.path": data_path,
        "output": output,
        "model_name": model,
        "data.text_column": text_column,
        "data.label_column": label_column,
    }
    config = load_config(preset, config_file, overrides, flags)
    paths = OutputPaths.of(config)
    if config.data.path is None:
        raise click.UsageError("--data must be given. Received: nothing. Give a CSV file with labelled rows.")
    console = open_console(pipe_width=_PIPE_WIDTH)
    labelled = curves.read_split(config.data, config.data.path)
    pushed = _pushed(paths.serving_model)
    if pushed is None and {PUSHED, WARM_START} & {*names}:
        names = [name for name in names if name not in (PUSHED, WARM_START)]
        _line(console, "left out", f"{PUSHED}, {WARM_START}: no whole version is in {shorten(paths.serving_model)}")
    sizes, clipped = curves.clip_sizes(sizes_wanted, labelled)
    fits = curves.plan_fits(labelled, sizes, seeds, names)
    with quiet():
        from trainer.encoders.resolve import resolve_encoder

        encoder = resolve_encoder(config.encoder.source, offline=config.encoder.offline, digest=config.encoder.digest)
    folder = target or paths.runs.parent / "curve"
    file = folder / CURVE_FILE
    known, note = open_curve(
        file,
        Curve(
            config.data.path,
            labelled.digest,
            len(labelled.train),
            len(labelled.held_out),
            labelled.left_out,
            curves.decisive_settings(config.data, config.training, encoder.digest),
            saved_model.digest(pushed) if pushed else None,
        ),
    )
    _say_rows(console, labelled, config.data.path, clipped)
    if note:
        _line(console, "curve", note)
    missing = [fit for fit in fits if fit not in {point.fit for point in known.points}]
    if missing:
        seconds = curves.expected_seconds(missing, len(labelled.held_out), config.training, known.points)
        by = "the models that there are" if known.points else "the cost of a row on two cores"
        _line(console, "cost", f"about {_minutes(seconds)} for {len(missing)} models, by {by}; Ctrl-C loses one")
    settings = TrainerSettings(
        encoder=config.encoder.source,
        encoder_digest=encoder.digest,
        offline=config.encoder.offline,
        eval_batch_size=config.evaluation.batch_size,
        **config.training.model_dump(),
    )
    write_curve(file, known)
    failed = 0

    def fit_one(fit: Fit) -> Fitted:
        job = curves.make_job(fit, labelled, settings, encoder.path, pushed)
        return curves.run_job(job, folder / ".fit", _PYTHON)

    fitted = curves.fit_all(known, missing, labelled.held_out_labels, fit_one, file)
    try:
        for number, (fit, so_far, error) in enumerate(fitted, start=1):
            known = so_far
            failed += bool(error)
            left = curves.expected_seconds(missing[number:], len(labelled.held_out), config.training, known.points)
            _say_fit(console, fit, known, error, left)
    except KeyboardInterrupt:
        _line(console, "stopped", "the same command goes on from the models that are finished")
        raise
    finally:
        if known.points:
            write_whole(folder / PAGE_FILE, render_curve(known))
    console.print(_table(known))
    _line(console, "labels", forecast_line(known))
    _line(console, "page", shorten(folder / PAGE_FILE))
    if failed:
        raise CurveError(
            f"Every model must be trained. Received: {failed} of {len(fits)} that failed, as shown above. The same "
            "command tries them again; --recipes and --rows leave some out.",
            exit_code=1,
        )


def _pushed(serving_model: Path) -> Path | None:
    newest = max(version_folder.list_versions(serving_model), default=None)
    folder = serving_model / str(newest)
    return None if newest is None or saved_model.fault(folder) else folder


def _say_rows(console: Console, labelled: Labelled, data: str, clipped: str) -> None:
    from pipeline.labelling.curve import FEW_HELD_OUT

    left_out = f"; {labelled.left_out:,} more are left out" if labelled.left_out else ""
    held_out = len(labelled.held_out)
    _line(console, "rows", f"{len(labelled.train):,} to train on, {held_out:,} held out · {data}{left_out}")
    if held_out < FEW_HELD_OUT:
        _line(console, "few rows", f"{held_out:,} held-out rows make wide intervals; {FEW_HELD_OUT} would be better")
    if clipped:
        _line(console, "sizes", clipped)


def _say_fit(console: Console, fit: Fit, curve: Curve, error: str, seconds_left: float) -> None:
    from pipeline.results.words import RECIPES

    name = RECIPES[fit.recipe] + (f", {fit.rows:,} rows, seed {fit.seed}" if fit.rows else "")
    left = f" · about {_minutes(seconds_left)} left" if seconds_left else ""
    if error:
        _line(console, "failed", f"{name}: {error}{left}")
        return
    point = curve.points[-1]
    _line(console, "model", f"{name}: AUC {point.auc.value:.4f} in {point.seconds:.0f} s{left}")


def _table(curve: Curve) -> Table:
    from pipeline.labelling.curve_record import summarize
    from pipeline.results.words import RECIPES

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("model", no_wrap=True)
    for name in ("rows", "seeds", "AUC (95 %)", "accuracy (95 %)", "ECE", "seconds", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summarize(curve.points):
        table.add_row(
            RECIPES[row.recipe],
            f"{row.rows:,}" if row.rows else "\u2013",
            str(row.seeds),
            _estimate(row.auc),
            _estimate(row.accuracy),
            f"{row.ece:.3f}",
            f"{row.seconds:.0f}",
            f"{row.memory_bytes / _MEGABYTE:,.0f}",
        )
    return table


def _estimate(estimate: Sequence[float]) -> str:
    value, low, high = estimate
    return f"{value:.4f} ({low:.3f} to {high:.3f})"


def _minutes(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minutes" if minutes > 1 else "1 minute"


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<11}[/]{escape(text)}", soft_wrap=True)
