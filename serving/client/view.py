"""The lines that show scores: a line a text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import click

from serving.untrusted import visible

THRESHOLD = 0.5
NAMES = ("news", "clickbait")


def score_lines(texts: Sequence[str], scores: Sequence[float]) -> Iterator[str]:
    """Yields a line for each text: `0.997  clickbait  21 Pictures That ...`."""
    for text, score in zip(texts, scores, strict=True):
        is_clickbait = score > THRESHOLD
        name, colour = NAMES[is_clickbait], "yellow" if is_clickbait else "green"
        if not math.isfinite(score):
            name, colour = "?", "red"
        yield f"{score:.3f}  {click.style(f'{name:9}', fg=colour)}  {visible(' '.join(text.split()))}"
