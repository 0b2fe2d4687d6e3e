"""`clickbait clean`: removes the files of older runs, after showing them."""

from __future__ import annotations

from collections import defaultdict

import click

from pipeline.commands.options import OUTPUT_TO_READ
from pipeline.config.paths import KEPT_RUNS, OutputPaths
from serving.untrusted import visible


@click.command()
@OUTPUT_TO_READ
@click.option("--keep", type=click.IntRange(min=1), default=KEPT_RUNS, show_default=True, help="Newest runs to keep.")
@click.option("--encoders", is_flag=True, help="Also the cached encoders that none of these runs has used.")
@click.option("--yes", is_flag=True, help="Remove it. Without, it is only shown.")
def clean(output: str, keep: int, encoders: bool, yes: bool) -> None:
    """Show the disk space of older runs, and with --yes free it.

    Kept are the newest runs, all versions in the serving folders with the runs that made them, accepted data, and
    what a rerun, a rollback, a report or monitor needs of them. Such an older run runs anew when it is repeated.
    """
    from pipeline.config.pipeline_config import load_config
    from pipeline.results import clean as cleaning
    from pipeline.results.run_folders import OutputError, claim_output

    paths = OutputPaths.of(load_config(flags={"output": output}))
    if not paths.runs.is_dir():
        raise OutputError(f"There must be runs to clean. Received: {output}, which has none. Give another --output.")
    with claim_output(paths.runs.parent, paths.metadata):
        plan = cleaning.choose_removable(paths, keep)
        stored = cleaning.unused_encoders(paths, keep) if encoders else []
        by_parent = defaultdict(list)
        for folder in (*plan.folders, *stored):
            by_parent[folder.parent].append(folder)
        for parent, folders in sorted(by_parent.items()):
            click.echo(visible(f"{cleaning.size_of(folders):>15,} bytes in {len(folders):>4,} folders of {parent}"))
        size = plan.size + cleaning.size_of(stored)
        done = f"{plan.runs:,} runs, {len(plan.folders) + len(stored):,} folders, {size:,} bytes"
        if not yes:
            click.echo(f"{done} can be removed; --yes removes them" if plan.folders or stored else "nothing to remove")
            return
        cleaning.remove(paths, plan)
        cleaning.remove_encoders(stored)
    click.echo(f"removed: {done}")
