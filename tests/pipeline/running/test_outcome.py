"""The result of a run, as its artifacts have it."""

from __future__ import annotations

import re

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.evaluator.compose import compose_verdict
from components.evaluator.results import BehaviourCase, BehaviourResult, write_verdict
from pipeline.results.report.facts import Facts
from pipeline.results.report.render import render_report
from pipeline.running.outcome import judge_model
from tests.helpers.evaluations import a_policy, good_slices
from tests.helpers.verdicts import a_verdict


@pytest.mark.parametrize(
    ("policy", "titles"),
    [
        (None, ["Storm Hits 9 Cats", "You Won't"]),
        ({"mask_examples": False}, ["Storm Hits 9 Cats", "You Won't"]),
        ({"mask_examples": True}, ["Xxxxx Xxxx 0 Xxxx", "Xxx Xxx'x"]),
    ],
)
def test_titles_of_failed_cases_are_masked_where_examples_are(tmp_path, policy, titles):
    failed = [BehaviourCase(["Storm Hits 9 Cats", "You Won't"], [0.75, 0.25])]
    results = [BehaviourResult("bait added", "must not fall", 0.05, 2, 1, failed)]
    write_verdict(tmp_path, compose_verdict(good_slices(), [], a_policy(), results))
    outputs = {"Evaluator": {"evaluation": mlmd.Artifact(uri=str(tmp_path))}}
    verdict = judge_model(a_verdict(gate_policy=policy), outputs)
    (result,) = verdict.behaviours
    assert (result.cases, result.passed, result.failed) == (2, 1, [BehaviourCase(titles, [0.75, 0.25])])
    table = re.search(r'<span id="t-failed-cases">.*?</table>', render_report(verdict, Facts()), re.DOTALL)[0]
    assert "<br>".join(titles).replace("'", "&#39;") in table
