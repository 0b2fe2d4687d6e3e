"""The rules that a model is judged by: nothing else judges. Pure: takes the metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from components.evaluator import measures
from components.evaluator.measures import ACCURACY, AUC, BRIER, ECE, PRECISION, RECALL
from components.evaluator.policy import EvaluationConfig, Slice
from components.evaluator.results import BOUND, FAILED, LEAST, METRIC_NAMES, MOST, NOT_JUDGED, PASSED, Judgement
from components.slices import AS_IS, VARIANT
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

LAST_BLESSED = "last_blessed"
LAST_BLESSED_MODEL = "last blessed model"
CHANCE_LEVEL = "level of chance"

_ABOVE_CHANCE = math.nextafter(0.5, 1)  # of a constant score the interval is one half itself
_NEAR_CHANCE = 0.6  # an area under the ROC curve below it
_INVERTED = 0.4
_EQUAL = 1e-6
_BASELINE_READS = {
    "tfidf_lower": "lower-cased words and characters",
    "tfidf_cased": "words and characters with their capitals",
}

_Key = tuple[str, *tuple[tuple[str, str], ...]]
"""Of a slice: its split, and its features with their values."""


class Bound(NamedTuple):
    """A rule for all rows of a split as they are, which TFMA can check as well."""

    rule: str
    split: str
    metric: str
    bound: float = math.nan
    direction: str = LEAST
    against: str = BOUND
    measured: str = ""
    """Name in `measures`, where it is not the metric."""
    end: Callable[[str], str] | None = None
    """`low_end` or `high_end` of `measures`, where not the value but that end of its interval is compared."""

    @property
    def name(self) -> str:
        """The name in `measures` of the value."""
        return self.measured or self.metric

    @property
    def compared(self) -> str:
        """The name in `measures` of what is compared with the bound."""
        return self.end(self.name) if self.end else self.name

    def passes(self, part: Slice) -> bool:
        """Whether a slice that has the value passes."""
        compared = part.metrics[self.compared]
        return compared >= self.bound if self.direction == LEAST else compared <= self.bound

    def of_value(self, part: Slice) -> Bound:
        """Returns the rule with the bound that the value itself must meet, so that the end of its interval does."""
        shift = part.metrics[self.name] - part.metrics[self.compared]
        return self._replace(bound=self.bound + shift) if math.isfinite(shift) else self


ABSOLUTE_BOUNDS = {
    "min_eval_accuracy": Bound("accuracy", EVAL_SPLIT, ACCURACY),
    "min_train_accuracy": Bound("accuracy", TRAIN_SPLIT, ACCURACY),
    "min_eval_auc": Bound("auc", EVAL_SPLIT, AUC),
    "min_eval_precision": Bound("precision", EVAL_SPLIT, PRECISION),
    "min_eval_recall": Bound("recall", EVAL_SPLIT, RECALL),
    "max_eval_ece": Bound("ece", EVAL_SPLIT, ECE, direction=MOST),
    "max_eval_brier": Bound("brier", EVAL_SPLIT, BRIER, direction=MOST),
}
"""The rules whose bound is a value of the metric itself, by their keys in `EvaluationConfig`."""


def overall_bounds(policy: EvaluationConfig) -> list[Bound]:
    """Returns the rules for all rows as they are, in the order of the verdict."""
    given = ((key, getattr(policy, key)) for key in ABSOLUTE_BOUNDS)
    bounds = [ABSOLUTE_BOUNDS[key]._replace(bound=bound) for key, bound in given if bound is not None]
    if policy.gate_chance:
        bounds.append(Bound("chance", EVAL_SPLIT, AUC, _ABOVE_CHANCE, end=measures.low_end))
    if (most := policy.max_ece_over_chance) is not None:
        bounds.append(Bound("calibration", EVAL_SPLIT, ECE, most, MOST, CHANCE_LEVEL, measures.ECE_OVER_CHANCE))
    return [*bounds, last_blessed_bound(policy)]


def last_blessed_bound(policy: EvaluationConfig) -> Bound:
    """Returns the rule that compares with the last blessed model."""
    measured = measures.difference_to(LAST_BLESSED)
    end = measures.high_end if policy.judge_accuracy_drop == "by_interval" else None
    return Bound(
        "last_blessed", EVAL_SPLIT, ACCURACY, 0.0 - policy.max_accuracy_drop, LEAST, LAST_BLESSED_MODEL, measured, end
    )


def judge(slices: Sequence[Slice], policy: EvaluationConfig) -> list[Judgement]:
    """Judges every rule, in the order in which they are shown.

    The rules for all rows of a split as they are, are always judged: DataGate saw to it that there are enough.
    """
    known: dict[_Key, Slice] = {(part.split, *part.key.items()): part for part in slices}
    diagnosis = diagnose(slices)
    overall = [_judge_overall(known.get((rule.split,)), rule, diagnosis) for rule in overall_bounds(policy)]
    finite = (_judge_finite(slices, split) for split in (EVAL_SPLIT, TRAIN_SPLIT))
    return [
        *overall,
        *(judgement for judgement in finite if judgement),
        *_judge_baselines(known.get((EVAL_SPLIT,)), policy),
        *_judge_variants(slices, policy),
        *_judge_natural(known, policy),
    ]


def diagnose(slices: Sequence[Slice]) -> str:
    """Describes the failure of a training as a whole, such as diverged weights; empty where there is none."""
    by_split = {part.split: part.metrics for part in slices if not part.key}
    metrics = by_split.get(EVAL_SPLIT, {})
    if not metrics:
        return ""
    if lost := metrics[measures.NON_FINITE]:
        return f"{lost:,.0f} of {metrics[measures.ROWS]:,.0f} scores are no numbers: the weights have diverged"
    if metrics[measures.HIGHEST] - metrics[measures.LOWEST] < _EQUAL:
        return f"every score is {metrics[measures.HIGHEST]:.4f}: the model does not look at the text"
    area, in_training = metrics[AUC], by_split.get(TRAIN_SPLIT, {}).get(AUC, math.nan)
    if area < _INVERTED and metrics[measures.high_end(AUC)] < 0.5:
        return f"AUC {area:.4f}, far below one half: the labels look inverted"
    if area < _NEAR_CHANCE and in_training < _NEAR_CHANCE:
        return f"AUC {in_training:.4f} on the training rows, near chance: shuffled labels, or nothing was learnt"
    if area < _NEAR_CHANCE:
        return f"AUC {area:.4f} is near chance, but {in_training:.4f} on the training rows: learnt by heart"
    return ""


def describe(judged: Judgement) -> str:
    """Describes a judgement in a few words."""
    detail, observed = judged.detail, judged.observed
    name = METRIC_NAMES.get(judged.metric, judged.metric)
    where = " ".join([judged.split, *(f"{key}={value}" for key, value in judged.slice.items())])
    against = "" if judged.against == BOUND else f" against the {judged.against}"
    if judged.outcome == NOT_JUDGED:
        return f"{where} {name}{against}: {detail}"
    if judged.rule == "variant_drop":
        return f"variant {judged.variant} {detail}"
    shown = "is no number" if observed is None else f"{observed:+.4f}" if against else _short(observed)
    limit = f"{'at least' if judged.direction == LEAST else 'at most'} {_short(judged.bound)}"
    return f"{where} {name}{against} {shown} ({limit})" + (f", {detail}" if detail else "")


def _judge_overall(found: Slice | None, rule: Bound, diagnosis: str) -> Judgement:
    if found is None or rule.name not in found.metrics:
        why = "no version was pushed before by another configuration" if rule.rule == "last_blessed" else "no rows"
        return _judgement(rule, found, NOT_JUDGED, detail=why)
    passed = rule.passes(found)
    reasons = ["by the 95 % interval" if rule.end else "", diagnosis]
    detail = "" if passed else "; ".join(filter(None, reasons))
    return _judgement(rule.of_value(found), found, PASSED if passed else FAILED, detail=detail)


def _judge_finite(slices: Sequence[Slice], split: str) -> Judgement | None:
    all_rows = [part.metrics for part in slices if part.split == split and (not part.key or VARIANT in part.key)]
    if not all_rows:
        return None
    rows, lost = (int(sum(metrics[name] for metrics in all_rows)) for name in (measures.ROWS, measures.NON_FINITE))
    detail = f"of {rows:,} with their variants" if lost else ""
    return Judgement(
        rule="finite",
        split=split,
        slice={},
        metric=measures.NON_FINITE,
        against=BOUND,
        bound=0.0,
        direction=MOST,
        observed=float(lost),
        interval=None,
        rows=rows,
        outcome=FAILED if lost else PASSED,
        gates=True,
        detail=detail,
        passed=not lost,
    )


def _judge_baselines(found: Slice | None, policy: EvaluationConfig) -> Iterator[Judgement]:
    """Judges by the interval of the difference: a model is worse where all of it lies below 0, better where above."""
    must_be_better = policy.judge_baseline == "better"
    for name in dict.fromkeys(policy.baselines):
        measured = measures.difference_to(name)
        end = measures.low_end if must_be_better else measures.high_end
        rule = Bound("baseline", EVAL_SPLIT, ACCURACY, 0.0, LEAST, name, measured, end)
        if found is None or measured not in found.metrics:
            yield _judgement(rule, found, NOT_JUDGED, policy.gate_baseline, "there are no scores of the simple model")
            continue
        passed, linear = rule.passes(found), f"a linear model on {_BASELINE_READS[name]}"
        detail = f"not better than {linear}, by the 95 % interval" if must_be_better else f"{linear} is better"
        rule = rule.of_value(found)
        yield _judgement(rule, found, PASSED if passed else FAILED, policy.gate_baseline, "" if passed else detail)


def _judge_variants(slices: Sequence[Slice], policy: EvaluationConfig) -> Iterator[Judgement]:
    found = {part.key[VARIANT]: part for part in slices if part.split == EVAL_SPLIT and VARIANT in part.key}
    measured = measures.difference_to(AS_IS)
    for variant in dict.fromkeys([*found, *policy.gated_variants]):
        part, most = found.get(variant), policy.allowed_drop(variant)
        rule = Bound("variant_drop", EVAL_SPLIT, ACCURACY, -most, LEAST, AS_IS, measured)
        key, gates = {VARIANT: variant}, variant in policy.gated_variants
        few = _too_few(part, policy)
        if part is None or few:
            yield _judgement(rule, part, NOT_JUDGED, gates, few, key)
            continue
        drop = -part.metrics[measured]
        side = "below" if drop >= 0 else "above"
        detail = (
            f"accuracy {part.metrics[ACCURACY]:.4f}, {100 * abs(drop):.1f} points {side} as is "
            f"(at most {100 * most:.1f})"
        )
        yield _judgement(rule, part, PASSED if drop <= most else FAILED, gates, detail, key)


def _judge_natural(known: dict[_Key, Slice], policy: EvaluationConfig) -> Iterator[Judgement]:
    for name, least in policy.min_slice_accuracy.items():
        feature, _, value = name.partition("=")
        part, key = known.get((EVAL_SPLIT, (feature, value))), {feature: value}
        rule = Bound("slice_accuracy", EVAL_SPLIT, ACCURACY, least)
        few = _too_few(part, policy)
        if part is None or few:
            yield _judgement(rule, part, NOT_JUDGED, True, few, key)
        else:
            yield _judgement(rule, part, PASSED if part.metrics[ACCURACY] >= least else FAILED, True, "", key)


def _too_few(found: Slice | None, policy: EvaluationConfig) -> str:
    rows = int(found.metrics[measures.ROWS]) if found else 0
    return "" if rows >= policy.min_slice_rows else f"{rows} rows, fewer than {policy.min_slice_rows}"


def _judgement(
    rule: Bound,
    found: Slice | None,
    outcome: str,
    gates: bool = True,
    detail: str = "",
    key: dict[str, str] | None = None,
) -> Judgement:
    metrics = found.metrics if found else {}
    low, high = (_finite(metrics.get(name(rule.name))) for name in (measures.low_end, measures.high_end))
    return Judgement(
        rule=rule.rule,
        split=rule.split,
        slice=key or {},
        metric=rule.metric,
        against=rule.against,
        bound=rule.bound,
        direction=rule.direction,
        observed=_finite(metrics.get(rule.name)),
        interval=None if low is None or high is None else [low, high],
        rows=int(metrics.get(measures.ROWS, 0)),
        outcome=outcome,
        gates=gates,
        detail=detail,
        passed=outcome != FAILED,
    )


def _finite(value: float | None) -> float | None:
    """Returns None for a value that is not finite: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value > 1 or value == 0 else f"{value:.4f}"
