"""The slices of the evaluation: the variant that a title is, its natural slices, and those by a column of the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from trainer import features

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

LOWER_ROWS = 10_000
"""Rows of a challenge that are scored lower-cased, too: by so many its area under the ROC curve is known to a point."""

CHALLENGE_VARIANTS = (AS_IS, "lower")
"""The variants that the rows of challenges are scored in."""

SPLIT_VARIANTS: Mapping[str, Sequence[str]] = {
    features.TRAIN_SPLIT: VARIANTS[:1],
    features.EVAL_SPLIT: VARIANTS,
    CHALLENGE: CHALLENGE_VARIANTS,
}
"""The variants of each split's rows."""

STARTS_WITH_DIGIT = "starts_with_digit"
"""`yes` or `no`; punctuation and signs before the digit do not count."""

SAYS_YOU = "says_you"
"""`yes` or `no`: `you` or one of its forms is a word of it."""

LENGTH = "length"
"""One of `LENGTHS`."""

LENGTHS = ("1-5 words", "6-9 words", "10-14 words", "15+ words")

NATURAL_SLICES = {STARTS_WITH_DIGIT: ("yes", "no"), SAYS_YOU: ("yes", "no"), LENGTH: LENGTHS}
"""A feature of the variants' examples, and its values; a title stays in them in all its variants."""

NO_VALUE, OTHER_VALUES = "(none)", "(other)"
"""The slices of a column's rows without a value, and of all values that have no slice of their own."""

_COLUMN = "slice:"
_MOST_CHARACTERS = 100
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


def column_features(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Returns the features of a row that hold the slices by columns: names that no other feature has, and values.

    Args:
      columns: `data.slice_columns`.
      cells: of the row, as they were read. A value is the cell with single blanks for white space and without any at
        its ends, in 100 characters at most; a blank one is `NO_VALUE`.
    """
    values = (" ".join(cell.split())[:_MOST_CHARACTERS] or NO_VALUE for cell in cells)
    return {f"{_COLUMN}{column}": value for column, value in zip(columns, values, strict=True)}


def column_of(feature: str) -> str | None:
    """Returns the column that a feature is of; None for one that `column_features` did not name."""
    return feature.removeprefix(_COLUMN) if feature.startswith(_COLUMN) else None


def _yes_or_no(found: re.Match[str] | None) -> str:
    return "yes" if found else "no"
