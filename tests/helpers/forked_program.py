"""A program that does as Python does, in a fork of a process that has imported TensorFlow and TFX, which takes 10 s.

The program hands its call and its standard streams to a host, which forks a child for it, and ends as the child ends. A
signal reaches the child; where the program is killed, so is the child. TensorFlow allows that as long as the process
that forks has run none of its ops.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
# What a rehearsal's tasks have imported, and this.
IMPORTED = (
    "pipeline.cli",
    "pipeline.running.local_runner",
    "pipeline.results.lineage",
    "pipeline.results.report.write",
    "serving.server.app",
)

MEASURED = "COVERAGE_OF_TESTS"
"""The variable that has the lines counted which the workers run; see `[tool.coverage]` in pyproject.toml."""

_IN_HOST = "__host__"
_SWITCHES = ("-u", "-B")  # of Python, which tell a fork nothing
_FORWARDED = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1
_LENGTH, _CODE = struct.Struct("!I"), struct.Struct("!i")


def write_forked_program(path: Path, module: str) -> Path:
    """Writes the program, to be started like any other, and returns its path."""
    return _write(path, "-m", module)


def write_forked_python(path: Path, imported: Sequence[str] = ()) -> Path:
    """Writes a program that takes `-c CODE`, and `-m MODULE`, as Python does, and returns its path.

    Args:
      path: of the program.
      imported: what the process imports that it forks from, where that is this process's first; all if not given.
    """
    return _write(path, imported=imported)


def _write(path: Path, *arguments: str, imported: Sequence[str] = ()) -> Path:
    call = shlex.join([sys.executable, "-IS", __file__, _host_address(imported), *arguments])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def fork_host() -> None:
    """Makes the host of this process by a fork of it, which has imported everything and has not yet run any op."""
    receiver, sender = os.pipe()
    address = _new_address()
    if os.fork() == 0:
        try:
            os.close(receiver)
            _die_with_parent()
            _serve(address, sender, {})
        finally:
            os._exit(1)  # and go on with nothing that this process had begun
    os.close(sender)
    _wait_for(receiver)
    _host_address.address = address


def _host_address(imported: Sequence[str] = ()) -> str:
    """That of this process's host, which is started if there is none, and ends with this process."""
    if _host_address.address is None:
        address = _new_address()
        receiver, sender = os.pipe()
        # -P: this file's folder has modules by the names of others.
        call = [sys.executable, "-P", __file__, _IN_HOST, address, str(sender), *imported]
        with tempfile.TemporaryFile("w+") as said:
            subprocess.Popen(call, cwd=ROOT, pass_fds=[sender], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            os.close(sender)
            try:
                _wait_for(receiver)
            except EOFError as error:
                said.seek(0)
                raise RuntimeError(f"what has to import everything has ended:\n{said.read()}") from error
        _host_address.address = address
    return _host_address.address


_host_address.address = None


def _new_address() -> str:
    return str(Path(tempfile.mkdtemp(prefix="fork")) / "host")  # short: a socket's path has 107 characters at most


def _wait_for(receiver: int) -> None:
    with os.fdopen(receiver, "rb") as stream:
        if not stream.read(1):
            raise EOFError("the host has ended")


# ---- The program


def _hand_over(address: str, *arguments: str) -> None:
    with socket.socket(socket.AF_UNIX) as host:
        host.connect(address)
        call = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
        socket.send_fds(host, [_LENGTH.pack(len(call))], [0, 1, 2])
        host.sendall(call)
        for number in _FORWARDED:
            signal.signal(number, lambda number, frame: host.send(bytes([number])))
        code = _CODE.unpack(_receive(host, _CODE.size))[0]
    if code < 0:
        if -code in _FORWARDED:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = connection.recv(size - len(received))
        if not more:
            raise EOFError("the other side has ended")
        received += more
    return received


# ---- The host


def _host(address: str, sender: str, *imported: str) -> None:
    _die_with_parent()
    before = dict(os.environ)
    sys.path.insert(0, str(ROOT))
    if MEASURED in os.environ:  # before what is to be measured is imported; the forks go on with it
        import coverage

        coverage.Coverage(config_file=str(ROOT / "pyproject.toml")).start()
    if not imported:
        from kubeflow.rehearsal.processes import _IMPORTED

        imported = (*_IMPORTED, *IMPORTED)
    for name in imported:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each fork goes through all that was imported, again and again, which is a tenth of its time
    _serve(address, int(sender), {name: value for name, value in os.environ.items() if name not in before})


def _serve(address: str, sender: int, set_by_imports: dict[str, str]) -> NoReturn:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(sender, b"1")
        os.close(sender)
        minders: list[int] = []
        while True:
            connection, _ = listener.accept()
            minders = [minder for minder in minders if os.waitpid(minder, os.WNOHANG)[0] == 0]
            minder = os.fork()
            if minder == 0:
                listener.close()
                _mind(connection, set_by_imports)
            minders.append(minder)
            connection.close()


def _mind(connection: socket.socket, set_by_imports: dict[str, str]) -> None:
    _die_with_parent()
    length, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
    call = json.loads(_receive(connection, _LENGTH.unpack(length)[0]))
    child = os.fork()
    if child == 0:
        connection.close()
        _run(streams, set_by_imports, *call)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    while ended not in select.select([connection, ended], [], [])[0]:
        told = connection.recv(1)
        os.kill(child, told[0] if told else signal.SIGKILL)
        if not told:
            os._exit(0)
    connection.send(_CODE.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
    os._exit(0)


def _run(
    streams: list[int], set_by_imports: dict[str, str], arguments: list[str], folder: str, environ: dict[str, str]
) -> None:
    """Ends as `python` would, and without the exit of the process that it was forked from."""
    _die_with_parent()
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, 1) for number, mode in enumerate("rww"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({**set_by_imports, **environ})
        sys.path[0] = folder
        kind, what, *sys.argv[1:] = [argument for argument in arguments if argument not in _SWITCHES]
        if kind == "-m":
            sys.argv[0] = what
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv[0] = kind
            exec(what, sys.modules["__main__"].__dict__)
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == _IN_HOST:
        _host(*sys.argv[2:])
    else:
        _hand_over(*sys.argv[1:])
