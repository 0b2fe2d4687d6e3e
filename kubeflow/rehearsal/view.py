"""Draws a rehearsal while it runs: a line a task, in the style of a run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from pipeline.results.verdict import Timing
from pipeline.running.progress_view import MARKS, progress_line

_MARKS = {
    **MARKS,
    "kept": ("[cyan]=[/]", "  [dim]done before the rehearsal was stopped[/]"),
}


class RehearsalView:
    """Draws tasks, several at a time; for several threads.

    Args:
      console: of the terminal.

    Attributes:
      timings: for each task in the order of their ends: `seconds`, and `status`: a key of the marks.
    """

    def __init__(self, console: Console):
        self.timings: dict[str, Timing] = {}
        self._console = console
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draws what happens inside; tasks that are at work at its end are marked as interrupted."""
        if self._console.is_interactive:
            self._live.start()
        try:
            yield
        except BaseException:
            for task in [*self._began]:
                self.ended(task, "interrupted")
            raise
        finally:
            self._live.stop()

    def say(self, text: str) -> None:
        """Shows what goes on."""
        self._spinner.update(text=Text(text, overflow="ellipsis", no_wrap=True))

    def started(self, task: str) -> None:
        """Notes that a task begins."""
        with self._lock:
            self._began[task] = time.monotonic()
            self.say(", ".join(self._began))

    def ended(self, task: str, status: str) -> None:
        """Prints the line of a task that has come to its end."""
        with self._lock:
            seconds = round(time.monotonic() - self._began.pop(task, time.monotonic()), 2)
            self.timings[task] = Timing(status, seconds)
            mark, note = _MARKS[status]
            self._console.print(f" {mark} {escape(task):<22}{seconds:>7.1f} s{note}", soft_wrap=True)
            self.say(", ".join(self._began))

    def retried(self, task: str, attempt: int, exit_code: int, wait: float) -> None:
        """Prints that a task failed and will be started again."""
        self._console.print(
            f"   [yellow]{escape(task)} failed with exit code {exit_code}; retry {attempt} in {wait:g} s[/]",
            soft_wrap=True,
        )

    def progress(self, task: str, progress: Mapping[str, float]) -> None:
        """Shows where the Trainer is."""
        line = progress_line(progress)
        if progress["done"]:
            self._console.print(f"   [dim]{line}[/]", soft_wrap=True)
        else:
            self.say(f"{task}  {line}")
