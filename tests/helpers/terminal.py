"""Captures what a call prints, in Python or in C++, for fixtures that outlive a test and so have no `capfd`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple


class Terminal(NamedTuple):
    """The files that stand for the standard streams."""

    stdout: IO[str]
    stderr: IO[str]

    @property
    def out(self) -> str:
        """Returns the stdout so far."""
        return _read(self.stdout)

    @property
    def err(self) -> str:
        """Returns the stderr so far."""
        return _read(self.stderr)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Takes the place of both standard streams, in Python and below."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", buffering=1)) for _ in range(2)]
        for number, file, redirected in zip(
            (1, 2), files, (contextlib.redirect_stdout, contextlib.redirect_stderr), strict=True
        ):
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(file.fileno(), number)
            stack.enter_context(redirected(file))
        yield Terminal(*files)


def _read(file: IO[str]) -> str:
    file.flush()
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()
