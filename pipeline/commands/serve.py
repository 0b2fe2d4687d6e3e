"""`clickbait serve`: the real TF Serving where there is one, else the local server, with TF Serving's own flags."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from serving.serve import docker_command, find_binary, for_real_server, with_defaults

if TYPE_CHECKING:
    from serving.server.demo.api import Variants

_DEMO, _DOCKER = "--demo", "--docker"


@click.command(
    add_help_option=False,  # the server has its own, with all flags
    context_settings={"ignore_unknown_options": True},
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve(ctx: click.Context, flags: tuple[str, ...]) -> None:
    """Serve the pushed model; takes TF Serving's flags, --docker for the official image, --demo for a page at /."""
    if {"-h", "--help"} & set(flags):
        click.echo("--docker runs the official image; a tensorflow_model_server on PATH, or named by TF_MODEL_SERVER,")
        click.echo("is used instead of the local server. --demo always runs the local server, with a page for people")
        click.echo("at / of the REST port. The flags of the local server:\n")
        ctx.exit(_run_local_server(["--help"]))
    given = with_defaults([flag for flag in flags if flag not in (_DEMO, _DOCKER)], os.environ)
    if _DEMO in flags:
        if _DOCKER in flags:
            raise click.UsageError(
                "--demo must be given without --docker, whose server has no page. Received: both. Leave one out."
            )
        ctx.exit(_run_local_server(given, _variants()))
    if _DOCKER in flags:
        _replace_process(docker_command(for_real_server(given, "the official image")))
    if binary := find_binary(os.environ):
        _replace_process([binary, *for_real_server(given, binary)])
    ctx.exit(_run_local_server(given))


def _run_local_server(flags: Sequence[str], variants: Variants | None = None) -> int:
    from serving.server.__main__ import main  # imports gRPC, which the real server's command does without

    return main(flags, variants)


def _variants() -> Variants:
    """Returns the evaluation's variants but the headline as it is, by their names in its reports."""
    from components.slices import AS_IS
    from components.variant_example_gen.perturbations import perturb
    from pipeline.results import words  # costs half a second

    names = {variant: name for variant, name in words.VARIANTS.items() if variant != AS_IS}
    return {name: functools.partial(perturb, variant=variant) for variant, name in names.items()}


def _replace_process(command: Sequence[str]) -> None:
    click.echo(f"serving with {' '.join(command)}", err=True)
    sys.stdout.flush()
    os.execvp(command[0], list(command))
