"""A failed run has one cause, by its figures and their intervals, and the step that fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.evaluator.intervals import Estimate, area_of_figures, proportion
from components.evaluator.results import Judgement
from pipeline.results import diagnosis
from pipeline.results.diagnosis import Facts, Linear, cause_of, facts_of, find_cause
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_verdict


def share(value: float, rows: int = 3000) -> Estimate:
    return proportion(round(value * rows), rows)


def area(value: float, rows: int = 3000) -> Estimate:
    return area_of_figures(value, rows // 3, rows - rows // 3)


def linear(accuracy: float, auc: float, rows: int = 3000) -> Linear:
    return Linear("the linear model that sees capitals", share(accuracy, rows), area(auc, rows))


def failed(rule: str, bound: float, observed: Estimate, split: str = "eval", **changes) -> Judgement:
    values = {
        "rule": rule,
        "split": split,
        "slice": {},
        "metric": "auc" if rule in ("auc", "chance") else "binary_accuracy",
        "against": "bound",
        "bound": bound,
        "direction": ">=",
        "observed": observed.value,
        "interval": [observed.low, observed.high],
        "rows": 3000,
        "outcome": "broken",
        "gates": True,
        "detail": "",
        "passed": False,
    }
    return Judgement.from_dict({**values, **changes})


def of_article(train: float, evaluated: float, auc: float, against: Linear, rows: int = 3000, **changes) -> Facts:
    """Facts of a run that misses the article's thresholds."""
    accuracy = share(evaluated, rows)
    rules = [failed("accuracy", 0.9846, accuracy), failed("auc", 0.99, area(auc, rows))]
    facts = Facts(
        failed=rules,
        train_accuracy=share(train, 7000),
        eval_accuracy=accuracy,
        eval_auc=area(auc, rows),
        linear=against,
        train_rows=7000,
        eval_rows=rows,
        losses=[0.6, 0.4, 0.3, 0.25],
        val_losses=[0.6, 0.57, 0.56, 0.56],
        own_helps=True,
    )
    return replace(facts, **changes)


HARD = linear(0.733, 0.772)
ISSUE = of_article(0.959, 0.735, 0.783, HARD, val_losses=[0.56, 0.548, 0.59, 0.634])
FROZEN = of_article(0.74, 0.73, 0.78, linear(0.8, 0.87), losses=[0.6, 0.55, 0.52, 0.50])
OVERLAP = of_article(0.93, 0.735, 0.783, HARD)
FAR = of_article(0.966, 0.96, 0.98, linear(0.955, 0.978), 7000)
NOISE = of_article(0.95, 0.50, 0.50, linear(0.51, 0.505), val_losses=[0.69, 0.8, 1.1, 1.5])
FEW = of_article(0.99, 0.967, 0.985, linear(0.94, 0.98, 60), 60)
CALIBRATION = failed("calibration", 0.03, Estimate(0.1, 0.1, 0.1), interval=None, metric="ece", direction="<=")
BASELINE = failed("baseline", -0.01, Estimate(-0.05, -0.08, -0.02), against="tfidf_cased")
NOT_BETTER = failed("baseline", 0.02, Estimate(0.01, -0.01, 0.03), against="tfidf_cased")
DROP = failed("last_blessed", -0.0025, Estimate(-0.03, -0.04, -0.02), against="last blessed model")
CAPITALS = failed("variant_drop", -0.02, Estimate(-0.3, -0.32, -0.28), slice={"variant": "lower"})
BARELY = failed("variant_drop", -0.02, Estimate(-0.021, -0.05, 0.008), slice={"variant": "title"})


@pytest.mark.parametrize(
    ("facts", "cause", "step"),
    [
        (ISSUE, diagnosis.OVERFITTED, "--preset own"),
        (replace(ISSUE, own_helps=False), diagnosis.OVERFITTED, "clickbait run --epochs 2"),
        (replace(ISSUE, best_weights=True), diagnosis.OVERLAP, "read the errors"),
        (FROZEN, diagnosis.UNDERFITTED, "clickbait run --epochs 8"),
        (replace(FROZEN, losses=[0.6, 0.55, 0.55, 0.55]), diagnosis.UNDERFITTED, "learning_rate"),
        (OVERLAP, diagnosis.OVERLAP, "read the errors"),
        (replace(OVERLAP, train_rows=300), diagnosis.TOO_FEW, "more rows with --data"),
        (FAR, diagnosis.OUT_OF_REACH, "--preset own"),
        (replace(FAR, own_helps=False), diagnosis.OUT_OF_REACH, "clickbait threshold propose"),
        (NOISE, diagnosis.NOISE, "check that the label column"),
        (replace(NOISE, linear=linear(0.8, 0.87)), diagnosis.OVERFITTED, "--preset own"),
        (FEW, diagnosis.TOO_FEW, "more rows with --data"),
        (replace(FEW, conflicting=40, repeated=10), diagnosis.CONTRADICTORY, "give each title"),
        (replace(FEW, conflicting=8, repeated=0), diagnosis.TOO_FEW, "more rows with --data"),
        (replace(FAR, conflicting=40, repeated=4000), diagnosis.OUT_OF_REACH, "--preset own"),
        (replace(ISSUE, non_finite=7), diagnosis.DIVERGED, "learning_rate"),
        (replace(ISSUE, score_range=0.0), diagnosis.CONSTANT, "learning_rate"),
        (of_article(0.95, 0.1, 0.05, linear(0.1, 0.06)), diagnosis.INVERTED, "turn the two values"),
        (replace(ISSUE, failed=[*ISSUE.failed, CAPITALS]), diagnosis.CAPITALS, "clickbait run --set training.casing"),
        (replace(ISSUE, failed=[*ISSUE.failed, BARELY]), diagnosis.OVERFITTED, "--preset own"),
        (replace(FAR, failed=[BARELY]), diagnosis.TOO_FEW, "more rows with --data"),
        (replace(FAR, failed=[CALIBRATION], own_helps=False), diagnosis.MISCALIBRATED, "clickbait run --tune"),
        (replace(FAR, failed=[BASELINE]), diagnosis.WORSE_THAN_LINEAR, "clickbait run --tune"),
        (replace(FAR, failed=[NOT_BETTER]), diagnosis.TOO_FEW, "more rows with --data"),
        (replace(FAR, failed=[DROP]), diagnosis.WORSE_THAN_LAST, "compare the two"),
        (replace(FAR, failed=[failed("accuracy", 0.965, share(0.96))]), diagnosis.TOO_FEW, "more rows with --data"),
        (replace(FAR, failed=[failed("accuracy", 0.9685, share(0.96))]), diagnosis.BELOW, "--preset own"),
        (Facts(), diagnosis.BELOW, "clickbait run --tune"),
    ],
)
def test_the_figures_have_one_cause_and_one_step(facts, cause, step):
    found = find_cause(facts)
    assert found.name == cause, found
    assert step in found.step
    assert found.detail


def test_a_cause_has_its_figures():
    detail = find_cause(ISSUE).detail
    assert all(figure in detail for figure in ("0.9590", "0.7350", "0.548 after epoch 2", "0.634"))
    assert "40 rows" in find_cause(replace(FEW, conflicting=40, repeated=10)).detail


def test_the_facts_are_those_of_the_verdict():
    verdict, _ = a_report_run(casing="as_is")
    facts = facts_of(replace(verdict, preset="default"))
    evaluated = verdict.evaluation.overall("eval")
    assert facts.eval_accuracy.value == evaluated.accuracy.value
    assert facts.linear.accuracy.value == max(model.binary_accuracy for model in evaluated.contenders.values())
    assert (facts.eval_rows, facts.train_rows, facts.losses) == (1000, 2400, [0.5, 0.75])
    assert facts.own_helps
    assert not facts_of(replace(verdict, preset="own")).own_helps
    assert cause_of(replace(verdict, preset="default")).name == diagnosis.CAPITALS


def test_only_a_failed_verdict_has_a_cause_and_old_ones_are_read():
    assert cause_of(a_verdict()) is None
    assert cause_of(a_verdict(status="not blessed")).name == diagnosis.BELOW


REFUSED = {"rule": "rejects", "where": "all files", "bound": "", "observed": "4 %", "kept": False, "outcome": "fail"}
INGEST = {"read": 1000, "accepted": 950, "duplicates": 0, "rejected": 40, "rejected_by_rule": {"conflict": 38}}


def test_data_that_was_refused_for_titles_with_two_labels_has_that_cause():
    data = {"status": "refused", "gate": {"accepted": False, "findings": [REFUSED]}, "ingest": INGEST}
    found = cause_of(a_verdict(**data))
    assert (found.name, "38 of 1,000 rows" in found.detail) == (diagnosis.CONTRADICTORY, True)
    assert cause_of(a_verdict(**{**data, "ingest": {**INGEST, "rejected_by_rule": {"title": 40}}})) is None
    rows = {"accepted": False, "findings": [{**REFUSED, "rule": "rows"}]}
    assert cause_of(a_verdict(**{**data, "gate": rows})).name == diagnosis.TOO_FEW


def test_a_model_that_fails_bounds_of_challenges_alone_is_worth_less_elsewhere():
    facts = of_article(0.999, 0.989, 0.999, linear(0.9937, 0.9995))
    below = failed("challenge_auc", 0.95, area(0.86), "challenge", metric="auc", slice={"challenge": "youtube"})
    cause = find_cause(replace(facts, failed=[below]))
    assert (cause.name, "youtube" in cause.detail) == ("worth less elsewhere", True)
    assert "evaluation.challenges" in cause.step
    assert find_cause(replace(facts, failed=[*facts.failed, below])).name != "worth less elsewhere"
    assert find_cause(replace(facts, failed=[])).name != "worth less elsewhere"
