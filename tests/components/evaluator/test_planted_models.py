"""A bad model of each kind is refused for its reason, through the real scorers and TFMA; a good one is blessed."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import csv
from typing import Any, NamedTuple

import numpy as np
import pytest

from components.evaluator.rules import describe
from components.slices import VARIANTS
from components.variant_example_gen.perturbations import perturb
from pipeline.config.paths import SAMPLE_FILE
from tests.helpers.evaluations import a_policy

pytestmark = pytest.mark.slow

ROWS = {"train": 560, "eval": 240}


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[list[str], list[int]]]:
    """Titles and labels of the bundled sample, by split."""
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        all_rows = [(row["title"], int(row["label"])) for row in csv.DictReader(stream)]
    drawn = [all_rows[place] for place in np.random.default_rng(0).permutation(len(all_rows))]
    train, rest = drawn[: ROWS["train"]], drawn[ROWS["train"] :]
    return {"train": tuple(zip(*train, strict=True)), "eval": tuple(zip(*rest[: ROWS["eval"]], strict=True))}


@pytest.fixture(scope="module")
def variants(rows, examples, tmp_path_factory) -> dict[str, str]:
    """Folders of the splits with variants and baselines."""
    from pathlib import Path

    from components.baseline_scorer.score import score_splits
    from components.variant_example_gen.write import SplitToWrite, write_variants

    place = tmp_path_factory.mktemp("variants")
    for split, (titles, labels) in rows.items():
        source = Path(examples(zip(titles, labels, strict=True))).parent
        wanted = VARIANTS if split == "eval" else VARIANTS[:1]
        write_variants(SplitToWrite(split, source, place / "written" / f"Split-{split}", wanted))
    folders = {kind: {split: str(place / kind / f"Split-{split}") for split in rows} for kind in ("written", "scored")}
    score_splits(folders["written"], folders["scored"], 10_000)
    return folders["scored"]


@pytest.fixture(scope="module")
def weights(rows):
    """Those of the good model."""
    from tests.components.evaluator.planted import fit_weights

    return fit_weights(*rows["train"])


class Evaluated(NamedTuple):
    """The outputs of an evaluation."""

    verdict: dict[str, Any]
    scorer: Any
    output: str

    def judge(self, **policy) -> dict[str, Any]:
        """The verdict by another policy on what was measured."""
        from components.evaluator.compose import compose_verdict
        from components.evaluator.evaluate import read_slices

        contenders = [*self.verdict.evaluation.contenders]
        return compose_verdict(read_slices(self.output), contenders, a_policy(**policy))


@pytest.fixture(scope="module")
def evaluated(variants, tmp_path_factory):
    """Scores by a SavedModel, evaluates, and holds the verdict against TFMA's own validation."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma

    from components.evaluator.evaluate import evaluate_predictions
    from components.model_scorer.score import score_splits
    from components.text_scorer import TextScorer
    from tests.components.evaluator.planted import write_model

    def evaluated(weights, last_blessed=None, *, model=None, **policy) -> Evaluated:
        place = tmp_path_factory.mktemp("evaluated")
        scorer = TextScorer(write_model(place / "model", weights, **(model or {})), 64)
        before = None
        if last_blessed is not None:
            before = TextScorer(write_model(place / "before", last_blessed), 64)
        targets = {split: str(place / f"Split-{split}") for split in variants}
        score_splits(variants, targets, scorer, before)
        output = str(place / "evaluation")
        verdict = evaluate_predictions(beam.Pipeline(), [*targets.values()], output, a_policy(**policy))
        assert tfma.load_eval_result(output).slicing_metrics
        overall = {"accuracy", "auc", "precision", "recall", "ece", "brier", "last_blessed", "chance", "calibration"}
        ours = {judged.rule for judged in broken(verdict)} & overall
        assert tfma.load_validation_result(output).validation_ok == (not ours)
        return Evaluated(verdict, scorer, output)

    return evaluated


def broken(verdict) -> list[dict]:
    return [judged for judged in verdict.thresholds if judged.gates and not judged.passed]


def reasons(verdict) -> dict[str, str]:
    return {judged.rule: describe(judged) for judged in broken(verdict)}


EASY = {"min_eval_accuracy": 0.7, "min_train_accuracy": 0.7, "min_eval_auc": 0.7, "max_eval_ece": None}
EASY |= {"max_eval_brier": None, "gate_baseline": False, "max_variant_drop": {"default": 0.1}}
EASY |= {"gate_chance": True, "max_ece_over_chance": 1.0, "judge_accuracy_drop": "by_interval"}


@pytest.fixture(scope="module")
def good(evaluated, weights):
    return evaluated(weights, last_blessed=weights, **EASY)


def test_a_good_model_is_blessed_with_every_variant_judged(good):
    verdict = good.verdict
    assert verdict.blessed, reasons(verdict)
    assert [judged.slice.get("variant") for judged in verdict.thresholds if judged.rule == "variant_drop"] == [
        *VARIANTS[1:]
    ]
    assert {judged.outcome for judged in verdict.thresholds} == {"kept"}
    (change,) = [judged for judged in verdict.thresholds if judged.rule == "last_blessed"]
    assert change.observed == 0


def test_all_figures_are_scikit_learns_on_the_exported_models_scores(good, rows):
    from sklearn import metrics

    verdict, scorer, _ = good
    slices = {(part.split, *part.slice.items()): part for part in verdict.evaluation.slices}
    for split, variant in [("train", ""), ("eval", ""), *(("eval", name) for name in VARIANTS[1:])]:
        titles, labels = rows[split]
        scores = scorer([perturb(title, variant or "as_is") for title in titles])
        place = (split, ("variant", variant)) if variant else (split,)
        found = {name: metric.value for name, metric in slices[place].metrics.items()}
        expected = {
            "binary_accuracy": metrics.accuracy_score(labels, scores > 0.5),
            "auc": metrics.roc_auc_score(labels, scores),
            "precision": metrics.precision_score(labels, scores > 0.5),
            "recall": metrics.recall_score(labels, scores > 0.5),
            "brier": metrics.brier_score_loss(labels, scores),
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6), (split, variant)


def test_the_natural_slices_and_the_contenders_are_those_rows(good):
    slices = [part for part in good.verdict.evaluation.slices if part.split == "eval"]
    for feature in ("says_you", "starts_with_digit", "length"):
        assert sum(part.rows for part in slices if feature in part.slice) == ROWS["eval"]
    assert {*good.verdict.evaluation.contenders} == {"tfidf_cased", "tfidf_lower", "last_blessed"}
    for part in slices:
        own = part.metrics["binary_accuracy"].value
        assert part.contenders["last_blessed"].binary_accuracy == own
        lower = part.contenders["tfidf_lower"].binary_accuracy
        assert part.metrics["accuracy_minus_tfidf_lower"].value == pytest.approx(own - lower)


def test_a_constant_model(evaluated, weights):
    verdict = evaluated(weights * 0, **{**EASY, "max_ece_over_chance": 0.0}).verdict
    assert {"chance", "auc"} <= {*reasons(verdict)}
    assert "every score is 0.5000: the model does not look at the text" in reasons(verdict)["accuracy"]


def test_an_inverted_model(evaluated, weights):
    verdict = evaluated(-weights, **EASY).verdict
    assert "far below one half: the labels look inverted" in reasons(verdict)["auc"]


def test_a_model_that_was_trained_on_shuffled_labels(evaluated, rows):
    from tests.components.evaluator.planted import fit_weights

    titles, labels = rows["train"]
    shuffled = np.random.default_rng(3).permutation(labels)
    few = 60  # enough words to fit, too few to learn all rows by heart
    verdict = evaluated(fit_weights(titles[:few], shuffled[:few]), **EASY).verdict
    assert "shuffled labels, or nothing was learnt" in reasons(verdict)["accuracy"]


def test_a_model_with_nan_weights(evaluated, weights):
    lost = weights.copy()
    lost[-1] = np.nan
    verdict = evaluated(lost, **EASY).verdict
    assert "240 of 240 scores are no numbers: the weights have diverged" in reasons(verdict)["accuracy"]
    assert {"finite", "auc"} <= {*reasons(verdict)}


@pytest.fixture(scope="module")
def weak(evaluated, weights) -> Evaluated:
    """A model that gets many rows wrong, beside the good one as the last blessed."""
    noise = np.random.default_rng(0).normal(0, np.abs(weights).max() / 2, len(weights))
    return evaluated(weights + noise, last_blessed=weights, **{**EASY, "max_variant_drop": {"default": 1.0}})


ONLY_BASELINE = {**EASY, "min_eval_accuracy": 0, "min_train_accuracy": 0, "min_eval_auc": 0}
ONLY_BASELINE |= {"gate_baseline": True, "gated_variants": []}


def test_a_model_that_is_worse_than_a_linear_one_on_lower_cased_text(weak):
    verdict = weak.judge(**ONLY_BASELINE)
    assert "a linear model on lower-cased words and characters is better" in reasons(verdict)["baseline"]


def test_a_model_that_is_worse_than_the_last_blessed_one(weak):
    assert "against the last blessed model" in reasons(weak.verdict)["last_blessed"]


def test_a_model_that_is_good_on_all_rows_and_bad_on_one_gated_slice(evaluated, weights):
    found = evaluated(weights, model={"wrong_where": "[^a-z0-9]*[0-9].*"}, **EASY)
    assert found.verdict.blessed, reasons(found.verdict)
    verdict = found.judge(**EASY, min_slice_rows=10, min_slice_accuracy={"starts_with_digit=yes": 0.9})
    assert [*reasons(verdict)] == ["slice_accuracy"]


@pytest.fixture(scope="module")
def by_capitals(evaluated, weights) -> Evaluated:
    return evaluated(weights, model={"casing": True}, **EASY)


def test_a_model_that_goes_by_capitals(by_capitals):
    verdict = by_capitals.verdict
    assert [judged.slice for judged in broken(verdict)] == [{"variant": "lower"}]
    assert "points below as is (at most 10.0)" in reasons(verdict)["variant_drop"]


def test_no_model_is_refused_for_want_of_rows(by_capitals):
    verdict = by_capitals.judge(**EASY, min_slice_rows=241, min_slice_accuracy={"length=15+ words": 1.0})
    assert verdict.blessed
    assert {judged.outcome for judged in verdict.thresholds if judged.slice} == {"not judged"}
