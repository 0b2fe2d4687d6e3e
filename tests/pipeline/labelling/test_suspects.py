"""Confident learning on scores alone."""

from __future__ import annotations

import numpy as np

from pipeline.labelling.suspects import find_suspects


def test_flipped_labels_come_first_in_the_order_of_how_little_they_fit():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 1000)
    probabilities = np.clip(np.where(truth == 1, 0.9, 0.1) + random.normal(0, 0.05, 1000), 0, 1)
    flipped = random.choice(1000, 30, replace=False)
    labels = truth.copy()
    labels[flipped] ^= 1
    suspects = find_suspects(labels, probabilities)
    assert {*suspects.order[:30]} == {*flipped}
    assert {*np.flatnonzero(suspects.is_suspect)} <= {*flipped}
    assert suspects.is_suspect.sum() > 10
    fit = np.where(labels == 1, probabilities, 1 - probabilities)[suspects.order]
    count = suspects.is_suspect.sum()
    assert (np.diff(fit[:count]) >= 0).all() and (np.diff(fit[count:]) >= 0).all()


def test_a_class_that_the_model_is_rarely_sure_of_has_a_lower_threshold():
    labels = np.array([0, 0, 0, 1, 1, 0])
    probabilities = np.array([0.02, 0.05, 0.03, 0.4, 0.4, 0.45])
    assert find_suspects(labels, probabilities).is_suspect.tolist() == [False] * 5 + [True]


def test_a_row_that_fits_both_classes_is_no_suspect_where_its_own_fits_better():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([0.9, 0.35, 0.3, 0.3])
    assert not find_suspects(labels, probabilities).is_suspect[1]


def test_scores_that_are_all_equal_suspect_nothing():
    labels = np.array([0] * 40 + [1] * 20)
    assert not find_suspects(labels, np.full(60, 1 / 3)).is_suspect.any()
