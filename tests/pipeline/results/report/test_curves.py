"""The curves are scikit-learn's, and nothing that is seen is lost by thinning."""

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score

from components.evaluator.intervals import calibration_error
from pipeline.results.report.curves import describe_scores, histogram, precision_points, reliability, roc_points


@pytest.fixture
def rows():
    random = np.random.default_rng(7)
    labels = random.integers(2, size=5000)
    return labels, np.clip(labels * 0.4 + random.normal(0.3, 0.2, 5000), 0, 1)


def test_the_thinned_roc_curve_has_the_area_of_all_points(rows):
    points = roc_points(*rows)
    assert len(points.x) < 1000
    assert auc(points.x, points.y) == pytest.approx(roc_auc_score(*rows), abs=1e-3)
    assert (points.x[0], points.y[0], points.x[-1], points.y[-1]) == (0, 0, 1, 1)


def test_precision_goes_from_the_surest_rows_to_all(rows):
    points = precision_points(*rows)
    assert points.x[0] == 0
    assert points.x[-1] == 1
    assert points.y[-1] == pytest.approx(rows[0].mean(), abs=1e-2)


def test_the_bins_are_those_of_the_calibration_error(rows):
    bins = reliability(*rows)
    error = sum(point.rows * abs(point.score - point.share) for point in bins) / len(rows[0])
    assert sum(point.rows for point in bins) == len(rows[0])
    assert error == pytest.approx(calibration_error(*rows).value, abs=1e-12)


def test_the_histogram_holds_every_row_under_its_label(rows):
    found = histogram(*rows)
    assert [sum(found.news), sum(found.clickbait)] == np.bincount(rows[0]).tolist()


def test_a_model_whose_scores_are_no_numbers_is_left_out(rows):
    labels, scores = rows
    found = describe_scores(labels, {"candidate": np.full(len(labels), np.nan), "other": scores}, "candidate")
    assert list(found.roc) == ["other"]
    assert found.reliability is None


def test_rows_of_one_class_have_no_curves():
    found = describe_scores(np.ones(5), {"candidate": np.linspace(0, 1, 5)}, "candidate")
    assert found.roc == found.precision_recall == {}
