"""BulkInferrer: TFX's own, behind all validations."""

from __future__ import annotations

import logging

import tfx.v1 as tfx
from tfx import types
from tfx.components.bulk_inferrer import executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs

from components import Properties
from components.beam_jobs import watch_jobs
from trainer import features

logger = logging.getLogger("components")

_BLESSINGS = {
    "blessing": standard_artifacts.ModelBlessing,
    "infra_blessing": standard_artifacts.InfraBlessing,
}


class BulkInferrerSpec(standard_component_specs.BulkInferrerSpec):
    """TFX's, with the blessings that the pusher requires."""

    INPUTS = {
        **standard_component_specs.BulkInferrerSpec.INPUTS,
        **{key: component_spec.ChannelParameter(type=kind) for key, kind in _BLESSINGS.items()},
    }


@watch_jobs
class Executor(executor.Executor):
    """Scores nothing with a model that one of the validations did not bless."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        inputs = dict(input_dict)
        blessings = [artifact_utils.get_single_instance(inputs.pop(key)) for key in _BLESSINGS]
        if all(blessing.get_int_custom_property("blessed") for blessing in blessings):
            super().Do(inputs, output_dict, exec_properties)
        else:
            logger.info("the model is not blessed: it scores nothing")


class BulkInferrer(base_beam_component.BaseBeamComponent):
    """Scores tf.Examples by the signature that parses them.

    TFX's sends tf.Examples to whatever signature is the default, and takes the Evaluator's blessing alone.

    Args:
      examples: with `title`; all splits are scored.
      model: the candidate.
      blessing: the Evaluator's.
      infra_blessing: LocalInfraValidator's.

    Outputs `output_examples`: the examples with `probability` (float); no splits where the model is not blessed.
    """

    SPEC_CLASS = BulkInferrerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
    ):
        column = tfx.proto.OutputColumnsSpec(
            signature_name=features.EXAMPLES_SIGNATURE,
            predict_output=tfx.proto.PredictOutput(
                output_columns=[
                    tfx.proto.PredictOutputCol(output_key=features.PROBABILITY, output_column=features.PROBABILITY)
                ]
            ),
        )
        super().__init__(
            spec=BulkInferrerSpec(
                examples=examples,
                model=model,
                blessing=blessing,
                infra_blessing=infra_blessing,
                data_spec=tfx.proto.DataSpec(),
                model_spec=tfx.proto.ModelSpec(model_signature_name=[features.EXAMPLES_SIGNATURE]),
                output_example_spec=tfx.proto.OutputExampleSpec(output_columns_spec=[column]),
                output_examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
