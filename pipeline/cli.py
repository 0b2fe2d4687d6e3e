"""The command line `clickbait`: a command's module is imported when the command is called."""

from __future__ import annotations

import importlib
import sys

import click

from serving.untrusted import visible

EXIT_INTERRUPTED = 130
_COMMANDS = {
    "clean": "pipeline.commands.clean:clean",
    "config": "pipeline.commands.config:config",
    "doctor": "pipeline.commands.doctor:doctor",
    "embed": "pipeline.commands.embed:embed",
    "encoder": "pipeline.commands.encoder:encoder",
    "explain": "pipeline.commands.explain:explain",
    "fetch": "pipeline.commands.fetch:fetch",
    "kubeflow": "kubeflow.cli:kubeflow",
    "monitor": "pipeline.commands.monitor:monitor",
    "predict": "serving.client.cli:predict_command",
    "report": "pipeline.commands.report:report",
    "rollback": "pipeline.commands.versions:rollback",
    "run": "pipeline.commands.run:run",
    "runs": "pipeline.commands.runs:runs",
    "schema": "pipeline.commands.schema:schema",
    "serve": "serving.serve:serve_command",
    "verdict": "pipeline.commands.runs:verdict",
    "versions": "pipeline.commands.versions:versions",
}


class _Group(click.Group):
    """Shows a user's mistake as a message, with the exit code that the exception names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except Exception as error:
            if not hasattr(error, "exit_code"):
                raise
            click.echo(visible(f"clickbait: {error}"), err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clickbait-tfx", prog_name="clickbait")
def main() -> None:
    """Is this title clickbait? Fine-tunes a TensorFlow Hub text encoder with TFX, from a CSV to TF Serving.

    Exit codes: 0 pushed or done, 2 the call or the input is wrong, 3 the data was refused or what is served has
    drifted, 4 the model was not blessed, 5 it failed infra validation, 1 anything unforeseen.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal that knows no Unicode


if __name__ == "__main__":
    sys.exit(main())
