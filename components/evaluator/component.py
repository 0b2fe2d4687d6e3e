"""Evaluator: TFX's own, for a baseline that may be empty and bounds that a run may be told when it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils, path_utils

from components.evaluator.thresholds import BOUNDS, replace_bounds


class EvaluatorSpec(component_spec.ComponentSpec):
    """TFX's, with the bounds."""

    PARAMETERS = {
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        **{name: component_spec.ExecutionParameter(type=float, optional=True) for name in BOUNDS},
    }
    INPUTS = standard_component_specs.EvaluatorSpec.INPUTS
    OUTPUTS = standard_component_specs.EvaluatorSpec.OUTPUTS
    TYPE_ANNOTATION = standard_component_specs.EvaluatorSpec.TYPE_ANNOTATION


class Executor(executor.Executor):
    """Leaves out a baseline artifact that holds no model, as `LatestBlessedModel` emits before the first push.

    TFX's Resolver would hand over no artifact at all, but a component has to emit one. Without a baseline TFX ignores
    the change thresholds.
    """

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        inputs, properties = dict(input_dict), dict(exec_properties)
        baselines = inputs.get(standard_component_specs.BASELINE_MODEL_KEY, [])
        if not any(Path(path_utils.serving_model_path(one.uri), "saved_model.pb").is_file() for one in baselines):
            inputs.pop(standard_component_specs.BASELINE_MODEL_KEY, None)
        bounds = {name: properties.pop(name) for name in BOUNDS if properties.get(name) is not None}
        if bounds:
            config = properties[standard_component_specs.EVAL_CONFIG_KEY]
            properties[standard_component_specs.EVAL_CONFIG_KEY] = replace_bounds(config, bounds)
        super().Do(inputs, output_dict, properties)


class Evaluator(base_beam_component.BaseBeamComponent):
    """Evaluates a model and blesses it.

    Args:
      examples: labelled.
      model: the candidate.
      baseline_model: what it is compared with; may be an artifact without a model.
      schema: of the examples.
      eval_config: with thresholds.
      example_splits: which are evaluated, as one.
      min_accuracy: stands for that threshold in `eval_config`, which can hold no runtime parameter; so do the next two.
      min_auc: for that.
      max_accuracy_drop: for the change threshold.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        schema: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        example_splits: Sequence[str],
        baseline_model: types.BaseChannel | None = None,
        min_accuracy: float | None = None,
        min_auc: float | None = None,
        max_accuracy_drop: float | None = None,
    ):
        super().__init__(
            spec=EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                schema=schema,
                eval_config=eval_config,
                example_splits=json_utils.dumps(list(example_splits)),
                fairness_indicator_thresholds="null",  # TFX's executor asks for it
                min_accuracy=min_accuracy,
                min_auc=min_auc,
                max_accuracy_drop=max_accuracy_drop,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
