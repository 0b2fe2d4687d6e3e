"""What a person sees of scoring: a line a text, and a bar while a file is scored."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Sequence

import click

from serving.client.bulk.score import Reporter
from serving.untrusted import visible

THRESHOLD = 0.5
NAMES = ("news", "clickbait")


def score_lines(texts: Sequence[str], scores: Sequence[float]) -> Iterator[str]:
    """A line for each text: `0.997  clickbait  21 Pictures That ...`."""
    for text, score in zip(texts, scores, strict=True):
        is_clickbait = score > THRESHOLD
        name, colour = NAMES[is_clickbait], "yellow" if is_clickbait else "green"
        if not math.isfinite(score):
            name, colour = "?", "red"
        yield f"{score:.3f}  {click.style(f'{name:9}', fg=colour)}  {visible(' '.join(text.split()))}"


class PlainReporter(Reporter):
    """Lines on stderr, where that is no terminal."""

    def say(self, message: str) -> None:
        """As `Reporter.say`."""
        click.echo(visible(message), err=True)


class BarReporter(Reporter):
    """A bar with rows, speed and the time that is left."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self.bar.add_task("reading", total=None)

    def say(self, message: str) -> None:
        """As `Reporter.say`."""
        self.bar.console.print(visible(message), markup=False, highlight=False, soft_wrap=True)

    def progress(self, done: int, total: int) -> None:
        """As `Reporter.progress`."""
        self.bar.update(self._task, description="scoring", completed=done, total=total)


@contextlib.contextmanager
def shown_progress() -> Iterator[Reporter]:
    """A bar on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    reporter = BarReporter()
    with reporter.bar:
        yield reporter
