"""Each rule is kept or broken by what was measured, and says both."""

import dataclasses
import json
import math

import pytest

from components.local_infra_validator.policy import InfraConfig
from components.local_infra_validator.rules import Observed, judge, percentile
from trainer.features import EXAMPLES_SIGNATURE, RAW_SIGNATURE

POLICY = InfraConfig(server="auto", cold_start_seconds=10, max_p99_milliseconds=100, max_memory_gb=1, golden_rows=2)
SCORES = [0.25, 0.5, 0.75]


def both(raw, examples=None):
    return {RAW_SIGNATURE: raw, EXAMPLES_SIGNATURE: examples or raw}


GOOD = Observed(
    start_seconds=3.0, expected=both(SCORES), served=both(SCORES), milliseconds=[1.0] * 100, peak_bytes=500_000_000
)


def broken(**changes):
    return [
        (finding.rule, finding.where, finding.observed)
        for finding in judge(dataclasses.replace(GOOD, **changes), POLICY)
        if finding.kept is False
    ]


def test_a_good_model_keeps_every_rule():
    findings = judge(GOOD, POLICY)
    assert [finding.rule for finding in findings] == [
        *("starts", "loads", "scores", "scores", "agreement", "range", "range", "latency", "memory")
    ]
    assert {finding.outcome for finding in findings} == {"kept"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start_seconds": 10.5}, [("starts", "server", "ready after 10.5 s")]),
        ({"model_fault": "ValueError: no"}, [("loads", "this process", "does not")]),
        ({"call_fault": "INTERNAL"}, [("scores", "all calls", "failed")]),
        ({"expected": both(SCORES, [0.25, 0.5, 0.76])}, [("scores", EXAMPLES_SIGNATURE, "1.0e-02 apart")]),
        ({"milliseconds": [1.0] * 98 + [100.5, 101.0]}, [("latency", "calls with one headline", "100.5 ms")]),
        ({"peak_bytes": 1_010_000_000}, [("memory", "server", "1.01 GB")]),
    ],
)
def test_a_broken_rule_says_where_and_what(changes, expected):
    assert broken(**changes) == expected


@pytest.mark.parametrize(("difference", "kept"), [(0.0, True), (9e-6, True), (1.1e-5, False)])
def test_scores_may_differ_by_rounding(difference, kept):
    served = both([score + difference for score in SCORES])
    assert (broken(served=served) == []) is kept


def test_signatures_that_disagree_are_found_without_the_exported_model_too():
    found = broken(served=both(SCORES, [0.25, 0.5, 0.7]), model_fault="ValueError: no")
    assert [finding[0] for finding in found] == ["loads", "agreement"]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1.0001, -0.0001])
def test_a_score_is_a_number_from_0_to_1_even_where_the_exported_model_says_the_same(score):
    scores = both([0.5, score, 0.5])
    assert {finding[0] for finding in broken(served=scores, expected=scores)} == {"range"}


def test_nan_on_one_side_is_a_difference():
    assert {finding[0] for finding in broken(expected=both([math.nan, 0.5, 0.75]))} == {"scores"}


def test_a_server_that_did_not_start_is_judged_by_no_more():
    found = judge(Observed(start_seconds=10, start_fault="it ended"), POLICY)
    assert [(finding.rule, finding.kept) for finding in found] == [("starts", False), ("loads", True)]
    assert found[0].detail == "it ended"


def test_an_unknown_peak_is_not_judged():
    (memory,) = [
        finding for finding in judge(dataclasses.replace(GOOD, peak_bytes=None), POLICY) if finding.rule == "memory"
    ]
    assert (memory.kept, memory.outcome) == (None, "not judged")


def test_findings_are_json_whatever_was_observed():
    found = judge(dataclasses.replace(GOOD, served=both([math.nan, math.inf, 0.5])), POLICY)
    json.dumps([finding.as_dict() for finding in found], allow_nan=False)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected
