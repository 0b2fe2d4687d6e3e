"""Beam's own local job service and worker pool, each a process, over gRPC on loopback: an engine as Flink is one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

JOB_SERVICE = "apache_beam.runners.portability.local_job_service_main"
WORKER_POOL = "apache_beam.runners.worker.worker_pool_main"


class Engine(NamedTuple):
    """Where the two listen."""

    job_endpoint: str
    worker_pool: str

    @property
    def overrides(self) -> list[str]:
        """The configuration that runs the data components there."""
        return [
            "beam.runner=PortableRunner",
            f"beam.job_endpoint={self.job_endpoint}",
            "beam.environment_type=EXTERNAL",
            f"beam.environment_config={self.worker_pool}",
        ]


@contextlib.contextmanager
def local_engine(folder: Path) -> Iterator[Engine]:
    """Starts both; what they print is in the folder."""
    with contextlib.ExitStack() as stack:
        job_service = stack.enter_context(serving(JOB_SERVICE, "--port", folder))
        yield Engine(job_service, stack.enter_context(serving(WORKER_POOL, "--service_port", folder)))


@contextlib.contextmanager
def serving(module: str, option: str, folder: Path) -> Iterator[str]:
    """Starts a module that listens, and ends it and all that it started."""
    port = free_port()
    # The pool calls `python`, as it is called in the image.
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with Path(folder, f"{module.rpartition('.')[2]}.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, f"{option}={port}"],
            env=environ,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
    try:
        _await(port, process)
        yield f"localhost:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _await(port: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} does not listen on {port}")
