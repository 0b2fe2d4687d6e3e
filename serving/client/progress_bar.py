"""A bar on the terminal while a file is scored. Only this needs rich, whose import costs 0.06 s CPU."""

from __future__ import annotations

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
