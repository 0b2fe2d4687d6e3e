"""The natural slices of a title: what it is by nature, and stays in all its variants."""

from __future__ import annotations

import re

STARTS_WITH_DIGIT = "starts_with_digit"
"""`yes` or `no`; punctuation and signs before the digit do not count."""

SAYS_YOU = "says_you"
"""`yes` or `no`: `you` or one of its forms is a word of it."""

LENGTH = "length"
"""One of `LENGTHS`."""

LENGTHS = ("1-5 words", "6-9 words", "10-14 words", "15+ words")

_LAST_WORDS = (5, 9, 14)
_DIGIT_FIRST = re.compile(r"[\W_]*\d")
_YOU = re.compile(r"\by(ou(r|rs|rself|rselves)?|['\u2019]all)\b", re.IGNORECASE)


def slice_title(title: str) -> dict[str, str]:
    """The slice of each kind that a title is in, by the names of the features."""
    words = len(title.split())
    return {
        STARTS_WITH_DIGIT: _yes_or_no(_DIGIT_FIRST.match(title)),
        SAYS_YOU: _yes_or_no(_YOU.search(title)),
        LENGTH: LENGTHS[sum(words > last for last in _LAST_WORDS)],
    }


def _yes_or_no(found: re.Match[str] | None) -> str:
    return "yes" if found else "no"
