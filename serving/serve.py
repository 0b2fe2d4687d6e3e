"""The flags of `clickbait serve`, and the real TF Serving: its binary, and the official image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

#: The variable with the path of a tensorflow_model_server, instead of the one on PATH.
SERVER_VARIABLE = "TF_MODEL_SERVER"
OUTPUT_VARIABLE = "CLICKBAIT__OUTPUT"
IMAGE = "tensorflow/serving:2.20.0"
_BINARY = "tensorflow_model_server"
_DEFAULTS = {"port": "8500", "rest_api_port": "8501", "model_name": "clickbait"}
#: As in serving/manifests/kubernetes/deployment.yaml, for the same reasons.
_DEFAULTS_OF_REAL_SERVER = {"num_load_threads": "2", "max_num_load_retries": "2", "grpc_max_threads": "64"}


def with_defaults(flags: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Joins `--flag value` to `--flag=value`, and adds defaults: ports, name, the folder that runs push to.

    Args:
      flags: of TF Serving, whose own binary knows `--flag=value` only.
      environ: may name the output folder of runs, as for `run`.
    """
    flags = _join_values(flags)
    output = os.path.expanduser(environ.get(OUTPUT_VARIABLE) or "output")  # noqa: PTH111  as `OutputPaths`
    name = _value(flags, "model_name") or _DEFAULTS["model_name"]
    wanted = dict(_DEFAULTS)
    if _value(flags, "model_config_file"):
        del wanted["model_name"]
    else:
        wanted["model_base_path"] = str(Path(output, "serving", name).absolute())
    return [*flags, *_missing(flags, wanted)]


def find_binary(environ: Mapping[str, str]) -> str | None:
    """Returns the path of the real tensorflow_model_server: that of the variable, else the one on PATH, else None.

    Raises:
      click.UsageError: that of the variable cannot be run.
    """
    named = environ.get(SERVER_VARIABLE)
    binary = shutil.which(named or _BINARY, path=environ.get("PATH"))
    if named and not binary:
        raise click.UsageError(
            f"{SERVER_VARIABLE} must name a tensorflow_model_server. Received: {named}, which cannot be run. Unset it "
            "for the local server."
        )
    return binary


def for_real_server(flags: Sequence[str], server: str) -> list[str]:
    """Adds the flags with which one bad version holds up no other and calls wait instead of being refused.

    Args:
      flags: from `with_defaults`.
      server: its name, for the message.

    Raises:
      click.UsageError: a flag is one of the request log, which the real server does not have.
    """
    given = [flag for flag in flags if flag.startswith("--request_log_")]
    if given:
        raise click.UsageError(
            f"--request_log_dir must go to the local server, which alone has it. Received: {given[0]} for {server}. "
            "Let the client log: `clickbait predict --log-to DIR`, or ClientOptions(log_to=DIR)."
        )
    return [*flags, *_missing(flags, _DEFAULTS_OF_REAL_SERVER)]


def docker_command(flags: Sequence[str]) -> list[str]:
    """Returns the call of `docker run` for the official image with the same flags, its ports and its folder.

    Raises:
      click.UsageError: docker is not on PATH, or a flag names another file of this machine than the model's folder.
    """
    if not shutil.which("docker"):
        raise click.UsageError(
            "docker must be on PATH for --docker. Received: no docker. Leave --docker out for the local server."
        )
    files = [flag for flag in flags if _names_a_file(flag)]
    if files:
        raise click.UsageError(
            f"--docker must be given without flags that name files, because it mounts the model's folder alone. "
            f"Received: {files[0]}. Leave one of the two out, or type `docker run` with a mount of that file."
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


def _missing(flags: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    return [f"--{flag}={value}" for flag, value in wanted.items() if _value(flags, flag) is None]


def _value(flags: Sequence[str], name: str) -> str | None:
    """Returns the value of `--flag=value`, the last of several; None where there is none."""
    values = [flag.partition("=")[2] for flag in flags if flag.startswith(f"--{name}=")]
    return values[-1] if values else None
