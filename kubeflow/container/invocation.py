"""An ExecutorInput as the open-source launcher hands it over, made into one that TFX's executors take; and back."""

from __future__ import annotations

import copy
from pathlib import Path

from kubeflow.container.mounts import local_path, uri_of
from kubeflow.spec.messages import (
    ArtifactType,
    Definitions,
    ExecutorInput,
    ExecutorInputs,
    ExecutorOutput,
    ExecutorOutputs,
    Json,
    iterate_artifacts,
)

_SYSTEM = "system."
_NUMBERS, _PAGELESS = "system.Metrics", ("system.Metrics", "system.ClassificationMetrics")
_OURS = "kubeflow.tasks.artifacts."
_TFX_VERSION = "tfx_version"


def for_tfx(
    invocation: ExecutorInput, inputs_spec: Definitions, outputs_spec: Definitions, root: str | Path
) -> ExecutorInput:
    """Keeps the artifacts that the component declares, with their declared types and with paths in place of URIs.

    The launcher leaves the types of inputs out. To the outputs the driver adds `executor-logs`, which no component
    declares and of which TFX can make no artifact.

    Args:
      invocation: from the launcher.
      inputs_spec: what the component takes.
      outputs_spec: what it makes.
      root: where the object stores are mounted.
    """
    invocation = copy.deepcopy(invocation)
    for _, artifact in iterate_artifacts(invocation["inputs"]):
        artifact["name"] = artifact.get("name") or artifact["uri"]  # TFX looks models up by it
    for key, artifact in iterate_artifacts(invocation["outputs"]):
        artifact["name"] = artifact.get("name") or key  # which releases before 2.15 leave out
    _declare(invocation["inputs"], inputs_spec, root)
    _declare(invocation["outputs"], outputs_spec, root)
    return invocation


def for_launcher(output: ExecutorOutput, outputs_spec: Definitions, root: str | Path) -> ExecutorOutput:
    """Puts URIs in place of the paths, also in the metadata, of which it keeps what the launcher takes.

    No launcher takes a null. What the UI draws is without TFX's version, which would be a row of its own, and of
    metrics nothing is left but numbers.
    """
    output = copy.deepcopy(output)
    for key, artifact in iterate_artifacts(output):
        title = _schema_title(outputs_spec, key)
        artifact["uri"] = uri_of(artifact["uri"], root)
        artifact["metadata"] = {
            name: uri_of(value, root) if isinstance(value, str) else value
            for name, value in artifact.get("metadata", {}).items()
            if _is_taken(name, value, title)
        }
    return output


def complete_outputs(outputs: ExecutorOutputs, outputs_spec: Definitions) -> None:
    """Makes an empty folder of each output of which a task wrote nothing, as a pusher that pushed nothing.

    Kubeflow Pipelines without ML Metadata refuses a declared output that is not there.

    Args:
      outputs: from `for_tfx`.
      outputs_spec: what the component makes.
    """
    for key, artifact in iterate_artifacts(outputs):
        path = Path(artifact["uri"])
        if _schema_title(outputs_spec, key) not in _PAGELESS and not path.exists():
            path.mkdir(parents=True)


def _schema_title(spec: Definitions, key: str) -> str:
    return spec.get("artifacts", {}).get(key, {}).get("artifactType", {}).get("schemaTitle", "")


def _is_taken(name: str, value: Json, title: str) -> bool:
    if title == _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return value is not None and not (name == _TFX_VERSION and title.startswith(_SYSTEM))


def _declare(side: ExecutorInputs | ExecutorOutputs, spec: Definitions, root: str | Path) -> None:
    declared = spec.get("artifacts", {})
    side["artifacts"] = {key: entry for key, entry in side.get("artifacts", {}).items() if key in declared}
    for key, artifact in iterate_artifacts(side):
        artifact["type"] = _tfx_type(declared[key]["artifactType"])
        artifact["uri"] = local_path(artifact["uri"], root)


def _tfx_type(declared: ArtifactType) -> ArtifactType:
    title = declared.get("schemaTitle", "")
    if title.startswith(_SYSTEM):
        return {"instanceSchema": f"title: {_OURS}{title.removeprefix(_SYSTEM)}\n"}
    return declared.copy()
