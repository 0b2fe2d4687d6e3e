"""Tuner: TFX's own, behind the gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue
from tfx import types
from tfx.components.tuner import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts, standard_component_specs

from components import Properties
from components.gated import VERDICT_INPUT, Gated


class TunerSpec(standard_component_specs.TunerSpec):
    """TFX's, with the gate's verdict as one more input."""

    INPUTS = {**standard_component_specs.TunerSpec.INPUTS, **VERDICT_INPUT}


class Executor(Gated, executor.Executor):
    """Takes a finished search away."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        config = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        if Path(config["directory"]).exists():
            shutil.rmtree(config["directory"])


class Tuner(base_component.BaseComponent):
    """Runs a `tuner_fn` on data that DataGate accepted.

    Args:
      tuner_fn: path of an importable function.
      examples: what is tuned on.
      data_verdict: DataGate's.
      train_args: TFX's.
      custom_config: goes on to `tuner_fn`; its `directory` holds an unfinished search, outside of what TFX takes away
        after a break.
    """

    SPEC_CLASS = TunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        tuner_fn: str,
        examples: types.BaseChannel,
        data_verdict: types.BaseChannel,
        train_args: trainer_pb2.TrainArgs,
        custom_config: Mapping[str, JsonValue],
    ):
        super().__init__(
            spec=TunerSpec(
                tuner_fn=tuner_fn,
                examples=examples,
                data_verdict=data_verdict,
                train_args=train_args,
                eval_args=trainer_pb2.EvalArgs(),
                custom_config=json.dumps(custom_config),
                best_hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
                tuner_results=types.Channel(type=standard_artifacts.TunerResults),
            )
        )
