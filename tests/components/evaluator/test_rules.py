"""Each rule is kept, broken or not judged by what was measured, and says why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from components.evaluator.measures import measure
from components.evaluator.policy import Slice
from components.evaluator.rules import describe, judge
from tests.helpers.evaluations import a_policy, a_slice, good_slices

ONE_GATE = ["lower"]


def judged(slices, **policy):
    return judge(slices, a_policy(**{"gated_variants": ONE_GATE, **policy}))


def of_scores(labels, scores, split="eval") -> Slice:
    return Slice(split, {}, measure(labels, scores))


def refusing(found) -> set[tuple]:
    return {(judgement.rule, judgement.split, *judgement.slice.values()) for judgement in found if judgement.refuses}


def outcome(found, rule, split="eval"):
    (judgement,) = [judgement for judgement in found if (judgement.rule, judgement.split) == (rule, split)]
    return judgement


def test_a_good_model_keeps_every_rule_and_each_says_what_was_observed():
    found = judged(good_slices())
    assert {judgement.outcome for judgement in found} == {"kept"}
    assert [(judgement.rule, judgement.split) for judgement in found] == [
        ("accuracy", "eval"),
        ("accuracy", "train"),
        ("auc", "eval"),
        ("ece", "eval"),
        ("brier", "eval"),
        ("last_blessed", "eval"),
        ("finite", "eval"),
        ("finite", "train"),
        ("baseline", "eval"),
        ("variant_drop", "eval"),
    ]
    assert all(judgement.observed is not None and judgement.rows >= 1000 for judgement in found)
    assert all(judgement.interval for judgement in found if judgement.rule != "finite")


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"eval": a_slice(wrong=16)}, ("accuracy", "eval")),
        ({"train": a_slice("train", wrong=4)}, ("accuracy", "train")),
        ({"eval": a_slice(wrong=5, against={"last_blessed": 2})}, ("last_blessed", "eval")),
        ({"lower": a_slice(wrong=26, against={"as_is": 5}, variant="lower")}, ("variant_drop", "eval", "lower")),
    ],
)
def test_a_rule_is_broken_beyond_its_bound(changes, broken):
    assert broken in refusing(judged(good_slices(**changes)))


def test_the_bound_itself_is_kept():
    at_bound = good_slices(lower=a_slice(wrong=35, against={"as_is": 5}, variant="lower"))
    assert not refusing(judged(at_bound, max_variant_drop={"default": 0.03}))


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        ({"min_eval_precision": 0.999}, "precision"),
        ({"min_eval_recall": 0.999}, "recall"),
        ({"max_eval_ece": 0.001}, "ece"),
        ({"max_eval_brier": 0.001}, "brier"),
        ({"min_eval_auc": 0.9999}, "auc"),
    ],
)
def test_what_is_asked_for_is_judged_and_what_is_not_asked_for_is_not(policy, rule):
    assert refusing(judged(good_slices(), **policy)) == {(rule, "eval")}
    if rule in ("ece", "brier"):
        assert rule not in {judgement.rule for judgement in judged(good_slices(), **dict.fromkeys(policy))}


@pytest.mark.parametrize(("baseline_wrong", "kept"), [(25, True), (5, True), (4, True), (0, False)])
def test_a_model_is_worse_than_the_simple_one_where_the_whole_interval_is(baseline_wrong, kept):
    # Of 1,000 rows: some more errors are chance, eight more are not.
    slices = good_slices(eval=a_slice(wrong=8, against={"as_is": 8, "tfidf_lower": baseline_wrong}))
    judgement = outcome(judged(slices), "baseline")
    assert judgement.passed == kept
    assert (judgement.interval[1] >= 0) == kept
    assert (judgement.observed >= judgement.bound) == kept


def test_the_baseline_can_be_shown_without_refusing():
    slices = good_slices(eval=a_slice(wrong=12, against={"as_is": 12, "tfidf_lower": 0}))
    found = outcome(judged(slices, gate_baseline=False), "baseline")
    assert (found.outcome, found.gates, found.refuses) == ("broken", False, False)


ABSOLUTE = ("min_eval_accuracy", "min_train_accuracy", "min_eval_auc", "max_eval_ece", "max_eval_brier")


def test_absolute_thresholds_that_are_null_are_no_rules():
    hopeless = good_slices(eval=a_slice(wrong=400), train=a_slice("train", wrong=400))
    assert {"accuracy", "auc"} <= {rule for rule, *_ in refusing(judged(hopeless))}
    found = judged(hopeless, **dict.fromkeys(ABSOLUTE))
    assert not refusing(found)
    assert not {judgement.rule for judgement in found} & {"accuracy", "auc", "ece", "brier"}


def test_of_runtime_parameters_zero_leaves_a_threshold_that_is_null():
    given = {"min_eval_accuracy": 0.0, "min_eval_auc": 0.0, "min_train_accuracy": 0.7, "max_accuracy_drop": None}
    found = a_policy(min_eval_accuracy=None, min_train_accuracy=None).with_bounds(given)
    assert (found.min_eval_accuracy, found.min_eval_auc, found.min_train_accuracy) == (None, 0.0, 0.7)
    assert found.max_accuracy_drop == 0.0025


@pytest.mark.parametrize(
    ("wrong", "cased_wrong", "mode", "passed"),
    [
        (30, 60, "better", True),
        (30, 31, "better", False),
        (30, 31, "not_worse", True),
        (30, 29, "not_worse", True),
        (30, 5, "not_worse", False),
    ],
)
def test_a_model_is_judged_by_each_linear_model_that_is_named(wrong, cased_wrong, mode, passed):
    slices = good_slices(
        eval=a_slice(wrong=wrong, against={"as_is": wrong, "tfidf_lower": 90, "tfidf_cased": cased_wrong})
    )
    found = judged(slices, baselines=["tfidf_lower", "tfidf_cased"], judge_baseline=mode)
    lower, cased = (judgement for judgement in found if judgement.rule == "baseline")
    assert (lower.against, lower.passed, cased.against, cased.passed) == ("tfidf_lower", True, "tfidf_cased", passed)
    assert (cased.observed >= cased.bound) == passed
    assert bool(cased.detail) == (not passed)


@pytest.mark.parametrize(("last_wrong", "passed"), [(8, True), (0, False)])
def test_a_drop_can_be_judged_by_its_interval(last_wrong, passed):
    # Eight of 1,000 rows more than the last model are no chance; three are, and beyond the bound.
    slices = good_slices(eval=a_slice(wrong=11, against={"as_is": 11, "last_blessed": last_wrong}))
    by_interval = outcome(judged(slices, max_accuracy_drop=0.0, judge_accuracy_drop="by_interval"), "last_blessed")
    assert by_interval.passed == passed
    assert (by_interval.observed >= by_interval.bound) == passed
    assert not outcome(judged(slices, max_accuracy_drop=0.0), "last_blessed").passed


@pytest.mark.parametrize(("scores", "passed"), [("SURE", True), ("NOISE", False), ("constant", False)])
def test_a_model_must_be_better_than_chance_where_that_gates(scores, passed):
    scores = {"SURE": SURE, "NOISE": NOISE, "constant": np.full(1000, 0.3)}[scores]
    found = judged([of_scores(LABELS, scores)], gate_chance=True, **dict.fromkeys(ABSOLUTE))
    assert outcome(found, "chance").passed == passed
    assert ("chance", "eval") in refusing(found) or passed


@pytest.mark.parametrize(("rows", "shift", "passed"), [(60, 0.0, True), (4000, 0.0, True), (4000, 0.15, False)])
def test_calibration_is_judged_beyond_what_chance_does_to_so_few_rows(rows, shift, passed):
    random = np.random.default_rng(4)
    scores = random.beta(0.7, 0.7, rows)
    labels = (random.uniform(size=rows) < np.clip(scores + shift, 0, 1)).astype(int)
    found = outcome(judged([of_scores(labels, scores)], max_ece_over_chance=0.03), "calibration")
    assert (found.passed, found.against, found.bound) == (passed, "level of chance", 0.03)
    assert (found.observed <= found.bound) == passed


def test_only_named_variants_refuse_and_the_others_are_shown():
    bad = a_slice(wrong=300, against={"as_is": 5}, variant="upper")
    found = [judgement for judgement in judged(good_slices(upper=bad)) if judgement.rule == "variant_drop"]
    assert [(judgement.slice["variant"], judgement.outcome, judgement.gates) for judgement in found] == [
        ("lower", "kept", True),
        ("upper", "broken", False),
    ]
    assert refusing(judged(good_slices(upper=bad), gated_variants=["upper"])) == {("variant_drop", "eval", "upper")}


def test_each_variant_may_have_its_own_bound():
    typo = a_slice(wrong=40, against={"as_is": 5}, variant="typo")
    asked = {"gated_variants": ["typo"], "max_variant_drop": {"default": 0.02, "typo": 0.04}}
    assert not refusing(judged(good_slices(typo=typo), **asked))


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_no_model_is_refused_for_want_of_a_slices_rows(rows):
    few = {"lower": a_slice(rows=rows, wrong=rows, against={"as_is": 0}, variant="lower")} if rows else {}
    slices = [part for part in good_slices() if not part.key] + list(few.values())
    found = judged(slices, min_slice_rows=200, min_slice_accuracy={"says_you=yes": 0.9, "length=15+ words": 0.9})
    not_judged = [judgement for judgement in found if judgement.outcome == "not judged"]
    assert [judgement.rule for judgement in not_judged] == ["variant_drop", "slice_accuracy", "slice_accuracy"]
    assert f"{rows} rows, fewer than 200" in describe(not_judged[0])
    assert not refusing(found)


def test_a_missing_contender_is_said_and_refuses_nobody():
    slices = good_slices(eval=a_slice(wrong=5, against={"as_is": 5}))
    found = [judgement for judgement in judged(slices) if judgement.outcome == "not judged"]
    assert [judgement.rule for judgement in found] == ["last_blessed", "baseline"]
    assert not any(judgement.refuses for judgement in found)
    assert all(judgement.detail and judgement.observed is None for judgement in found)


def test_a_named_natural_slice_refuses_a_model_that_is_good_overall():
    bad = a_slice(rows=300, wrong=60, says_you="yes")
    assert not refusing(judged(good_slices(says_you=bad)))
    found = judged(good_slices(says_you=bad), min_slice_accuracy={"says_you=yes": 0.95})
    assert refusing(found) == {("slice_accuracy", "eval", "yes")}
    (judgement,) = [judgement for judgement in found if judgement.refuses]
    assert describe(judgement) == "eval says_you=yes accuracy 0.8000 (at least 0.9500)"


def test_a_variant_is_described_by_accuracy_and_points():
    bad = a_slice(wrong=386, against={"as_is": 5}, variant="lower")
    (judgement,) = [judgement for judgement in judged(good_slices(lower=bad)) if judgement.refuses]
    assert describe(judgement) == "variant lower accuracy 0.6140, 38.1 points below as is (at most 2.0)"


LABELS = np.arange(1000) % 2
NOISE = np.random.default_rng(0).uniform(size=1000)
SURE = np.where(LABELS == 1, 0.9, 0.1)


@pytest.mark.parametrize(
    ("scores", "in_training", "diagnosis"),
    [
        (np.full(1000, 0.7), np.full(1000, 0.7), "every score is 0.7000: the model does not look at the text"),
        (1 - SURE + NOISE / 100, SURE, "the labels look inverted"),
        (NOISE, NOISE, "on the training rows, near chance: shuffled labels, or nothing was learnt"),
        (NOISE, SURE + NOISE / 100, "on the training rows: learnt by heart"),
        (np.where(LABELS == 1, np.nan, 0.1), SURE, "500 of 1,000 scores are no numbers: the weights have diverged"),
    ],
    ids=["constant", "inverted", "shuffled", "by-heart", "nan"],
)
def test_a_model_that_is_none_is_refused_with_its_diagnosis(scores, in_training, diagnosis):
    found = judged([of_scores(LABELS, scores), of_scores(LABELS, in_training, "train")])
    accuracy = outcome(found, "accuracy")
    assert accuracy.refuses
    assert diagnosis in describe(accuracy)


def test_scores_that_are_no_numbers_are_a_rule_of_their_own_over_all_variants():
    broken = Slice("eval", {"variant": "emoji"}, measure(LABELS, np.where(NOISE < 0.1, np.nan, SURE), {"as_is": SURE}))
    found = outcome(judged(good_slices(emoji=broken)), "finite")
    assert found.refuses
    assert found.observed == np.sum(NOISE < 0.1)
    assert found.rows == 3000


def test_what_is_written_has_no_nan():
    found = judged([of_scores(LABELS, np.full(1000, np.nan)), a_slice("train")])
    import json

    assert json.dumps([judgement.as_dict() for judgement in found], allow_nan=False)
    assert outcome(found, "auc").as_dict() | {"interval": None, "observed": None} == outcome(found, "auc").as_dict()
    assert dataclasses.asdict(outcome(found, "accuracy"))["outcome"] == "broken"
