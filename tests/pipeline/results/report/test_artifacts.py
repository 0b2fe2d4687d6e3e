"""The facts that are read from a run's artifacts."""

import json

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.model_scorer.explanations import EXPLANATIONS_FILE
from components.record_batches import open_writer, with_columns
from pipeline.results.report.artifacts import (
    challenge_facts,
    explanation_facts,
    likely_label_errors,
    statistics_facts,
)
from pipeline.results.report.facts import CHALLENGE_ERRORS
from tests.helpers.reports import HOSTILE


class Artifact:
    def __init__(self, uri, splits=()):
        self.uri = str(uri)
        value = statistics_pb2.DatasetFeatureStatistics(name=json.dumps(list(splits)))
        self.properties = {"split_names": type("Value", (), {"string_value": value.name})}


def test_shares_and_lengths_come_out_of_tfdvs_protos(tmp_path):
    dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=4)
    label = dataset.features.add(path={"step": ["label"]})
    label.string_stats.common_stats.num_non_missing = 4
    for name, count in (("1", 3), ("0", 1)):
        label.string_stats.rank_histogram.buckets.add(label=name, sample_count=count)
    length = dataset.features.add(path={"step": ["title_length"]}).num_stats
    length.common_stats.num_non_missing = 4
    length.mean, length.median, length.min, length.max = 20, 18, 10, 40
    histogram = length.histograms.add(type="STANDARD")
    histogram.buckets.add(low_value=10, high_value=40, sample_count=4)
    folder = tmp_path / "Split-train"
    folder.mkdir()
    (folder / "FeatureStats.pb").write_bytes(
        statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset]).SerializeToString()
    )
    found = statistics_facts(Artifact(tmp_path, ["train"]))
    assert found["train"].rows == 4
    assert found["train"].labels == {"1": 0.75, "0": 0.25}
    assert found["train"].title_characters.histogram == [(10, 40, 1)]


def test_a_likely_label_error_is_one_on_which_all_models_are_sure():
    labels = np.array([1, 1, 0, 0])
    scores = {"candidate": np.array([0.01, 0.01, 0.99, np.nan]), "other": np.array([0.02, 0.4, 0.95, 0.99])}
    found = likely_label_errors(["a", "b", "c", "d"], labels, scores)
    assert [(error.title, error.label) for error in found] == [("a", 1), ("c", 0)]
    assert found[0].scores == pytest.approx({"candidate": 0.01, "other": 0.02})


def test_masked_examples_are_masked_here_too(tmp_path):
    from components.data_gate.policy import mask

    error = {"title": "Ann is 7", "words": [{"word": "Ann", "effect": 0.1}], "words_left": 0}
    (tmp_path / EXPLANATIONS_FILE).write_text(json.dumps({"errors": [error]}), encoding="utf-8")
    (found,) = explanation_facts(Artifact(tmp_path), mask)
    assert (found.title, found.words[0].word) == ("Xxx xx 0", "Xxx")
    assert HOSTILE not in str(found)


def write_scored_challenges(folder, *files):
    """Predictions of challenges; each file is columns of (challenge, variant, title, label, probability)."""
    names = ("challenge", "variant", "title", "label", "probability", "tfidf_lower")
    for number, rows in enumerate(files):
        columns = [*zip(*rows, strict=True)]
        columns = [*columns[:4], np.array(columns[4], np.float32), np.array(columns[4], np.float32) / 2]
        batch = pa.RecordBatch.from_arrays([pa.array([None] * len(rows))], ["none"])
        with open_writer(folder / "Split-challenge" / f"data-{number}.gz") as write:
            write(with_columns(batch, dict(zip(names, columns, strict=True))).select(names))
    return Artifact(folder, ["train", "eval", "challenge"])


def test_each_challenge_has_its_curves_and_its_surest_errors_of_all_files(tmp_path):
    right = [("a", "as_is", f"Right {number}", number % 2, 0.9 * (number % 2) + 0.05) for number in range(100)]
    wrong = [("a", "as_is", f"Ann {number}", 0, 0.6 + number / 1000) for number in range(30)]
    lower = [("a", "lower", "ann", 0, 0.999)]
    surest = [("a", "as_is", "Zoe-1" * 100, 0, 0.99), ("b", "as_is", "Lost", 1, np.nan), ("b", "as_is", "No", 0, 0.75)]
    one_class = [("c", "as_is", "News", 0, 0.25)]
    predictions = write_scored_challenges(tmp_path, right + wrong + lower, surest + one_class)
    a, b, c = challenge_facts(predictions, str)
    assert [facts.name for facts in (a, b, c)] == ["a", "b", "c"]
    assert [error.title for error in a.errors[1:]] == [f"Ann {29 - number}" for number in range(CHALLENGE_ERRORS - 1)]
    assert (a.errors[0].title[:5], len(a.errors[0].title), a.errors[0].label) == ("Zoe-1", 300, 0)
    assert a.errors[0].probability == pytest.approx(0.99)
    assert a.errors[0].others == pytest.approx({"tfidf_lower": 0.495})
    assert set(a.roc) == {"candidate", "tfidf_lower"}
    assert sum(point.rows for point in a.reliability) == 131
    assert (b.roc, b.reliability, [error.title for error in b.errors]) == ({}, None, ["No"])
    assert (c.roc, [point.rows for point in c.reliability], c.errors) == ({}, [1], [])


def test_texts_from_elsewhere_are_masked_on_request(tmp_path):
    from components.data_gate.policy import mask

    predictions = write_scored_challenges(tmp_path, [("a", "as_is", "Ann is 7", 1, 0.125)])
    ((error,),) = [facts.errors for facts in challenge_facts(predictions, mask)]
    assert error.title == "Xxx xx 0"


def test_without_challenges_there_are_no_facts_of_them(tmp_path):
    assert challenge_facts(Artifact(tmp_path, ["train", "eval"]), str) is None
