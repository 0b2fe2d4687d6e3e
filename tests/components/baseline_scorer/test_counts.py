"""Texts are counted as scikit-learn counts them, though each distinct word is taken apart once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from components.baseline_scorer.counts import TOKEN, CountsInWords, PairsOfTokens, TextsToWords

KNOWN = [
    "storm hits coast",
    "you won't believe this",
    "a",
    "",
    "  two\u00a0 spaces ",
    "aa aa aaa aa",
    "3.5 is\x1cnot 3 . 5",
    "\u65e5\u672c\u3000\u5927\u96ea \U0001f389\U0001f389",
]
ASKED = ["won't you believe coast", "\u65e5\u672c", "", " \t", "aa aa", "unknown words aa unknown", "not 3"]


@pytest.mark.parametrize("counted", [{"token_pattern": TOKEN}, {"analyzer": "char_wb", "ngram_range": (2, 4)}])
def test_what_is_within_words(counted):
    vectorizer, words = CountVectorizer(lowercase=False, **counted), TextsToWords()
    ours = CountsInWords(vectorizer)
    theirs = CountVectorizer(lowercase=False, **counted)
    for texts, theirs_of, ours_of in (
        (KNOWN, theirs.fit_transform, ours.fit_transform),
        (ASKED, theirs.transform, ours.transform),
        ([""], theirs.transform, ours.transform),
    ):
        np.testing.assert_array_equal(ours_of(words.transform(texts)).toarray(), theirs_of(texts).toarray())
    assert not hasattr(vectorizer, "vocabulary_")


def test_pairs_of_neighbouring_tokens():
    theirs = CountVectorizer(token_pattern=TOKEN, ngram_range=(2, 2), lowercase=False)
    ours, words = PairsOfTokens(), TextsToWords()
    for texts, theirs_of, ours_of in (
        (KNOWN, theirs.fit_transform, ours.fit_transform),
        (ASKED, theirs.transform, ours.transform),
        ([""], theirs.transform, ours.transform),
    ):
        expected, found = theirs_of(texts).toarray(), ours_of(words.transform(texts)).toarray()
        # The columns stand in another order, that of the tokens' numbers.
        np.testing.assert_array_equal(_sorted(found), _sorted(expected))
    known = ours.transform(words.transform(KNOWN)).toarray(), theirs.transform(KNOWN).toarray()
    asked = ours.transform(words.transform(ASKED)).toarray(), theirs.transform(ASKED).toarray()
    np.testing.assert_array_equal(known[0] @ asked[0].T, known[1] @ asked[1].T)


def _sorted(counts: np.ndarray) -> np.ndarray:
    return counts[:, np.lexsort(counts)]
