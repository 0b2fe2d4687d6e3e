"""The progress of scoring a file: a bar on a terminal, else plain lines."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serving.client.bulk.score import Reporter
from serving.untrusted import visible


class BarReporter(Reporter):
    """A bar with rows, speed and the time that is left."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self.bar.add_task("reading", total=None)

    def say(self, message: str) -> None:
        """As `Reporter.say`."""
        self.bar.console.print(visible(message), markup=False, highlight=False, soft_wrap=True)

    def progress(self, done: int, total: int) -> None:
        """As `Reporter.progress`."""
        self.bar.update(self._task, description="scoring", completed=done, total=total)


class PlainReporter(Reporter):
    """Lines on stderr, where that is no terminal."""

    def say(self, message: str) -> None:
        """As `Reporter.say`."""
        click.echo(visible(message), err=True)


@contextlib.contextmanager
def shown_progress() -> Iterator[Reporter]:
    """Yields a reporter: a bar on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    reporter = BarReporter()
    with reporter.bar:
        yield reporter
