"""The cause of a failed run, and the step that fits. Pure: facts of a verdict in, a cause with its step out.

`find_cause` is a list of branches, of which the first that fits decides. Each goes by 95 % intervals, so that chance
alone makes no cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from components.data_gate.policy import FAIL
from components.evaluator.intervals import Estimate, area_of_figures, proportion
from components.evaluator.results import BOUND, Judgement, MeasuredSlice
from components.slices import CHALLENGE
from pipeline.results.verdict import Cause, Ingest, Verdict
from pipeline.results.words import AGAINST, CASINGS
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

DIVERGED, CONSTANT, INVERTED = "diverged weights", "constant scores", "inverted labels"
CAPITALS, NOISE, CONTRADICTORY = "capitals instead of words", "labels that are noise", "contradictory labels"
TOO_FEW, OVERFITTED, UNDERFITTED = "too few rows", "overfitted", "underfitted"
OVERLAP, OUT_OF_REACH = "classes that overlap", "thresholds out of reach"
MISCALIBRATED, WORSE_THAN_LINEAR = "miscalibrated", "worse than a linear model"
WORSE_THAN_LAST, BELOW = "worse than the last blessed model", "below the thresholds"
ELSEWHERE = "worth less elsewhere"

_LINEAR = ("tfidf_cased", "tfidf_lower")
_EQUAL_SCORES = 1e-6
_NEAR_CHANCE = 0.6  # an area under the ROC curve; `components.evaluator.rules` goes by the same
_HARD = 0.85  # an area under the ROC curve below which classes overlap
_WIDE = 0.05  # half of an interval of accuracies, above which too few rows were evaluated
_FEW_TRAIN_ROWS = 1000
_FAR = 0.02  # by which training accuracy lies above evaluation accuracy, beyond both intervals
_RISE, _FALL = 1.05, 0.98  # factors on a loss
_REACHABLE = 0.5  # share of the linear model's errors that a fine-tuned encoder can be expected to leave
_MIN_CONFLICTS = 10  # rows
_LABEL_ERRORS = 0.5  # least share of the model's errors that wrong labels must explain to be the cause
_CALIBRATION_RULES = {"ece", "brier", "calibration"}


class Linear(NamedTuple):
    """What a linear model reaches on the evaluation rows."""

    name: str
    """For people."""
    accuracy: Estimate
    auc: Estimate


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the causes are told apart by. Estimates have 95 % intervals."""

    failed: Sequence[Judgement] = ()
    """The rules for which the model is not blessed."""
    train_accuracy: Estimate | None = None
    eval_accuracy: Estimate | None = None
    eval_auc: Estimate | None = None
    non_finite: int = 0
    """Scores that are no numbers."""
    score_range: float = 1.0
    """Highest less lowest score of the evaluation rows."""
    linear: Linear | None = None
    """The one with the higher accuracy."""
    train_rows: int = 0
    eval_rows: int = 0
    losses: Sequence[float] = ()
    """On the training rows, after each epoch."""
    val_losses: Sequence[float] = ()
    best_weights: bool = False
    """Whether the weights are the best epoch's, not the last one's."""
    repeated: int = 0
    """Rows whose title came before with the same label."""
    conflicting: int = 0
    """Rows whose title also has the other label."""
    own_helps: bool = False
    """Whether the preset `own` fits the data and is not the run's."""

    @property
    def below_linear(self) -> bool:
        """Whether a rule finds the model worse than a linear one, or it is so by far."""
        if any(judged.rule == "baseline" and judged.interval and judged.interval[1] < 0 for judged in self.failed):
            return True
        return bool(self.eval_accuracy and self.linear and self.eval_accuracy.high < self.linear.accuracy.low)

    @property
    def gap(self) -> float:
        """How far training accuracy lies above evaluation accuracy, beyond both intervals; a share, may be negative."""
        if not (self.train_accuracy and self.eval_accuracy):
            return 0.0
        return self.train_accuracy.low - self.eval_accuracy.high

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, from 1; 0 where there is none."""
        return 1 + min(range(len(self.val_losses)), key=self.val_losses.__getitem__) if self.val_losses else 0

    def bound(self, rule: str, split: str) -> float | None:
        """Returns the threshold of a failed rule for all rows of a split; None where it did not fail."""
        wanted = (rule, split)
        return next(
            (judged.bound for judged in self.failed if (judged.rule, judged.split) == wanted and not judged.slice), None
        )


def find_cause(facts: Facts) -> Cause:
    """Returns the cause for which a model failed its rules, and the step that fits."""
    for branch in _BRANCHES:
        if cause := branch(facts):
            return cause
    step = "clickbait run --tune 8, which tries other recipes" if not facts.own_helps else _own()
    return Cause(BELOW, "no other cause shows in the figures", step)


def cause_of(verdict: Verdict) -> Cause | None:
    """Returns the cause for which a model is not blessed or data was refused; None after any other run."""
    if verdict.status == "refused":
        return _refusal(verdict)
    return find_cause(facts_of(verdict)) if verdict.status == "not blessed" else None


def facts_of(verdict: Verdict) -> Facts:
    """Reads the facts of a verdict; what it has not is left at its default."""
    trained, evaluation = verdict.training, verdict.evaluation
    evaluated, train = (evaluation.overall(split) if evaluation else None for split in (EVAL_SPLIT, TRAIN_SPLIT))
    epochs = (trained.epochs if trained else None) or {}
    ingest, preset = verdict.ingest, verdict.preset
    return Facts(
        failed=verdict.failed_rules,
        train_accuracy=_estimate(train, "binary_accuracy"),
        eval_accuracy=_estimate(evaluated, "binary_accuracy"),
        eval_auc=_estimate(evaluated, "auc"),
        non_finite=sum(int(part.metrics["non_finite"].value or 0) for part in evaluation.slices) if evaluation else 0,
        score_range=_score_range(evaluated),
        linear=_linear(evaluated),
        train_rows=trained.train_rows if trained else 0,
        eval_rows=evaluated.rows if evaluated else 0,
        losses=epochs.get("loss", ()),
        val_losses=epochs.get("val_loss", ()),
        best_weights=bool(trained and trained.settings.get("early_stopping_patience")),
        repeated=ingest.duplicates if ingest else 0,
        conflicting=_conflicts(ingest),
        own_helps=verdict.of_other_data and preset not in (None, "own"),
    )


def _estimate(part: MeasuredSlice | None, name: str) -> Estimate | None:
    metric = part.metrics.get(name) if part else None
    if metric is None or metric.value is None or not metric.interval:
        return None
    low, high = metric.interval
    return None if low is None or high is None else Estimate(metric.value, low, high)


def _score_range(part: MeasuredSlice | None) -> float:
    low, high = (part.metrics.get(name) if part else None for name in ("lowest_score", "highest_score"))
    if not (low and high) or low.value is None or high.value is None:
        return 1.0
    return high.value - low.value


def _linear(part: MeasuredSlice | None) -> Linear | None:
    if part is None:
        return None
    negative, positive = (sum(counts) for counts in part.confusion)
    models = [
        Linear(
            AGAINST[name],
            proportion(round(model.binary_accuracy * part.rows), part.rows),
            area_of_figures(model.auc, positive, negative),
        )
        for name, model in part.contenders.items()
        if name in _LINEAR and model.binary_accuracy is not None and model.auc is not None
    ]
    return max(models, key=lambda model: model.accuracy, default=None)


def _conflicts(ingest: Ingest | None) -> int:
    return ingest.rejected_by_rule.get("conflict", 0) if ingest else 0


# ---- Branches, in the order in which they are tried


def _training_failed(facts: Facts) -> Cause | None:
    slower = "clickbait run --set training.learning_rate=X, a lower one"
    if facts.non_finite:
        return Cause(DIVERGED, f"{facts.non_finite:,} scores are no numbers", slower)
    if facts.score_range < _EQUAL_SCORES:
        return Cause(CONSTANT, "every headline has the same score: the model does not look at the text", slower)
    area = facts.eval_auc
    if area and area.high < 1 - _NEAR_CHANCE and (facts.linear is None or facts.linear.auc.value < _NEAR_CHANCE):
        step = "turn the two values of data.labels round, or the labels of one of the files"
        return Cause(INVERTED, f"AUC {_shown(area)}, below one half: training and evaluation labels differ", step)
    return None


def _elsewhere(facts: Facts) -> Cause | None:
    challenges = [*dict.fromkeys(judged.slice.get(CHALLENGE) for judged in facts.failed)]
    names = [name for name in challenges if name]
    if not names or len(names) < len(challenges):
        return None
    return Cause(
        ELSEWHERE,
        f"every rule on the data's own rows passed, and the bounds of {' and '.join(names)} did not",
        "train with rows such as those of the challenge, too, or lower its bounds in evaluation.challenges",
    )


def _by_capitals(facts: Facts) -> Cause | None:
    beyond_chance = (judged.variant for judged in facts.failed if not _may_be_chance(judged))
    if failed := {*beyond_chance} & {*CASINGS}:
        return Cause(
            CAPITALS,
            f"accuracy drops in {' and '.join(name for name in CASINGS if name in failed)} case",
            "clickbait run --set training.casing=lower, or augment: the model relies on capitals",
        )
    return None


def _noise(facts: Facts) -> Cause | None:
    area, linear = facts.eval_auc, facts.linear
    if area and linear and max(area.high, linear.auc.high) < _NEAR_CHANCE:
        return Cause(
            NOISE,
            f"the AUC of all models is near 0.5, that of chance: {_shown(area)}, and {_shown(linear.auc)} of "
            f"{linear.name}",
            "check that the label column is the right one and that each label belongs to its title; no setting helps",
        )
    return None


def _contradictory(facts: Facts) -> Cause | None:
    """Goes by the titles that came more than once: of pairs with errors of a share e, 2e(1 - e) contradict."""
    pairs = facts.conflicting // 2
    if facts.conflicting < _MIN_CONFLICTS or facts.eval_accuracy is None:
        return None
    contradicting = proportion(pairs, pairs + facts.repeated).low
    errors = (1 - (1 - 2 * min(contradicting, 0.5)) ** 0.5) / 2
    if errors < _LABEL_ERRORS * (1 - facts.eval_accuracy.value):
        return None
    return Cause(
        CONTRADICTORY,
        f"{facts.conflicting:,} rows have a title that also has the other label, beside {facts.repeated:,} that repeat "
        f"one with the same: at least {errors:.0%} of all labels are wrong",
        "give each title that rejects.csv lists with `conflict` one label, by a rule for all rows, and run again",
    )


def _wide(facts: Facts) -> Cause | None:
    accuracy = facts.eval_accuracy
    if accuracy is None or (accuracy.high - accuracy.low) / 2 <= _WIDE or not _all_by_chance(facts.failed):
        return None
    return Cause(
        TOO_FEW,
        f"{facts.eval_rows:,} evaluation rows leave accuracy between {accuracy.low:.2f} and {accuracy.high:.2f}, and "
        "the thresholds that failed lie within",
        _more_rows(accuracy),
    )


def _overfitted(facts: Facts) -> Cause | None:
    losses, best = facts.val_losses, facts.best_epoch
    if facts.gap <= _FAR or facts.best_weights or not losses or losses[-1] < _RISE * losses[best - 1]:
        return None
    assert facts.train_accuracy and facts.eval_accuracy  # there is a gap
    step = f"clickbait run --epochs {best}: validation loss rises from there on"
    return Cause(
        OVERFITTED,
        f"accuracy {facts.train_accuracy.value:.4f} on the training rows and {facts.eval_accuracy.value:.4f} on the "
        f"evaluation rows, and validation loss rose from {losses[best - 1]:.3f} after epoch {best} to {losses[-1]:.3f}",
        _own() if facts.own_helps else step,
    )


def _overlapping(facts: Facts) -> Cause | None:
    area, linear = facts.eval_auc, facts.linear
    if not (area and linear) or facts.gap <= _FAR or max(area.high, linear.auc.high) >= _HARD or facts.below_linear:
        return None
    assert facts.train_accuracy  # there is a gap
    figures = f"AUC {_shown(area)}, and {_shown(linear.auc)} of {linear.name}"
    if facts.train_rows < _FEW_TRAIN_ROWS:
        detail = f"{facts.train_rows:,} training rows, which are learnt by heart: {figures}"
        return Cause(TOO_FEW, detail, "more rows with --data")
    return Cause(
        OVERLAP,
        f"the training rows are learnt (accuracy {facts.train_accuracy.value:.4f}), yet neither model tells the "
        f"classes of other rows apart: {figures}",
        "read the errors in the report: where people cannot tell the classes by the title, sharpen the rule for labels",
    )


def _out_of_reach(facts: Facts) -> Cause | None:
    linear = facts.linear
    if linear is None or facts.below_linear:
        return None
    for rule, name, own, level in (
        ("accuracy", "accuracy", facts.eval_accuracy, linear.accuracy),
        ("auc", "AUC", facts.eval_auc, linear.auc),
    ):
        bound = facts.bound(rule, EVAL_SPLIT)
        if bound is None or own is None or 1 - bound >= _REACHABLE * (1 - level.high):
            continue
        return Cause(
            OUT_OF_REACH,
            f"{name} must be at least {bound:.4f}; {linear.name} reaches {level.value:.4f} and this model "
            f"{own.value:.4f} on the same rows",
            _own()
            if facts.own_helps
            else "clickbait threshold propose, which has thresholds that this run's intervals allow",
        )
    return None


def _underfitted(facts: Facts) -> Cause | None:
    train = facts.train_accuracy
    bounds = [facts.bound("accuracy", split) for split in (EVAL_SPLIT, TRAIN_SPLIT)]
    wanted = max([bound for bound in bounds if bound is not None], default=None)
    if wanted is None and facts.linear and facts.below_linear:
        wanted = facts.linear.accuracy.value
    if train is None or wanted is None or facts.gap > _FAR or train.high >= wanted:
        return None
    falls = len(facts.losses) < 2 or facts.losses[-1] < _FALL * facts.losses[-2]
    if not (falls or facts.below_linear):
        return None
    epochs = f" after {len(facts.losses)} epochs" if len(facts.losses) > 1 else ""
    if falls:
        more = 2 * max(1, len(facts.losses))
        step = f"clickbait run --epochs {more}" + (": the training loss still falls" if len(facts.losses) > 1 else "")
    else:
        step = "clickbait run --set training.learning_rate=X, a higher one: the training loss has stopped to fall"
    return Cause(UNDERFITTED, f"accuracy {train.value:.4f} on the training rows themselves{epochs}", step)


def _miscalibrated(facts: Facts) -> Cause | None:
    if not facts.failed or {judged.rule for judged in facts.failed} - _CALIBRATION_RULES:
        return None
    step = "clickbait run --tune 8, or fewer epochs: a model that trains for long is too sure of itself"
    detail = "the classes are told apart, but the scores are no probabilities"
    return Cause(MISCALIBRATED, detail, _own() if facts.own_helps else step)


def _by_chance(facts: Facts) -> Cause | None:
    if facts.eval_accuracy is None or not _all_by_chance(facts.failed):
        return None
    detail = f"each threshold that failed lies in the 95 % interval of what {facts.eval_rows:,} evaluation rows show"
    return Cause(TOO_FEW, detail, _more_rows(facts.eval_accuracy))


def _worse_than_linear(facts: Facts) -> Cause | None:
    if not (facts.below_linear and facts.linear and facts.eval_accuracy):
        return None
    detail = f"accuracy {facts.eval_accuracy.value:.4f}, and {facts.linear.accuracy.value:.4f} of {facts.linear.name}"
    return Cause(WORSE_THAN_LINEAR, detail, "clickbait run --tune 8, which tries other recipes")


def _worse_than_last(facts: Facts) -> Cause | None:
    if {judged.rule for judged in facts.failed} != {"last_blessed"}:
        return None
    detail = "every other rule passed, and the version that was pushed last stays"
    return Cause(WORSE_THAN_LAST, detail, "compare the two in the report, or train with more rows")


_BRANCHES: tuple[Callable[[Facts], Cause | None], ...] = (
    _training_failed,
    _elsewhere,
    _by_capitals,
    _noise,
    _contradictory,
    _wide,
    _overfitted,
    _overlapping,
    _out_of_reach,
    _underfitted,
    _miscalibrated,
    _by_chance,
    _worse_than_last,
    _worse_than_linear,
)


def _refusal(verdict: Verdict) -> Cause | None:
    failed = {finding.rule for finding in verdict.gate.findings if finding.outcome == FAIL} if verdict.gate else set()
    ingest, conflicts = verdict.ingest, _conflicts(verdict.ingest)
    if ingest and "rejects" in failed and 2 * conflicts > ingest.rejected:
        return Cause(
            CONTRADICTORY,
            f"{conflicts:,} of {ingest.read:,} rows have a title that also has the other label",
            "give each title that rejects.csv lists with `conflict` one label, by a rule for all rows, and run again",
        )
    if failed == {"rows"}:
        rows = " and ".join(f"{count.rows:,} {split}" for split, count in (verdict.rows or {}).items())
        detail = f"{rows} rows" if rows else "a split has fewer rows than the gate wants"
        return Cause(TOO_FEW, detail, "more rows with --data, or --set gate.min_split_rows=N")
    return None


def _all_by_chance(failed: Sequence[Judgement]) -> bool:
    """Whether what each rule wants lies in the interval of what was observed."""
    return bool(failed) and all(map(_may_be_chance, failed))


def _may_be_chance(judged: Judgement) -> bool:
    if judged.interval is None:
        return False
    wanted = judged.bound
    if judged.rule in ("baseline", "last_blessed"):
        wanted = 0.0  # no difference; their bounds may be moved by the interval
    if judged.rule == "chance" and judged.against == BOUND:
        wanted = 0.5
    low, high = judged.interval
    return low <= wanted <= high


def _more_rows(accuracy: Estimate) -> str:
    half = (accuracy.high - accuracy.low) / 2
    return f"more rows with --data: four times as many halve the interval, which is now +- {100 * half:.1f} points"


def _own() -> str:
    return "clickbait run --preset own with the same --data: its rules are relative to the linear models"


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
