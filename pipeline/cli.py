"""The command line `clickbait`: a command's module is imported when the command is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import click

from serving.untrusted import visible

EXIT_INTERRUPTED = 130
_COMMANDS = {
    "clean": "pipeline.commands.clean:clean",
    "config": "pipeline.commands.config:config",
    "curve": "pipeline.commands.curve:curve",
    "doctor": "pipeline.commands.doctor:doctor",
    "embed": "pipeline.commands.embed:embed",
    "encoder": "pipeline.commands.encoder:encoder",
    "explain": "pipeline.commands.explain:explain",
    "fetch": "pipeline.commands.fetch:fetch",
    "kubeflow": "kubeflow.cli:kubeflow",
    "monitor": "pipeline.commands.monitor:monitor",
    "predict": "serving.client.cli:predict_command",
    "report": "pipeline.commands.report:report",
    "review": "pipeline.commands.review:review",
    "rollback": "pipeline.commands.versions:rollback",
    "run": "pipeline.commands.run:run",
    "runs": "pipeline.commands.runs:runs",
    "schema": "pipeline.commands.schema:schema",
    "serve": "pipeline.commands.serve:serve",
    "threshold": "pipeline.commands.threshold:threshold",
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
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ImportError as error:
            package = sys.modules.get(module.partition(".")[0])
            if package is None or _is_ours(package):
                raise
            return _without_package(cmd_name, f"{package.__name__}, {package.__file__}: {error}")
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


def _is_ours(package: ModuleType) -> bool:
    return Path(__file__).resolve().parents[1] in (Path(folder).resolve().parent for folder in package.__path__)


def _without_package(name: str, received: str) -> click.Command:
    """Returns a command that says whose package is in the way, so that all others work."""

    def refuse() -> None:
        raise click.UsageError(
            f"The package of this command must be clickbait-tfx's. Received: another's, {received}. The SDK of "
            "Kubeflow, on PyPI `kubeflow`, has a package of this name, too: give it an environment of its own. "
            "`clickbait doctor` says how."
        )

    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(
        name, callback=refuse, context_settings=anything, short_help="Another's package is in the way: type `doctor`."
    )


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
