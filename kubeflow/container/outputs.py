"""Makes of what tasks hand on the artifacts that `pipeline.running.outcome` reads a run by."""

from __future__ import annotations

from collections.abc import Mapping

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types.artifact import Artifact

from kubeflow.spec.messages import Json


def as_artifact(uri: str, metadata: Mapping[str, Json]) -> mlmd.Artifact:
    """Returns an artifact with properties and custom ones, which Kubeflow Pipelines does not tell apart."""
    artifact = mlmd.Artifact(uri=uri)
    for name, value in metadata.items():
        for properties in (artifact.properties, artifact.custom_properties):
            if isinstance(value, str):
                properties[name].string_value = value
            elif isinstance(value, int | float) and value == int(value):
                properties[name].int_value = int(value)
            elif isinstance(value, float):
                properties[name].double_value = value
    return artifact


def metadata_of(artifact: Artifact) -> dict[str, Json]:
    """Returns the properties of what the launcher handed over, where TFX keeps each custom one in a struct."""
    own = {name: getattr(artifact, name) for name in artifact.PROPERTIES or ()}
    names = artifact.mlmd_artifact.custom_properties
    return own | {name: artifact.get_json_value_custom_property(name) for name in names}
