"""Thresholds and bands: what they reach on the rows that they are chosen on, and on others."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluator.intervals import proportion
from components.evaluator.thresholds import ThresholdError, choose_threshold, operating_point

RANDOM = np.random.default_rng(1)
LABELS = RANDOM.integers(0, 2, 400)
SCORES = np.clip(LABELS + RANDOM.normal(0, 0.5, 400), 0, 1).astype(np.float32)

_DRAWS = 120


def draw(random, rows, *, rate=0.4, apart=2.0, slope=2.0):
    """Labels and scores of two normal distributions; the more `slope`, the surer the scores, right or wrong."""
    labels = (random.random(rows) < rate).astype(int)
    logits = slope * (random.normal(0, 1, rows) + apart * (labels - 0.5))
    return labels, 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("wanted", [0.5, 0.7, 0.9, 0.95])
def test_the_operating_point_is_the_least_that_reaches_the_precision(wanted):
    scores = SCORES.round(2)
    point = operating_point(LABELS, scores, wanted)
    reaching = {at: LABELS[scores >= at].mean() for at in np.unique(scores) if LABELS[scores >= at].mean() >= wanted}
    assert point.threshold == min(reaching)
    assert point.precision == pytest.approx(reaching[min(reaching)])
    assert point.recall == pytest.approx(LABELS[scores >= min(reaching)].sum() / LABELS.sum())


def test_a_precision_that_no_threshold_reaches_has_none():
    assert operating_point(np.array([0, 1]), np.array([0.9, 0.1]), 0.9) is None


@pytest.mark.parametrize("wanted", ["precision", "recall", "coverage"])
def test_the_shares_are_those_of_the_threshold_and_of_the_band(wanted):
    labels, scores = draw(np.random.default_rng(2), 2000)
    choice = choose_threshold(labels, scores, wanted, 0.92)
    low, high = choice.unsure
    assert 0 < low < high < 1
    assert choice.threshold == (low if wanted == "recall" else high)
    positive, news = scores >= choice.threshold, scores < low
    expected = {
        "precision": labels[positive].mean(),
        "recall": labels[positive].sum() / labels.sum(),
        "news_precision": 1 - labels[news].mean(),
        "coverage": (news | (scores >= high)).mean(),
    }
    assert {name: share.value for name, share in choice.shares.items()} == pytest.approx(expected)
    assert all(share.low < share.value < share.high for share in choice.shares.values())
    assert 0.92 <= choice.shares[wanted].value < 0.94
    if wanted == "precision":
        assert 0.92 <= choice.shares["news_precision"].value < 0.94
    if wanted == "recall":  # of news as well
        assert 0.92 <= (scores[labels == 0] < high).mean() < 0.94
    if wanted == "coverage":  # both answers are equally precise
        assert choice.shares["precision"].value == pytest.approx(choice.shares["news_precision"].value, abs=0.01)


def test_a_model_that_is_precise_enough_everywhere_has_an_empty_band():
    labels, scores = draw(np.random.default_rng(3), 1000, apart=5.0)
    choice = choose_threshold(labels, scores, "precision", 0.9)
    assert choice.unsure[0] == choice.unsure[1] == choice.threshold
    assert choice.shares["coverage"].value == 1


def test_where_no_score_is_sure_enough_for_news_the_band_begins_at_0():
    labels, scores = draw(np.random.default_rng(4), 600, rate=0.9, apart=1.0)
    choice = choose_threshold(labels, scores, "precision", 0.95)
    assert choice.unsure[0] == 0
    assert "news_precision" not in choice.shares


def test_rows_of_one_score_are_taken_together():
    labels, scores = draw(np.random.default_rng(5), 3000)
    choice = choose_threshold(labels, scores.round(1), "precision", 0.9)
    assert choice.threshold in scores.round(1)


@pytest.mark.parametrize(
    ("case", "rows", "wanted"),
    [
        ({}, 1000, 0.95),
        ({"apart": 1.1, "rate": 0.37, "slope": 0.5}, 1000, 0.8),
        ({"apart": 3.5, "rate": 0.5}, 1000, 0.97),
        ({"apart": 2.2, "rate": 0.1}, 3000, 0.8),
    ],
    ids=["sure", "hard", "easy", "rare"],
)
def test_the_wanted_precision_holds_on_rows_that_were_not_used(case, rows, wanted):
    """The choice holds where the 95 % interval on other rows reaches the wanted precision.

    Without room for chance it does so in some 90 of 100 draws, and both samples' chance alone leaves the interval
    beside the wanted precision in some 15 of 100.
    """
    random = np.random.default_rng(6)
    held, covered, held_without_room = [], [], []
    for _ in range(_DRAWS):
        labels, scores = draw(random, rows, **case)
        fresh_labels, fresh_scores = draw(random, rows, **case)

        def precision_at(threshold, labels=fresh_labels, scores=fresh_scores):
            taken = scores >= threshold
            return proportion(int(labels[taken].sum()), int(taken.sum()))

        try:
            fresh = precision_at(choose_threshold(labels, scores, "precision", wanted).threshold)
        except ThresholdError:
            continue
        held.append(fresh.high >= wanted)
        covered.append(fresh.low <= wanted <= fresh.high)
        held_without_room.append(precision_at(operating_point(labels, scores, wanted).threshold).high >= wanted)
    assert len(held) >= 0.95 * _DRAWS
    assert np.mean(held) >= 0.93
    assert np.mean(covered) >= 0.8
    assert np.mean(held_without_room) < np.mean(held)


def test_the_band_holds_for_news_and_for_the_coverage_too():
    random = np.random.default_rng(7)
    news_held, answered_held = [], []
    for _ in range(_DRAWS):
        (labels, scores), (fresh_labels, fresh_scores) = draw(random, 1500), draw(random, 1500)
        low, _ = choose_threshold(labels, scores, "precision", 0.93).unsure
        news = fresh_scores < low
        news_held.append(proportion(int((fresh_labels[news] == 0).sum()), int(news.sum())).high >= 0.93)
        low, high = choose_threshold(labels, scores, "coverage", 0.8).unsure
        answered = int(((fresh_scores < low) | (fresh_scores >= high)).sum())
        answered_held.append(proportion(answered, len(fresh_scores)).high >= 0.8)
    assert min(np.mean(news_held), np.mean(answered_held)) >= 0.93


@pytest.mark.parametrize(
    ("labels", "scores", "share", "part"),
    [
        (np.ones(500), np.linspace(0, 1, 500), 0.9, "Received: 500 of clickbait and 0 of news"),
        (np.arange(30) % 2, np.linspace(0, 1, 30), 0.9, "Received: 15 of clickbait and 15 of news"),
        (LABELS, np.where(np.arange(400) < 3, np.nan, SCORES), 0.9, "Received: 3 of 400 that are none"),
        (LABELS, SCORES, 1.0, "above 0 and below 1. Received: 1"),
        (LABELS, 1 - SCORES, 0.9, r"Received: 0.9; on these 400 rows the most is 0\.\d{4}"),
        (LABELS, SCORES, 0.9999, r"Received: 0.9999; on these 400 rows the most is 0\.9435"),
    ],
)
def test_what_no_threshold_can_be_chosen_for(labels, scores, share, part):
    with pytest.raises(ThresholdError, match=part):
        choose_threshold(labels, scores, "precision", share)
