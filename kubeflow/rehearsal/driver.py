"""The driver's part: resolves a task's inputs, computes its key in the cache, and says where its outputs go."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from kubeflow.container.mounts import local_path
from kubeflow.rehearsal.releases import CLAIMS, NAMED_OUTPUTS, RUN_TIMES, TASK_ROOT, Release
from kubeflow.rehearsal.values import as_json, as_text
from kubeflow.spec.messages import (
    ArtifactDefinition,
    Component,
    Container,
    ExecutorInputs,
    ExecutorOutputs,
    InputSource,
    Json,
    ParameterDefinition,
    RuntimeArtifact,
    Spec,
    Task,
    parameter_defaults,
)

#: What the driver adds to the outputs of every task.
LOGS = "executor-logs"
_UNDECLARED: dict[str, ArtifactDefinition] = {LOGS: {"artifactType": {"schemaTitle": "system.Artifact"}}}
_OUTPUT_FILE = "output_metadata.json"
_RUN_TIMES = ("pipeline_job_create_time_utc", "pipeline_job_schedule_time_utc")


class DriverError(Exception):
    """The driver cannot make a task's inputs: the spec, or a value of the run, is at fault."""

    exit_code = 2


class TaskOutputs(TypedDict):
    """The outputs of a task that ended well, by key."""

    artifacts: dict[str, list[RuntimeArtifact]]
    parameters: dict[str, Json]


@dataclasses.dataclass
class Dag:
    """The pipeline at work: its parameters, and what its tasks have handed on so far."""

    parameters: dict[str, Json]
    outputs: dict[str, TaskOutputs] = dataclasses.field(default_factory=dict)
    """Of the tasks that ended well."""


def root_dag(spec: Spec, values: Mapping[str, Json]) -> Dag:
    """Returns the whole pipeline with the parameters of a run.

    Raises:
      DriverError: a parameter is not known, not said, or of another type.
    """
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted({*values} - {*definitions}):
        known = ", ".join(definitions)
        raise DriverError(f"A parameter must be the pipeline's. Received: {', '.join(unknown)}. Give one of {known}.")
    parameters = parameter_defaults(spec["root"]) | dict(values)
    missing = [name for name, entry in definitions.items() if name not in parameters and not entry.get("isOptional")]
    if missing:
        raise DriverError(
            "Each parameter without a default must have a value. "
            f"Received: none for {', '.join(missing)}. Give --parameter."
        )
    for name, value in parameters.items():
        kind = definitions[name]["parameterType"]
        fraction = kind == "NUMBER_INTEGER" and isinstance(value, float) and not value.is_integer()
        if not _is_of(value, kind) or fraction:
            raise DriverError(f"The parameter {name} must be a {kind}. Received: {value!r}. Give another --parameter.")
    return Dag(parameters)


def resolve_inputs(dag: Dag, task: Task, component: Component, run: Mapping[str, str]) -> ExecutorInputs:
    """Returns the inputs of a task, as ExecutorInput has them: artifacts with ids for names and no types.

    Args:
      dag: with the outputs of the tasks before.
      task: of the spec.
      component: its component.
      run: values of `pipeline_job_uuid` and the like, see `run_constants`.

    Raises:
      DriverError: what an input comes from is not there, or a parameter is of another type.
    """
    sources = task.get("inputs", {})
    parameters = {key: _parameter(dag, key, source, run) for key, source in sources.get("parameters", {}).items()}
    definitions = component.get("inputDefinitions", {}).get("parameters", {})
    values = _converted({key: value for key, value in parameters.items() if value is not None}, definitions)
    artifacts = {key: _artifact(dag, key, source) for key, source in sources.get("artifacts", {}).items()}
    inputs: ExecutorInputs = {}
    if values:
        inputs["parameterValues"] = values
    if artifacts:
        inputs["artifacts"] = {key: {"artifacts": [*map(_untyped, entry)]} for key, entry in artifacts.items()}
    return cast(ExecutorInputs, as_json(cast(Json, inputs)))


def run_constants(run_id: str, task: str, created: str, release: Release) -> dict[str, str]:
    """Returns what stands in place of the constants that the driver replaces, by their names.

    Args:
      run_id: of the run, here also its name.
      task: the task's name.
      created: time of the run, as `2026-01-31T06:00:00Z`.
      release: of the driver.
    """
    constants = dict.fromkeys(("pipeline_job_name", "pipeline_job_resource_name", "pipeline_job_uuid"), run_id)
    constants |= {"pipeline_task_name": task, "pipeline_task_uuid": "1"}  # the uuid is the id of the DAG's execution
    return constants | (dict.fromkeys(_RUN_TIMES, created) if release.has(RUN_TIMES) else {})


def provision_outputs(component: Component, task: str, run_root: str, release: Release) -> ExecutorOutputs:
    """Returns where a task's outputs go.

    Args:
      component: of the task.
      task: its name.
      run_root: URI of the run's artifacts.
      release: of the driver.
    """
    task_root = f"{run_root}/{task}/{uuid.uuid4()}"
    definitions = component.get("outputDefinitions", {})
    artifacts = {**definitions.get("artifacts", {}), **_UNDECLARED}
    output_folder = local_path(task_root) if release.has(TASK_ROOT) else "/tmp/kfp_outputs"
    outputs: ExecutorOutputs = {
        "outputFile": f"{output_folder}/{_OUTPUT_FILE}",
        "artifacts": {
            key: {"artifacts": [_provisioned(key, definition, task_root, release)]}
            for key, definition in artifacts.items()
        },
    }
    if parameters := definitions.get("parameters"):
        outputs["parameters"] = {key: {"outputFile": f"/tmp/kfp/outputs/{key}"} for key in parameters}
    return outputs


def fingerprint(
    task: Task,
    component: Component,
    container: Container,
    inputs: ExecutorInputs,
    outputs: ExecutorOutputs,
    claims: Sequence[str],
    release: Release,
) -> str:
    """Returns the key in the cache: of ids of the inputs, parameters, shapes of the outputs, image and command.

    Args:
      task: of the spec.
      component: its component.
      container: its container.
      inputs: from `resolve_inputs`.
      outputs: from `provision_outputs`.
      claims: names of its volume claims.
      release: of the driver.
    """
    if not task.get("cachingOptions", {}).get("enableCache"):
        return ""
    parameters = component.get("outputDefinitions", {}).get("parameters", {})
    cache_key = {
        "inputArtifactNames": {
            key: [artifact["name"] for artifact in entry["artifacts"]]
            for key, entry in inputs.get("artifacts", {}).items()
        },
        "inputParameterValues": inputs.get("parameterValues", {}),
        "outputArtifactsSpec": {
            key: {**entry["artifacts"][0], "uri": ""} for key, entry in outputs["artifacts"].items()
        },
        "outputParametersSpec": {key: definition["parameterType"] for key, definition in parameters.items()},
        "image": container["image"],
        "cmdArgs": [*container.get("command", []), *container.get("args", [])],
        "pvcNames": [*claims] if release.has(CLAIMS) else [],
    }
    return hashlib.sha256(json.dumps(cache_key, sort_keys=True).encode()).hexdigest()


def _parameter(dag: Dag, key: str, source: InputSource, run: Mapping[str, str]) -> Json:
    match source:
        case {"componentInputParameter": name}:
            return dag.parameters.get(name)
        case {"taskOutputParameter": produced}:
            try:
                return dag.outputs[produced["producerTask"]]["parameters"][produced["outputParameterKey"]]
            except KeyError as error:
                raise _missing_input(key, produced) from error
        case {"runtimeValue": {"constant": str() as text}} if text.startswith("{{$.") and text.endswith("}}"):
            return run.get(text[4:-2], text)
        case {"runtimeValue": {"constant": value}}:
            return value
    raise DriverError(
        "An input must come from a task, a parameter or a constant. "
        f"Received: {key} from {dict(source)}. Compile the spec again."
    )


def _converted(values: Mapping[str, Json], definitions: Mapping[str, ParameterDefinition]) -> dict[str, Json]:
    """Returns the parameters of a task, of which a STRING takes any type and the others their own alone."""
    converted = dict(values)
    for name, definition in definitions.items():
        value, kind = values.get(name), definition["parameterType"]
        if name not in values and definition.get("isOptional"):
            continue  # the launcher puts the default in its place
        if kind == "STRING" and (name in values or "defaultValue" in definition):
            converted[name] = as_text(value)
        elif not _is_of(value, kind):
            raise DriverError(
                f"A task's parameter must be of its type. Received: {name}, a {kind}, with {value!r}. Compile the "
                "spec again, or give another --parameter."
            )
    return converted


def _artifact(dag: Dag, key: str, source: InputSource) -> list[RuntimeArtifact]:
    try:
        produced = source["taskOutputArtifact"]
        return dag.outputs[produced["producerTask"]]["artifacts"][produced["outputArtifactKey"]]
    except KeyError as error:
        raise _missing_input(key, source) from error


def _missing_input(key: str, source: object) -> DriverError:
    return DriverError(
        f"A task's input must exist when the task starts. Received: {key} from {source}, which has no such output. "
        "Compile the spec again."
    )


def _untyped(artifact: RuntimeArtifact) -> RuntimeArtifact:
    return {
        "name": artifact["name"],
        "uri": artifact["uri"],
        "type": {"instanceSchema": ""},
        "metadata": artifact.get("metadata", {}),
    }


def _provisioned(key: str, definition: ArtifactDefinition, task_root: str, release: Release) -> RuntimeArtifact:
    artifact: RuntimeArtifact = {"uri": f"{task_root}/{key}", "type": copy.deepcopy(definition["artifactType"])}
    if release.has(NAMED_OUTPUTS):
        artifact["name"] = key
    if metadata := definition.get("metadata"):
        artifact["metadata"] = copy.deepcopy(metadata)
    return artifact


_KINDS: dict[str, type | tuple[type, ...]] = {
    "STRING": str,
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def _is_of(value: Json, kind: str) -> bool:
    """Returns whether the driver takes a value for a type. It knows no whole numbers, as JSON of protos has none."""
    return isinstance(value, _KINDS.get(kind, object)) and (kind == "BOOLEAN" or not isinstance(value, bool))
