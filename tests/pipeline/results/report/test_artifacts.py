"""The facts that are read from a run's artifacts."""

import json

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.model_scorer.explanations import EXPLANATIONS_FILE
from pipeline.results.report.artifacts import explanation_facts, likely_label_errors, statistics_facts
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
