"""Measures how long a fresh process takes to import modules: `python -m bench.import_time MODULE ...`.

Needs nothing but the standard library, so that it can be piped into the Python of an image:
`podman run --rm -i --entrypoint python IMAGE - kubeflow.container.entrypoint < bench/import_time.py`.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds of one process, from its start to its end."""

    wall: float
    cpu: float


def time_import(module: str) -> Times:
    """Imports a module in a process of its own, and returns its times."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{module} cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    return Times(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what importing modules costs a fresh process.")
    parser.add_argument("modules", nargs="+", metavar="MODULE")
    parser.add_argument("--rounds", type=int, default=5, help="Processes a module, after one that warms the disk.")
    arguments = parser.parse_args()
    for module in arguments.modules:
        time_import(module)
        rounds = [time_import(module) for _ in range(arguments.rounds)]
        wall, cpu = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{module}: wall {wall:.2f} s, CPU {cpu:.2f} s (median of {len(rounds)})")


if __name__ == "__main__":
    main()
