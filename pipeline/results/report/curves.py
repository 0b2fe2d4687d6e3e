"""Curves and histograms of scored rows, thinned to what can be seen. Pure: needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from sklearn.metrics import precision_recall_curve, roc_curve

from components.evaluator.intervals import ECE_BINS
from components.recorded import KEEPS_UNKNOWN, Recorded

_POINTS = 600
_BINS = 20


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Curve(Recorded):
    """Points of a line."""

    x: list[float]
    y: list[float]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Bin(Recorded):
    """Rows with scores of about the same."""

    score: float
    """Their mean."""
    share: float
    """Of those that are clickbait."""
    rows: int


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Histogram(Recorded):
    """Rows by score, in bins of equal width."""

    edges: list[float]
    news: list[int] = Field(alias="0")
    clickbait: list[int] = Field(alias="1")


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Curves(Recorded):
    """The curves of all models by their names, and how the candidate's scores lie."""

    roc: dict[str, Curve] = field(default_factory=dict)
    """False and true positive rates."""
    precision_recall: dict[str, Curve] = field(default_factory=dict)
    """Recall and precision, from the surest rows on."""
    reliability: list[Bin] | None = None
    """The bins of the calibration error that have rows; None: a score is no number."""
    histogram: Histogram | None = None


def describe_scores(labels: np.ndarray, scores: Mapping[str, np.ndarray], candidate: str) -> Curves:
    """Computes the curves of all models, and how the candidate's scores lie.

    A model with a score that is no number has no curves, and without rows of both classes none has.

    Args:
      labels: 0 or 1 each.
      scores: of each model, by its name.
      candidate: the name of the one that is judged.
    """
    drawn = comparable(labels, scores)
    finite = bool(np.isfinite(scores[candidate]).all())
    return Curves(
        {name: roc_points(labels, values) for name, values in drawn.items()},
        {name: precision_points(labels, values) for name, values in drawn.items()},
        reliability(labels, scores[candidate]) if finite else None,
        histogram(labels, scores[candidate]) if finite else None,
    )


def comparable(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the scores that have curves: all numbers, of rows of both classes."""
    both = 0 < np.count_nonzero(labels) < len(labels)
    return {name: values for name, values in scores.items() if both and np.isfinite(values).all()}


def roc_points(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Computes `Curves.roc` of a model."""
    false, true, _ = roc_curve(labels, scores)
    return _thinned(false, true)


def precision_points(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Computes `Curves.precision_recall` of a model."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    return _thinned(recall[::-1], precision[::-1])


def reliability(labels: np.ndarray, scores: np.ndarray) -> list[Bin]:
    """Computes `Curves.reliability`."""
    bins = np.searchsorted(np.linspace(0, 1, ECE_BINS + 1)[1:-1], scores)
    rows = np.bincount(bins, minlength=ECE_BINS)
    sums = np.bincount(bins, scores, ECE_BINS), np.bincount(bins, labels, ECE_BINS)
    return [
        Bin(float(sums[0][number] / rows[number]), float(sums[1][number] / rows[number]), int(rows[number]))
        for number in np.flatnonzero(rows)
    ]


def histogram(labels: np.ndarray, scores: np.ndarray) -> Histogram:
    """Computes `Curves.histogram`."""
    edges = np.linspace(0, 1, _BINS + 1)
    news, clickbait = (np.histogram(scores[labels == label], edges)[0].tolist() for label in (0, 1))
    return Histogram.from_dict({"edges": edges.tolist(), "0": news, "1": clickbait})


def _thinned(x: np.ndarray, y: np.ndarray) -> Curve:
    """Returns points evenly along the drawn line, with both ends."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    taken = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _POINTS)).clip(0, len(x) - 1))
    return Curve(x[taken].round(5).tolist(), y[taken].round(5).tolist())
