"""A mixin that puts TFX's own components behind the gate."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, component_spec

from components import Properties
from components.data_gate.verdict import DataVerdict, require_accepted

_VERDICT_KEY = "data_verdict"

VERDICT_INPUT = {_VERDICT_KEY: component_spec.ChannelParameter(type=DataVerdict)}
"""One more input of a component's spec: DataGate's verdict."""


class Gated(base_executor.BaseExecutor):
    """A mixin for TFX's executors that checks the verdict itself, whatever the runner makes of the DAG."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        """Runs the executor on the other inputs.

        Raises:
          DataRefused: the data was not accepted.
        """
        inputs = dict(input_dict)
        require_accepted(artifact_utils.get_single_uri(inputs.pop(_VERDICT_KEY)))
        super().Do(inputs, output_dict, exec_properties)
