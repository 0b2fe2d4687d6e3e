"""An ExecutorInput as the open-source launcher hands it over, made into one that TFX's executors take; and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubeflow.container.places import local_path, uri_of

_SYSTEM = "system."
_OURS = "kubeflow.tasks.artifacts."


def for_tfx(
    invocation: Mapping[str, Any], inputs_spec: Mapping[str, Any], outputs_spec: Mapping[str, Any], root: str | Path
) -> dict[str, Any]:
    """Keeps the artifacts that the component declares, with their declared types and with paths in place of URIs.

    The launcher leaves the types of inputs out. To the outputs the driver adds `executor-logs`, which no component
    declares and of which TFX can make no artifact.

    Args:
      invocation: ExecutorInput.
      inputs_spec: ComponentInputsSpec.
      outputs_spec: ComponentOutputsSpec.
      root: where the object stores are mounted.
    """
    told = copy.deepcopy(dict(invocation))
    for _, artifact in _artifacts(told["inputs"]):
        artifact["name"] = artifact.get("name") or artifact["uri"]  # TFX looks models up by it
    for side, spec in (("inputs", inputs_spec), ("outputs", outputs_spec)):
        declared, given = spec.get("artifacts", {}), told[side].get("artifacts", {})
        told[side]["artifacts"] = {key: given[key] for key in given if key in declared}
        for key, artifact in _artifacts(told[side]):
            artifact["type"] = _tfx_type(declared[key]["artifactType"])
            artifact["uri"] = local_path(artifact["uri"], root)
    return told


def for_launcher(output: Mapping[str, Any], root: str | Path) -> dict[str, Any]:
    """Says the URIs for the paths, also in the metadata."""
    said = copy.deepcopy(dict(output))
    for _, artifact in _artifacts(said):
        artifact["uri"] = uri_of(artifact["uri"], root)
        for name, value in artifact.get("metadata", {}).items():
            if isinstance(value, str):
                artifact["metadata"][name] = uri_of(value, root)
    return said


def _tfx_type(declared: Mapping[str, Any]) -> dict[str, Any]:
    title = declared.get("schemaTitle", "")
    if title.startswith(_SYSTEM):
        return {"instanceSchema": f"title: {_OURS}{title.removeprefix(_SYSTEM)}\n"}
    return dict(declared)


def _artifacts(side: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, those in side.get("artifacts", {}).items():
        for artifact in those.get("artifacts", []):
            yield key, artifact
