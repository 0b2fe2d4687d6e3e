"""Estimates are those of scikit-learn, and their intervals those of scipy or of the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from components.evaluator.intervals import (
    ECE_BINS,
    area_under_roc,
    calibration_error,
    mean,
    paired_difference,
    proportion,
)

RANDOM = np.random.default_rng(6)
LABELS = RANDOM.integers(0, 2, 500)
SCORES = np.clip(LABELS + RANDOM.normal(0, 0.5, 500), 0, 1).round(2)  # with ties


@pytest.mark.parametrize(("count", "total"), [(0, 10), (10, 10), (7, 10), (9_500, 9_616)])
def test_the_interval_of_a_share_is_wilsons(count, total):
    expected = binomtest(count, total).proportion_ci(method="wilson")
    found = proportion(count, total)
    assert found == pytest.approx((count / total, expected.low, expected.high), abs=1e-12)


def test_a_share_of_no_rows_says_nothing():
    assert proportion(0, 0) == (0, 0, 1)


def test_the_area_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    assert area_under_roc(LABELS, SCORES).value == pytest.approx(roc_auc_score(LABELS, SCORES), abs=1e-12)


def test_the_areas_interval_is_delongs_by_its_definition():
    positive, negative = SCORES[LABELS == 1], SCORES[LABELS == 0]
    won = (positive[:, None] > negative).astype(float) + 0.5 * (positive[:, None] == negative)
    variance = won.mean(1).var(ddof=1) / len(positive) + won.mean(0).var(ddof=1) / len(negative)
    half = norm.ppf(0.975) * np.sqrt(variance)
    found = area_under_roc(LABELS, SCORES)
    assert (found.low, found.high) == pytest.approx((won.mean() - half, won.mean() + half), abs=1e-12)


def test_without_both_classes_there_is_no_area():
    assert np.isnan(area_under_roc(np.ones(5), SCORES[:5])).all()


def test_a_single_row_of_a_class_leaves_the_area_open():
    found = area_under_roc(np.array([1, 0, 0]), np.array([0.9, 0.1, 0.2]))
    assert found == (1, 0, 1)


def test_the_calibration_error_is_that_of_scikit_learns_bins():
    from sklearn.calibration import calibration_curve

    share, said = calibration_curve(LABELS, SCORES, n_bins=ECE_BINS, strategy="uniform")
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, ECE_BINS + 1)[1:-1], SCORES), minlength=ECE_BINS)
    found = calibration_error(LABELS, SCORES)
    expected = np.sum(counts[counts > 0] * np.abs(share - said)) / len(LABELS)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low < found.value < found.high


def test_what_says_what_happens_is_calibrated_and_what_is_too_sure_is_not():
    said = RANDOM.uniform(0, 1, 20_000)
    labels = RANDOM.uniform(0, 1, 20_000) < said
    assert calibration_error(labels, said).value < 0.015
    assert calibration_error(labels, (said > 0.5).astype(float)).value == pytest.approx(0.25, abs=0.01)


def test_a_mean_has_the_normal_interval():
    squares = (SCORES - LABELS) ** 2
    half = norm.ppf(0.975) * squares.std(ddof=1) / np.sqrt(500)
    assert mean(squares) == pytest.approx((squares.mean(), squares.mean() - half, squares.mean() + half))


def test_a_difference_on_the_same_rows_goes_by_the_rows_that_differ():
    one, other = np.array([True] * 8 + [False] * 2), np.array([True] * 5 + [False] * 4 + [True])
    found = paired_difference(one, other)
    assert found.value == pytest.approx(0.2)
    up, down = 4 / 12, 2 / 12  # three gained and one lost, one more of each and two more rows
    half = norm.ppf(0.975) * np.sqrt((up + down - (up - down) ** 2) / 12)
    assert (found.low, found.high) == pytest.approx((up - down - half, up - down + half))


def test_the_interval_of_a_difference_holds_the_true_one_95_times_in_100():
    held = 0
    for _ in range(2000):
        drawn = RANDOM.choice(3, size=300, p=[0.04, 0.02, 0.94])  # gained, lost, equal
        found = paired_difference(drawn != 1, drawn != 0)
        held += found.low <= 0.02 <= found.high
    assert 0.93 <= held / 2000 <= 0.98


def test_the_interval_of_the_calibration_error_does_not_hang_by_the_order_of_the_rows():
    order = np.random.default_rng(1).permutation(len(LABELS))
    found = calibration_error(LABELS[order], SCORES[order])
    assert found == pytest.approx(calibration_error(LABELS, SCORES), abs=1e-12)
