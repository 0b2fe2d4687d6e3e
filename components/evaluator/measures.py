"""The metrics of a slice's rows: exact values, not TFMA's histograms of 10,000 buckets. Pure: needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.evaluator.intervals import (
    Estimate,
    area_under_roc,
    calibration_error,
    calibration_error_by_chance,
    mean,
    paired_difference,
    proportion,
)
from components.evaluator.results import CONFUSION
from components.evaluator.thresholds import operating_point
from components.slices import AS_IS

ACCURACY, AUC, PRECISION, RECALL, BRIER, ECE = "binary_accuracy", "auc", "precision", "recall", "brier", "ece"
NON_FINITE, ROWS = "non_finite", "example_count"
ECE_OVER_CHANCE = "ece_over_chance"
LOWEST, HIGHEST = "lowest_score", "highest_score"
OPERATING = ("operating_threshold", "operating_precision", "operating_recall")

_THRESHOLD = 0.5  # above it a row counts as positive, as in Keras's BinaryAccuracy


def accuracy_of(contender: str) -> str:
    """Returns the name of a contender's accuracy."""
    return f"{contender}_accuracy"


def auc_of(contender: str) -> str:
    """Returns the name of a contender's area under the ROC curve."""
    return f"{contender}_auc"


def difference_to(contender: str) -> str:
    """Returns the name of the candidate's accuracy minus a contender's, on the same rows."""
    return f"accuracy_minus_{contender}"


def low_end(metric: str) -> str:
    """Returns the name of the lower end of a metric's 95 % interval."""
    return f"{metric}_low"


def high_end(metric: str) -> str:
    """Returns the name of the upper end of a metric's 95 % interval."""
    return f"{metric}_high"


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    contenders: Mapping[str, np.ndarray] = {},
    wanted_precision: float | None = None,
) -> dict[str, float]:
    """Returns all metrics of a slice, by name; the ends of an interval are named by `low_end` and `high_end`.

    A score that is no finite number is wrong, whatever the label; where there is one, areas and errors are NaN.

    Args:
      labels: 0 or 1, [rows].
      probabilities: the candidate's of class 1, float64 [rows].
      contenders: the other models' probabilities of the same rows, by their names.
      wanted_precision: of the operating threshold; None: there is none.
    """
    right = _right(labels, probabilities)
    whole = bool(np.isfinite(probabilities).all())
    counts = _confusion(labels, probabilities)
    nothing = Estimate(np.nan, np.nan, np.nan)
    estimates = {
        ACCURACY: proportion(int(right.sum()), len(labels)),
        AUC: area_under_roc(labels, probabilities) if whole else nothing,
        PRECISION: proportion(counts["true_positives"], counts["true_positives"] + counts["false_positives"]),
        RECALL: proportion(counts["true_positives"], int((labels == 1).sum())),
        BRIER: mean((probabilities - labels) ** 2) if whole else nothing,
        ECE: calibration_error(labels, probabilities) if whole else nothing,
    }
    found: dict[str, float] = {ROWS: len(labels), NON_FINITE: int((~np.isfinite(probabilities)).sum()), **counts}
    if whole and len(probabilities):
        found |= {LOWEST: float(probabilities.min()), HIGHEST: float(probabilities.max())}
        found[ECE_OVER_CHANCE] = estimates[ECE].value - calibration_error_by_chance(probabilities)
    for name, scores in contenders.items():
        other_right = _right(labels, scores)
        found[accuracy_of(name)] = float(other_right.mean())
        if name != AS_IS:  # the candidate's own score of the same row as it is has no area of its own
            found[auc_of(name)] = area_under_roc(labels, scores).value if np.isfinite(scores).all() else np.nan
        estimates[difference_to(name)] = paired_difference(right, other_right)
    for name, estimate in estimates.items():
        found |= {name: estimate.value, low_end(name): estimate.low, high_end(name): estimate.high}
    if wanted_precision is not None and whole and (point := operating_point(labels, probabilities, wanted_precision)):
        found |= zip(OPERATING, point, strict=True)
    return found


def _right(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    right: np.ndarray = np.isfinite(scores) & ((scores > _THRESHOLD) == (labels == 1))
    return right


def _confusion(labels: np.ndarray, scores: np.ndarray) -> dict[str, int]:
    # A score that is no number counts as the wrong class.
    predicted = np.where(np.isfinite(scores), scores > _THRESHOLD, labels != 1).astype(int)
    counts = np.bincount(2 * (labels == 1).astype(int) + predicted, minlength=4)
    return dict(zip(CONFUSION, map(int, counts), strict=True))
