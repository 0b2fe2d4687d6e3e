"""`clickbait doctor`: checks the installation."""

from __future__ import annotations

import click

from pipeline.terminal import open_console


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check the installation, and show how to repair it."""
    from pipeline.installation import CHECKS

    console = open_console()
    failed = 0
    for check in CHECKS:
        for finding in check():
            failed += finding.way_out is not None
            mark = "[green]✓[/]" if finding.way_out is None else "[red]✗[/]"
            console.print(f" {mark} {finding.name:<12}", end="")
            console.print(finding.result, markup=False, soft_wrap=True)
            if finding.way_out:
                console.print(f"   {'':<12}{finding.way_out}", markup=False, soft_wrap=True)
    console.print(
        "all checks passed: type `clickbait run`" if not failed else f"{failed} failed, see above", style="bold"
    )
    ctx.exit(1 if failed else 0)
