"""The driver's part: resolves a task's inputs, computes its key in the cache, and says where its outputs go."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import TypedDict

from kubeflow.spec.messages import (
    ArtifactDefinition,
    Component,
    Container,
    DagParameter,
    ExecutorInputs,
    ExecutorOutputs,
    InputSource,
    Json,
    RuntimeArtifact,
    Spec,
    SubtaskOutput,
    Task,
    parameter_defaults,
)
from kubeflow.spec.pipeline_spec import executors

_STATES = {"SUCCEEDED": "COMPLETE", "FAILED": "FAILED"}
#: What the driver adds to the outputs of every task.
_UNDECLARED: dict[str, ArtifactDefinition] = {"executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}


class DriverError(Exception):
    """The driver cannot make a task's inputs: the spec, or a value of the run, is at fault."""

    exit_code = 2


class TaskOutputs(TypedDict):
    """The outputs of a task that ended well, by key."""

    artifacts: dict[str, list[RuntimeArtifact]]
    parameters: dict[str, Json]


@dataclasses.dataclass
class Dag:
    """One DAG at work: its inputs, and what its tasks have handed on so far."""

    path: str
    component: Component
    parameters: dict[str, Json]
    artifacts: dict[str, list[RuntimeArtifact]] = dataclasses.field(default_factory=dict)
    outputs: dict[str, TaskOutputs] = dataclasses.field(default_factory=dict)
    """Of the tasks that ended well."""
    states: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of the tasks that ended, as a final status has them."""


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
        _check_type(name, value, definitions[name]["parameterType"])
    return Dag("root", spec["root"], parameters)


def resolve_inputs(dag: Dag, task: Task, run: Mapping[str, str]) -> ExecutorInputs:
    """Returns the inputs of a task, as ExecutorInput has them: artifacts with ids for names and no types.

    Args:
      dag: around the task.
      task: of the spec.
      run: values of `pipeline_job_uuid` and the like.

    Raises:
      DriverError: what an input comes from is not there.
    """
    sources = task.get("inputs", {})
    values = {key: _parameter(dag, key, source, run) for key, source in sources.get("parameters", {}).items()}
    artifacts = {key: _artifact(dag, key, source) for key, source in sources.get("artifacts", {}).items()}
    inputs: ExecutorInputs = {}
    if present := {key: value for key, value in values.items() if value is not None}:
        inputs["parameterValues"] = dict(present)
    if artifacts:
        inputs["artifacts"] = {key: {"artifacts": [*map(_untyped, entry)]} for key, entry in artifacts.items()}
    return inputs


def provision_outputs(component: Component, task: str, run_root: str) -> ExecutorOutputs:
    """Returns where a task's outputs go.

    Args:
      component: of the task.
      task: its name.
      run_root: URI of the run's artifacts.
    """
    task_root = f"{run_root}/{task}/{uuid.uuid4()}"
    definitions = component.get("outputDefinitions", {})
    artifacts = {**definitions.get("artifacts", {}), **_UNDECLARED}
    outputs: ExecutorOutputs = {
        "outputFile": f"{task_root}/output_metadata.json",
        "artifacts": {
            key: {"artifacts": [_provisioned(key, definition, task_root)]} for key, definition in artifacts.items()
        },
    }
    if parameters := definitions.get("parameters"):
        outputs["parameters"] = {key: {"outputFile": f"{task_root}/parameters/{key}"} for key in parameters}
    return outputs


def fingerprint(task: Task, component: Component, container: Container, inputs: ExecutorInputs) -> str:
    """Returns the key in the cache: of ids of the inputs, parameters, shapes of the outputs, image and command.

    Args:
      task: of the spec.
      component: its component.
      container: its container.
      inputs: from `resolve_inputs`.
    """
    caching = task.get("cachingOptions", {})
    if not caching.get("enableCache"):
        return ""
    if key := caching.get("cacheKey"):
        return hashlib.sha256(f"{task['componentRef']['name']}\0{key}".encode()).hexdigest()
    cache_key = {
        "inputArtifactNames": {
            key: [artifact["name"] for artifact in entry["artifacts"]]
            for key, entry in inputs.get("artifacts", {}).items()
        },
        "inputParameterValues": inputs.get("parameterValues", {}),
        "outputs": component.get("outputDefinitions", {}),
        "image": container["image"],
        "cmdArgs": [*container.get("command", []), *container.get("args", [])],
    }
    return hashlib.sha256(json.dumps(cache_key, sort_keys=True).encode()).hexdigest()


def import_artifact(spec: Spec, component: Component, inputs: ExecutorInputs) -> dict[str, list[RuntimeArtifact]]:
    """Returns what an importer task emits: an artifact that is there already.

    Raises:
      DriverError: it has no URI.
    """
    importer = executors(spec)[component["executorLabel"]]["importer"]
    source = importer.get("artifactUri", {})
    uri = source.get("constant") or inputs.get("parameterValues", {}).get(source.get("runtimeParameter", ""))
    if not isinstance(uri, str) or not uri:
        raise DriverError(
            f"An importer must have a URI. Received: {source or 'nothing'}. Give it one, and compile the spec again."
        )
    (key,) = component["outputDefinitions"]["artifacts"]
    return {key: [{"uri": uri, "metadata": dict(importer.get("metadata", {}))}]}


def dag_outputs(dag: Dag) -> TaskOutputs:
    """Returns what a DAG hands on of what its tasks did."""
    declared = dag.component["dag"].get("outputs", {})
    artifacts, parameters = {}, {}
    for key, artifact in declared.get("artifacts", {}).items():
        for selector in artifact["artifactSelectors"]:
            if produced := dag.outputs.get(selector["producerSubtask"]):
                artifacts[key] = produced["artifacts"][selector["outputArtifactKey"]]
    for key, parameter in declared.get("parameters", {}).items():
        for selector in _parameter_selectors(parameter):
            if produced := dag.outputs.get(selector["producerSubtask"]):
                parameters[key] = produced["parameters"][selector["outputParameterKey"]]
    return {"artifacts": artifacts, "parameters": parameters}


def _parameter_selectors(parameter: DagParameter) -> list[SubtaskOutput]:
    direct = [parameter["valueFromParameter"]] if parameter.get("valueFromParameter") else []
    return parameter.get("valueFromOneof", {}).get("parameterSelectors", direct)


def _parameter(dag: Dag, key: str, source: InputSource, run: Mapping[str, str]) -> Json:
    match source:
        case {"componentInputParameter": name}:
            return dag.parameters.get(name)
        case {"taskOutputParameter": produced}:
            try:
                return dag.outputs[produced["producerTask"]]["parameters"][produced["outputParameterKey"]]
            except KeyError as error:
                raise _missing_input(key, produced) from error
        case {"taskFinalStatus": status}:
            producer = status["producerTask"]
            return {
                "state": _STATES.get(dag.states.get(producer, "FAILED"), "FAILED"),
                "pipelineTaskName": producer,
                "pipelineJobResourceName": run["pipeline_job_resource_name"],
                "error": {},
            }
        case {"runtimeValue": {"constant": str() as text}}:
            for name, value in run.items():
                text = text.replace(f"{{{{$.{name}}}}}", value)
            return text
        case {"runtimeValue": {"constant": value}}:
            return value
    raise DriverError(
        "An input must come from a task, a parameter or a constant. "
        f"Received: {key} from {dict(source)}. Compile the spec again."
    )


def _artifact(dag: Dag, key: str, source: InputSource) -> list[RuntimeArtifact]:
    try:
        if "componentInputArtifact" in source:
            return dag.artifacts[source["componentInputArtifact"]]
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
    metadata = {name: _stored(value) for name, value in artifact.get("metadata", {}).items()}
    return {
        "name": artifact["name"],
        "uri": artifact["uri"],
        "type": {"instanceSchema": ""},
        "metadata": metadata,
    }


def _stored(value: Json) -> Json:
    """Returns a value as ML Metadata gives it back."""
    if isinstance(value, bool | int):
        return float(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, dict) else value


def _provisioned(key: str, definition: ArtifactDefinition, task_root: str) -> RuntimeArtifact:
    artifact: RuntimeArtifact = {
        "name": key,
        "uri": f"{task_root}/{key}",
        "type": copy.deepcopy(definition["artifactType"]),
    }
    if metadata := definition.get("metadata"):
        artifact["metadata"] = copy.deepcopy(metadata)
    return artifact


_KINDS: dict[str, type | tuple[type, ...]] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def _check_type(name: str, value: Json, kind: str) -> None:
    kinds: type | tuple[type, ...] = _KINDS.get(kind, object)
    if kinds is int and isinstance(value, float) and value.is_integer():
        return  # as kfp writes a default
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds in (int, (int, float))):
        raise DriverError(f"The parameter {name} must be a {kind}. Received: {value!r}. Give another --parameter.")
