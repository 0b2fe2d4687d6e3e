"""What a model must reach, as TFMA's EvalConfig."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow_model_analysis as tfma

from pipeline.config import EvaluationConfig
from trainer import features

ACCURACY = "binary_accuracy"
AUC = "auc"
CONFUSION = "confusion_matrix"
BASELINE = "baseline"
CANDIDATE = "candidate"


class Threshold(NamedTuple):
    """One rule of the verdict."""

    split: str
    metric: str
    bound: float
    """Least value; for a change, least difference to the baseline."""
    change: bool = False


def thresholds(config: EvaluationConfig) -> list[Threshold]:
    """All rules that a model has to keep, in the order of the verdict."""
    return [
        Threshold(features.EVAL_SPLIT, ACCURACY, config.min_eval_accuracy),
        Threshold(features.EVAL_SPLIT, AUC, config.min_eval_auc),
        Threshold(features.EVAL_SPLIT, ACCURACY, -config.max_accuracy_drop, change=True),
        Threshold(features.TRAIN_SPLIT, ACCURACY, config.min_train_accuracy),
    ]


def create_eval_config(config: EvaluationConfig, split: str) -> tfma.EvalConfig:
    """The EvalConfig of one split's Evaluator.

    Thresholds are those of the overall slice: a plain threshold would apply to every slice that is ever added, and no
    model would be blessed for want of a slice's rows.
    """
    rules = [rule for rule in thresholds(config) if rule.split == split]
    with_baseline = any(rule.change for rule in rules)
    models = [_model_spec(CANDIDATE)] if with_baseline else [_model_spec("")]
    if with_baseline:
        models.append(_model_spec(BASELINE, is_baseline=True))
    metrics = [
        tfma.MetricConfig(
            class_name=class_name,
            config=f'{{"name": "{name}"}}',
            per_slice_thresholds=_overall([rule for rule in rules if rule.metric == name]),
        )
        for class_name, name in (("BinaryAccuracy", ACCURACY), ("AUC", AUC))
    ]
    confusion = tfma.MetricConfig(
        class_name="ConfusionMatrixAtThresholds", config=f'{{"name": "{CONFUSION}", "thresholds": [0.5]}}'
    )
    return tfma.EvalConfig(
        model_specs=models,
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[*metrics, tfma.MetricConfig(class_name="ExampleCount"), confusion])],
    )


def _model_spec(name: str, *, is_baseline: bool = False) -> tfma.ModelSpec:
    return tfma.ModelSpec(
        name=name,
        is_baseline=is_baseline,
        signature_name=features.RAW_SIGNATURE,
        label_key=features.LABEL,
        prediction_key=features.PROBABILITY,
    )


def _overall(rules: Sequence[Threshold]) -> list[tfma.PerSliceMetricThreshold]:
    if not rules:
        return []
    threshold = tfma.MetricThreshold()
    for rule in rules:
        if rule.change:
            threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
            threshold.change_threshold.absolute.value = rule.bound
        else:
            threshold.value_threshold.lower_bound.value = rule.bound
    return [tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)]
