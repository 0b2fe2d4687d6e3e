"""Why a text got its score: what each word adds to it, by leaving it out. Needs nothing but a function that scores."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Sequence

MAX_WORDS = 64
"""More words of a text are not left out: a score each, and nobody reads on."""

_WORD = re.compile(r"\S+")


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a text, as it stands there."""

    text: str
    effect: float
    """The score of the text less that of the text without this word: above 0 where the word raises it."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The score of a text and the effects of its words, in their order."""

    text: str
    score: float
    words: tuple[Word, ...]
    words_left: int
    """How many words come after the first `MAX_WORDS`; their effects are not known."""


def explain_texts(texts: Sequence[str], score: Callable[[Sequence[str]], Iterable[float]]) -> list[Explanation]:
    """Leaves out each word of each text.

    Words are what white space parts. The effects of two that say the same may both be small: without the one the other
    is still there.

    Args:
      texts: any.
      score: called once, with all texts that are to be scored, each once.

    Returns:
      An explanation for each text; effects are NaN where a score is.
    """
    parts = [_leave_out(text) for text in texts]
    asked = sorted({*texts, *(rest for some in parts for _, rest in some)})
    scores = dict(zip(asked, map(float, score(asked)), strict=True)) if asked else {}
    return [
        Explanation(
            text,
            scores[text],
            tuple(Word(word, scores[text] - scores[rest]) for word, rest in some),
            len(text.split()) - len(some),
        )
        for text, some in zip(texts, parts, strict=True)
    ]


def _leave_out(text: str) -> list[tuple[str, str]]:
    """Each word of a text and the text without it."""
    found = itertools.islice(_WORD.finditer(text), MAX_WORDS)
    return [(one[0], _join(text[: one.start()], text[one.end() :])) for one in found]


def _join(before: str, after: str) -> str:
    return " ".join(filter(None, (before.rstrip(), after.lstrip())))
