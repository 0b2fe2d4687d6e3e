"""The search for a decision threshold, and for the band of scores too unsure for a class. Pure: needs no TFX."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from components.evaluator.intervals import Estimate, proportion, wilson_interval

PRECISION, RECALL, COVERAGE = WANTED = ("precision", "recall", "coverage")
NEWS_PRECISION, NEWS_RECALL = "news_precision", "news_recall"
LEAST_ROWS_OF_A_CLASS = 20

# A share that is only just reached on some rows is missed on half of all others, so it is reached where it is with so
# many standard errors to spare (the lower end of Wilson's interval). Half of one is where the 95 % interval on other
# rows covers the wanted share most often; docs/evaluation.md has the simulation.
_SPARE_ERRORS = 0.5
_SEARCH_STEPS = 40


class ThresholdError(Exception):
    """No threshold can be chosen."""

    exit_code = 2


class OperatingPoint(NamedTuple):
    """A threshold, with the precision and the recall of the rows whose score is at least that."""

    threshold: float
    precision: float
    recall: float


class SharePoint(NamedTuple):
    """The threshold that about as many rows reach as are positive."""

    threshold: float
    taken: int
    """How many rows have at least that score."""
    hits: int
    """How many of them are positive."""


class Choice(NamedTuple):
    """A decision threshold, and the band of scores that are too unsure for a class."""

    threshold: float
    """A score of at least that is the positive class."""
    unsure: tuple[float, float]
    """From, and to: a score below the first is the negative class, one of at least the second the positive class."""
    shares: dict[str, Estimate]
    """On the rows that it was chosen on: `precision` and `recall` at the threshold; `news_precision` of the scores
    below the band, where there are any; `coverage`, the rows outside of the band."""


class _Ranking:
    """The rows at or above each distinct score.

    Attributes:
      scores: the distinct ones, descending.
      taken: how many rows have at least that score.
      hits: how many of them are positive.
      rows: how many there are.
      positive: how many are positive.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        order = np.argsort(-scores, kind="stable")
        descending, hits = scores[order].astype(np.float64), np.cumsum(labels[order] == 1)
        last = np.flatnonzero(np.append(np.diff(descending) != 0, True))  # rows of one score are taken or left together
        self.scores, self.taken, self.hits = descending[last], last + 1, hits[last]
        self.rows, self.positive = len(labels), int(hits[-1]) if len(hits) else 0

    @property
    def above_all(self) -> float:
        """A threshold that no score reaches, but one of exactly 1."""
        return min(1.0, float(np.nextafter(self.scores[0], 2.0)))

    def lower_ends(self, name: str, spare_errors: float) -> np.ndarray:
        """Returns the lower end of a share's interval at each score.

        Args:
          name: `precision` or `recall` of the rows at or above the score, or `news_precision` or `news_recall` of the
            rows below it.
          spare_errors: the half-width in standard errors; 0 gives the share itself.
        """
        lost = self.positive - self.hits
        negative = self.rows - self.positive
        below = self.rows - self.taken
        counts, totals = {
            PRECISION: (self.hits, self.taken),
            RECALL: (self.hits, np.full_like(self.hits, self.positive)),
            NEWS_PRECISION: (below - lost, below),
            NEWS_RECALL: (below - lost, np.full_like(self.hits, negative)),
        }[name]
        ends = wilson_interval(counts, np.maximum(totals, 1), spare_errors)[0]
        return np.where(totals > 0, ends, 0.0)


def operating_point(labels: np.ndarray, scores: np.ndarray, precision: float) -> OperatingPoint | None:
    """Returns the least threshold with that precision on these very rows; None where there is none.

    Of all such thresholds the least has the highest recall.
    """
    ranking = _Ranking(labels, scores)
    reached = np.flatnonzero(ranking.lower_ends(PRECISION, 0.0) >= precision)
    if not len(reached) or not ranking.positive:
        return None
    at = reached[-1]
    hits = int(ranking.hits[at])
    return OperatingPoint(float(ranking.scores[at]), hits / int(ranking.taken[at]), hits / ranking.positive)


def share_point(labels: np.ndarray, scores: np.ndarray) -> SharePoint:
    """Returns the threshold whose number of rows is nearest to that of the positive ones; of two the higher one.

    Args:
      labels: 0 or 1, [rows], of at least one row.
      scores: numbers, [rows].
    """
    ranking = _Ranking(labels, scores)
    at = int(np.argmin(np.abs(ranking.taken - ranking.positive)))
    return SharePoint(float(ranking.scores[at]), int(ranking.taken[at]), int(ranking.hits[at]))


def choose_threshold(labels: np.ndarray, scores: np.ndarray, wanted: str, share: float) -> Choice:
    """Chooses a threshold and an unsure band whose wanted share is to hold on other rows, too.

    By `precision` the band lies between the least threshold from which on the positive answers reach it, which is the
    decision threshold, and the greatest below which the negative ones do. By `recall` the band leaves each class that
    share of its rows: the decision threshold is the greatest that reaches it. By `coverage` the band leaves an answer
    to that share of the rows, at the highest precision that both answers reach.

    Args:
      labels: 0 or 1, [rows].
      scores: probabilities of class 1, [rows].
      wanted: one of `WANTED`.
      share: above 0 and below 1.

    Raises:
      ThresholdError: there are too few rows, a score is no number, or the share is out of reach.
    """
    _check_rows(labels, scores, share)
    ranking = _Ranking(labels, scores)
    if wanted == PRECISION:
        ends = ranking.lower_ends(PRECISION, _SPARE_ERRORS)
        _check_reach(wanted, share, float(ends.max()), len(labels))
        low, high = _band(ranking, share)
        threshold = high
    elif wanted == RECALL:
        ends = ranking.lower_ends(RECALL, _SPARE_ERRORS)
        _check_reach(wanted, share, float(ends.max()), len(labels))
        threshold = low = float(ranking.scores[np.argmax(ends >= share)])
        of_news = np.flatnonzero(ranking.lower_ends(NEWS_RECALL, _SPARE_ERRORS) >= share)
        high = max(low, float(ranking.scores[of_news[-1]])) if len(of_news) else ranking.above_all
    else:
        most = wilson_interval(np.array([len(labels)]), np.array([len(labels)]), _SPARE_ERRORS)[0]
        _check_reach(wanted, share, float(most[0]), len(labels))
        low, high = _band_of_coverage(ranking, scores, share)
        threshold = high
    return Choice(threshold, (low, high), _shares(labels, scores, threshold, low, high))


def _check_rows(labels: np.ndarray, scores: np.ndarray, share: float) -> None:
    if not 0 < share < 1:
        raise ThresholdError(
            f"A wanted share must be above 0 and below 1. Received: {share:g}. No rows can show that none is missed; "
            "give e.g. 0.99."
        )
    if lost := int((~np.isfinite(scores)).sum()):
        raise ThresholdError(
            f"Scores must be numbers. Received: {lost:,} of {len(scores):,} that are none. Train the model again."
        )
    positive = int((labels == 1).sum())
    if min(positive, len(labels) - positive) < LEAST_ROWS_OF_A_CLASS:
        raise ThresholdError(
            f"A threshold must be chosen on at least {LEAST_ROWS_OF_A_CLASS} rows of each class. Received: "
            f"{positive:,} of clickbait and {len(labels) - positive:,} of news. Give more labelled rows with --data."
        )


def _check_reach(wanted: str, share: float, most: float, rows: int) -> None:
    if most < share:
        raise ThresholdError(
            f"The wanted {wanted} must be one that some threshold reaches with room for chance. Received: {share:g}; "
            f"on these {rows:,} rows the most is {most:.4f}. Give less, more rows with --data, or train a better model."
        )


def _band(ranking: _Ranking, precision: float) -> tuple[float, float]:
    """Returns the ends of the band outside of which both answers reach a precision.

    Where the negative answers never do, it begins at 0; where the positive ones never do, it ends above all scores.
    Where both do on the same scores, it is empty.
    """
    of_clickbait = np.flatnonzero(ranking.lower_ends(PRECISION, _SPARE_ERRORS) >= precision)
    of_news = np.flatnonzero(ranking.lower_ends(NEWS_PRECISION, _SPARE_ERRORS) >= precision)
    high = float(ranking.scores[of_clickbait[-1]]) if len(of_clickbait) else ranking.above_all
    low = float(ranking.scores[of_news[0]]) if len(of_news) else 0.0
    return min(low, high), high


def _band_of_coverage(ranking: _Ranking, scores: np.ndarray, coverage: float) -> tuple[float, float]:
    """Returns the band of the highest precision that leaves an answer to so many rows, by bisection: bands nest."""
    answered, too_precise = 0.0, 1.0
    for _ in range(_SEARCH_STEPS):
        middle = (answered + too_precise) / 2
        low, high = _band(ranking, middle)
        count = int(((scores < low) | (scores >= high)).sum())
        if wilson_interval(np.array([count]), np.array([len(scores)]), _SPARE_ERRORS)[0][0] >= coverage:
            answered = middle
        else:
            too_precise = middle
    return _band(ranking, answered)


def _shares(labels: np.ndarray, scores: np.ndarray, threshold: float, low: float, high: float) -> dict[str, Estimate]:
    positive, news = scores >= threshold, scores < low
    hits = int((labels[positive] == 1).sum())
    shares = {
        PRECISION: proportion(hits, int(positive.sum())),
        RECALL: proportion(hits, int((labels == 1).sum())),
        COVERAGE: proportion(int((news | (scores >= high)).sum()), len(labels)),
    }
    if news.any():
        shares[NEWS_PRECISION] = proportion(int((labels[news] != 1).sum()), int(news.sum()))
    return shares
