"""Runs each task in a process of its own: forked from one that has imported everything, or new as in a container.

Importing TensorFlow and TFX takes some 15 s a process. TensorFlow allows a fork as long as the process that forks has
run none of its ops.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import multiprocessing
import multiprocessing.connection
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

from kubeflow.container.entrypoint import main

Progress = Callable[[Mapping[str, float]], None]

ENTRYPOINT = ["python", "-m", "kubeflow.container.entrypoint"]
_IMPORTED = [
    "pipeline.pipeline",
    "trainer.fine_tune",
    "kubeflow.container.staging",
    "kubeflow.tasks.run_report",
    "kubeflow.tasks.verdict",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
]
_PR_SET_PDEATHSIG = 1
_Process = subprocess.Popen[bytes] | ForkServerProcess
_AnyProcess = TypeVar("_AnyProcess", bound=_Process)
# Starting a process collects the exit codes of all others, and where their own threads wait for those, they get 255.
_ONE_AT_A_TIME = threading.Lock()


class Isolated:
    """Starts a container's command as a process of its own; new processes import everything themselves."""

    def __init__(self) -> None:
        self._running: set[_Process] = set()

    def stop(self) -> None:
        """Ends what is running, from another thread."""
        for process in [*self._running]:
            process.terminate()

    def run(self, command: list[str], environ: Mapping[str, str], log: Path, progress: Progress) -> int:
        """Runs it to its end, and returns its exit code."""
        program = sys.executable if command[0] in ("python", "python3") else command[0]
        with log.open("ab") as stream:
            # A task must not outlive a rehearsal that is killed.
            guard = [sys.executable, "-m", "components.local_infra_validator.child_process", str(os.getpid())]
            call = [*guard, program, *command[1:]]
            with self._known(
                subprocess.Popen(call, env={**os.environ, **environ}, stdout=stream, stderr=stream)
            ) as process:
                return _exit_code(process.wait())

    @contextlib.contextmanager
    def _known(self, process: _AnyProcess) -> Iterator[_AnyProcess]:
        self._running.add(process)
        try:
            yield process
        finally:
            self._running.discard(process)


class Forked(Isolated):
    """Forks for our entrypoint; whatever else a container may run is started anew."""

    def run(self, command: list[str], environ: Mapping[str, str], log: Path, progress: Progress) -> int:
        """See `Isolated.run`."""
        if command[:3] != ENTRYPOINT:
            return super().run(command, environ, log, progress)
        child, receiver = _start(_run_entrypoint, command[3:], {**os.environ, **environ}, str(log))
        with self._known(child):
            with receiver, contextlib.suppress(EOFError):
                while True:
                    progress(receiver.recv())
            return _exit_code(_end(child))


def call_forked(name: str, *arguments: object) -> Any:
    """Calls `module.function` in a fork, and returns what it returns: what needs TFX for a moment does not import it.

    Raises:
      RuntimeError: it raised something, which is on stderr.
    """
    child, receiver = _start(_call, name, arguments)
    with receiver:
        try:
            result = receiver.recv()
        except EOFError as error:
            raise RuntimeError(f"{name} must return. Received: an error, which is above and in the log.") from error
    _end(child)
    return result


def prepare() -> None:
    """Waits for the imports, which would count as the first task's."""
    call_forked("os.getpid")


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def _start(target: Callable[..., None], *arguments: object) -> tuple[ForkServerProcess, Connection]:
    receiver, sender = _context().Pipe(duplex=False)
    child = _context().Process(target=target, args=(*arguments, sender), daemon=True)
    with _ONE_AT_A_TIME:
        child.start()
    sender.close()
    return child, receiver


def _end(child: ForkServerProcess) -> int:
    multiprocessing.connection.wait([child.sentinel])
    with _ONE_AT_A_TIME:
        child.join()
    assert child.exitcode is not None  # it was waited for
    return child.exitcode


def _run_entrypoint(argv: list[str], environ: dict[str, str], log: str, sender: Connection) -> None:
    _die_with_parent()
    with Path(log).open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.environ.update(environ)
    for name in ("trainer", "components", "kubeflow"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("trainer").addHandler(_ProgressSender(sender))
    main(argv)


def _call(name: str, arguments: tuple[object, ...], sender: Connection) -> None:
    sender.send(pkgutil.resolve_name(name)(*arguments))


class _ProgressSender(logging.Handler):
    def __init__(self, sender: Connection):
        super().__init__(logging.INFO)
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        if progress := getattr(record, "progress", None):
            self._sender.send(progress)


def _die_with_parent() -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_code(code: int) -> int:
    """Returns an exit code as a shell has it, also of a process that a signal ended."""
    return 128 - code if code < 0 else code
