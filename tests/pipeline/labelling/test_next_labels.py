"""The choice of texts on scores and vectors alone."""

from __future__ import annotations

import numpy as np

from pipeline.labelling.next_labels import choose_next

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
NONE_KNOWN = np.zeros((1, 2))


def test_the_uncertain_come_before_the_sure():
    chosen = choose_next(np.array([0.01, 0.5, 0.8]), np.array([EAST, NORTH, WEST]), NONE_KNOWN, 2)
    assert chosen.tolist() == [1, 2]


def test_what_is_like_the_labelled_comes_last_and_a_near_repeat_of_it_not_at_all():
    half = [np.sqrt(0.5), np.sqrt(0.5)]
    vectors = np.array([half, WEST, [1.0, 0.01], [0.0, 0.0]])
    assert choose_next(np.full(4, 0.5), vectors, np.array([EAST]), 4).tolist() == [1, 3, 0]


def test_near_repeats_of_each_other_are_taken_once():
    vectors = np.array([NORTH, [0.001, 2.0], WEST])
    assert choose_next(np.array([0.5, 0.49, 0.4]), vectors, np.array([EAST]), 3).tolist() == [2, 0]


def test_no_more_are_looked_at_than_a_shortlist():
    random = np.random.default_rng(0)
    vectors, scores = random.normal(size=(500, 8)), random.uniform(size=500)
    chosen = choose_next(scores, vectors, random.normal(size=(2000, 8)), 5)
    assert len({*chosen}) == 5
    assert {*chosen} <= {*np.argsort(np.abs(scores - 0.5))[:50]}
