"""Counts of tokens and characters in texts; each distinct word is split once. Needs no TFX."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.feature_extraction.text import CountVectorizer

TOKEN = r"\w+|[^\w\s]"
"""A run of letters and digits, or a sign."""


@dataclasses.dataclass(frozen=True)
class Words:
    """Texts as the words that white space parts."""

    distinct: list[str]
    places: np.ndarray
    """Of all words in `distinct`, one text behind the other."""
    ends: np.ndarray
    """Of the texts in `places`, 0 before them."""


class TextsToWords(TransformerMixin, BaseEstimator):
    """Transforms texts to `Words`, from which the other transformers count."""

    def fit(self, texts: Sequence[str], y=None) -> TextsToWords:
        return self

    def transform(self, texts: Sequence[str]) -> Words:
        split = [text.split() for text in texts]
        distinct = sorted(set(itertools.chain.from_iterable(split)))
        numbers = {word: number for number, word in enumerate(distinct)}
        places = np.fromiter(map(numbers.__getitem__, itertools.chain.from_iterable(split)), np.int64)
        return Words(distinct, places, np.cumsum([0, *map(len, split)]))


class CountsInWords(TransformerMixin, BaseEstimator):
    """Sums a vectorizer's counts of a text's words, for vectorizers that count nothing beyond a word.

    Args:
      vectorizer: of scikit-learn.
    """

    def __init__(self, vectorizer: CountVectorizer):
        self.vectorizer = vectorizer

    def fit_transform(self, words: Words, y=None) -> sparse.csr_matrix:
        self._fitted = clone(self.vectorizer)
        return _in_texts(words) @ self._fitted.fit_transform(words.distinct)

    def fit(self, words: Words, y=None) -> CountsInWords:
        self.fit_transform(words)
        return self

    def transform(self, words: Words) -> sparse.csr_matrix:
        return _in_texts(words) @ self._fitted.transform(words.distinct)


class PairsOfTokens(TransformerMixin, BaseEstimator):
    """Counts neighbouring tokens: `CountVectorizer(token_pattern=TOKEN, ngram_range=(2, 2))`, in other columns."""

    def fit(self, words: Words, y=None) -> PairsOfTokens:
        found = sorted({token for tokens in _tokens(words) for token in tokens})
        self._numbers = {token: number for number, token in enumerate(found)}
        self._known = np.unique(self._pairs(words)[0])
        return self

    def transform(self, words: Words) -> sparse.csr_matrix:
        pairs, texts = self._pairs(words)
        known = np.isin(pairs, self._known)
        places = texts[known], np.searchsorted(self._known, pairs[known])
        shape = len(words.ends) - 1, len(self._known)
        return sparse.csr_matrix((np.ones(len(places[0]), np.float32), places), shape)  # sums what comes twice

    def _pairs(self, words: Words) -> tuple[np.ndarray, np.ndarray]:
        """Returns a number for each pair, and its text's; pairs with an unknown token have numbers of their own."""
        unknown = len(self._numbers)
        of_words = [[self._numbers.get(token, unknown) for token in tokens] for tokens in _tokens(words)]
        lengths = np.array([*map(len, of_words)], np.int64)
        begins = np.cumsum(lengths) - lengths
        # The tokens of all texts in a row: those of each word from its beginning on.
        counts = lengths[words.places]
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        flat = np.fromiter(itertools.chain.from_iterable(of_words), np.int64)
        tokens = flat[np.repeat(begins[words.places], counts) + steps]
        texts = np.repeat(np.repeat(np.arange(len(words.ends) - 1), np.diff(words.ends)), counts)
        together = texts[1:] == texts[:-1]
        return (tokens[:-1] * (unknown + 1) + tokens[1:])[together], texts[1:][together]


def _tokens(words: Words) -> list[list[str]]:
    return [*map(re.compile(TOKEN).findall, words.distinct)]


def _in_texts(words: Words) -> sparse.csr_matrix:
    """Returns how often each distinct word is in each text, [texts, words]."""
    ones = np.ones(len(words.places), np.float32)
    return sparse.csr_matrix((ones, words.places, words.ends), (len(words.ends) - 1, len(words.distinct)))
