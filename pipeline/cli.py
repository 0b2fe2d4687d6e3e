"""The command line `clickbait`. Every command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from pipeline.commands.options import CONFIG_FILE, OUTPUT, OUTPUT_TO_READ, OVERRIDES, PRESET
from serving.untrusted import visible

EXIT_INTERRUPTED = 130
_COMMANDS = {
    "clean": "pipeline.commands.clean:clean",
    "encoder": "pipeline.commands.encoder:encoder",
    "explain": "pipeline.commands.explain:explain",
    "kubeflow": "kubeflow.cli:kubeflow",
    "monitor": "pipeline.commands.monitor:monitor",
    "predict": "serving.client.cli:predict_command",
    "report": "pipeline.commands.report:report",
    "rollback": "pipeline.commands.versions:rollback",
    "serve": "serving.serve:serve_command",
    "versions": "pipeline.commands.versions:versions",
}
"""Those that have modules of their own, which are imported when they are asked for."""


class _Group(click.Group):
    """Shows a user's mistake as a message, with the exit code that the exception names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = _COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except Exception as error:
            if not hasattr(error, "exit_code"):
                raise
            click.echo(visible(f"clickbait: {error}"), err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clickbait-tfx", prog_name="clickbait")
def main() -> None:
    """Is this title clickbait? Fine-tunes a TensorFlow Hub text encoder with TFX, from a CSV to TF Serving.

    Exit codes: 0 pushed or done, 2 the call or the input is wrong, 3 the data was refused or what is served has
    drifted, 4 the model was not blessed, 5 it failed infra validation, 1 anything unforeseen.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal that knows no Unicode


@main.command()
@click.option("--source", help="Folder or URL that holds the two .gz files.  [default: the public addresses]")
def fetch(source: str | None) -> None:
    """Get the Stop Clickbait headlines: 32,000 rows into data/clickbait.csv."""
    from data.fetch import fetch as fetch_headlines

    result = fetch_headlines(source)
    click.echo(f"{result.path}: {result.rows:,} rows, {result.clickbait_rows:,} clickbait, sha256 {result.sha256}")


def _reason(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.UsageError("--bless-anyway takes a reason. Received: none. Say why it is pushed.")
    return value


@main.command()
@click.option(
    "--data",
    "data_path",
    help="CSV file, folder or glob; may hold {SPAN}, {DATE}, {VERSION}.  [default: the fetched CSV, else the sample]",
)
@click.option("--text-column", help="The CSV's column of texts.  [default: title]")
@click.option("--label-column", help="The CSV's column of labels.  [default: label]")
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
@click.option("--bulk", metavar="FILE", help="Texts to score by the model, if it is blessed; as for predict --input.")
@click.option("--bless-anyway", metavar="REASON", callback=_reason, help="Push whatever rules it breaks, and say why.")
@click.option("--from", "from_node", metavar="NODE", help="First component to run.")
@click.option("--to", "to_node", metavar="NODE", help="Last component to run.")
@click.option("--fresh", is_flag=True, help="Run every component anew, whatever the cache holds.")
@click.option("-v", "--verbose", is_flag=True, help="Show the libraries' log, too.")
@click.pass_context
def run(
    ctx: click.Context,
    data_path: str | None,
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

    flags = {
        "data.path": data_path,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "data.limit_rows": limit,
        "encoder.source": encoder,
        "encoder.offline": offline,
        "training.epochs": epochs,
        "training.seed": seed,
        "tuner.trials": tune,
        "bulk.path": bulk,
        "evaluation.bless_anyway": bless_anyway,
        "output": output,
        "cache": False if fresh else None,
    }
    config = load_config(preset, config_file, overrides, flags)
    ctx.exit(run_pipeline(config, from_node=from_node, to_node=to_node, verbose=verbose))


@main.command()
@PRESET
@CONFIG_FILE
@OVERRIDES
def config(preset: str, config_file: Path | None, overrides: tuple[str, ...]) -> None:
    """Show every setting: its value, what it takes and what it means."""
    from pipeline.config.pipeline_config import describe_config, load_config

    for setting in describe_config(load_config(preset, config_file, overrides)):
        click.echo(f"{click.style(setting.key, bold=True)} = {setting.value}")
        click.echo(f"    {setting.description} Takes: {setting.allowed}.")


@main.command()
@OUTPUT_TO_READ
def runs(output: str) -> None:
    """List what was run."""
    from pipeline.results.run_folders import read_runs
    from pipeline.results.summary import run_table
    from pipeline.terminal import open_console

    known = read_runs(output)
    if not known:
        click.echo(f"No runs in {output}. Type `clickbait run`.")
        return
    open_console().print(run_table(known))


@main.command()
@click.argument("run", required=False)
@OUTPUT_TO_READ
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json as it is.")
def verdict(run: str | None, output: str, as_json: bool) -> None:
    """Say why a run was or was not blessed and pushed; RUN is an id or its beginning, by default the newest."""
    from pipeline.results.run_folders import read_run

    found = read_run(output, run)
    if as_json:
        import json

        click.echo(visible(json.dumps(found, indent=2, ensure_ascii=False)))
        return
    from pipeline.results.summary import print_head, print_summary
    from pipeline.terminal import open_console

    console, folder = open_console(), Path(found["folder"])
    if "data" in found:
        print_head(console, found, folder)
    print_summary(console, found, folder)


@main.command()
@click.argument("texts", nargs=-1, required=True)
@click.option("--encoder", default="embedded", show_default=True, help="As for run.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--all", "whole", is_flag=True, help="Print all values, not the first eight.")
def embed(texts: tuple[str, ...], encoder: str, offline: bool, whole: bool) -> None:
    """Print the encoder's vector for each text: shape, norm and values."""
    from pipeline.commands.embed import embed_texts

    embed_texts(texts, encoder, offline=offline, whole=whole)


@main.group()
def schema() -> None:
    """Hold data against the schema, and change the schema with it.

    The data is a run's: the same options choose it.
    """


def _with_data(command):
    """The options that choose the data of a `schema` command, and its schema."""
    options = (
        click.option("--data", "data_path", help="As for run."),
        click.option("--text-column", help="As for run."),
        click.option("--label-column", help="As for run."),
        PRESET,
        CONFIG_FILE,
        OVERRIDES,
        click.option(
            "--schema",
            "schema_file",
            metavar="FILE",
            help="The schema, instead of data.schema_file.  [default: data/schema.pbtxt]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@schema.command()
@_with_data
@click.option("--output-file", type=click.Path(path_type=Path), help="Write it there.  [default: print it]")
def infer(output_file: Path | None, **choice) -> None:
    """Print the schema with the presences and domains that the data has."""
    from pipeline.schema import schema_tool

    text = schema_tool.infer_schema(_schema_config(**choice))
    if output_file is None:
        click.echo(text, nl=False)
        return
    schema_tool.write_schema(output_file, text)
    click.echo(f"wrote {output_file}")


@schema.command()
@_with_data
@click.pass_context
def diff(ctx: click.Context, **choice) -> None:
    """Show what in the data does not fit the schema, and the schema that would take it.

    Exit codes: 0 the data fits, 3 it does not.
    """
    from pipeline.schema import schema_tool

    found = schema_tool.compare_schema(_schema_config(**choice))
    _show_comparison(found)
    ctx.exit(schema_tool.EXIT_DOES_NOT_FIT if found.findings else 0)


@schema.command()
@_with_data
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.pass_context
def update(ctx: click.Context, yes: bool, **choice) -> None:
    """Change the schema file so that it takes the data, after showing the change.

    The rules for title and label stay as they are: no data changes what the model reads. Exit codes: 0 the data fits
    the schema now, 3 something in it still does not.
    """
    from pipeline.schema import schema_tool

    found = schema_tool.compare_schema(_schema_config(**choice))
    _show_comparison(found)
    if found.diff:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("update asks before it writes. Received: no terminal to ask on. Give --yes.")
            click.confirm(f"Write {found.schema_file}?", abort=True)
        schema_tool.write_schema(found.schema_file, found.updated)
        click.echo(f"wrote {found.schema_file}")
    ctx.exit(schema_tool.EXIT_DOES_NOT_FIT if found.remaining else 0)


def _schema_config(
    data_path: str | None,
    text_column: str | None,
    label_column: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    schema_file: str | None,
):
    from pipeline.config.pipeline_config import load_config

    flags = {
        "data.path": data_path,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "data.schema_file": schema_file,
    }
    return load_config(preset, config_file, overrides, flags)


def _show_comparison(found) -> None:
    click.echo(f"{found.data}, against {found.schema_file}")
    if not found.findings:
        click.echo("the data fits the schema")
    for finding in found.findings:
        click.echo(visible(f"  {finding}"))
    for line in found.diff.splitlines():
        click.secho(visible(line), fg={"+": "green", "-": "red"}.get(line[0]))
    if found.remaining:
        click.echo("no update takes what the model cannot read; mend the data, or edit the schema by hand:")
    for finding in found.remaining:
        click.echo(visible(f"  {finding}"))


@main.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check the installation and say what to do."""
    from pipeline.commands.doctor import run_doctor

    ctx.exit(run_doctor())


if __name__ == "__main__":
    sys.exit(main())
