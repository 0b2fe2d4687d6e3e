"""`clickbait doctor`: is this installation fit to run, and if not, what to type."""

from __future__ import annotations

import click

from pipeline.terminal import open_console


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check the installation and say what to do."""
    from pipeline.installation import CHECKS

    console = open_console()
    sick = 0
    for check in CHECKS:
        for finding in check():
            sick += finding.way_out is not None
            mark = "[green]✓[/]" if finding.way_out is None else "[red]✗[/]"
            console.print(f" {mark} {finding.name:<12}", end="")
            console.print(finding.found, markup=False, soft_wrap=True)
            if finding.way_out:
                console.print(f"   {'':<12}{finding.way_out}", markup=False, soft_wrap=True)
    console.print("all is well: type `clickbait run`" if not sick else f"{sick} to mend, see above", style="bold")
    ctx.exit(1 if sick else 0)
