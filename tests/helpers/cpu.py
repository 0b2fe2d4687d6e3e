"""The cost of a command, in a measure that holds on slow machines, too."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any


def count_starts(run: Callable[[], Any]) -> float:
    """How often a bare Python could start for the CPU time of the processes that `run` starts and waits for.

    Both are measured three times, in turns, and the least of each counts: what else runs on the machine only adds.
    """
    costs = [(_cpu_seconds(_start_python), _cpu_seconds(run)) for _ in range(3)]
    start, cost = map(min, zip(*costs, strict=True))
    return cost / start


def _start_python() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def _cpu_seconds(run: Callable[[], Any]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
