"""Composes the evaluation's verdict from the metrics. Needs no TFX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from components.evaluator import measures
from components.evaluator.behaviours import judge_behaviours
from components.evaluator.challenges import judge_challenges
from components.evaluator.policy import EvaluationConfig, Slice
from components.evaluator.results import (
    BehaviourResult,
    Challenge,
    Contender,
    Evaluation,
    EvaluationVerdict,
    MeasuredSlice,
    Metric,
    OperatingThreshold,
    Override,
    SliceColumn,
)
from components.evaluator.rules import judge
from components.slices import AS_IS
from trainer.features import EVAL_SPLIT


def compose_verdict(
    slices: Sequence[Slice],
    contenders: Sequence[str],
    policy: EvaluationConfig,
    behaviours: Sequence[BehaviourResult] = (),
    challenges: Sequence[Challenge] = (),
    *,
    slice_columns: Sequence[SliceColumn] = (),
) -> EvaluationVerdict:
    """Judges the metrics, and returns both as a verdict.

    Args:
      slices: the metrics, by slice.
      contenders: the names of the models that the candidate is compared with.
      policy: the thresholds.
      behaviours: the cases that passed and failed, by group.
      challenges: the metrics on texts from elsewhere.
      slice_columns: the columns whose values are slices.
    """
    judged = [
        *judge(slices, policy),
        *judge_behaviours(behaviours, policy),
        *judge_challenges(challenges, policy.challenges or []),
    ]
    blessed = not any(judgement.refuses for judgement in judged)
    reason = None if blessed else policy.bless_anyway
    overall = next((part.metrics for part in slices if part.split == EVAL_SPLIT and not part.key), {})
    return EvaluationVerdict(
        blessed,
        judged,
        Evaluation(
            _contenders(overall, contenders),
            [_describe(part, contenders) for part in slices],
            _operating(overall, policy.wanted_precision),
            Override(reason) if reason else None,
            slice_columns,
        ),
        behaviours,
        challenges,
    )


def _describe(part: Slice, contenders: Sequence[str]) -> MeasuredSlice:
    return MeasuredSlice(
        part.split,
        part.key,
        int(part.metrics[measures.ROWS]),
        {
            name: Metric(_finite(value), _interval(part.metrics, name))
            for name, value in part.metrics.items()
            if not name.startswith((AS_IS, *contenders)) and not name.endswith(("_low", "_high"))
        },
        _contenders(part.metrics, contenders),
    )


def _finite(value: float) -> float | None:
    """Returns None for a value that is not finite: JSON has no NaN."""
    return value if math.isfinite(value) else None


def _contenders(metrics: Mapping[str, float], names: Sequence[str]) -> dict[str, Contender]:
    return {
        name: Contender(_finite(metrics[measures.accuracy_of(name)]), _finite(metrics[measures.auc_of(name)]))
        for name in names
        if measures.accuracy_of(name) in metrics
    }


def _interval(metrics: Mapping[str, float], name: str) -> list[float | None] | None:
    ends = measures.low_end(name), measures.high_end(name)
    return [_finite(metrics[end]) for end in ends] if all(end in metrics for end in ends) else None


def _operating(metrics: Mapping[str, float], wanted: float | None) -> OperatingThreshold | None:
    if wanted is None:
        return None
    return OperatingThreshold(wanted, *(metrics.get(name) for name in measures.OPERATING))
