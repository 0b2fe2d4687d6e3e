"""Rows from elsewhere: none that was trained on, each once, and every other row counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydantic
import pytest
from tfx.types.standard_artifacts import Examples

from components.baseline_scorer.score import score_splits as baseline_scores
from components.challenge_example_gen import write
from components.challenge_example_gen.component import ChallengeExampleGen
from components.challenges import (
    ChallengeConfig,
    ChallengeSource,
    rows_from_json,
    rows_to_json,
    settings_from_json,
    settings_to_json,
    sources_to_json,
)
from components.errors import InputError
from components.evaluator.challenges import measure_challenges
from components.labelled_csv.digests import file_digest
from components.model_scorer.score import score_splits as model_scores
from components.slices import CHALLENGE_VARIANTS
from components.variant_example_gen.write import SplitToWrite, write_variants
from tests.helpers.variants import read_rows, write_titles

TRAIN = [("Storm Hits Coast", 0), ("Übergrößen für Alle", 1)]


@pytest.fixture
def challenge(tmp_path):
    """Writes a CSV, and returns how it is read and where it is."""

    def challenge(name: str, *rows: str, header: str = "title,label", **settings):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        config = ChallengeConfig(name=name, path=str(path), **settings)
        return config, ChallengeSource(name=name, path=str(path), sha256=file_digest(str(path)))

    return challenge


def run(tmp_path: Path, *challenges):
    """Returns the counts, by name, and the rows that were written."""
    examples, written = Examples(), Examples()
    examples.uri, written.uri = str(tmp_path / "examples"), str(tmp_path / "written")
    examples.split_names = '["train", "eval"]'
    write_titles(tmp_path / "examples" / "Split-train", TRAIN)
    settings, sources = zip(*challenges, strict=True)
    ChallengeExampleGen.EXECUTOR_SPEC.executor_class._FUNCTION(
        examples=examples, challenges=written, settings=settings_to_json(settings), sources=sources_to_json(sources)
    )
    assert json.loads(written.split_names) == ["challenge"]
    counts = rows_from_json(written.get_string_custom_property("challenges"))
    return {count.name: count for count in counts}, read_rows(tmp_path / "written" / "Split-challenge")


def test_every_row_is_measured_or_counted_for_what_it_is(tmp_path, challenge):
    tube = challenge(
        "tube",
        *("Storm Hits Coast,0", "storm hits  COAST,0", "ÜBERGRÖSSEN FÜR ALLE,1", "Cats,1", "Cats,1", "cats,1"),
        *("Both,0", "Both,1", "Maybe,2", ",1", "Storm Hits Coast,0", "News,0"),
    )
    columns = {"text_column": "text", "label_column": "art", "labels": {"nein": 0, "ja": 1}}
    other = challenge("other", "ja,Neu", "nein,Alt", header="art,text", **columns)
    counts, rows = run(tmp_path, tube, other)
    found = counts["tube"]
    assert (found.read, found.rows, found.clickbait) == (12, 3, 2)
    assert (found.trained_on, found.trained_on_exactly, found.repeats) == (3, 1, 2)
    assert (found.rejected, found.rejected_by_rule) == (4, {"blank_title": 1, "conflict": 2, "unknown_label": 1})
    assert found.read == found.rejected + found.repeats + found.trained_on + found.rows
    assert [(row["challenge"], row["title"], row["label"]) for row in rows] == [
        *(("tube", "Cats", 1), ("tube", "cats", 1), ("tube", "News", 0)),
        *(("other", "Neu", 1), ("other", "Alt", 0)),
    ]
    assert (counts["other"].rows, counts["other"].path) == (2, other[1].path)


def test_of_a_challenge_that_was_trained_on_no_row_is_left(tmp_path, challenge):
    counts, rows = run(tmp_path, challenge("home", "storm hits coast,0", "Storm Hits Coast,0"))
    assert rows == []
    assert (counts["home"].rows, counts["home"].trained_on, counts["home"].trained_on_exactly) == (0, 2, 1)
    assert len(list((tmp_path / "written" / "Split-challenge").iterdir())) == 1  # TFX reads no split without a file


def test_rows_go_into_files_of_a_bounded_size(tmp_path, challenge, monkeypatch):
    monkeypatch.setattr(write, "_SHARD_ROWS", 2)
    _, rows = run(tmp_path, challenge("a", *(f"Title {number},0" for number in range(5))))
    assert [row["title"] for row in rows] == [f"Title {number}" for number in range(5)]
    assert len(list((tmp_path / "written" / "Split-challenge").iterdir())) == 3


def test_a_file_without_the_column_or_with_other_content_is_an_error_that_names_it(tmp_path, challenge):
    with pytest.raises(InputError, match=r"a\.csv:1: .*'title' and 'label'.*text_column of a in evaluation.challenges"):
        run(tmp_path / "1", challenge("a", "x,1", header="headline,label"))
    config, source = challenge("b", "x,1")
    with pytest.raises(InputError, match=r"Received: \S*b\.csv, which has changed since the run began"):
        run(tmp_path / "2", (config, source.model_copy(update={"sha256": "sha256:0"})))
    with pytest.raises(InputError, match="must be in evaluation.challenges. Received: c, which is not. Give b."):
        run(tmp_path / "3", (config, source.model_copy(update={"name": "c"})))


def test_a_challenge_in_a_store_is_copied_while_it_is_read(tmp_path, challenge, monkeypatch):
    config, source = challenge("a", "x,1")
    monkeypatch.setattr(write, "download", lambda url, target: target.write_bytes(Path(source.path).read_bytes()))
    counts, rows = run(tmp_path, (config, source.model_copy(update={"path": "s3://bucket/in/a.csv"})))
    assert (counts["a"].path, len(rows)) == ("s3://bucket/in/a.csv", 1)


def test_the_columns_of_all_challenges_are_features_of_each_row(tmp_path, challenge):
    tube = challenge("tube", "Cats,1,BBC  News", "News,0,", header="title,label,source", slice_columns=["source"])
    teasers = challenge(
        "teasers", "es,Neu,1,a", "es,Alt,0,b", header="язык,title,label,source", slice_columns=["язык", "source"]
    )
    plain = challenge("plain", "Old,0,c", header="title,label,source", slice_columns=[])
    counts, rows = run(tmp_path, tube, teasers, plain)
    assert [(row["title"], row["slice:source"], row["slice:язык"]) for row in rows] == [
        *(("Cats", "BBC News", "(none)"), ("News", "(none)", "(none)")),
        *(("Neu", "a", "es"), ("Alt", "b", "es"), ("Old", "(none)", "(none)")),
    ]
    assert [[*count.slice_columns] for count in counts.values()] == [["source"], ["язык", "source"], []]


def test_a_column_of_slices_that_is_not_there_is_an_error_that_names_the_setting(tmp_path, challenge):
    message = r"a\.csv:1: .*'title', 'label' and 'source'.* with slice_columns\[0\] of a in evaluation.challenges"
    with pytest.raises(InputError, match=message):
        run(tmp_path, challenge("a", "x,1", slice_columns=["source"]))
    with pytest.raises(pydantic.ValidationError, match="slice_columns must name columns of slices.* is the text"):
        ChallengeConfig(name="a", path="a.csv", text_column="source", slice_columns=["source"])


def test_without_columns_the_parameter_and_the_counts_are_those_of_versions_without_the_setting(tmp_path, challenge):
    settings = [challenge("a", "x,1")[0], challenge("b", "x,1", slice_columns=[])[0]]
    assert "slice_columns" not in settings_to_json(settings)
    sliced = settings[0].with_slices(["title", "s"], ["s", "t"])
    one, other = settings_from_json(settings_to_json([settings[0], sliced]))
    assert (one.slice_columns, other.slice_columns) == (None, ["s"])
    counts, rows = run(tmp_path, challenge("a", "x,1"))
    assert "slice_columns" not in rows_to_json([*counts.values()])
    assert {*rows[0]} == {"title", "label", "challenge"}


def test_scorers_carry_the_columns_along_up_to_the_figures(tmp_path, challenge):
    rows = (f"{('Budget', 'You')[at % 2]} {at},{at % 2},{'ab'[at % 4 // 2]}" for at in range(40))
    config, source = challenge("tube", *rows, header="title,label,source", slice_columns=["source"])
    write_titles(tmp_path / "train", TRAIN * 3)
    counts = write.write_challenges([config], [source], tmp_path / "train", tmp_path / "written")
    variants, scored, predictions = (tmp_path / name / "challenge" for name in ("variants", "scored", "predictions"))
    write_variants(SplitToWrite("challenge", tmp_path / "written", variants, CHALLENGE_VARIANTS))
    sources = {"train": str(tmp_path / "train"), "challenge": str(variants)}
    baseline_scores(sources, {"train": str(tmp_path / "scored" / "train"), "challenge": str(scored)}, 1000)

    def score(texts):
        return np.float32(["you" in text.lower() for text in texts])

    model_scores({"challenge": str(scored)}, {"challenge": str(predictions)}, score, None)
    (measured,) = measure_challenges(str(predictions), counts)
    assert [(part.column, part.value, part.rows) for part in measured.slices] == [
        *(("source", "a", 20), ("source", "b", 20))
    ]
    assert all(part.auc["model"].value == 1.0 and "linear_lower" in part.auc for part in measured.slices)
