"""TFMA's EvalConfig: the metrics, the slices, and the thresholds that TFMA can validate itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.policy import EvaluationConfig
from components.evaluator.rules import Bound, overall_bounds
from components.slices import AS_IS, NATURAL_SLICES, SPLIT, VARIANT
from trainer import features

#: What slices are made by.
SLICING_FEATURES = (SPLIT, VARIANT, *NATURAL_SLICES)

#: Those that the candidate is compared with on the same rows, and the features of their probabilities.
CONTENDERS = {
    AS_IS: "as_is_probability",
    "tfidf_cased": "tfidf_cased",
    "tfidf_lower": "tfidf_lower",
    "last_blessed": "last_blessed",
}


def create_eval_config(policy: EvaluationConfig, contenders: Mapping[str, str]) -> config_pb2.EvalConfig:
    """Returns the EvalConfig of one model, which TFMA never loads: it reads the predictions.

    Thresholds are those of the rows as they are. TFMA knows no least number of rows, so those of variants and natural
    slices are left to `rules`, by which no model is refused for want of a slice's rows.

    Args:
      policy: the thresholds.
      contenders: the ones of `CONTENDERS` whose features the examples have.
    """
    config = {"name": "exact", "contenders": dict(contenders), "wanted_precision": policy.wanted_precision}
    metric = config_pb2.MetricConfig(
        class_name="ExactMetrics", module="components.evaluator.metrics", config=json.dumps(config)
    )
    eval_config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(label_key=features.LABEL, prediction_key=features.PROBABILITY)],
        slicing_specs=[
            config_pb2.SlicingSpec(feature_keys=[SPLIT, VARIANT]),
            *(
                config_pb2.SlicingSpec(feature_keys=[name], feature_values=overall(features.EVAL_SPLIT))
                for name in NATURAL_SLICES
            ),
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(metrics=[metric], per_slice_thresholds=_thresholds(policy, contenders)),
        ],
    )
    eval_config.options.include_default_metrics.value = False
    return eval_config


def numbers_read(contenders: Mapping[str, str]) -> list[str]:
    """Returns the features that such an EvalConfig reads."""
    return [features.LABEL, features.PROBABILITY, *contenders.values()]


def overall(split: str) -> dict[str, str]:
    """Returns the slice of a split's rows as they are."""
    return {SPLIT: split, VARIANT: AS_IS}


def _thresholds(
    policy: EvaluationConfig, contenders: Collection[str]
) -> dict[str, config_pb2.PerSliceMetricThresholds]:
    found: dict[str, config_pb2.PerSliceMetricThresholds] = {}
    for rule in overall_bounds(policy):
        if rule.rule != "last_blessed" or "last_blessed" in contenders:
            found.setdefault(rule.compared, config_pb2.PerSliceMetricThresholds()).thresholds.append(_threshold(rule))
    return found


def _threshold(rule: Bound) -> config_pb2.PerSliceMetricThreshold:
    threshold = config_pb2.MetricThreshold()
    value = threshold.value_threshold
    (value.lower_bound if rule.direction == ">=" else value.upper_bound).value = rule.bound
    where = config_pb2.SlicingSpec(feature_values=overall(rule.split))
    return config_pb2.PerSliceMetricThreshold(slicing_specs=[where], threshold=threshold)
