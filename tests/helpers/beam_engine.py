"""Engines of processes of their own, over gRPC on loopback: Prism or Beam's local job service, and a worker pool.

Prism is Beam's portable runner, in Go. `python -m tests.helpers.beam_engine` builds the one of the installed Beam's
version where Go is there, once, into the user's cache; `make test-tools` calls it. `PRISM` names one that was built
elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from trainer.encoders.cache import cache_dir

JOB_SERVICE = "apache_beam.runners.portability.local_job_service_main"
WORKER_POOL = "apache_beam.runners.worker.worker_pool_main"
_BUILD_SECONDS = 900


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
def local_engine(folder: Path, prism: Path | None = None) -> Iterator[Engine]:
    """Starts a job service and a worker pool; what they print is in the folder.

    Args:
      folder: exists.
      prism: the program; None starts Beam's local job service, which is Python's.
    """
    ports = (free_port(), free_port())
    service = [str(prism), f"--job_port={ports[0]}", "--serve_http=false"]
    if prism is None:
        service = [sys.executable, "-m", JOB_SERVICE, f"--port={ports[0]}"]
    pool = [sys.executable, "-m", WORKER_POOL, f"--service_port={ports[1]}"]
    processes: list[subprocess.Popen] = []
    try:
        processes.append(start(service, folder / "job_service.txt"))
        processes.append(start(pool, folder / "worker_pool.txt"))
        for port, process in zip(ports, processes, strict=True):
            wait_for_port(port, process)
        yield Engine(*(f"localhost:{port}" for port in ports), Processes(*processes))
    finally:
        for process in processes:
            stop(process)


def find_prism() -> Path | None:
    """Returns the program that `PRISM` names, or that was built for the installed Beam; None where there is neither."""
    path = Path(os.environ.get("PRISM") or _built_prism())
    return path if os.access(path, os.X_OK) else None


def build_prism() -> None:
    """Builds Prism where Go is there and it was not built yet; Go verifies what it downloads by its own sums."""
    if find_prism():
        return
    if not shutil.which("go"):
        print("Go must be installed to test on Prism. Received: none; these tests are skipped.", file=sys.stderr)
        return
    module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version('apache-beam')}"
    print(f"Building {module} (once, some minutes)", flush=True)
    folder = _built_prism().parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        try:
            subprocess.run(
                ["go", "install", module], env={**os.environ, "GOBIN": unfinished}, check=True, timeout=_BUILD_SECONDS
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"Prism must build. Received: {error}; tests on it are skipped.", file=sys.stderr)
            return
        folder.mkdir(exist_ok=True)
        Path(unfinished, "prism").replace(_built_prism())


def _built_prism() -> Path:
    return cache_dir() / f"prism-{version('apache-beam')}" / "prism"


def stop(process: subprocess.Popen) -> None:
    """Kills a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start(call: list[str], log: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen:
    """Starts a process that leads a group, for `stop`."""
    # The pool calls `python`, as it is called in the image.
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **(environ or {}),
    }
    with log.open("ab") as stream:
        return subprocess.Popen(
            call,
            env=environ,
            stdout=stream,
            stderr=stream,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    """Returns when a process listens on a port of this machine."""
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} does not listen on {port}")


if __name__ == "__main__":
    build_prism()
