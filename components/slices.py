"""The slices of the evaluation: the variant that a title is, and the natural slices that it is in."""

from __future__ import annotations

import re

SPLIT, VARIANT, ROW = "split", "variant", "row"
"""The features of a row and its variants: the split, one of `VARIANTS`, and the number of the row in its split."""

AS_IS = "as_is"
VARIANTS = (
    AS_IS,
    "lower",
    "upper",
    "title",
    "no_punctuation",
    "typo",
    "no_digits",
    "quotes",
    "white_space",
    "emoji",
)
"""All variants; the title as it is comes first."""

CHALLENGE = "challenge"
"""The split of labelled texts from elsewhere, and the feature of its rows that has the name of their challenge."""

CHALLENGE_VARIANTS = (AS_IS, "lower")
"""The variants that the rows of challenges are scored in."""

STARTS_WITH_DIGIT = "starts_with_digit"
"""`yes` or `no`; punctuation and signs before the digit do not count."""

SAYS_YOU = "says_you"
"""`yes` or `no`: `you` or one of its forms is a word of it."""

LENGTH = "length"
"""One of `LENGTHS`."""

LENGTHS = ("1-5 words", "6-9 words", "10-14 words", "15+ words")

NATURAL_SLICES = {STARTS_WITH_DIGIT: ("yes", "no"), SAYS_YOU: ("yes", "no"), LENGTH: LENGTHS}
"""A feature of the variants' examples, and its values; a title stays in them in all its variants."""

_LAST_WORDS = (5, 9, 14)
_DIGIT_FIRST = re.compile(r"[\W_]*\d")
_YOU = re.compile(r"\by(ou(r|rs|rself|rselves)?|['\u2019]all)\b", re.IGNORECASE)


def slice_title(title: str) -> dict[str, str]:
    """Returns the natural slices that a title is in, by the names of the features."""
    words = len(title.split())
    return {
        STARTS_WITH_DIGIT: _yes_or_no(_DIGIT_FIRST.match(title)),
        SAYS_YOU: _yes_or_no(_YOU.search(title)),
        LENGTH: LENGTHS[sum(words > last for last in _LAST_WORDS)],
    }


def _yes_or_no(found: re.Match[str] | None) -> str:
    return "yes" if found else "no"
