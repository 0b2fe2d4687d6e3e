"""`clickbait schema`: infers the schema, compares data with it, and updates it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from pipeline.commands.options import CONFIG_FILE, OVERRIDES, PRESET
from serving.untrusted import visible

if TYPE_CHECKING:
    from pipeline.config.pipeline_config import PipelineConfig
    from pipeline.schema.schema_tool import Comparison

EXIT_DOES_NOT_FIT = 3


class _Choice(TypedDict):
    """The options of `_with_data`."""

    data_path: str | None
    eval_data: str | None
    text_column: str | None
    label_column: str | None
    preset: str
    config_file: Path | None
    overrides: tuple[str, ...]
    schema_file: str | None


@click.group()
def schema() -> None:
    """Compare data with the schema, and update the schema.

    The same options as for run choose the data.
    """


def _with_data(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose the data and the schema of a `schema` command."""
    options = (
        click.option("--data", "data_path", help="As for run."),
        click.option("--eval-data", metavar="FILE", help="As for run."),
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
def infer(output_file: Path | None, **choice: Unpack[_Choice]) -> None:
    """Print the schema with the presences and domains that the data has."""
    from pipeline.schema import schema_tool

    text = schema_tool.infer_schema(_schema_config(choice))
    if output_file is None:
        click.echo(text, nl=False)
        return
    schema_tool.write_schema(output_file, text)
    click.echo(f"wrote {output_file}")


@schema.command()
@_with_data
@click.pass_context
def diff(ctx: click.Context, **choice: Unpack[_Choice]) -> None:
    """Show what in the data does not fit the schema, and the schema that would allow it.

    Exit codes: 0 the data fits, 3 it does not.
    """
    comparison = _compare(**choice)
    ctx.exit(EXIT_DOES_NOT_FIT if comparison.findings else 0)


@schema.command()
@_with_data
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.pass_context
def update(ctx: click.Context, yes: bool, **choice: Unpack[_Choice]) -> None:
    """Change the schema file so that it allows the data, after showing the change.

    The rules for title and label stay as they are: no data changes what the model reads. Exit codes: 0 the data fits
    the schema now, 3 something in it still does not.
    """
    comparison = _compare(**choice)
    if comparison.diff:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("update must ask before it writes. Received: no terminal to ask on. Give --yes.")
            click.confirm(f"Write {comparison.schema_file}?", abort=True)
        comparison.write()
        click.echo(f"wrote {comparison.schema_file}")
    ctx.exit(EXIT_DOES_NOT_FIT if comparison.remaining else 0)


def _compare(**choice: Unpack[_Choice]) -> Comparison:
    from pipeline.schema.schema_tool import compare_schema

    comparison = compare_schema(_schema_config(choice))
    _show_comparison(comparison)
    return comparison


def _schema_config(choice: _Choice) -> PipelineConfig:
    from pipeline.config.pipeline_config import load_config

    flags = {
        "data.path": choice["data_path"],
        "data.eval_data": choice["eval_data"],
        "data.text_column": choice["text_column"],
        "data.label_column": choice["label_column"],
        "data.schema_file": choice["schema_file"],
    }
    return load_config(choice["preset"], choice["config_file"], choice["overrides"], flags)


def _show_comparison(comparison: Comparison) -> None:
    click.echo(f"{comparison.data}, against {comparison.schema_file}")
    if not comparison.findings:
        click.echo("the data fits the schema")
    for finding in comparison.findings:
        click.echo(visible(f"  {finding}"))
    for line in comparison.diff.splitlines():
        click.secho(visible(line), fg={"+": "green", "-": "red"}.get(line[0]))
    if comparison.remaining:
        click.echo("an update does not allow what the model cannot read; fix the data, or edit the schema by hand:")
    for finding in comparison.remaining:
        click.echo(visible(f"  {finding}"))
