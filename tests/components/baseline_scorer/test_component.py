"""All rows get the scores of models that were trained on train alone."""

from __future__ import annotations

import numpy as np
import pytest
from tfx.types.standard_artifacts import Examples

from components.baseline_scorer.component import BaselineScorer
from components.baseline_scorer.models import BASELINES, score_texts, train_baseline
from components.baseline_scorer.score import score_splits
from components.variant_example_gen.write import SplitToWrite, write_variants
from tests.helpers.variants import read_rows, splits_of, write_titles, write_variant_splits

TRAIN = [("Storm hits coast", 0), ("You Won't Believe This", 1), ("Court rules on budget", 0), ("What Cats Know", 1)]
EVAL = [("Storm rules", 0), ("What You Know", 1)]
VARIANTS = ("as_is", "lower", "emoji")


def run(tmp_path, train=TRAIN, evaluation=EVAL, max_train_rows=1000):
    before = write_variant_splits(tmp_path, train, evaluation, VARIANTS)
    examples, scored = Examples(), Examples()
    examples.uri, scored.uri = str(tmp_path / "variants"), str(tmp_path / "scored")
    examples.split_names = '["train", "eval"]'
    BaselineScorer.EXECUTOR_SPEC.executor_class._FUNCTION(
        examples=examples, scored=scored, max_train_rows=max_train_rows
    )
    assert scored.split_names == examples.split_names
    after = splits_of(tmp_path / "scored")
    return scored, {split: (read_rows(before[split]), read_rows(after[split])) for split in before}


def without_scores(row):
    return {name: value for name, value in row.items() if name not in BASELINES}


def test_the_rows_stay_and_get_the_scores_of_the_models(tmp_path):
    scored, found = run(tmp_path)
    assert scored.get_string_custom_property("no_baseline") == ""
    titles, labels = zip(*TRAIN, strict=True)
    for before, after in found.values():
        assert [without_scores(row) for row in after] == before
        for name, read in BASELINES.items():
            model = train_baseline([*map(read, titles)], labels)
            expected = score_texts(model, [read(row["title"]) for row in after])
            assert np.allclose([row[name] for row in after], expected, rtol=0, atol=1e-7)
    assert [len(after) for _, after in found.values()] == [4, 6]


def test_the_files_keep_their_names(tmp_path):
    run(tmp_path)
    names = [
        sorted(file.name for file in (tmp_path / output / "Split-eval").iterdir()) for output in ("variants", "scored")
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("train", [[], [("One Class", 1), ("Of Two", 1)]], ids=["no rows", "one class"])
def test_without_a_baseline_the_scores_are_absent_and_it_says_why(tmp_path, train):
    scored, found = run(tmp_path, train=train)
    assert "at least 2 rows of each class" in scored.get_string_custom_property("no_baseline")
    assert all(before == after for before, after in found.values())


def test_no_more_rows_are_learnt_from_than_asked_for(tmp_path):
    scored, _ = run(tmp_path, max_train_rows=2)
    assert "Received: 1 of class 0 and 1 of class 1" in scored.get_string_custom_property("no_baseline")


def test_challenges_get_the_score_of_the_lower_cased_model(tmp_path):
    before = write_variant_splits(tmp_path, TRAIN, EVAL, VARIANTS)
    write_titles(tmp_path / "titles" / "Split-challenge", [("What Rules", 1)], [("STORM You", 0)])
    folder = tmp_path / "variants" / "Split-challenge"
    write_variants(SplitToWrite("challenge", tmp_path / "titles" / "Split-challenge", folder, ("as_is", "lower")))
    targets = {split: str(tmp_path / "scored" / split) for split in (*before, "challenge")}
    assert score_splits({**before, "challenge": str(folder)}, targets, 1000) == ""
    titles, labels = zip(*TRAIN, strict=True)
    model = train_baseline([title.lower() for title in titles], labels)
    rows = read_rows(targets["challenge"])
    assert sorted(row["title"] for row in rows) == ["STORM You", "What Rules", "storm you", "what rules"]
    expected = score_texts(model, [row["title"].lower() for row in rows])
    assert np.allclose([row["tfidf_lower"] for row in rows], expected, rtol=0, atol=1e-7)
    assert all("tfidf_cased" not in row for row in rows)
