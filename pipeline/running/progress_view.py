"""The view of a run in progress: a line for each component, and the training's progress."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import TypedDict

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from components.errors import DataRefused
from pipeline.results.verdict import Timing

# The messages of TFX's log (tfx/orchestration/local/local_dag_runner.py, portable/launcher.py).
_STARTED = "Component %s is running."
_FINISHED = "Component %s is finished."
_CACHED = "A cached execution %d is used."

#: By status: what stands before a component, and what after its seconds.
MARKS = {
    "done": ("[green]✓[/]", ""),
    "cached": ("[cyan]=[/]", "  [dim]unchanged, taken from the cache[/]"),
    "failed": ("[red]✗[/]", "  [red]failed[/]"),
    "refused": ("[red]✗[/]", "  [red]refused the data[/]"),
    "interrupted": ("[yellow]✗[/]", "  [yellow]interrupted[/]"),
}


class Tuning(TypedDict):
    """The progress of a trial in the Tuner's log records."""

    line: str
    done: bool


class RunView(logging.Handler):
    """Listens to TFX's and the Trainer's log records, draws them and keeps the timings.

    Args:
      console: of the terminal.

    Attributes:
      timings: of each component in order of its run; its status is `running`, `done`, `cached`, `failed`, `refused` or
        `interrupted`.
    """

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self.timings: dict[str, Timing] = {}
        self._console = console
        self._spinner = Spinner("dots")
        # No redirection: rich would draw on the terminal what the libraries write to sys.stderr.
        self._live = Live(self._spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._began = 0.0
        self._current: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        progress = getattr(record, "progress", None)
        tuning = getattr(record, "tuning", None)
        if tuning is not None:
            self._tuning(tuning)
        elif progress is not None:
            self._progress(progress)
        elif record.msg == _STARTED and isinstance(record.args, tuple):
            self._started(str(record.args[0]))
        elif record.msg == _CACHED and self._current:
            self.timings[self._current] = Timing("cached", 0.0)
        elif record.msg == _FINISHED and self._current:
            self._ended(self._current, "done")
        elif getattr(record, "notice", False):
            self._console.print(f"   [dim]{escape(record.getMessage())}[/]", soft_wrap=True)

    @contextlib.contextmanager
    def listening(self) -> Iterator[RunView]:
        """Draws the run inside the block; a component that an exception ends is marked `failed` or `interrupted`."""
        loggers = [logging.getLogger("absl"), logging.getLogger("trainer")]
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.addHandler(self)
        if self._console.is_interactive:
            self._live.start()
        try:
            yield self
        except BaseException as error:
            if self._current:
                ends = {KeyboardInterrupt: "interrupted", DataRefused: "refused"}
                self._ended(self._current, ends.get(type(error), "failed"))
            raise
        finally:
            self._live.stop()
            for logger in loggers:
                logger.removeHandler(self)

    def say(self, text: str) -> None:
        """Shows what is in progress before the first component and between components."""
        self._spinner.update(text=Text(text, overflow="ellipsis", no_wrap=True))

    def _started(self, node: str) -> None:
        self._current, self._began = node, time.monotonic()
        self.timings[node] = Timing("running", 0.0)
        self.say(node)

    def _ended(self, node: str, status: str) -> None:
        self._current = None
        if status == "done" and self.timings[node].status != "running":
            status = self.timings[node].status
        seconds = round(time.monotonic() - self._began, 2)
        self.timings[node] = Timing(status, seconds)
        mark, note = MARKS[status]
        self._console.print(f" {mark} {escape(node):<22}{seconds:>7.1f} s{note}", soft_wrap=True)

    def _tuning(self, tuning: Tuning) -> None:
        if tuning["done"]:
            self._console.print(f"   [dim]{escape(tuning['line'])}[/]", soft_wrap=True)
        else:
            self.say(f"{self._current}  {tuning['line']}")

    def _progress(self, progress: Mapping[str, float]) -> None:
        line = progress_line(progress)
        if progress["done"]:
            self._console.print(f"   [dim]{line}[/]", soft_wrap=True)
        else:
            elapsed = time.monotonic() - self._began
            left = elapsed / progress["step"] * (progress["steps"] - progress["step"])
            self.say(f"{self._current}  {line}  about {left:.0f} s left")


def progress_line(progress: Mapping[str, float]) -> str:
    """Returns the Trainer's progress in a line, from its record's `progress`."""
    shown = "  ".join(
        f"{name} {progress[name]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy") if name in progress
    )
    return f"epoch {progress['epoch']}/{progress['epochs']}  step {progress['step']}/{progress['steps']}  {shown}"
