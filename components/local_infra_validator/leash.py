"""Becomes another program that dies with its parent: `python leash.py PARENT-PID COMMAND...`.

A server must not outlive a pipeline that is killed, which stops nothing itself. Linux alone can do it; elsewhere the
program is only started. It asks for that itself, because code between fork and exec may hang in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(sys.argv[1]):
            sys.exit("the parent has gone")
    os.execvp(sys.argv[2], sys.argv[2:])
