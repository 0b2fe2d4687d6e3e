"""What charts draw of scored rows, thinned to what can be seen. Pure: needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from components.evaluator.intervals import ECE_BINS

_POINTS = 600
_BINS = 20

Curve = dict[str, list[float]]


def describe_scores(labels: np.ndarray, scores: Mapping[str, np.ndarray], candidate: str) -> dict[str, Any]:
    """The curves of all models, and how the candidate's scores lie.

    A model with a score that is no number has no curves, and without rows of both classes none has.

    Args:
      labels: 0 or 1 each.
      scores: of each model, by its name.
      candidate: the name of the one that is judged.
    """
    finite = {name: values for name, values in scores.items() if np.isfinite(values).all()}
    curves: dict[str, Any] = {"roc": {}, "precision_recall": {}}
    if 0 < labels.sum() < len(labels):
        curves["roc"] = {name: roc_points(labels, values) for name, values in finite.items()}
        curves["precision_recall"] = {name: precision_points(labels, values) for name, values in finite.items()}
    if candidate in finite:
        curves["reliability"] = reliability(labels, finite[candidate])
        curves["histogram"] = histogram(labels, finite[candidate])
    return curves


def roc_points(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """False and true positive rates."""
    false, true, _ = roc_curve(labels, scores)
    return _thinned(false, true)


def precision_points(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Recall and precision, from the surest rows on."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    return _thinned(recall[::-1], precision[::-1])


def reliability(labels: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Of each bin that has rows, the bins of the calibration error: mean score, share of positive rows, rows."""
    bins = np.searchsorted(np.linspace(0, 1, ECE_BINS + 1)[1:-1], scores)
    rows = np.bincount(bins, minlength=ECE_BINS)
    sums = np.bincount(bins, scores, ECE_BINS), np.bincount(bins, labels, ECE_BINS)
    return [
        {"score": float(sums[0][one] / rows[one]), "share": float(sums[1][one] / rows[one]), "rows": int(rows[one])}
        for one in np.flatnonzero(rows)
    ]


def histogram(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Rows by score in bins of equal width, for each label."""
    edges = np.linspace(0, 1, _BINS + 1)
    return {
        "edges": edges.tolist(),
        **{str(label): np.histogram(scores[labels == label], edges)[0].tolist() for label in (0, 1)},
    }


def _thinned(x: np.ndarray, y: np.ndarray) -> Curve:
    """Points evenly along the drawn line, both ends among them."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    taken = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _POINTS)).clip(0, len(x) - 1))
    return {"x": x[taken].round(5).tolist(), "y": y[taken].round(5).tolist()}
