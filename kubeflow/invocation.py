"""An ExecutorInput as the open-source launcher hands it over, made into one that TFX's executors take; and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubeflow.places import local_path, uri_of

_SYSTEM = "system."
_OURS = "kubeflow.tasks.artifacts."


def for_tfx(invocation: Mapping[str, Any], inputs_spec: Mapping[str, Any], root: str | Path) -> dict[str, Any]:
    """Says the types that the launcher leaves out, and the paths for the URIs.

    Args:
      invocation: ExecutorInput.
      inputs_spec: ComponentInputsSpec.
      root: where the object stores are mounted.
    """
    told = copy.deepcopy(dict(invocation))
    for key, artifact in _artifacts(told.get("inputs", {})):
        kinds = artifact.get("type") or {}
        if not any(kinds.values()):
            artifact["type"] = copy.deepcopy(inputs_spec["artifacts"][key]["artifactType"])
        artifact["name"] = artifact.get("name") or artifact["uri"]  # TFX looks models up by it
    for key, artifact in (*_artifacts(told.get("inputs", {})), *_artifacts(told.get("outputs", {}))):
        artifact["uri"] = local_path(artifact["uri"], root)
        title = artifact.get("type", {}).get("schemaTitle", "")
        if title.startswith(_SYSTEM):
            artifact["type"] = {"instanceSchema": f"title: {_OURS}{title.removeprefix(_SYSTEM)}\n"}
        elif not artifact.get("type"):
            raise ValueError(f"An artifact has a type. Received: {key} without one.")
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


def _artifacts(side: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, those in side.get("artifacts", {}).items():
        for artifact in those.get("artifacts", []):
            yield key, artifact
