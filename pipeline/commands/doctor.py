"""`clickbait doctor`: checks the installation."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from pipeline.commands.options import CONFIG_FILE, OUTPUT, OVERRIDES, PRESET
from pipeline.terminal import open_console


@click.command()
@click.option("--beam", is_flag=True, help="Try the engine of the section beam instead, with a job of one step.")
@PRESET
@CONFIG_FILE
@OVERRIDES
@OUTPUT
@click.pass_context
def doctor(
    ctx: click.Context,
    beam: bool,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    output: str | None,
) -> None:
    """Check the installation, and show how to repair it."""
    from pipeline.installation import CHECKS

    checks = CHECKS
    if beam:
        from pipeline.config.pipeline_config import load_config
        from pipeline.engine import check_engine

        checks = (functools.partial(check_engine, load_config(preset, config_file, overrides, {"output": output})),)
    console = open_console()
    failed = 0
    for check in checks:
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
