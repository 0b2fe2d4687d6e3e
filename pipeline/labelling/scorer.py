"""A scorer that learns from some thousand rows in seconds: words and n-grams beside a frozen encoder's vectors.

Both members are logistic regressions, blended as the preset `own` blends encoder and words. Imports TensorFlow.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from components.titles import title_key
from trainer import wide
from trainer.choosing import Blend, fit_blend
from trainer.encoders.vectors import encode, fit_classifier
from trainer.wide import WideWeights

FOLDS = 5


class Inputs(NamedTuple):
    """Titles as the members read them."""

    counts: sparse.csr_matrix
    """Of words and n-grams, float32 [titles, buckets]."""
    vectors: np.ndarray
    """Of the encoder, float32 [titles, dimension]."""

    @classmethod
    def of(cls, titles: Sequence[str], encoder: Path) -> Self:
        """Reads titles, one or more, by `trainer.wide` and an encoder's SavedModel."""
        return cls(wide.count(titles), encode(encoder, titles))

    def take(self, rows: np.ndarray) -> Inputs:
        """Returns some of the titles, by their numbers or a mask."""
        return Inputs(self.counts[rows], self.vectors[rows])


class Members(NamedTuple):
    """Both members, fitted to the same rows."""

    words: WideWeights
    encoder: LogisticRegression

    @classmethod
    def fit(cls, inputs: Inputs, labels: np.ndarray) -> Self:
        """Fits both to labels, 0 or 1 [titles], and both of them."""
        return cls(wide.fit_counts(inputs.counts, labels), fit_classifier(inputs.vectors, labels))

    def logits(self, inputs: Inputs) -> np.ndarray:
        """Returns the logits of encoder and words, float64 [2, titles]."""
        words = wide.logits_of_counts(self.words, inputs.counts)
        return np.stack([self.encoder.decision_function(inputs.vectors), words]).astype(np.float64)


class HeldOut(NamedTuple):
    """Scores of labelled titles by models that saw neither them nor their near-equals."""

    probabilities: np.ndarray
    """Of class 1, float64 [titles]."""
    blend: Blend


def fold_of(titles: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Returns the fold of each title, int64 [titles]; titles that differ in casing or white space alone share one.

    Each class is dealt to the folds in turns, in the order of the titles' hashes.

    Args:
      titles: the titles.
      labels: 0 or 1 [titles].
    """
    keys = np.array([title_key(title).order for title in titles], np.uint64)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    folds = np.zeros(len(first), np.int64)
    for label in (0, 1):
        of_label = np.flatnonzero(labels[first] == label)
        folds[of_label] = np.arange(len(of_label)) % FOLDS
    return folds[group]


def score_held_out(inputs: Inputs, labels: np.ndarray, folds: np.ndarray) -> HeldOut:
    """Scores each fold by models of the others.

    Args:
      inputs: of the titles.
      labels: 0 or 1 [titles]; both in each fold's rest.
      folds: from `fold_of`; none is empty.
    """
    logits = np.zeros((2, len(labels)))

    def score(fold: int) -> None:
        held_out = folds == fold
        members = Members.fit(inputs.take(~held_out), labels[~held_out])
        logits[:, held_out] = members.logits(inputs.take(held_out))

    with ThreadPoolExecutor(min(FOLDS, os.cpu_count() or 1)) as pool:  # liblinear works on one core
        list(pool.map(score, range(FOLDS)))
    blend = fit_blend(labels, *logits)
    return HeldOut(expit(blend.logits(*logits)), blend)


def score_others(known: Inputs, labels: np.ndarray, blend: Blend, others: Inputs) -> np.ndarray:
    """Returns the probabilities of class 1, float64 [titles], of titles without labels.

    Args:
      known: the labelled titles.
      labels: theirs, 0 or 1.
      blend: from `score_held_out`.
      others: the titles to score.
    """
    return np.asarray(expit(blend.logits(*Members.fit(known, labels).logits(others))))
