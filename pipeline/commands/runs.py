"""`clickbait runs` and `clickbait verdict`: the runs of an output, and their results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from pipeline.commands.options import OUTPUT_TO_READ
from pipeline.terminal import open_console
from serving.untrusted import visible

_SUFFIXES = (".png", ".html")


def _plot_file(ctx: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix not in _SUFFIXES:
        raise click.UsageError(f"--plot must end with {' or '.join(_SUFFIXES)}. Received: {value}. Give such a file.")
    return value


@click.command()
@OUTPUT_TO_READ
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_plot_file,
    help="Write accuracy, AUC elsewhere and time over the runs there, as .png or .html.",
)
def runs(output: str, plot_file: Path | None) -> None:
    """List the runs, oldest first."""
    from pipeline.results.run_folders import OutputError, read_runs
    from pipeline.results.summary import run_table

    known = read_runs(output)
    if not known:
        click.echo(f"No runs in {output}. Type `clickbait run`.")
        return
    if plot_file is None:
        open_console().print(run_table(known))
        return
    from pipeline.results.report.history import write_history

    try:
        write_history(known, plot_file)
    except OSError as error:
        raise OutputError(
            f"--plot must be writable. Received: {plot_file}: {error.strerror}. Give another file."
        ) from error
    click.echo(plot_file)


@click.command()
@click.argument("run", required=False)
@OUTPUT_TO_READ
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json as it is.")
def verdict(run: str | None, output: str, as_json: bool) -> None:
    """Show why a run was or was not blessed and pushed; RUN is an id or its beginning, by default the newest."""
    from pipeline.results.run_folders import read_run
    from pipeline.results.summary import print_head, print_summary

    chosen = read_run(output, run)
    if as_json:
        values = chosen.as_dict() | {"folder": chosen.folder}
        click.echo(visible(json.dumps(values, indent=2, ensure_ascii=False)))
        return
    if chosen.cause is None and chosen.status == "not blessed":  # of an older version
        from pipeline.results.diagnosis import cause_of

        chosen = replace(chosen, cause=cause_of(chosen))
    console, folder = open_console(), Path(chosen.folder)
    if chosen.data:
        print_head(console, chosen, folder)
    print_summary(console, chosen, folder)
