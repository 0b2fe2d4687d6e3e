"""Estimates with the interval that holds the true value in 95 of 100 repetitions. Pure: needs no TFX."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

ECE_BINS = 15
_Z = 1.959963984540054  # 97.5 % of the normal distribution lie below
_Z_ONE_SIDED = 1.6448536269514722  # 95 %
_RESAMPLES = 200
_BIN_EDGES = np.linspace(0, 1, ECE_BINS + 1)[1:-1]


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def proportion(count: int, total: int) -> Estimate:
    """Returns a share of rows, with Wilson's score interval; of no rows 0, with the interval from 0 to 1."""
    if not total:
        return Estimate(0.0, 0.0, 1.0)
    low, high = wilson_interval(np.array([count]), np.array([total]))
    return Estimate(count / total, float(low[0]), float(high[0]))


def wilson_interval(counts: np.ndarray, totals: np.ndarray, errors: float = _Z) -> tuple[np.ndarray, np.ndarray]:
    """Returns both ends of Wilson's score interval of shares.

    Args:
      counts: [shares].
      totals: of the rows, above 0, [shares].
      errors: the half-width in standard errors; by default that of 95 %.
    """
    shares, spread = counts / totals, errors**2 / totals
    centre = (shares + spread / 2) / (1 + spread)
    half = errors / (1 + spread) * np.sqrt(shares * (1 - shares) / totals + spread / (4 * totals))
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> Estimate:
    """Returns the exact area, with DeLong's interval (DeLong et al. 1988, in the midranks of Sun and Xu 2014).

    Without rows of both classes there is none: NaN.
    """
    positive, negative = scores[labels == 1], scores[labels != 1]
    m, n = len(positive), len(negative)
    if not m or not n:
        return Estimate(np.nan, np.nan, np.nan)
    ranks = rankdata(np.concatenate([positive, negative]))
    area = (ranks[:m].sum() - m * (m + 1) / 2) / (m * n)
    if min(m, n) == 1:
        return Estimate(float(area), 0.0, 1.0)
    # For each row the share of the other class's rows that it is on the right side of.
    of_positive = (ranks[:m] - rankdata(positive)) / n
    of_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    return _clipped(area, _Z * np.sqrt(of_positive.var(ddof=1) / m + of_negative.var(ddof=1) / n))


def area_of_figures(area: float, positive: int, negative: int) -> Estimate:
    """Returns an area under the ROC curve with Hanley and McNeil's interval (1982), which needs no scores.

    Args:
      area: the area.
      positive: how many rows of class 1 it was measured on.
      negative: how many of class 0.
    """
    if not positive or not negative:
        return Estimate(area, 0.0, 1.0)
    of_positive, of_negative = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (positive - 1) * (of_positive - area**2) + (negative - 1) * (of_negative - area**2)
    return _clipped(area, _Z * np.sqrt((area * (1 - area) + spread) / (positive * negative)))


def mean(values: np.ndarray) -> Estimate:
    """Returns the mean of values from 0 to 1, with the normal interval."""
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else np.nan, 0.0, 1.0)
    return _clipped(values.mean(), _Z * values.std(ddof=1) / np.sqrt(len(values)))


def binned_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the value of `calibration_error` without its interval, which takes 200 times as long; NaN of no rows."""
    return _error(np.bincount(*_gaps(labels, probabilities), ECE_BINS), len(labels)) if len(labels) else np.nan


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> Estimate:
    """Returns the expected calibration error over 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017).

    That is the mean over the rows of |mean probability - share of positive rows| of their bin. The interval is
    bootstrapped and shifted to the value: resampling alone adds to an error that is a sum of absolute values.
    """
    rows = len(labels)
    if not rows:
        return Estimate(np.nan, 0.0, 1.0)
    bins, gaps = _gaps(labels, probabilities)
    order = np.lexsort((gaps, bins))  # an engine hands rows on in an order of its own, and a draw goes by their places
    bins, gaps = bins[order], gaps[order]
    value = _error(np.bincount(bins, gaps, ECE_BINS), rows)
    random = np.random.default_rng(0)
    drawn = (random.integers(rows, size=rows) for _ in range(_RESAMPLES))
    resampled = np.array([_error(np.bincount(bins[sample], gaps[sample], ECE_BINS), rows) for sample in drawn])
    low, high = np.percentile(resampled, (2.5, 97.5)) - resampled.mean()
    return Estimate(value, max(0.0, value + low), min(1.0, value + high))


def calibration_error_by_chance(probabilities: np.ndarray) -> float:
    """Returns the expected calibration error that calibrated scores stay below in 95 of 100 draws of their labels.

    In a bin the sum of the gaps is nearly normal, with the variance of its labels; its absolute value half-normal.
    """
    if not len(probabilities):
        return np.nan
    bins = np.searchsorted(_BIN_EDGES, probabilities)
    variances = np.bincount(bins, probabilities * (1 - probabilities), ECE_BINS)
    expected = np.sqrt(2 / np.pi * variances).sum()
    spread = np.sqrt((1 - 2 / np.pi) * variances.sum())
    return float(expected + _Z_ONE_SIDED * spread) / len(probabilities)


def paired_difference(right: np.ndarray, other_right: np.ndarray) -> Estimate:
    """Returns the difference of two accuracies on the same rows, with Bonett and Price's interval (2012).

    Only rows on which the two differ count, so it is far narrower than the two accuracies' own intervals.
    """
    rows = len(right)
    if not rows:
        return Estimate(np.nan, -1.0, 1.0)
    gained, lost = int(np.sum(right & ~other_right)), int(np.sum(~right & other_right))
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    half = _Z * np.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    return Estimate((gained - lost) / rows, max(-1.0, up - down - half), min(1.0, up - down + half))


def _gaps(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bin of each row, and by how much its probability is above its label."""
    return np.searchsorted(_BIN_EDGES, probabilities), probabilities - labels


def _error(gaps_by_bin: np.ndarray, rows: int) -> float:
    return float(np.abs(gaps_by_bin).sum() / rows)


def _clipped(value: float, half: float) -> Estimate:
    return Estimate(float(value), max(0.0, float(value - half)), min(1.0, float(value + half)))
