"""`clickbait run`: from a CSV to a pushed model, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.options import CHALLENGE, CONFIG_FILE, LABEL_COLUMN, OUTPUT, OVERRIDES, PRESET, TEXT_COLUMN


def _reason(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.UsageError("--bless-anyway must have a reason. Received: none. Give the reason to push the model.")
    return value


@click.command()
@click.option(
    "--data",
    "data_path",
    help="CSV file, folder or glob, also s3:// or gs://; may hold {SPAN}, {DATE}, {VERSION}.  "
    "[default: the fetched CSV, else the sample]",
)
@click.option(
    "--eval-data",
    metavar="FILE",
    help="As --data: its rows evaluate, all of --data train.  [default: split by hash]",
)
@TEXT_COLUMN
@LABEL_COLUMN
@click.option("--encoder", help="embedded, hub URL, Kaggle handle, SavedModel folder or .tar.gz.  [default: embedded]")
@click.option("--offline", is_flag=True, default=None, help="Never download: the encoder is in the cache, or it fails.")
@PRESET
@CONFIG_FILE
@OVERRIDES
@OUTPUT
@click.option("--limit", type=int, help="Use a sample of that many rows.")
@click.option("--epochs", type=int, help="Passes over the training rows.")
@click.option("--tune", type=click.IntRange(min=1), metavar="N", help="Try N recipes, and train by the best.")
@click.option("--seed", type=int, help="Of weights, shuffling and casing.")
@CHALLENGE
@click.option("--no-challenges", is_flag=True, help="Measure on no texts from elsewhere, not even on fetched ones.")
@click.option("--bulk", metavar="FILE", help="Texts to score by the model, if it is blessed; as for predict --input.")
@click.option(
    "--bless-anyway",
    metavar="REASON",
    callback=_reason,
    help="Push the model although it fails rules, for this reason.",
)
@click.option("--from", "from_node", metavar="NODE", help="First component to run.")
@click.option("--to", "to_node", metavar="NODE", help="Last component to run.")
@click.option("--fresh", is_flag=True, help="Run every component anew, whatever the cache holds.")
@click.option("-v", "--verbose", is_flag=True, help="Show the libraries' log, too.")
@click.pass_context
def run(
    ctx: click.Context,
    data_path: str | None,
    eval_data: str | None,
    text_column: str | None,
    label_column: str | None,
    encoder: str | None,
    offline: bool | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    output: str | None,
    limit: int | None,
    epochs: int | None,
    tune: int | None,
    seed: int | None,
    challenges: list[dict[str, str]] | None,
    no_challenges: bool,
    bulk: str | None,
    bless_anyway: str | None,
    from_node: str | None,
    to_node: str | None,
    fresh: bool,
    verbose: bool,
) -> None:
    """Run the pipeline here: from a CSV to a pushed model."""
    from pipeline.config.pipeline_config import load_config
    from pipeline.running.local_runner import run_pipeline

    if challenges and no_challenges:
        raise click.UsageError("--challenge and --no-challenges must not be given together. Received: both. Drop one.")
    flags = {
        "data.path": data_path,
        "data.eval_data": eval_data,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "data.limit_rows": limit,
        "encoder.source": encoder,
        "encoder.offline": offline,
        "training.epochs": epochs,
        "training.seed": seed,
        "tuner.trials": tune,
        "bulk.path": bulk,
        "evaluation.challenges": [] if no_challenges else challenges,
        "evaluation.bless_anyway": bless_anyway,
        "output": output,
        "cache": False if fresh else None,
    }
    config = load_config(preset, config_file, overrides, flags)
    ctx.exit(run_pipeline(config, from_node=from_node, to_node=to_node, verbose=verbose))
