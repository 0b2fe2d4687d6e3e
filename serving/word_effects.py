"""Explains the score of a text by the effect of each word, found by leaving it out. Needs only a scoring function."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Sequence

MAX_WORDS = 64
"""The effects of further words of a text are not computed: each costs a score."""

_WORD = re.compile(r"\S+")


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a text, as written."""

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
    """Explains the score of each text by leaving out each of its words.

    Words are separated by white space. The effects of two words of one meaning may both be small: without one, the
    other remains.

    Args:
      texts: to explain.
      score: called once, with all texts that are to be scored, each once.

    Returns:
      An explanation for each text; effects are NaN where a score is.
    """
    parts = [_leave_out(text) for text in texts]
    distinct = sorted({*texts, *(rest for words in parts for _, rest in words)})
    scores = dict(zip(distinct, map(float, score(distinct)), strict=True)) if distinct else {}
    return [
        Explanation(
            text,
            scores[text],
            tuple(Word(word, scores[text] - scores[rest]) for word, rest in words),
            len(text.split()) - len(words),
        )
        for text, words in zip(texts, parts, strict=True)
    ]


def _leave_out(text: str) -> list[tuple[str, str]]:
    """Returns each word of a text and the text without it."""
    matches = itertools.islice(_WORD.finditer(text), MAX_WORDS)
    return [(match[0], _join(text[: match.start()], text[match.end() :])) for match in matches]


def _join(before: str, after: str) -> str:
    return " ".join(filter(None, (before.rstrip(), after.lstrip())))
