"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click


def _challenges(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[dict[str, str]] | None:
    """Returns the challenges of `NAME=PATH` each as `evaluation.challenges` has them; None where there are none."""
    challenges = []
    for value in values:
        name, equals, path = value.partition("=")
        if not (name.strip() and equals and path.strip()):
            raise click.UsageError(
                f"--challenge must be NAME=PATH. Received: {value}. Give a name and a CSV file of labelled texts."
            )
        challenges.append({"name": name.strip(), "path": path})
    return challenges or None


CHALLENGE = click.option(
    "--challenge",
    "challenges",
    multiple=True,
    metavar="NAME=PATH",
    callback=_challenges,
    help="Labelled CSV from elsewhere to measure the model on; may be given again.",
)
TEXT_COLUMN = click.option("--text-column", help="The CSV's column of texts.  [default: title]")
LABEL_COLUMN = click.option("--label-column", help="The CSV's column of labels.  [default: label]")
MODEL = click.option("--model", help="Name of the model in TF Serving.  [default: clickbait]")
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
