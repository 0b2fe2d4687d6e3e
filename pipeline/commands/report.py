"""`clickbait report`: the page of a run, or of two side by side."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from pipeline.commands.options import OUTPUT_TO_READ


@click.command()
@click.argument("run", required=False)
@OUTPUT_TO_READ
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Put two runs side by side; an id, its beginning, or the folder of a run of another output.",
)
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the page there.")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
def report(run: str | None, output: str, compare: tuple[str, str] | None, target: Path | None, opened: bool) -> None:
    """Write the page of a run, report.html, and its model card into its folder; RUN is as for verdict.

    The page needs nothing but itself, and no network.
    """
    if compare and run:
        raise click.UsageError("A report must be of one run or of two. Received: RUN and --compare. Leave one out.")
    if target is not None and not target.name:
        raise click.UsageError("--to must name a file. Received: nothing. Give a path.")
    from pipeline.results.report.write import write_comparison, write_report
    from pipeline.results.run_folders import OutputError, find_run

    verdicts = [find_run(output, name) for name in compare or (run,)]
    try:
        page = write_comparison(verdicts[0], verdicts[1], target) if compare else write_report(verdicts[0], target)
    except OSError as error:
        raise OutputError(
            f"The page's path must be writable. Received: {error.filename}: {error.strerror}. Give --to FILE."
        ) from error
    click.echo(page)
    if opened and not webbrowser.open(page.absolute().as_uri()):
        click.echo("There is no browser here to show it in: open the file in one.", err=True)
