"""Draws the status of a run for a person."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kubeflow.container.exit_codes import MEANINGS
from kubeflow.status.status import RunStatus, TaskStatus
from kubeflow.submit.view import print_fact

_COLOURS = {"succeeded": "green", "cached": "cyan", "failed": "red", "canceled": "yellow", "running": "bold"}
_MOST_REASONS = 4


def print_status(console: Console, status: RunStatus) -> None:
    """Prints a run's state, a table of its tasks, and what is known of those that failed."""
    seconds = "" if status.seconds is None else f", {status.seconds:.0f} s"
    pipeline = ", ".join(text for text in (status.pipeline, status.version and f"version {status.version}") if text)
    print_fact(console, "run", f"{status.name} ({status.run_id})")
    if pipeline:
        print_fact(console, "pipeline", pipeline)
    console.print(f"[bold]{'state':<10}[/]{_coloured(status.state)}{seconds}", soft_wrap=True)
    print_fact(console, "page", status.page)
    console.print()
    console.print(_table(status))
    for task in status.tasks:
        if task.state == "failed":
            _print_failure(console, task)


def _table(status: RunStatus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("task", "state", "retries", "seconds", "cached, or why not"):
        table.add_column(
            title,
            justify="right" if title in ("retries", "seconds") else "left",
            no_wrap=not title.startswith("cached"),
            overflow="fold",
        )
    for task in status.tasks:
        table.add_row(
            escape(task.name),
            _coloured(task.state),
            _retries(task),
            "" if task.seconds is None else f"{task.seconds:.0f}",
            escape(_cache(task)),
        )
    return table


def _retries(task: TaskStatus) -> str:
    if task.retries is None or task.cached:
        return ""
    return str(task.retries) if task.max_retries is None else f"{task.retries} of {task.max_retries}"


def _cache(task: TaskStatus) -> str:
    if task.cached:
        return "cached"
    if task.cached is None and task.state == "succeeded":
        return "not known"
    reasons = [*task.not_cached[:_MOST_REASONS]]
    if more := len(task.not_cached) - len(reasons):
        reasons.append(f"and {more} more (--json has them)")
    return "\n".join(reasons)


def _print_failure(console: Console, task: TaskStatus) -> None:
    console.print()
    if task.exit_code is None:
        message = "failed, and neither the API nor a log says why; look at the pod's events"
    else:
        meaning = MEANINGS.get(task.exit_code, MEANINGS[1])
        message = meaning if task.reason in (None, meaning) else f"{meaning}: {task.reason}"
        message = f"exit code {task.exit_code}, {message}"
    console.print(f"[red]{escape(task.name)}[/]: {escape(message)}", soft_wrap=True)
    if task.log:
        print_fact(console, "log", task.log)


def _coloured(state: str) -> str:
    return f"[{_COLOURS.get(state, 'dim')}]{escape(state)}[/]"
