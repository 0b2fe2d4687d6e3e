"""The verdict holds the metrics slice by slice, and the wanted operating threshold."""

from __future__ import annotations

import numpy as np

from components.evaluator.compose import compose_verdict
from components.evaluator.measures import measure
from components.evaluator.policy import Slice
from components.evaluator.results import Metric, read_verdict, write_verdict
from tests.helpers.evaluations import a_policy, a_slice, good_slices


def test_each_slice_has_its_rows_its_values_with_intervals_and_its_contenders():
    verdict = compose_verdict(good_slices(), ["tfidf_lower", "last_blessed"], a_policy())
    assert verdict.blessed
    train, overall, lower, you = verdict.evaluation.slices
    assert [part.slice for part in (train, overall, lower, you)] == [{}, {}, {"variant": "lower"}, {"says_you": "yes"}]
    assert (lower.split, lower.variant, lower.rows) == ("eval", "lower", 1000)
    assert overall.accuracy.value == 0.995
    assert overall.accuracy.interval[0] < 0.995 < overall.accuracy.interval[1]
    assert overall.contenders["tfidf_lower"].binary_accuracy == 0.975
    assert verdict.evaluation.contenders == overall.contenders
    assert "tfidf_lower_accuracy" not in overall.metrics


def test_a_missing_contender_is_missing():
    verdict = compose_verdict([a_slice(), a_slice("train")], [], a_policy())
    assert verdict.evaluation.contenders == {}


def test_the_operating_threshold_is_there_where_one_was_wanted():
    assert compose_verdict(good_slices(), [], a_policy()).evaluation.operating_threshold is None
    labels = np.arange(1000) % 2
    scores = np.where(labels == 1, 0.8, np.where(np.arange(1000) < 100, 0.7, 0.2))
    for wanted, threshold in ((0.95, 0.8), (0.9, 0.7)):
        policy = a_policy(wanted_precision=wanted)
        slices = [Slice("eval", {}, measure(labels, scores, wanted_precision=wanted))]
        found = compose_verdict(slices, [], policy).evaluation.operating_threshold
        assert (found.wanted_precision, found.threshold, found.recall) == (wanted, threshold, 1)


def test_an_override_is_said_and_changes_no_judgement():
    bad = good_slices(eval=a_slice(wrong=100, against={"as_is": 100}))
    anyway = compose_verdict(bad, [], a_policy(bless_anyway="we must"))
    plain = compose_verdict(bad, [], a_policy())
    assert anyway.evaluation.override.reason == "we must"
    assert plain.evaluation.override is None
    assert (anyway.blessed, anyway.thresholds) == (False, plain.thresholds)


def test_a_model_that_keeps_the_rules_needs_no_override():
    verdict = compose_verdict(good_slices(), [], a_policy(bless_anyway="we must"))
    assert verdict.evaluation.override is None


def test_what_is_written_is_json_and_comes_back(tmp_path):
    lost = Slice("eval", {}, measure(np.array([0, 1]), np.array([np.nan, 0.9])))
    verdict = compose_verdict([lost], [], a_policy())
    write_verdict(tmp_path / "evaluation", verdict)
    assert read_verdict(tmp_path / "evaluation") == verdict
    assert verdict.evaluation.slices[0].metrics["auc"] == Metric(None, [None, None])
