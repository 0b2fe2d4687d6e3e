"""The serving benchmark and the soak on a tiny model: that they run and see what is wrong, not how fast it is."""

from __future__ import annotations

import json

import pytest

from bench import serving, serving_soak
from bench.servers import newest_version
from bench.serving_soak import Answer, is_right
from trainer import features


@pytest.fixture(scope="module")
def serving_folder(tmp_path_factory):
    """A folder of one version, whose probability depends on the title's length and on a bias, as a head's does."""
    import tensorflow as tf

    module = tf.Module()
    module.bias = tf.Variable([-1.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TITLE)], autograph=False)
    def score(title):
        logits = tf.cast(tf.strings.length(title), tf.float32)[:, tf.newaxis] * 0.02 + module.bias
        return {features.PROBABILITY: tf.sigmoid(logits)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def score_examples(examples):
        return score(tf.io.parse_example(examples, {features.TITLE: tf.io.FixedLenFeature([], tf.string)})["title"])

    module.functions = [score, score_examples]
    folder = tmp_path_factory.mktemp("serving") / "clickbait"
    signatures = {features.RAW_SIGNATURE: score, features.EXAMPLES_SIGNATURE: score_examples}
    tf.saved_model.save(module, str(folder / "7"), signatures=signatures)
    return folder


@pytest.mark.slow
def test_the_benchmark_measures_all_that_it_is_asked_for(serving_folder, tmp_path, capsys):
    result = tmp_path / "figures.json"
    numbers = ["--rounds=2", "--calls=10", "--bulk_rows=1500", f"--json={result}"]
    serving.main([f"--model_base_path={serving_folder}", *numbers, "--clients", "1", "3", "--rows_per_call", "1", "64"])
    found = json.loads(result.read_text())
    assert found["version"] == 7 and found["machine"]["cores"]
    everyone = {serving.GRPC, serving.IN_PROCESS, serving.SESSION}
    assert {(one["clients"], one["who"]) for one in found["latency"]} == {(n, who) for n in (1, 3) for who in everyone}
    assert all(0 < one["p50_ms"] <= one["p99_ms"] for one in found["latency"])
    assert {(one["rows_per_call"], one["who"]) for one in found["throughput"]} == {
        (n, who) for n in (1, 64) for who in everyone
    }
    for figures in (found["latency"], found["throughput"]):
        ratios = [one.get("p50_ratio", one.get("ratio")) for one in figures if one["who"] == serving.IN_PROCESS]
        assert ratios == [1.0, 1.0]
    assert found["bulk"]["rows"] == 1500 and found["bulk"]["ratio"][serving.GRPC] > 0
    assert "| 3 | gRPC |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_short_soak(serving_folder, tmp_path):
    result = tmp_path / "result.json"
    numbers = ["--minutes=0.15", "--changes=12", "--clients=4", "--settle_seconds=2", f"--json={result}"]
    code = serving_soak.main([f"--model_base_path={serving_folder}", *numbers])
    found = json.loads(result.read_text())
    assert code == 0, found
    assert found["changes"] == {"pushes": 4, "rollbacks": 4, "deletions": 4}
    assert found["answers"] > 100 and found["versions_that_answered"] >= 4
    assert found["versions_seen"] >= 8 and found["compared"] > 0
    assert 0.9 < found["memory_ratio"] < 1.1


def test_an_answer_is_wrong_where_another_model_gave_it():
    scores = {"a": [0.5], "b": [0.6]}
    assert is_right(Answer(1, 0, 0.500001, 0.1), {1: "a"}, scores)
    assert not is_right(Answer(1, 0, 0.6, 0.1), {1: "a"}, scores)
    assert not is_right(Answer(2, 0, 0.5, 0.1), {1: "a"}, scores)


def test_a_folder_without_versions(tmp_path):
    with pytest.raises(SystemExit, match="There must be a pushed version. Received: .*which has none"):
        newest_version(tmp_path)
