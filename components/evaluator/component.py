"""Evaluator: TFX's own, for a baseline that may be empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tfx.v1 as tfx
from tfx import types
from tfx.components.evaluator import executor
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_component_specs
from tfx.utils import path_utils


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
        inputs = dict(input_dict)
        baselines = inputs.get(standard_component_specs.BASELINE_MODEL_KEY, [])
        if not any(Path(path_utils.serving_model_path(one.uri), "saved_model.pb").is_file() for one in baselines):
            inputs.pop(standard_component_specs.BASELINE_MODEL_KEY, None)
        super().Do(inputs, output_dict, exec_properties)


class Evaluator(tfx.components.Evaluator):
    """Takes what `tfx.components.Evaluator` takes."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
