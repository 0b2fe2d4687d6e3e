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


class Processes(NamedTuple):
    """Each leads a group of what it starts."""

    job_service: subprocess.Popen
    worker_pool: subprocess.Popen


class Engine(NamedTuple):
    """Where the two listen, and their processes."""

    job_endpoint: str
    worker_pool: str
    processes: Processes

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
    ports = (free_port(), free_port())
    processes: list[subprocess.Popen] = []
    try:
        processes.append(_start([JOB_SERVICE, f"--port={ports[0]}"], folder / "job_service.txt"))
        processes.append(_start([WORKER_POOL, f"--service_port={ports[1]}"], folder / "worker_pool.txt"))
        for port, process in zip(ports, processes, strict=True):
            _await(port, process)
        yield Engine(*(f"localhost:{port}" for port in ports), Processes(*processes))
    finally:
        for process in processes:
            stop(process)


def stop(process: subprocess.Popen) -> None:
    """Kills a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _start(call: list[str], log: Path) -> subprocess.Popen:
    # The pool calls `python`, as it is called in the image.
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", *call],
            env=environ,
            stdout=stream,
            stderr=stream,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )


def _await(port: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} does not listen on {port}")
