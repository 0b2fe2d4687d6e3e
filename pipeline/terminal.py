"""Keeps libraries off the terminal: their output goes to a log file, ours to the terminal."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from serving.imports import open_closed, redirected
from serving.untrusted import visible

_PLAIN_WIDTH = 120


class _Console(Console):
    """Shows controls in what it is given, titles and names of files among it, instead of obeying them.

    FORCE_COLOR gives a pipe colours; what moves is for a terminal alone.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.is_interactive = self.is_interactive and self.file.isatty()

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)


def open_console(*, pipe_width: int | None = None) -> Console:
    """Returns a console on stdout, for untrusted text.

    Args:
      pipe_width: in characters, where it is no terminal.
    """
    console = _Console(highlight=False)
    if pipe_width and not console.is_terminal:
        console.width = pipe_width
    return console


def shorten(path: str | Path) -> str:
    """Returns a path relative to the working folder where it lies below it; a URL unchanged."""
    if "://" in str(path):
        return str(path)
    file = Path(path)
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


class Terminal(NamedTuple):
    """The terminal as it was before the capture."""

    out: Console
    err: Console


@contextlib.contextmanager
def captured_output(log_file: Path, *, verbose: bool) -> Iterator[Terminal]:
    """Sends everything that is written to stdout and stderr to `log_file`, and yields consoles on the terminal.

    Args:
      log_file: appended to; its folder exists.
      verbose: shows on the terminal what goes to the file, too.
    """
    open_closed(1, 2)
    tee = None
    consoles: list[Console] = []
    with log_file.open("ab") as log:
        if verbose:
            tee = subprocess.Popen(["tee", "-a", str(log_file)], stdin=subprocess.PIPE, start_new_session=True)
        sink = tee.stdin if tee and tee.stdin else log
        try:
            with redirected(sink.fileno(), 1, 2) as originals:
                consoles = [_console(original) for original in originals]
                yield Terminal(*consoles)
        finally:
            if tee:
                tee.communicate()  # closes its stdin and waits
            for console in consoles:
                console.file.close()


class _Screen(io.TextIOWrapper):
    """A terminal that may go away (`clickbait run | head -1`) without taking the run along."""

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            super().flush()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            super().close()


def _console(descriptor: int) -> Console:
    stream = _Screen(os.fdopen(os.dup(descriptor), "wb"), encoding="utf-8", errors="replace")
    return _Console(file=stream, width=None if stream.isatty() else _PLAIN_WIDTH, highlight=False)


@contextlib.contextmanager
def quiet() -> Iterator[Terminal]:
    """Hides what libraries write to stdout and stderr inside; an error that is no message for the user shows it."""
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        log = Path(folder, "log.txt")
        with captured_output(log, verbose=False) as terminal:
            try:
                yield terminal
            except Exception as error:
                if not hasattr(error, "exit_code"):
                    terminal.err.file.write(log.read_text(encoding="utf-8", errors="replace"))
                raise
