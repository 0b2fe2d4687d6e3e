"""`clickbait serve`: the real TF Serving where there is one, else the local server, with TF Serving's own flags."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

#: Names a tensorflow_model_server to take instead of the one on PATH.
SERVER_VARIABLE = "TF_MODEL_SERVER"
OUTPUT_VARIABLE = "CLICKBAIT__OUTPUT"
IMAGE = "tensorflow/serving:2.16.1"
_BINARY = "tensorflow_model_server"
_DEFAULTS = {"port": "8500", "rest_api_port": "8501", "model_name": "clickbait"}


@click.command(
    "serve",
    add_help_option=False,  # the server has its own, with all flags
    context_settings={"ignore_unknown_options": True},
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve_command(ctx: click.Context, flags: tuple[str, ...]) -> None:
    """Serve the pushed model; takes TF Serving's flags, and --docker for the official image."""
    if {"-h", "--help"} & set(flags):
        click.echo("--docker runs the official image; a tensorflow_model_server on PATH, or named by TF_MODEL_SERVER,")
        click.echo("is taken instead of the local server, whose flags these are:\n")
        ctx.exit(_run_local_server(["--help"]))
    given = with_defaults([flag for flag in flags if flag != "--docker"], os.environ)
    if "--docker" in flags:
        refuse_own_flags(given, "the official image")
        _replace_process(docker_command(given))
    if binary := find_binary(os.environ):
        refuse_own_flags(given, binary)
        _replace_process([binary, *given])
    ctx.exit(_run_local_server(given))


def with_defaults(flags: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Joins `--flag value` to `--flag=value`, and adds what was not given: ports, name, the folder that runs push to.

    Args:
      flags: of TF Serving, whose own binary knows `--flag=value` only.
      environ: may name the folder that holds all that runs wrote, as for `run`.
    """
    flags = _join_values(flags)
    output = os.path.expanduser(environ.get(OUTPUT_VARIABLE) or "output")  # noqa: PTH111  as `OutputPaths`
    name = _value(flags, "model_name") or _DEFAULTS["model_name"]
    wanted = dict(_DEFAULTS)
    if _value(flags, "model_config_file"):
        del wanted["model_name"]
    else:
        wanted["model_base_path"] = str(Path(output, "serving", name).absolute())
    return [*flags, *(f"--{flag}={value}" for flag, value in wanted.items() if _value(flags, flag) is None)]


def find_binary(environ: Mapping[str, str]) -> str | None:
    """The real tensorflow_model_server: the one that is named, else the one on PATH.

    Raises:
      click.UsageError: the one that is named is not there.
    """
    named = environ.get(SERVER_VARIABLE)
    found = shutil.which(named or _BINARY, path=environ.get("PATH"))
    if named and not found:
        raise click.UsageError(
            f"{SERVER_VARIABLE} names a tensorflow_model_server. Received: {named}, which cannot be run. Unset it for "
            "the local server."
        )
    return found


def refuse_own_flags(flags: Sequence[str], server: str) -> None:
    """Sees that the real server gets no flag that asks for a log of requests, of which it has none.

    Raises:
      click.UsageError: it would.
    """
    given = [flag for flag in flags if flag.startswith("--request_log_")]
    if given:
        raise click.UsageError(
            f"--request_log_dir is the local server's own. Received: {given[0]} for {server}. Let the client log: "
            "`clickbait predict --log-to DIR`, or ClientOptions(log_to=DIR)."
        )


def docker_command(flags: Sequence[str]) -> list[str]:
    """`docker run` of the official image with the same flags, its ports and its folder.

    Raises:
      click.UsageError: docker is not there, or a flag names another file of this machine than the model's folder.
    """
    if not shutil.which("docker"):
        raise click.UsageError("--docker needs docker. Received: no docker on PATH. Leave it out for the local server.")
    files = [flag for flag in flags if _names_a_file(flag)]
    if files:
        raise click.UsageError(
            f"--docker mounts the model's folder alone. Received: {files[0]}. Leave one of the two out, or type "
            "`docker run` with a mount of that file."
        )
    base_path, name = _value(flags, "model_base_path"), _value(flags, "model_name")
    assert base_path is not None  # it is left out beside --model_config_file alone, which was refused
    ports = [_value(flags, flag) for flag in ("port", "rest_api_port")]
    published = [part for port in ports if port != "0" for part in ("-p", f"127.0.0.1:{port}:{port}")]
    inside = f"/models/{name}"
    rest = [flag for flag in flags if not flag.startswith("--model_base_path")]
    mount = ["--mount", f"type=bind,source={Path(base_path).absolute()},target={inside},readonly"]
    entry = ["--entrypoint", _BINARY, IMAGE, f"--model_base_path={inside}"]
    # As process 1 the server would heed no signal: --init.
    return ["docker", "run", "--rm", "--init", *published, *mount, *entry, *rest]


def _run_local_server(flags: Sequence[str]) -> int:
    from serving.server.__main__ import main  # imports gRPC, which the real server's command does without

    return main(flags)


def _join_values(flags: Sequence[str]) -> list[str]:
    from serving.server.flags import valued_flags  # a third of what `clickbait --help` costs

    valued = {f"--{name}" for name in valued_flags()}
    joined, left = [], iter(flags)
    for flag in left:
        value = next(left, None) if flag in valued else None
        joined.append(flag if value is None else f"{flag}={value}")
    return joined


def _names_a_file(flag: str) -> bool:
    name, _, value = flag.partition("=")
    return bool(value) and (name.endswith("_file") or name == "--grpc_socket_path")


def _value(flags: Sequence[str], name: str) -> str | None:
    """What `--flag=value` says; the last counts."""
    found = [flag.partition("=")[2] for flag in flags if flag.startswith(f"--{name}=")]
    return found[-1] if found else None


def _replace_process(command: Sequence[str]) -> None:
    click.echo(f"serving with {' '.join(command)}", err=True)
    sys.stdout.flush()
    os.execvp(command[0], list(command))
