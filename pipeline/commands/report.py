"""`clickbait report`: the page of a run, or of two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import OUTPUT_TO_READ
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.results.verdict import Verdict

_COMPARISON_FILE = "comparison.html"


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
        raise click.UsageError("A report is of one run or of two. Received: RUN and --compare. Leave one out.")
    if target is not None and not target.name:
        raise click.UsageError("--to names a file. Received: nothing.")
    from pipeline.results.run_folders import OutputError

    runs = [_find_run(output, one) for one in compare or (run,)]
    try:
        page = _write_comparison(runs[0], runs[1], target) if compare else _write_report(runs[0], target)
    except OSError as error:
        raise OutputError(
            f"A page is written where it may be. Received: {error.filename}: {error.strerror}. Give --to FILE."
        ) from error
    click.echo(page)
    if opened:
        click.launch(str(page))


def _write_report(verdict: Verdict, target: Path | None) -> Path:
    from pipeline.results.report.facts import read_facts
    from pipeline.results.report.render import render_report
    from pipeline.results.report.write import REPORT_FILE, write_pages

    folder = Path(verdict.folder)
    facts = read_facts(folder)
    if target is None:
        write_pages(folder, verdict, facts)
        return folder / REPORT_FILE
    write_whole(target, render_report(verdict, facts))
    return target


def _write_comparison(first: Verdict, second: Verdict, target: Path | None) -> Path:
    from pipeline.results.report.facts import read_facts
    from pipeline.results.report.render import render_comparison

    before, now = ((verdict, read_facts(Path(verdict.folder))) for verdict in (first, second))
    target = target or Path(second.folder, _COMPARISON_FILE)
    write_whole(target, render_comparison(before, now))
    return target


def _find_run(output: str, run: str | None) -> Verdict:
    from pipeline.results.run_folders import CONFIG_FILE, read_run

    if run and Path(run, CONFIG_FILE).is_file():
        folder = Path(run).resolve()
        return read_run(folder.parent.parent, folder.name)
    return read_run(output, run)
