"""Runs a module of Python in a process of its own, and measures its cost, and that of sessions beside it."""

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
_OWN = "own"


class Usage(NamedTuple):
    """What sessions cost while a module ran, sampled."""

    cpu: float
    """Seconds."""
    peak_kib: float
    """Peak memory of all together in KiB."""


_NOTHING = Usage(0.0, 0.0)


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
    beside: dict[str, Usage]
    """The sessions that were watched."""


def run_module(
    call: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    shows_log: bool = False,
    counts_children: bool = False,
    beside: Mapping[str, Sequence[int]] | None = None,
) -> Finished:
    """Runs `python -m` with a call, and measures it.

    Args:
      call: the module and its arguments.
      environment: variables that differ from this process's.
      shows_log: whether stderr goes to this process's.
      counts_children: whether the peak, which is sampled then, includes child processes; they are killed at the end.
      beside: groups of sessions by name, each session by its leader, to be watched too; with `counts_children`.
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
        sampled = _sample(process.pid, beside or {}) if counts_children else {}
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (printed, log):
            stream.seek(0)
        # The kernel's peak is exact and of the largest process; the sampled one is of all together.
        peak = max(sampled.pop(_OWN, _NOTHING).peak_kib, used.ru_maxrss)
        return Finished(
            process.returncode, printed.read(), log.read(), wall, used.ru_utime + used.ru_stime, peak, sampled
        )


class _Group:
    """What was seen of a group of sessions."""

    def __init__(self) -> None:
        self.peak_kib = 0.0
        self._seconds: dict[int, float] = {}
        self._before: dict[int, float] = {}

    def add(self, processes: Mapping[int, tuple[float, float]]) -> None:
        """Adds a sample: KiB and CPU seconds by process."""
        self.peak_kib = max(self.peak_kib, sum(kib for kib, _ in processes.values()))
        for pid, (_, seconds) in processes.items():
            self._before.setdefault(pid, seconds)
            self._seconds[pid] = seconds

    def usage(self) -> Usage:
        """Returns what it cost since the first sample of each process."""
        return Usage(sum(seconds - self._before[pid] for pid, seconds in self._seconds.items()), self.peak_kib)


def _sample(leader: int, beside: Mapping[str, Sequence[int]]) -> dict[str, Usage]:
    """Returns what the leader's session and those beside it cost until the leader ended, which ends its session."""
    leaders = {_OWN: [leader], **beside}
    groups = {name: _Group() for name in leaders}
    try:
        while os.waitid(os.P_PID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            by_session = _by_session()
            for name, sessions in leaders.items():
                groups[name].add(
                    {pid: cost for session in sessions for pid, cost in by_session.get(session, {}).items()}
                )
            time.sleep(_SAMPLING_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
    return {name: group.usage() for name, group in groups.items()}


def _by_session() -> dict[int, dict[int, tuple[float, float]]]:
    """Returns KiB and CPU seconds of all processes, by session and process."""
    found: dict[int, dict[int, tuple[float, float]]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            kib = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            found.setdefault(int(fields[3]), {})[int(process.name)] = (kib, seconds)
    return found
