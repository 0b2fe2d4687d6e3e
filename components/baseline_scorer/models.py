"""The simple models: logistic regression on TF-IDF of words and characters. Needs no TFX."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from components.baseline_scorer.counts import TOKEN, CountsInWords, PairsOfTokens, TextsToWords

TFIDF_CASED = "tfidf_cased"
"""Sees capitals."""

TFIDF_LOWER = "tfidf_lower"
"""Sees lower case alone, so that no casing can help or mislead it."""

BASELINES: dict[str, Callable[[str], str]] = {TFIDF_CASED: str, TFIDF_LOWER: str.lower}
"""How each one reads a text."""

_MIN_ROWS_PER_CLASS = 2
_CHARACTERS = (2, 4)


class NoBaselineError(ValueError):
    """No model can be trained on these rows."""


def train_baseline(texts: Sequence[str], labels: Sequence[int]) -> Pipeline:
    """Trains a model for `score_texts`; equal rows in equal order make equal models.

    Args:
      texts: as the model reads them.
      labels: 0 or 1.

    Raises:
      NoBaselineError: a class has no row, or only one.
    """
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=2)
    if counts.min() < _MIN_ROWS_PER_CLASS:
        raise NoBaselineError(
            f"A baseline must have at least {_MIN_ROWS_PER_CLASS} rows of each class to learn from. "
            f"Received: {counts[0]:,} of class 0 and {counts[1]:,} of class 1."
        )
    tokens = CountVectorizer(token_pattern=TOKEN, lowercase=False, dtype=np.float32)
    characters = CountVectorizer(analyzer="char_wb", ngram_range=_CHARACTERS, lowercase=False, dtype=np.float32)
    model = make_pipeline(
        TextsToWords(),
        make_union(
            make_pipeline(make_union(CountsInWords(tokens), PairsOfTokens()), TfidfTransformer(sublinear_tf=True)),
            make_pipeline(CountsInWords(characters), TfidfTransformer(sublinear_tf=True)),
        ),
        # Of scikit-learn's solvers for sparse data the quickest, and one that draws nothing at random.
        LogisticRegression(C=10, solver="liblinear"),
    )
    return model.fit(texts, labels)


def score_texts(model: Pipeline, texts: Sequence[str]) -> np.ndarray:
    """Returns the probability of class 1 for each text, float64 [texts]."""
    return model.predict_proba(texts)[:, 1]
