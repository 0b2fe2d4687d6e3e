"""The simple models: logistic regression on TF-IDF of words and characters. Needs no TFX."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

TFIDF_CASED = "tfidf_cased"
"""Sees capitals."""

TFIDF_LOWER = "tfidf_lower"
"""Sees lower case alone, so that no casing can help or mislead it."""

BASELINES: dict[str, Callable[[str], str]] = {TFIDF_CASED: str, TFIDF_LOWER: str.lower}
"""How each one reads a text."""

_MIN_ROWS_PER_CLASS = 2
_WORDS_AND_SIGNS = r"\w+|[^\w\s]"
_CHARACTERS = (2, 4)


class NoBaselineError(ValueError):
    """No model can be trained on these rows."""


def train_baseline(texts: Sequence[str], labels: Sequence[int]) -> Pipeline:
    """A model that `score_texts` takes; equal rows in equal order make equal ones.

    Args:
      texts: as the model reads them.
      labels: 0 or 1.

    Raises:
      NoBaselineError: a class has no row, or only one.
    """
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=2)
    if counts.min() < _MIN_ROWS_PER_CLASS:
        raise NoBaselineError(
            f"A baseline learns from at least {_MIN_ROWS_PER_CLASS} rows of each class. "
            f"Received: {counts[0]:,} of class 0 and {counts[1]:,} of class 1."
        )
    model = make_pipeline(
        make_union(
            TfidfVectorizer(
                token_pattern=_WORDS_AND_SIGNS, ngram_range=(1, 2), lowercase=False, sublinear_tf=True, dtype=np.float32
            ),
            make_pipeline(CharactersInWords(_CHARACTERS), TfidfTransformer(sublinear_tf=True)),
        ),
        # Of scikit-learn's solvers for sparse data the quickest, and one that draws nothing at random.
        LogisticRegression(C=10, solver="liblinear"),
    )
    return model.fit(texts, labels)


class CharactersInWords(TransformerMixin, BaseEstimator):
    """Counts runs of characters within words: `CountVectorizer(analyzer="char_wb")`, a third of its time.

    Such runs end with their word, so each distinct word is taken apart once, and a text's counts are its words' sums.

    Args:
      ngram_range: shortest and longest run.
    """

    def __init__(self, ngram_range: tuple[int, int]):
        self.ngram_range = ngram_range

    def fit_transform(self, texts: Sequence[str], y=None) -> sparse.csr_matrix:
        self._runs = CountVectorizer(
            analyzer="char_wb", ngram_range=self.ngram_range, lowercase=False, dtype=np.float32
        )
        return self._counts(texts, self._runs.fit_transform)

    def fit(self, texts: Sequence[str], y=None) -> CharactersInWords:
        self.fit_transform(texts)
        return self

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        return self._counts(texts, self._runs.transform)

    def _counts(self, texts: Sequence[str], take_apart: Callable) -> sparse.csr_matrix:
        split = [text.split() for text in texts]
        words = sorted(set(itertools.chain.from_iterable(split)))
        places = {word: place for place, word in enumerate(words)}
        columns = [places[word] for word in itertools.chain.from_iterable(split)]
        starts = np.cumsum([0, *map(len, split)])
        of_texts = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, starts), (len(split), len(words)))
        return of_texts @ take_apart(words)


def score_texts(model: Pipeline, texts: Sequence[str]) -> np.ndarray:
    """The probability of class 1 for each text, float64."""
    return model.predict_proba(texts)[:, 1]
