"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

OUTPUT = click.option("--output", help="Folder that holds all that runs write.  [default: output]")
# `run` reads the variable in the configuration's order of layers.
OUTPUT_TO_READ = click.option(
    "--output",
    envvar="CLICKBAIT__OUTPUT",
    default="output",
    show_default=True,
    help="Folder that holds all that runs wrote.",
)
PRESET = click.option("--preset", default="default", show_default=True, help="default, own, article or smoke.")
CONFIG_FILE = click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML over the preset.")
OVERRIDES = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. training.epochs=3.")
