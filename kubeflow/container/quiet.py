"""Keeps what libraries say while they are imported off the terminal, unless it is why something failed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.terminal import captured_output


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hides what is written to stdout and stderr inside; an error that is no message for the user shows it again."""
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        log = Path(folder, "log.txt")
        with captured_output(log, verbose=False) as terminal:
            try:
                yield
            except Exception as error:
                if not hasattr(error, "exit_code"):
                    terminal.err.file.write(log.read_text(encoding="utf-8", errors="replace"))
                raise
