"""The bounds of an EvalConfig, changed for one run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import tensorflow_model_analysis as tfma
from google.protobuf import json_format

#: Parameter -> the metric that it bounds, and the threshold: of the value, or of the change against the baseline.
BOUNDS = {
    "min_accuracy": ("binary_accuracy", "value_threshold"),
    "min_auc": ("auc", "value_threshold"),
    "max_accuracy_drop": ("binary_accuracy", "change_threshold"),
}


def replace_bounds(eval_config: str, bounds: Mapping[str, float]) -> str:
    """An EvalConfig with other bounds; a bound that it has not is an error, for nothing would be held to it.

    Args:
      eval_config: as JSON, as TFX hands it over.
      bounds: by the names of `BOUNDS`.

    Raises:
      ValueError: the EvalConfig has no such threshold.
    """
    config = json_format.Parse(eval_config, tfma.EvalConfig())
    for name, bound in bounds.items():
        metric, kind = BOUNDS[name]
        found = [getattr(one, kind) for one in _thresholds(config, metric) if one.HasField(kind)]
        if not found:
            raise ValueError(f"{name} replaces a threshold. Received: {bound} for an EvalConfig without that one.")
        for threshold in found:
            if kind == "value_threshold":
                threshold.lower_bound.value = bound
            else:
                threshold.absolute.value = -bound
    return json_format.MessageToJson(config)


def _thresholds(config: tfma.EvalConfig, metric: str) -> Iterator[tfma.MetricThreshold]:
    for spec in config.metrics_specs:
        for one in spec.metrics:
            if json.loads(one.config or "{}").get("name") == metric:
                yield from (sliced.threshold for sliced in one.per_slice_thresholds)
