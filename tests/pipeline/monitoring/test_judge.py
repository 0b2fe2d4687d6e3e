"""Features that moved fail, and others pass: served rows against given statistics."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.config.monitor import MonitorConfig
from pipeline.config.paths import SAMPLE_FILE, SCHEMA_FILE
from pipeline.config.pipeline_config import load_config
from pipeline.monitoring import judge
from pipeline.monitoring.judge import Training, judge_served, text_statistics
from pipeline.monitoring.traffic import Row, too_few

SCHEMA = tfdv.load_schema_text(str(SCHEMA_FILE))


def a_policy(**changes) -> MonitorConfig:
    return MonitorConfig(**{**load_config(environ={}).monitor.model_dump(), **changes})


def score(label: int, chance: random.Random) -> float:
    return min(max(chance.gauss(0.95 if label else 0.05, 0.05), 0.0), 1.0)


@pytest.fixture(scope="module", autouse=True)
def each_traffic_once() -> Iterator[None]:
    """The statistics of equal texts are computed once, for Beam takes a second each time."""
    known: dict[tuple, bytes] = {}

    def once(rows, schema):
        key = (schema.SerializeToString(deterministic=True), *(row.text for row in rows))
        if key not in known:
            known[key] = text_statistics(rows, schema).SerializeToString()
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "text_statistics", once)
        yield


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, int]]:
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        found = [(row["title"], int(row["label"])) for row in csv.DictReader(stream)]
    random.Random(1).shuffle(found)
    return found


@pytest.fixture(scope="module")
def training(rows) -> Training:
    chance = random.Random(2)
    return Training(
        text_statistics(served(rows[:1200]), SCHEMA), SCHEMA, [score(label, chance) for _, label in rows[:600]]
    )


def served(rows, change=lambda title: title) -> list[Row]:
    chance = random.Random(3)
    return [Row(change(title).encode(), score(label, chance)) for title, label in rows]


def outcomes(findings) -> dict[tuple[str, str], str]:
    return {(finding.rule, finding.where): finding.outcome for finding in findings}


def test_traffic_like_the_training_data_is_kept(rows, training):
    findings = judge_served(served(rows[1200:]), [], training, a_policy())
    assert outcomes(findings) == {
        ("skew", "title_length"): "kept",
        ("skew", "title_words"): "kept",
        ("skew", "title_casing"): "kept",
        ("drift", "all features"): "not judged",
        ("scores", "probability"): "kept",
    }


def test_another_casing_is_named_with_what_it_was_and_is(rows, training):
    findings = judge_served(served(rows[1200:], str.lower), [], training, a_policy())
    (broken,) = [finding for finding in findings if finding.outcome == "fail"]
    assert (broken.rule, broken.where, broken.bound) == ("skew", "title_casing", "<= 0.2")
    assert broken.observed > 0.5
    assert any(example.startswith("lower: ") and example.endswith("-> 100.0%") for example in broken.examples)
    assert "served against train" in broken.detail


def test_scores_that_moved_are_named_though_the_texts_are_the_same(rows, training):
    recent = [Row(row.text, 0.99) for row in served(rows[1200:])]
    findings = judge_served(recent, [], training, a_policy())
    (broken,) = [finding for finding in findings if finding.outcome == "fail"]
    assert (broken.rule, broken.where) == ("scores", "probability")
    assert broken.examples[0].endswith("-> 0.990")
    assert broken.examples[1].startswith("clickbait (>= 0.5): ") and broken.examples[1].endswith("-> 100.0%")


def test_scores_that_are_all_one_number_on_both_sides_are_alike(rows, training):
    flat = Training(training.statistics, SCHEMA, [0.5] * 600)
    findings = judge_served([Row(row.text, 0.5) for row in served(rows[1200:])], [], flat, a_policy())
    assert outcomes(findings)["scores", "probability"] == "kept"


def test_drift_is_against_what_was_served_before(rows, training):
    recent, earlier = served(rows[1200:]), served(rows[:600], str.upper)
    findings = judge_served(recent, earlier, training, a_policy())
    assert outcomes(findings)["drift", "title_casing"] == "warn"
    assert outcomes(findings)["skew", "title_casing"] == "kept"
    findings = judge_served(recent, earlier, training, a_policy(drift="off"))
    assert outcomes(findings)["drift", "title_casing"] == "off"


def test_words_are_masked_on_request(rows, training):
    findings = judge_served(served(rows[1200:], str.lower), [], training, a_policy(mask_examples=True))
    (broken,) = [finding for finding in findings if finding.outcome == "fail"]
    assert any(example.startswith("xxxxx: ") for example in broken.examples)


def test_bytes_that_are_no_text_are_counted_as_the_model_reads_them(rows, training):
    recent = [*served(rows[1200:]), Row(b"\xff\xfe", 0.5), Row(b"", 0.5)]
    assert outcomes(judge_served(recent, [], training, a_policy()))["skew", "title_casing"] == "kept"


def test_too_few_rows_are_not_judged_on_either_side(rows, training):
    few = judge_served(served(rows[1200:1300]), [], training, a_policy())
    assert few == too_few(100, a_policy())
    assert set(outcomes(few).values()) == {"not judged"}
    small = Training(text_statistics(served(rows[:100]), SCHEMA), SCHEMA, training.scores)
    findings = judge_served(served(rows[1200:]), [], small, a_policy())
    assert outcomes(findings)["skew", "all features"] == "not judged"
    assert outcomes(findings)["scores", "probability"] == "kept"
