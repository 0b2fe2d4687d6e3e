"""`clickbait review` as a person meets it, with a tiny encoder."""

from __future__ import annotations

import csv
import random
import re

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.components.headline_example_gen.ingests import write_csv

NEWS = ("budget", "election", "minister", "report", "court", "senate", "trade", "police")
BAIT = ("you", "this", "what", "won't", "believe", "cat", "reasons", "amazing")


def titles(count, seed=0):
    """Distinct titles with their labels, half of each class."""
    draw = random.Random(seed)
    return [
        (f"{' '.join(draw.sample(BAIT if label else NEWS, 4))} {seed}{number}", label)
        for number in range(count // 2)
        for label in (0, 1)
    ]


def read(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def review(tmp_path, monkeypatch, tiny_encoder):
    """Calls the command in an empty folder and returns what it says."""
    monkeypatch.chdir(tmp_path)

    def review(*arguments, exit_code=0):
        words = ["review", "--encoder", str(tiny_encoder), *map(str, arguments)]
        result = CliRunner().invoke(main, words, env={"COLUMNS": "200"})
        assert result.exit_code == exit_code, result.output
        return result.output

    return review


def test_flipped_labels_are_found_and_answers_are_left_out_next_time(review, tmp_path):
    rows = titles(200)
    wrong = {title for title, _ in rows[10:16]}
    flipped = [(title, 1 - label if title in wrong else label) for title, label in rows]
    write_csv(tmp_path / "data.csv", [*flipped, (rows[0][0], 1), ("", 1)])
    output = review("--data", "data.csv", "--limit", 7)
    assert "read     202 rows · 200 titles · 1 repeated · 1 rejected, which a run lists" in output
    assert re.search(r"suspects [456] labels are likely wrong \(\d\.\d%\), 1 titles have rows of both labels\n", output)
    assert "file     review.csv · 7 rows" in output
    assert "too weak" not in output
    assert "fill the column answer of review.csv, then: clickbait run --set data.label_fixes=review.csv" in output
    shown = read(tmp_path / "review.csv")
    assert {row["title"] for row in shown} == {*wrong, rows[0][0]}
    assert sum(row["suspect"] == "1" for row in shown) in (4, 5, 6)
    assert [row["contradictions"] for row in shown if row["contradictions"]] == [f"1 in {tmp_path}/data.csv:202"]
    write_csv(
        tmp_path / "answers.csv",
        [(row["title"], 1 - int(row["label"]) if row["title"] in wrong else row["label"]) for row in shown],
        ("title", "answer"),
    )
    again = review("--data", "data.csv", "--set", "data.label_fixes=answers.csv")
    assert "7 answers of data.label_fixes" in again
    assert "suspects 0 labels are likely wrong (0.0%)\n" in again
    assert "file     review.csv · 100 rows" in again
    assert not {row["title"] for row in read(tmp_path / "review.csv")} & {row["title"] for row in shown}


def test_texts_to_label_are_neither_known_nor_repeats(review, tmp_path):
    known = titles(60)
    write_csv(tmp_path / "data.csv", known)
    new = [title for title, _ in titles(40, seed=1)]
    (tmp_path / "new.txt").write_text("\n".join([known[0][0].upper(), *new, new[0].upper(), "amazing budget x"]) + "\n")
    output = review("--data", "data.csv", "--unlabelled", "new.txt", "--limit", 5)
    assert "texts    43 read · 1 are labelled already · 1 repeated or blank" in output
    assert "put it beside the data" in output
    shown = read(tmp_path / "review.csv")
    assert 1 <= len(shown) <= 5
    assert {row["title"] for row in shown} <= {*new, "amazing budget x"}
    assert {(row["label"], row["answer"], row["suspect"]) for row in shown} == {("", "", "0")}
    assert "amazing budget x" in {row["title"] for row in shown}
    (tmp_path / "known.txt").write_text(known[3][0] + "\n")
    assert "review.csv · 0 rows" in review("--data", "data.csv", "--unlabelled", "known.txt")


def test_models_that_know_nothing_say_so(review, tmp_path):
    draw = random.Random(0)
    write_csv(
        tmp_path / "data.csv",
        [(f"{title} {number}", draw.randrange(2)) for number, (title, _) in enumerate(titles(60))],
    )
    output = review("--data", "data.csv")
    assert re.search(r"models   AUC 0\.\d{4} on titles that they did not see: too weak to call a label wrong\n", output)
    assert re.search(r"suspects \d+ labels may be wrong", output)


def test_bad_input_ends_before_anything_is_scored(review, tmp_path):
    write_csv(tmp_path / "one.csv", [(title, 1) for title, _ in titles(60)])
    assert "Received: 0 labelled 0 and 60 labelled 1. Label more." in review("--data", "one.csv", exit_code=2)
    write_csv(tmp_path / "data.csv", titles(60))
    assert "--unlabelled must be a file. Received: gone.csv" in review(
        "--data", "data.csv", "--unlabelled", "gone.csv", exit_code=2
    )
    write_csv(tmp_path / "review.csv", [("a", 1)])
    assert "which is no review file" in review("--data", "data.csv", exit_code=2)


def test_folds_keep_near_equal_titles_together_and_have_both_classes():
    from pipeline.labelling.scorer import FOLDS, fold_of

    rows = titles(50)
    every = [*rows, *((title.upper(), label) for title, label in rows)]
    labels = np.array([label for _, label in every])
    folds = fold_of([title for title, _ in every], labels)
    assert (folds[:50] == folds[50:]).all()
    for label in (0, 1):
        assert np.bincount(folds[labels == label], minlength=FOLDS).tolist() == [10] * FOLDS
