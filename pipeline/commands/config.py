"""`clickbait config`: every setting."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.options import CONFIG_FILE, OVERRIDES, PRESET


@click.command()
@PRESET
@CONFIG_FILE
@OVERRIDES
@click.option("--markdown", is_flag=True, help="Print docs/configuration.md: the defaults, a table a section.")
def config(preset: str, config_file: Path | None, overrides: tuple[str, ...], markdown: bool) -> None:
    """Show every setting: its value, the values that it takes, and its meaning."""
    from pipeline.config import reference
    from pipeline.config.pipeline_config import load_config

    if markdown:
        click.echo(reference.as_markdown(), nl=False)
        return
    for setting in reference.describe_config(load_config(preset, config_file, overrides)):
        click.echo(f"{click.style(setting.key, bold=True)} = {setting.value}")
        click.echo(f"    {setting.description} Takes: {setting.allowed}.")
