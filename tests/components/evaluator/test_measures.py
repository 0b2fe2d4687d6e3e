"""The metrics equal scikit-learn's on the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluator.intervals import area_of_figures, area_under_roc, calibration_error_by_chance
from components.evaluator.measures import CONFUSION, high_end, low_end, measure

RANDOM = np.random.default_rng(1)
LABELS = RANDOM.integers(0, 2, 400)
SCORES = np.clip(LABELS + RANDOM.normal(0, 0.5, 400), 0, 1).astype(np.float32)
OTHERS = np.clip(LABELS + RANDOM.normal(0, 0.8, 400), 0, 1).astype(np.float32)


def test_all_metrics_are_scikit_learns():
    from sklearn import metrics

    said, found = SCORES > 0.5, measure(LABELS, SCORES, {"simple": OTHERS})
    expected = {
        "binary_accuracy": metrics.accuracy_score(LABELS, said),
        "auc": metrics.roc_auc_score(LABELS, SCORES),
        "precision": metrics.precision_score(LABELS, said),
        "recall": metrics.recall_score(LABELS, said),
        "brier": metrics.brier_score_loss(LABELS, SCORES),
        "example_count": 400,
        "simple_accuracy": metrics.accuracy_score(LABELS, OTHERS > 0.5),
        "simple_auc": metrics.roc_auc_score(LABELS, OTHERS),
        "accuracy_minus_simple": np.mean((said == LABELS).astype(int) - ((OTHERS > 0.5) == LABELS)),
        **dict(zip(CONFUSION, metrics.confusion_matrix(LABELS, said).ravel(), strict=True)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["binary_accuracy", "auc", "precision", "recall", "brier", "ece"])
def test_each_value_lies_in_its_interval(name):
    found = measure(LABELS, SCORES)
    assert found[low_end(name)] < found[name] < found[high_end(name)]


def test_chance_leaves_calibrated_scores_the_error_that_drawn_labels_have():
    bins = np.ceil(SCORES.astype(float) * 15)
    gaps = [SCORES - (RANDOM.uniform(size=400) < SCORES) for _ in range(2000)]
    drawn = [np.abs(np.bincount(bins.astype(int), gap)).sum() / 400 for gap in gaps]
    assert calibration_error_by_chance(SCORES) == pytest.approx(np.percentile(drawn, 95), rel=0.1)


@pytest.mark.parametrize("positive", [60, 150, 300])
def test_the_interval_of_an_area_is_near_that_of_its_scores(positive):
    labels = np.arange(400) < positive
    scores = labels + RANDOM.normal(0, 0.8, 400)
    exact = area_under_roc(labels, scores)
    found = area_of_figures(exact.value, positive, 400 - positive)
    assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.3)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_wrong_whatever_the_label(lost):
    labels, scores = np.array([0, 1, 0, 1]), np.array([lost, lost, 0.1, 0.9])
    found = measure(labels, scores)
    assert (found["non_finite"], found["binary_accuracy"]) == (2, 0.5)
    assert [found[name] for name in CONFUSION] == [1, 1, 1, 1]
    assert np.isnan([found["auc"], found["brier"], found["ece"]]).all()
    assert "lowest_score" not in found


def test_a_score_of_one_half_says_no_as_keras_has_it():
    assert measure(np.array([1, 0]), np.array([0.5, 0.5]))["true_positives"] == 0


def test_a_row_as_it_is_has_no_area_of_its_own_among_the_contenders():
    found = measure(LABELS, OTHERS, {"as_is": SCORES})
    assert found["accuracy_minus_as_is"] < 0
    assert "as_is_auc" not in found
