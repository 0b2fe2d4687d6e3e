"""The driver's part: a task's inputs, whether it runs, whether the cache has it, where its outputs go."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from kubeflow.spec.pipeline_spec import Spec, executors

_STATES = {"SUCCEEDED": "COMPLETE", "FAILED": "FAILED"}
#: What the driver adds to the outputs of every task.
_UNDECLARED = {"executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}


class DriverError(Exception):
    """The driver cannot make a task's inputs: the spec, or what the run was told, is at fault."""

    exit_code = 2


@dataclasses.dataclass
class Dag:
    """One DAG at work: what it was told, and what its tasks have handed on so far."""

    path: str
    component: Mapping[str, Any]
    parameters: dict[str, Any]
    artifacts: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    outputs: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of the tasks that ended well, each with `artifacts` and `parameters`."""
    states: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of the tasks that ended, as a final status has them."""


def root_dag(spec: Spec, values: Mapping[str, Any]) -> Dag:
    """The whole pipeline, told its parameters.

    Raises:
      DriverError: a parameter is not known, not said, or of another type.
    """
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted({*values} - {*definitions}):
        known = ", ".join(definitions)
        raise DriverError(f"A run is told what its pipeline asks for. Received: {', '.join(unknown)}. Known: {known}.")
    told = {name: one["defaultValue"] for name, one in definitions.items() if "defaultValue" in one} | dict(values)
    missing = [name for name, one in definitions.items() if name not in told and not one.get("isOptional")]
    if missing:
        raise DriverError(f"A run needs all its parameters. Received: none for {', '.join(missing)}. Give --parameter.")
    for name, value in told.items():
        _check_type(name, value, definitions[name]["parameterType"])
    return Dag("root", spec["root"], told)


def resolve_inputs(dag: Dag, task: Mapping[str, Any], run: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a task, as ExecutorInput has them: artifacts with ids for names and no types.

    Args:
      dag: around the task.
      task: of the spec.
      run: values of `pipeline_job_uuid` and the like.

    Raises:
      DriverError: what an input comes from is not there.
    """
    sources = task.get("inputs", {})
    values = {key: _parameter(dag, key, one, run) for key, one in sources.get("parameters", {}).items()}
    artifacts = {key: _artifact(dag, key, one) for key, one in sources.get("artifacts", {}).items()}
    inputs: dict[str, Any] = {}
    if values := {key: value for key, value in values.items() if value is not None}:
        inputs["parameterValues"] = values
    if artifacts:
        inputs["artifacts"] = {key: {"artifacts": [_untyped(one) for one in those]} for key, those in artifacts.items()}
    return inputs


def provision_outputs(component: Mapping[str, Any], task: str, run_root: str) -> dict[str, Any]:
    """Where a task's outputs go.

    Args:
      component: of the task.
      task: its name.
      run_root: URI of the run's artifacts.
    """
    task_root = f"{run_root}/{task}/{uuid.uuid4()}"
    definitions = component.get("outputDefinitions", {})
    artifacts = {**definitions.get("artifacts", {}), **_UNDECLARED}
    outputs: dict[str, Any] = {
        "outputFile": f"{task_root}/output_metadata.json",
        "artifacts": {key: {"artifacts": [_provisioned(key, one, task_root)]} for key, one in artifacts.items()},
    }
    if parameters := definitions.get("parameters"):
        outputs["parameters"] = {key: {"outputFile": f"{task_root}/parameters/{key}"} for key in parameters}
    return outputs


def fingerprint(task: Mapping[str, Any], component: Mapping[str, Any], container: Mapping[str, Any], given) -> str:
    """What the cache goes by: ids of the inputs, parameters, shapes of the outputs, image and command.

    Args:
      task: of the spec.
      component: its component.
      container: its container.
      given: its inputs, from `resolve_inputs`.
    """
    caching = task.get("cachingOptions", {})
    if not caching.get("enableCache"):
        return ""
    if key := caching.get("cacheKey"):
        return hashlib.sha256(f"{task['componentRef']['name']}\0{key}".encode()).hexdigest()
    cache_key = {
        "inputArtifactNames": {
            key: [one["name"] for one in those["artifacts"]] for key, those in given.get("artifacts", {}).items()
        },
        "inputParameterValues": given.get("parameterValues", {}),
        "outputs": component.get("outputDefinitions", {}),
        "image": container["image"],
        "cmdArgs": [*container.get("command", []), *container.get("args", [])],
    }
    return hashlib.sha256(json.dumps(cache_key, sort_keys=True).encode()).hexdigest()


def import_artifact(spec: Spec, component: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What an importer task emits: an artifact that is there already.

    Raises:
      DriverError: it is told no URI.
    """
    importer = executors(spec)[component["executorLabel"]]["importer"]
    source = importer.get("artifactUri", {})
    uri = source.get("constant") or inputs.get("parameterValues", {}).get(source.get("runtimeParameter"))
    if not uri:
        raise DriverError(f"An importer is told a URI. Received: {source or 'nothing'}.")
    (key,) = component["outputDefinitions"]["artifacts"]
    return {key: [{"uri": uri, "metadata": dict(importer.get("metadata", {}))}]}


def dag_outputs(dag: Dag) -> dict[str, Any]:
    """What a DAG hands on of what its tasks did."""
    given = dag.component["dag"].get("outputs", {})
    artifacts: dict[str, Any] = {}
    for key, one in given.get("artifacts", {}).items():
        for selector in one["artifactSelectors"]:
            if produced := dag.outputs.get(selector["producerSubtask"]):
                artifacts[key] = produced["artifacts"][selector["outputArtifactKey"]]
    parameters: dict[str, Any] = {}
    for key, one in given.get("parameters", {}).items():
        selectors = one.get("valueFromOneof", {}).get("parameterSelectors", [one.get("valueFromParameter")])
        for selector in filter(None, selectors):
            if produced := dag.outputs.get(selector["producerSubtask"]):
                parameters[key] = produced["parameters"][selector["outputParameterKey"]]
    return {"artifacts": artifacts, "parameters": parameters}


def _parameter(dag: Dag, key: str, source: Mapping[str, Any], run: Mapping[str, str]) -> Any:
    match source:
        case {"componentInputParameter": name}:
            return dag.parameters.get(name)
        case {"taskOutputParameter": produced}:
            try:
                return dag.outputs[produced["producerTask"]]["parameters"][produced["outputParameterKey"]]
            except KeyError as error:
                raise DriverError(f"A task's input is there. Received: {key} from {produced}, which is not.") from error
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
    raise DriverError(f"An input comes from somewhere. Received: {key} from {dict(source)}.")


def _artifact(dag: Dag, key: str, source: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        if "componentInputArtifact" in source:
            return dag.artifacts[source["componentInputArtifact"]]
        produced = source["taskOutputArtifact"]
        return dag.outputs[produced["producerTask"]]["artifacts"][produced["outputArtifactKey"]]
    except KeyError as error:
        raise DriverError(f"A task's input is there. Received: {key} from {dict(source)}, which is not.") from error


def _untyped(artifact: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: _stored(value) for name, value in artifact.get("metadata", {}).items()}
    return {
        "name": artifact["name"],
        "uri": artifact["uri"],
        "type": {"instanceSchema": ""},
        "metadata": metadata,
    }


def _stored(value: Any) -> Any:
    """As ML Metadata gives a value back."""
    if isinstance(value, bool | int):
        return float(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, dict) else value


def _provisioned(key: str, definition: Mapping[str, Any], task_root: str) -> dict[str, Any]:
    artifact = {"name": key, "uri": f"{task_root}/{key}", "type": copy.deepcopy(definition["artifactType"])}
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


def _check_type(name: str, value: Any, kind: str) -> None:
    wanted: type | tuple[type, ...] = _KINDS.get(kind, object)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return  # as kfp writes a default
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted in (int, (int, float))):
        raise DriverError(f"The parameter {name} is a {kind}. Received: {value!r}.")
