"""Draws a run on a cluster for a person: a line a task, in the style of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from kubeflow.spec.messages import Task
from kubeflow.submit.api import ApiRun
from kubeflow.submit.tasks import (
    CANCELED,
    FAILED,
    FINAL,
    SKIPPED,
    SUCCEEDED,
    RunTask,
    has_started,
    read_tasks,
    seconds_between,
)
from pipeline.running.progress_view import MARKS

_MARKS = {
    SUCCEEDED: MARKS["done"],
    FAILED: MARKS["failed"],
    CANCELED: ("[yellow]✗[/]", "  [yellow]canceled[/]"),
    SKIPPED: ("[dim]-[/]", "  [dim]from the cache[/]"),
}


class ClusterView:
    """Draws what the API says of a run, again and again.

    Args:
      console: of the terminal.
      tasks: of the spec; Argo's other nodes (drivers, executors) are not drawn. None draws those it takes for tasks.
    """

    def __init__(self, console: Console, tasks: Mapping[str, Task] | None):
        self._console = console
        self._tasks = tasks
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._shown: set[str] = set()

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draws what happens inside."""
        if self._console.is_interactive:
            self._live.start()
        try:
            yield
        finally:
            self._live.stop()

    def say(self, text: str) -> None:
        """Shows what goes on, until something else does."""
        self._spinner.update(text=Text(text, overflow="ellipsis", no_wrap=True))

    def note(self, text: str) -> None:
        """Prints a line, which stays."""
        self._console.print(escape(text), soft_wrap=True)

    def show(self, run: ApiRun) -> None:
        """Prints the tasks that have come to their ends since, and says which are at work."""
        tasks = read_tasks(run, self._tasks)
        for task in sorted(tasks, key=lambda item: (item.end_time is None, str(item.end_time or ""))):
            if task.state in FINAL and task.name not in self._shown:
                self._shown.add(task.name)
                self._ended(task)
        at_work = [task.name for task in tasks if task.state and task.state not in FINAL]
        self.say(", ".join(at_work) or f"the run is {(run.state or 'pending').lower()}")

    def _ended(self, task: RunTask) -> None:
        cached = has_started(task, (self._tasks or {}).get(task.name, {})) is False
        mark, note = _MARKS[SKIPPED if cached else task.state]
        seconds = seconds_between(task.start_time, task.end_time) or 0.0
        self._console.print(f" {mark} {escape(task.name):<22}{seconds:>7.0f} s{note}", soft_wrap=True)


def print_fact(console: Console, name: str, text: str) -> None:
    """Prints a line of a name and what is known by it."""
    console.print(f"[bold]{name:<10}[/]{escape(text)}", soft_wrap=True)
