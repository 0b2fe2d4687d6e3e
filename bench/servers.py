"""A local server's process to measure, the machine it runs on, and texts to score."""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import os
import platform
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from serving.client import Client

MODEL = "clickbait"
_START_SECONDS = 180
_STOP_SECONDS = 30
_PACKAGES = ("grpcio", "numpy", "protobuf", "tensorflow", "tensorflow-text")


Machine: TypeAlias = dict[str, str | float | None]
"""Facts by name, and versions of packages."""


class Server(NamedTuple):
    """A server that serves."""

    target: str
    process: subprocess.Popen[bytes]

    @property
    def memory(self) -> int:
        """Bytes that are resident now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


LOCAL = (sys.executable, "-m", "serving.server")


@contextlib.contextmanager
def running_server(base_path: Path, log: Path, *flags: str, program: Sequence[str] = LOCAL) -> Iterator[Server]:
    """Starts a server on a folder of versions and waits until one is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [*program, f"--port={port}", f"--model_name={MODEL}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*call, f"--model_base_path={base_path.resolve()}", *flags], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with Client(f"127.0.0.1:{port}", model=MODEL, wait_for_ready=True) as client:
            client.wait_until_ready(_START_SECONDS)
        yield Server(f"127.0.0.1:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def newest_version(base_path: Path) -> Path:
    """The folder of the version that a server on this folder serves."""
    numbers = [int(child.name) for child in base_path.glob("[0-9]*") if child.name.isdecimal()]
    if not numbers:
        raise SystemExit(
            f"There must be a pushed version. Received: {base_path}, which has none. Type `clickbait run`, or give "
            "--model_base_path."
        )
    return base_path / str(max(numbers))


def machine() -> Machine:
    """Returns the facts of this machine that the figures depend on."""
    with Path("/proc/cpuinfo").open() as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def make_headlines(count: int) -> list[str]:
    """Makes up headlines of 4 to 16 words of the sample's, the same ones each time."""
    draw = random.Random(1)
    with Path("data/sample/headlines.csv").open(encoding="utf-8", newline="") as stream:
        words = sorted({word for row in csv.DictReader(stream) for word in row["title"].split()})
    return [" ".join(draw.choices(words, k=draw.randint(4, 16))) for _ in range(count)]
