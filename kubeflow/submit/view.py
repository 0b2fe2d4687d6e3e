"""What a person sees of a run on a cluster: a line a task, in the style of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from datetime import datetime

import kfp_server_api as kfp
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from kubeflow.submit.outcome import CANCELED, FAILED, FINAL, SKIPPED, SUCCEEDED
from pipeline.running.progress_view import MARKS

_MARKS = {
    SUCCEEDED: MARKS["done"],
    FAILED: MARKS["failed"],
    CANCELED: ("[yellow]✗[/]", "  [yellow]canceled[/]"),
    SKIPPED: ("[dim]-[/]", "  [dim]not triggered[/]"),
}


class ClusterView:
    """Draws what the API says of a run, again and again.

    Args:
      console: of the terminal.
      tasks: of the spec; Argo's other nodes (drivers, executors) are not drawn. None draws those it takes for tasks.
    """

    def __init__(self, console: Console, tasks: Collection[str] | None):
        self._console = console
        self._tasks = tasks
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._shown: set[str] = set()

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draws what happens inside."""
        if self._console.is_terminal:
            self._live.start()
        try:
            yield
        finally:
            self._live.stop()

    def say(self, text: str) -> None:
        """What goes on."""
        self._spinner.update(text=Text(text, overflow="ellipsis", no_wrap=True))

    def show(self, run: kfp.V2beta1Run) -> None:
        """Prints the tasks that have come to their ends since, and says which are at work."""
        details = [
            one for one in ((run.run_details and run.run_details.task_details) or []) if self._is_task(one.display_name)
        ]
        for one in sorted(details, key=lambda one: (one.end_time is None, str(one.end_time or ""))):
            if one.state in FINAL and one.display_name not in self._shown:
                self._shown.add(one.display_name)
                self._ended(one)
        at_work = [one.display_name for one in details if one.state not in FINAL]
        self.say(", ".join(at_work) or f"the run is {(run.state or 'pending').lower()}")

    def _is_task(self, name: str | None) -> bool:
        if not name:
            return False
        if self._tasks is not None:
            return name in self._tasks
        return not (name == "root" or name.endswith("-driver") or name.partition("(")[0] == "executor")

    def _ended(self, one: kfp.V2beta1PipelineTaskDetail) -> None:
        mark, note = _MARKS[one.state]
        seconds = _seconds(one.start_time, one.end_time)
        self._console.print(f" {mark} {escape(one.display_name):<22}{seconds:>7.0f} s{note}", soft_wrap=True)


def _seconds(began: datetime | None, ended: datetime | None) -> float:
    # The API writes times that it does not know as the epoch.
    return max((ended - began).total_seconds(), 0.0) if began and ended and began.year > 1970 else 0.0
