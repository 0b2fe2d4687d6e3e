"""The server that a model is validated with, and its command line."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import click

import serving
from components.local_infra_validator.policy import ServerUnavailable
from serving.serve import IMAGE, SERVER_VARIABLE, find_binary
from trainer.tensorflow_setup import threads

_BINARY = "tensorflow_model_server"
_DOCKER_SECONDS = 30
_PULL_SECONDS = 1800


@dataclasses.dataclass(frozen=True)
class ServerPlan:
    """A server that is yet to be started."""

    kind: str
    """`path`, `local` or `docker`."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """Over this process's."""
    container: str = ""
    """Its name, where it runs in one."""


def plan_server(kind: str, base_path: Path, model_name: str, port: int) -> ServerPlan:
    """Finds a server.

    Args:
      kind: as `InfraConfig.server`.
      base_path: the folder of versions.
      model_name: what it is to call the model.
      port: for gRPC, on the loopback address.

    Raises:
      ServerUnavailable: there is none of that kind.
    """
    if kind == "docker":
        return _docker(base_path, model_name, port)
    binary = _find(kind)
    # A load that failed is tried again after a minute by default; here it is an answer.
    flags = [f"--port={port}", f"--model_name={model_name}", f"--model_base_path={base_path}"]
    flags.append("--max_num_load_retries=0")
    # The official image has no GPU either, and where the model will be served nobody shares out the cores.
    environment = {"CUDA_VISIBLE_DEVICES": "-1", **threads.TENSORFLOWS_OWN}
    if binary:
        return ServerPlan("path", (binary, *flags), environment)
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(Path(serving.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    )
    return ServerPlan("local", (sys.executable, "-m", "serving.server", *flags), environment)


def identify_server(kind: str) -> str:
    """Returns a text that identifies the server that a model would be validated with.

    Raises:
      ServerUnavailable: there is none of that kind.
    """
    if kind == "docker":
        _check_docker()
        return f"docker {IMAGE}"
    if binary := _find(kind):
        facts = Path(binary).stat()
        return f"path {binary} {facts.st_size} {facts.st_mtime_ns}"
    return "local"


def _find(kind: str) -> str | None:
    binary = _binary() if kind in ("auto", "path") else None
    if kind == "path" and binary is None:
        raise ServerUnavailable(
            f"infra.server=path must find {_BINARY}. Received: none in {SERVER_VARIABLE} or on the PATH. Set "
            f"{SERVER_VARIABLE}, or infra.server=local."
        )
    return binary


def _check_docker() -> None:
    _call_docker("version", "--format", "{{.Server.Version}}")


def _binary() -> str | None:
    try:
        return find_binary(os.environ)
    except click.UsageError as error:
        raise ServerUnavailable(error.message) from error


def _docker(base_path: Path, model_name: str, port: int) -> ServerPlan:
    _check_docker()
    try:
        _call_docker("image", "inspect", IMAGE)
    except ServerUnavailable:
        _call_docker("pull", IMAGE, seconds=_PULL_SECONDS)  # here, so that it does not count as a cold start
    container = f"clickbait-infra-{uuid.uuid4().hex[:12]}"
    inside = f"/models/{model_name}"
    command = (
        *("docker", "run", "--rm", "--name", container, "--publish", f"127.0.0.1:{port}:8500"),
        *("--mount", f"type=bind,source={base_path},target={inside},readonly"),
        # The image's own entry point is a shell, which would hide the server's process and its memory.
        *("--entrypoint", _BINARY, IMAGE, "--port=8500", f"--model_name={model_name}", f"--model_base_path={inside}"),
        "--max_num_load_retries=0",
    )
    return ServerPlan("docker", command, {}, container)


def _call_docker(*arguments: str, seconds: float = _DOCKER_SECONDS) -> str:
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerUnavailable(_no_docker(arguments, str(error))) from error
    if done.returncode:
        raise ServerUnavailable(_no_docker(arguments, done.stderr.strip() or "no reason given"))
    return done.stdout.strip()


def _no_docker(arguments: tuple[str, ...], reason: str) -> str:
    reason = reason.splitlines()[-1].rstrip(".")
    return (
        f"infra.server=docker must have a Docker that works. Received: docker {' '.join(arguments)}: {reason}. "
        "Start it, or set infra.server=local."
    )


def container_process(container: str) -> int | None:
    """Returns the process id of a container's main process on this machine; None where it runs on another."""
    try:
        return int(_call_docker("inspect", "--format", "{{.State.Pid}}", container))
    except (ServerUnavailable, ValueError):
        return None


def remove_container(container: str) -> None:
    """Ends a container, if it still runs."""
    subprocess.run(["docker", "rm", "--force", container], capture_output=True, timeout=_DOCKER_SECONDS)
