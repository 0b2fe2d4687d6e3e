"""Which scores the rows get, and which errors are explained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.model_scorer.score import confident_errors, explain_errors, read_errors, score_splits
from components.slices import CHALLENGE_VARIANTS
from components.variant_example_gen.write import SplitToWrite, write_variants
from tests.helpers.variants import read_rows, splits_of, write_titles, write_variant_splits

TRAIN = [("Storm hits coast", 0), ("You Won't Believe", 1)]
EVAL = [("You win 9 of 10", 1), ("Budget passed", 0), ("You again", 0), ("Cats", 1), ("Cats", 0)]
VARIANTS = ("as_is", "upper", "no_digits")


class Model:
    """Scores by a function of one text, and remembers what it was asked."""

    def __init__(self, score):
        self.score, self.asked = score, []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return np.array([self.score(text) for text in texts], np.float32)


def cased(text):
    return 0.875 if "You" in text else 0.25


@pytest.fixture
def sources(tmp_path):
    return write_variant_splits(tmp_path, TRAIN, EVAL, VARIANTS)


def explained(tmp_path, candidate, count=50):
    errors = confident_errors(read_errors(splits_of(tmp_path / "predictions")["eval"]), count)
    return explain_errors(errors, candidate)


def scored(tmp_path, sources, candidate, last_blessed=None):
    targets = splits_of(tmp_path / "predictions")
    score_splits(sources, targets, candidate, last_blessed)
    return {split: read_rows(folder) for split, folder in targets.items()}


def test_every_row_gets_the_scores_of_its_text_and_of_its_original(tmp_path, sources):
    found = scored(tmp_path, sources, Model(cased), Model(len))
    originals = {"train": TRAIN, "eval": EVAL}
    for split, rows in found.items():
        before = read_rows(sources[split])
        names = ("probability", "as_is_probability", "last_blessed")
        assert [{name: value for name, value in row.items() if name not in names} for row in rows] == before
        for row in rows:
            assert row["probability"] == cased(row["title"])
            assert row["as_is_probability"] == cased(originals[split][row["row"]][0])
            assert row["last_blessed"] == len(row["title"])
    told = [row for row in found["eval"] if row["variant"] == "upper" and row["row"] == 0]
    assert [(row["probability"], row["as_is_probability"]) for row in told] == [(0.25, 0.875)]


def test_without_a_last_blessed_model_its_score_is_absent(tmp_path, sources):
    found = scored(tmp_path, sources, Model(cased))
    assert all("last_blessed" not in row for rows in found.values() for row in rows)


def test_each_distinct_text_is_scored_once(tmp_path, sources):
    candidate = Model(cased)
    found = scored(tmp_path, sources, candidate)
    (asked,) = candidate.asked
    assert sorted(asked) == sorted({row["title"] for rows in found.values() for row in rows})


def test_variants_are_scored_beside_their_original_and_originals_by_length(tmp_path, sources):
    candidate = Model(cased)
    scored(tmp_path, sources, candidate)
    assert candidate.asked == [
        [
            *("CATS", "Cats", "YOU AGAIN", "You again", "BUDGET PASSED", "Budget passed"),
            *("You win # of ##", "YOU WIN 9 OF 10", "You win 9 of 10", "Storm hits coast", "You Won't Believe"),
        ]
    ]


def test_a_score_that_is_no_number_stays_none_and_is_no_confident_error(tmp_path, sources):
    found = scored(tmp_path, sources, Model(lambda text: math.nan))
    assert all(math.isnan(row["probability"]) for rows in found.values() for row in rows)
    assert explained(tmp_path, Model(cased))["errors"] == []


def test_the_most_confident_errors_as_they_are_come_first_with_their_words(tmp_path, sources):
    scored(tmp_path, sources, Model(cased), Model(lambda text: 0.5))
    told = explained(tmp_path, Model(cased))
    assert told["threshold"] == 0.5
    first, second = told["errors"]
    assert first == {
        "row": 2,
        "title": "You again",
        "label": 0,
        "probability": 0.875,
        "others": {"last_blessed": 0.5},
        "words": [{"word": "You", "effect": 0.625}, {"word": "again", "effect": 0.0}],
        "words_left": 0,
    }
    assert (second["row"], second["label"], second["probability"]) == (3, 1, 0.25)


def test_no_more_errors_are_explained_than_asked_for(tmp_path, sources):
    scored(tmp_path, sources, Model(cased))
    told = explained(tmp_path, Model(cased), 1)
    assert [error["row"] for error in told["errors"]] == [2]


def test_an_effect_that_is_no_number_is_null(tmp_path, sources):
    scored(tmp_path, sources, Model(cased))
    told = explained(tmp_path, Model(lambda text: math.nan if text == "You" else 0.5), 1)
    assert told["errors"][0]["words"] == [{"word": "You", "effect": 0.0}, {"word": "again", "effect": None}]


def test_challenges_are_scored_part_by_part_and_change_no_other_batch(tmp_path, sources):
    alone, beside = Model(cased), Model(cased)
    scored(tmp_path / "alone", sources, alone)
    elsewhere = tmp_path / "elsewhere"
    write_titles(elsewhere / "titles", [("You here", 1), ("Cats", 0)], [("Storm there", 0)])
    write_variants(SplitToWrite("challenge", elsewhere / "titles", elsewhere / "Split-challenge", CHALLENGE_VARIANTS))
    splits = {**sources, "challenge": str(elsewhere / "Split-challenge")}
    targets = {**splits_of(tmp_path / "beside"), "challenge": str(tmp_path / "beside" / "Split-challenge")}
    score_splits(splits, targets, beside, None)
    home, *parts = beside.asked
    assert [home] == alone.asked
    assert parts == [["Cats", "cats", "You here", "you here"], ["Storm there", "storm there"]]
    rows = read_rows(targets["challenge"])
    assert [(row["title"], row["probability"]) for row in rows] == [(row["title"], cased(row["title"])) for row in rows]
    assert len(rows) == 6
