"""A server process, from its start to its end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from components.local_infra_validator import child_process
from components.local_infra_validator.servers import ServerPlan, container_process, remove_container

_STOP_SECONDS = 5
_LAST_LINES = 3
_LAST_CHARACTERS = 600


class RunningServer:
    """Starts a server on entering and stops it on leaving, whatever happens between.

    It has a session of its own, so that a Ctrl-C in the terminal reaches this process alone, which then stops it.

    Args:
      plan: what to start.
      log: file for all that it prints.
    """

    def __init__(self, plan: ServerPlan, log: Path):
        self._plan = plan
        self._log = log
        self._process: subprocess.Popen[bytes]  # from entering on

    def __enter__(self) -> RunningServer:
        command = [sys.executable, "-I", child_process.__file__, str(os.getpid()), *self._plan.command]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._plan.environment},
                start_new_session=True,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self._process.poll() is None:
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_SECONDS)
        finally:
            # Also what it started itself, and after a second Ctrl-C.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if self._plan.container:
                remove_container(self._plan.container)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Returns the exit code once it has ended by itself."""
        return self._process.wait()

    @property
    def last_words(self) -> str:
        """The end of its log, in one line."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        words = " | ".join(line.strip() for line in lines[-_LAST_LINES:] if line.strip())
        words = "".join(sign if sign.isprintable() else "?" for sign in words)  # no escape reaches a terminal
        return words[-_LAST_CHARACTERS:] or "nothing in its log"

    def peak_bytes(self) -> int | None:
        """Returns the most memory that it had resident so far, in bytes; None where the system does not report it.

        It is the sum of the peaks of all processes of the session: the command may be a script that starts the server.
        """
        if self._plan.container:
            return _peak_bytes(container_process(self._plan.container))
        session = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _in_session(entry, self._process.pid)]
        peaks = [_peak_bytes(pid) for pid in session if pid != self._process.pid]
        return sum(filter(None, peaks)) or None


def _in_session(entry: Path, leader: int) -> bool:
    try:
        return os.getsid(int(entry.name)) == leader
    except OSError:
        return False


def _peak_bytes(pid: int | None) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def free_port() -> int:
    """Returns a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
