"""Features that are derived from a title for its statistics alone: its length, its words and its casing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.slices import column_of
from trainer import features

TITLE_LENGTH = "title_length"
"""Number of characters (code points), int64."""

TITLE_WORDS = "title_words"
"""The words, any number a row: split at white space, without punctuation at their ends, lower-cased."""

TITLE_CASING = "title_casing"
"""One of `CASINGS`."""

DERIVED = (TITLE_LENGTH, TITLE_WORDS, TITLE_CASING)

CASINGS = ("lower", "UPPER", "Title", "Sentence", "mixed", "none")
"""The first of these that holds:

- none: no letter that has a case, as in `2048` or Chinese;
- lower: no capital;
- UPPER: nothing but capitals;
- Title: of the words with four letters or more, at least three begin with a capital for each that does not; small words
  count where there are no others;
- Sentence: the first letter is a capital;
- mixed: none of these, as in `iPhone sales fall`.
"""

_LONG_WORD = 4
_CAPITALS_FOR_EACH_SMALL = 3
_PUNCTUATION_AT_THE_ENDS = r"^[\p{P}\p{S}]+|[\p{P}\p{S}]+$"


def derive(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Adds the derived features to a batch of Examples, and leaves out the slices by columns: the schema knows none.

    Args:
      batch: as tfx_bsl reads Examples: each column a list of values a row. A row without a title has none of the
        derived features.

    Returns:
      The batch with a column for each of `DERIVED`; the same batch if it has no titles.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    if features.TITLE not in columns or pa.types.is_null(columns[features.TITLE].type):  # null: no row has a value
        return batch
    columns = {name: column for name, column in columns.items() if column_of(name) is None}
    titles = _first_values(columns[features.TITLE]).cast(pa.large_string())
    words, offsets = _words(titles)
    columns[TITLE_LENGTH] = _singles(pc.utf8_length(titles).cast(pa.int64()))
    columns[TITLE_WORDS] = _lists(pc.utf8_lower(words).cast(pa.large_binary()), offsets, titles.is_null())
    columns[TITLE_CASING] = _singles(_casing(titles, words, offsets).cast(pa.large_binary()))
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _casing(titles: pa.Array, words: pa.Array, offsets: np.ndarray) -> pa.Array:
    upper, lower = pc.utf8_upper(titles), pc.utf8_lower(titles)
    long = _numpy(pc.greater_equal(pc.utf8_length(words), _LONG_WORD))
    capital = _numpy(pc.match_substring_regex(words, r"^\p{Lu}"))
    small = _numpy(pc.match_substring_regex(words, r"^\p{Ll}"))
    capitals, smalls = _count(capital & long, offsets), _count(small & long, offsets)
    only_short = capitals + smalls == 0
    capitals = np.where(only_short, _count(capital, offsets), capitals)
    smalls = np.where(only_short, _count(small, offsets), smalls)
    is_title = (capitals > 0) & (capitals >= _CAPITALS_FOR_EACH_SMALL * smalls)
    # An if for each casing, the last first.
    casing = pc.if_else(pc.match_substring_regex(titles, r"^\P{L}*\p{Lu}"), "Sentence", "mixed")
    casing = pc.if_else(pa.array(is_title), "Title", casing)
    casing = pc.if_else(pc.equal(titles, upper), "UPPER", casing)
    casing = pc.if_else(pc.equal(titles, lower), "lower", casing)
    casing = pc.if_else(pc.equal(upper, lower), "none", casing)
    return pc.if_else(titles.is_null(), pa.scalar(None, pa.string()), casing)


def _words(titles: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Returns the words of all titles in one array, and the offset of each title's first word in it."""
    split = pc.utf8_split_whitespace(titles)
    ends = np.cumsum(_numpy(pc.fill_null(pc.list_value_length(split), 0)))
    words = pc.replace_substring_regex(split.flatten(), pattern=_PUNCTUATION_AT_THE_ENDS, replacement="")
    is_word = _numpy(pc.greater(pc.binary_length(words), 0))
    words_before = np.concatenate(([0], np.cumsum(is_word)))
    return words.filter(pa.array(is_word)), words_before[np.concatenate(([0], ends))]


def _first_values(column: pa.Array) -> pa.Array:
    """Returns the first value of each row, or null."""
    starts = column.offsets.to_numpy(zero_copy_only=False)[:-1]
    is_missing = _numpy(pc.equal(pc.fill_null(pc.list_value_length(column), 0), 0))
    return column.values.take(pa.array(starts, mask=is_missing))


def _singles(values: pa.Array) -> pa.Array:
    """Returns lists of one value per row, or null."""
    present = _numpy(values.is_valid())
    return _lists(values.drop_null(), np.concatenate(([0], np.cumsum(present))), values.is_null())


def _lists(values: pa.Array, offsets: np.ndarray, is_null: pa.Array) -> pa.Array:
    mask = np.append(_numpy(is_null), False)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64(), mask=mask), values)


def _count(flags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Counts the flags that are set in each row."""
    return np.diff(np.concatenate(([0], np.cumsum(flags)))[offsets])


def _numpy(array: pa.Array) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False)
