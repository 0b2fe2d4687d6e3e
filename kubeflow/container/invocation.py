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
    iterate_artifacts,
)

_SYSTEM = "system."
_OURS = "kubeflow.tasks.artifacts."


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
    _declare(invocation["inputs"], inputs_spec, root)
    _declare(invocation["outputs"], outputs_spec, root)
    return invocation


def for_launcher(output: ExecutorOutput, root: str | Path) -> ExecutorOutput:
    """Puts URIs in place of the paths, also in the metadata."""
    output = copy.deepcopy(output)
    for _, artifact in iterate_artifacts(output):
        artifact["uri"] = uri_of(artifact["uri"], root)
        for name, value in artifact.get("metadata", {}).items():
            if isinstance(value, str):
                artifact["metadata"][name] = uri_of(value, root)
    return output


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
