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


@contextlib.contextmanager
def shown_progress() -> Iterator[Reporter]:
    """A bar on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    from serving.client.progress_bar import BarReporter

    reporter = BarReporter()
    with reporter.bar:
        yield reporter
