"""The lines that show scores: a line a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from serving.classes import CLICKBAIT, NEWS, NO_NUMBER, UNSURE, Unsure, class_of
from serving.untrusted import visible

_COLOURS = {NEWS: "green", CLICKBAIT: "yellow", UNSURE: "cyan", NO_NUMBER: "red"}


def score_lines(texts: Sequence[str], scores: Sequence[float], unsure: Unsure | None = None) -> Iterator[str]:
    """Yields a line for each text: `0.997  clickbait  21 Pictures That ...`."""
    for text, score in zip(texts, scores, strict=True):
        name = class_of(score, unsure)
        yield f"{score:.3f}  {click.style(f'{name:9}', fg=_COLOURS[name])}  {visible(' '.join(text.split()))}"
