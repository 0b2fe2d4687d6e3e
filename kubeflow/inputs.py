"""The inputs of a compiled run: constants for the cluster, and the parameters' values for this machine."""

from __future__ import annotations

import dataclasses
import hashlib

from components.headline_example_gen.files import CsvInput
from components.headline_example_gen.settings import LOCATIONS
from kubeflow.spec.messages import Json
from kubeflow.spec.parameters import default_values
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import NOT_THE_MODEL, DataSource, RunInputs, choose_behaviours, choose_data, choose_schema

#: Kubeflow Pipelines puts the run's id in its place.
RUN_ID = "{{$.pipeline_job_uuid}}"

_LATEST = "latest"


def cluster_inputs(config: PipelineConfig) -> RunInputs:
    """Returns what no parameter says: nothing of this machine, and nothing that is known only when a run starts."""
    schema = choose_schema(config)
    text = schema.path.read_text(encoding="utf-8")
    data = DataSource(CsvInput("", "", ()), "given", "")
    behaviours = choose_behaviours(config.evaluation, data)
    return RunInputs(
        run_id=RUN_ID,
        data=data,
        schema=dataclasses.replace(schema, path=schema.path.relative_to(schema.path.parent), text=text),
        encoder_digest=config.encoder.digest or "",
        data_fingerprint=_digest(config.data.model_dump_json(exclude={*LOCATIONS})),
        accepted_data=None,
        accepted_baseline=_LATEST,
        baseline_version="",
        fingerprint=_digest(
            config.model_dump_json(exclude={"evaluation": {"behaviours"}, **dict.fromkeys(NOT_THE_MODEL, True)}),
            schema.digest,
            *([behaviours] if behaviours else []),
        ),
        infra_attempt="",
        bulk_digest="",
        behaviours=behaviours,
    )


def local_values(config: PipelineConfig) -> tuple[DataSource, dict[str, Json]]:
    """Returns the data that this machine has, and the values of all parameters for a run on it.

    Raises:
      InputError: the data is not there or has not the columns.
    """
    data, paths = choose_data(config), OutputPaths.of(config)
    values = {
        "push_destination": str(paths.serving_model),
        # Invented headlines are no measure of anybody's data, nor the other way round.
        "accepted_data": str(paths.accepted_data / ("sample" if data.origin == "sample" else "data")),
        **default_values(config),
        "data": config.data.path or data.csv.paths[0],
        "data_digest": data.digest,
    }
    return data, values


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
