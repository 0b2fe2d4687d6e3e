"""Trainer: TFX's own, behind the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue
from tfx import types
from tfx.components.trainer import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components import Properties
from components.gated import VERDICT_INPUT, Gated

_OVERRIDES = {"encoder": str, "epochs": int, "seed": int}


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's, with the gate's verdict as one more input, and settings that are also runtime parameters."""

    PARAMETERS = {
        **standard_component_specs.TrainerSpec.PARAMETERS,
        **{key: component_spec.ExecutionParameter(type=kind, optional=True) for key, kind in _OVERRIDES.items()},
    }
    INPUTS = {**standard_component_specs.TrainerSpec.INPUTS, **VERDICT_INPUT}


class Executor(Gated, executor.GenericExecutor):
    """Reads the runtime parameters into the other settings."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        properties = dict(exec_properties)
        overrides = {key: properties.pop(key, None) for key in _OVERRIDES}
        config = json.loads(properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        config |= {key: value for key, value in overrides.items() if value is not None}
        properties[standard_component_specs.CUSTOM_CONFIG_KEY] = json.dumps(config)
        super().Do(input_dict, output_dict, properties)


class Trainer(base_component.BaseComponent):
    """Runs a `run_fn` on data that DataGate accepted.

    Args:
      run_fn: path of an importable function.
      examples: what is trained on.
      data_verdict: DataGate's.
      train_args: TFX's.
      eval_args: TFX's.
      custom_config: goes on to `run_fn`.
      encoder: replaces `encoder` in `custom_config`, which can hold no runtime parameter; so do the next two.
      epochs: for `epochs`.
      seed: for `seed`.
      hyperparameters: the Tuner's best, where it ran; they replace those of `custom_config`.
      base_model: whose weights a warm start takes; may be an artifact without a model.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        run_fn: str,
        examples: types.BaseChannel,
        data_verdict: types.BaseChannel,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: Mapping[str, JsonValue],
        encoder: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        hyperparameters: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
    ):
        super().__init__(
            spec=TrainerSpec(
                run_fn=run_fn,
                examples=examples,
                data_verdict=data_verdict,
                train_args=train_args,
                eval_args=eval_args,
                custom_config=json.dumps(custom_config),
                encoder=encoder,
                epochs=epochs,
                seed=seed,
                hyperparameters=hyperparameters,
                base_model=base_model,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
