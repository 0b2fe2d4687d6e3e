"""Runs a module of Python in a process of its own, and measures its cost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_SAMPLING_SECONDS = 0.25


class Finished(NamedTuple):
    """A process that has ended."""

    code: int
    """The exit code; below 0 the signal that ended it."""
    printed: str
    log: str
    """Its stderr; empty where that was shown."""
    wall: float
    """Seconds."""
    cpu: float
    """Seconds."""
    peak_kib: float
    """Peak memory in KiB."""


def run_module(
    call: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    shows_log: bool = False,
    counts_children: bool = False,
) -> Finished:
    """Runs `python -m` with a call, and measures it.

    Args:
      call: the module and its arguments.
      environment: variables that differ from this process's.
      shows_log: whether stderr goes to this process's.
      counts_children: whether the peak, which is sampled then, includes child processes; they are killed at the end.
    """
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", *call],
            stdout=printed,
            stderr=None if shows_log else log,
            env={**os.environ, **(environment or {})},
            start_new_session=counts_children,
        )
        sampled = _sample_session(process.pid) if counts_children else 0.0
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (printed, log):
            stream.seek(0)
        # The kernel's peak is exact and of the largest process; the sampled one is of all together.
        peak = max(sampled, used.ru_maxrss)
        return Finished(process.returncode, printed.read(), log.read(), wall, used.ru_utime + used.ru_stime, peak)


def _sample_session(leader: int) -> float:
    """Returns the peak KiB of a session's processes together until its leader ended."""
    most = 0.0
    try:
        while os.waitid(os.P_PID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            most = max(most, _session_kib(leader))
            time.sleep(_SAMPLING_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
    return most


def _session_kib(leader: int) -> float:
    pages = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            session = (process / "stat").read_text().rpartition(")")[2].split()[3]
            if int(session) == leader:
                pages += int((process / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024
