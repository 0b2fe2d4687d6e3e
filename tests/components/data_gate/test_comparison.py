"""Drift and skew are TFDV's distances, held against the schema's bounds."""

import pytest

from components.data_gate.comparison import judge_drift, judge_skew
from tests.helpers.gate import a_policy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema():
    from pipeline.config.paths import SCHEMA_FILE
    from pipeline.schema.schema_text import parse_schema

    return parse_schema(SCHEMA_FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def statistics(schema):
    from tests.helpers.statistics import compute_statistics

    def compute(rows=1000, clickbait=0.5, casing=str, words="Storm Hits The Coast Of"):
        texts = [casing(f"{words} Region {number}") for number in range(rows)]
        return compute_statistics([(text, int(at < rows * clickbait)) for at, text in enumerate(texts)], schema)

    return compute


def judge(statistics, now, then, schema, **changes):
    found = judge_drift(statistics(**now), statistics(**then), "accepted data 1", schema, a_policy(**changes))
    return {finding.where: finding for finding in found}


def test_the_same_data_does_not_drift(statistics, schema):
    found = judge(statistics, {}, {}, schema)
    assert set(found) == {"label", "title_length", "title_words", "title_casing"}
    assert all(finding.kept and finding.observed == 0 for finding in found.values())


def test_a_share_of_labels_that_moves_by_twenty_points_drifts(statistics, schema):
    found = judge(statistics, {"clickbait": 0.7}, {"clickbait": 0.5}, schema)
    assert [name for name, finding in found.items() if not finding.kept] == ["label"]
    label = found["label"]
    assert (label.bound, label.observed) == ("<= 0.1", 0.2)
    assert "accepted data 1" in label.detail
    assert sorted(label.examples) == ["0: 50.0% -> 30.0%", "1: 50.0% -> 70.0%"]


def test_titles_that_are_lower_cased_drift(statistics, schema):
    found = judge(statistics, {"casing": str.lower}, {}, schema)
    assert [name for name, finding in found.items() if not finding.kept] == ["title_casing"]
    assert sorted(found["title_casing"].examples) == ["Title: 100.0% -> 0.0%", "lower: 0.0% -> 100.0%"]


def test_other_words_and_lengths_drift(statistics, schema):
    found = judge(statistics, {"words": "You"}, {}, schema, mask_examples=True)
    assert {name for name, finding in found.items() if not finding.kept} == {"title_length", "title_words"}
    assert found["title_length"].examples[0].startswith("mean 3")
    assert any(example.startswith("xxx: 0.0% -> ") for example in found["title_words"].examples)


def test_few_rows_are_not_judged(statistics, schema):
    (finding,) = judge(statistics, {"rows": 299}, {"clickbait": 0.1}, schema).values()
    assert finding.kept is None
    assert finding.observed == "299 and 1,000 rows"


def test_a_schema_without_comparators_judges_nothing_and_says_so(statistics, schema):
    bare = type(schema)()
    bare.CopyFrom(schema)
    for feature in bare.feature:
        feature.ClearField("drift_comparator")
        feature.ClearField("skew_comparator")
    (drift,) = judge(statistics, {"clickbait": 0.9}, {}, bare).values()
    (skew,) = judge_skew(statistics(), statistics(rows=600), bare, a_policy())
    assert (drift.kept, drift.observed) == (None, "no drift_comparator in the schema")
    assert (skew.kept, skew.observed) == (None, "no skew_comparator in the schema")


def test_the_first_data_has_nothing_to_drift_from(statistics, schema):
    (finding,) = judge_drift(statistics(), None, "no other data", schema, a_policy())
    assert (finding.kept, finding.detail) == (None, "no other data")


def test_eval_is_held_against_train(statistics, schema):
    kept = list(judge_skew(statistics(), statistics(rows=600), schema, a_policy()))
    skewed = list(judge_skew(statistics(), statistics(rows=600, clickbait=0.8), schema, a_policy()))
    assert all(finding.kept for finding in kept)
    assert [(finding.rule, finding.where) for finding in skewed if not finding.kept] == [("skew", "label")]
    assert "1: 50.0% -> 80.0%" in next(finding for finding in skewed if not finding.kept).examples
