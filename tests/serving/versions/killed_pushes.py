"""Pushes and rollbacks in child processes that die by SIGKILL just before the n-th thing they do to the folder.

This file is also the program that forks them: it imports once, and nothing of the tests' own.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

_ROOT = Path(__file__).parents[3]
_DEEDS = {"open", "os.mkdir", "os.rename", "os.link", "shutil.copyfile", "shutil.rmtree"}
_RELATIVE_DEEDS = {"os.remove", "os.rmdir"}  # shutil.rmtree names no paths, and nothing else is deleted


class Ended(NamedTuple):
    """How a child ended."""

    code: int
    """Its exit code, negative for a signal."""
    said: str
    """What its error said."""


def push_child(model: Path, serving: Path, *, keep: int = 5, die_at: int = 0, file_bytes: int = 0) -> Ended:
    """Pushes in a child process.

    Args:
      model: the SavedModel.
      serving: the serving folder.
      keep: versions to keep.
      die_at: the number of the deed in that folder before which to die; 0 for none.
      file_bytes: the largest file that may be written; 0 for any.
    """
    return _ask(model=str(model), serving=str(serving), keep=keep, die_at=die_at, file_bytes=file_bytes)


def rollback_child(serving: Path, *, die_at: int = 0) -> Ended:
    """Rolls back in a child process; see `push_child`."""
    return _ask(model=None, serving=str(serving), keep=0, die_at=die_at, file_bytes=0)


@functools.cache
def _forking() -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _ask(**order: Any) -> Ended:
    program = _forking()
    program.stdin.write(json.dumps(order) + "\n")
    program.stdin.flush()
    return Ended(*json.loads(program.stdout.readline()))


def _serve() -> None:
    """Forks a child for each order, until nobody orders any more."""
    from serving.versions import (
        push,  # noqa: F401  imported before the forks
        rollback,  # noqa: F401  imported before the forks
    )

    for line in sys.stdin:
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(_obey(sender, **json.loads(line)))
        os.close(sender)
        with os.fdopen(receiver) as stream:
            said = stream.read()
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), said]), flush=True)


def _obey(sender: int, model: str | None, serving: str, keep: int, die_at: int, file_bytes: int) -> int:
    from serving.versions.push import push_model
    from serving.versions.rollback import restore_version

    if die_at:
        _die_before(die_at, serving)
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        if model is None:
            restore_version(serving)
        else:
            push_model(model, serving, run_id="child", fingerprint="f2", keep_versions=keep)
    except Exception as error:
        os.write(sender, str(error).encode())
        return getattr(error, "exit_code", 99)
    return 0


def _die_before(die_at: int, folder: str) -> None:
    deeds = 0

    def heard(event: str, args: tuple) -> None:
        nonlocal deeds
        there = event in _DEEDS and any(str(one).startswith(folder) for one in args)
        if there or event in _RELATIVE_DEEDS:
            deeds += 1
            if deeds == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(heard)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # whose modules are the tests
    _serve()
