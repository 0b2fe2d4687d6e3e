"""Runs a program that dies with its parent, and all that it starts: `python child_process.py PARENT-PID COMMAND...`.

A server must not outlive a pipeline that is killed, which stops nothing itself. Linux alone tells of a parent's death;
elsewhere the program is only run. It is to be started as the leader of a session of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_PARENT_DIED = signal.SIGUSR1
_CANNOT_RUN = 127


def main(parent: int, command: list[str]) -> int:
    """Returns the program's exit code, as a shell does for one that a signal ended."""
    signal.signal(_PARENT_DIED, lambda *_: os.killpg(0, signal.SIGKILL))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _PARENT_DIED)
        if os.getppid() != parent:  # it died before it could be heard
            return _CANNOT_RUN
    program: subprocess.Popen[bytes] | None = None
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        if program:
            program.terminate()

    signal.signal(signal.SIGTERM, stop)
    try:
        program = subprocess.Popen(command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _CANNOT_RUN
    if stopped:  # before there was a program to terminate
        program.terminate()
    code = program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
