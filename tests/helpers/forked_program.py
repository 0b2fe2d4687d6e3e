"""A program that does as `python -m module` does, in a fork of a process that has imported TensorFlow and TFX.

The program hands its call and its standard streams to a host, which forks a child for it, and ends as the child ends. A
signal reaches the child; where the program is killed, so is the child.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import runpy
import select
import shlex
import signal
import socket
import struct
import sys
import tempfile
import traceback
from pathlib import Path

_IN_HOST = "__host__"
_FORWARDED = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1
_LENGTH, _CODE = struct.Struct("!I"), struct.Struct("!i")


def write_forked_program(path: Path, module: str) -> Path:
    """Writes the program, to be started like any other, and returns its path."""
    call = shlex.join([sys.executable, "-IS", __file__, _host_address(), module])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@functools.cache
def _host_address() -> str:
    """Starts the host, which ends with this process."""
    from tests.helpers.forkserver import forkserver

    address = str(Path(tempfile.mkdtemp(prefix="fork")) / "host")  # short: a socket's path has 107 characters at most
    receiver, sender = forkserver().Pipe(duplex=False)
    # By the file's path: what a child imports as `tests` may be another package's.
    call = {"CALL": (address, sender)}
    forkserver().Process(target=runpy.run_path, args=(__file__, call, _IN_HOST), daemon=True).start()
    sender.close()
    with receiver:
        receiver.recv()
    return address


# ---- The program


def _hand_over(address: str, module: str, *arguments: str) -> None:
    with socket.socket(socket.AF_UNIX) as host:
        host.connect(address)
        call = json.dumps([module, arguments, str(Path.cwd()), dict(os.environ)]).encode()
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


def _host(address: str, sender) -> None:
    _die_with_parent()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        sender.send(address)
        sender.close()
        minders: list[int] = []
        while True:
            connection, _ = listener.accept()
            minders = [minder for minder in minders if os.waitpid(minder, os.WNOHANG)[0] == 0]
            minder = os.fork()
            if minder == 0:
                listener.close()
                _mind(connection)
            minders.append(minder)
            connection.close()


def _mind(connection: socket.socket) -> None:
    _die_with_parent()
    length, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
    call = json.loads(_receive(connection, _LENGTH.unpack(length)[0]))
    child = os.fork()
    if child == 0:
        connection.close()
        _run(streams, *call)
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


def _run(streams: list[int], module: str, arguments: list[str], folder: str, environ: dict[str, str]) -> None:
    """Ends as `python -m` would, and without the exit of the process that it was forked from."""
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
        os.environ.update(environ)
        sys.argv = [module, *arguments]
        sys.path.insert(0, folder)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
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


if __name__ == _IN_HOST:
    _host(*CALL)  # noqa: F821  from `_host_address`
if __name__ == "__main__":
    _hand_over(*sys.argv[1:])
