"""A rollback's entry in ML Metadata, beside those of the runs."""

from __future__ import annotations

from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from serving.versions.rollback import Rollback

EXECUTION_TYPE = "Rollback"
_ARTIFACT_TYPE = "PushedModel"


def record_rollback(metadata: Path, serving_dir: str | Path, rollback: Rollback, digest: str) -> int:
    """Adds an execution of the type Rollback: from the old version's PushedModel, where there is one, to a new one.

    It belongs to the pipeline, as the runs do, and to no run, so that no run's outputs change.

    Args:
      metadata: ML Metadata's file, which is there.
      serving_dir: the folder of versions, as the pusher names it; its name is the pipeline's.
      rollback: what was done.
      digest: of the model that was put back.

    Returns:
      The execution's id.

    Raises:
      Exception: ML Metadata's.
    """
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE
    store = MetadataStore(config)
    artifact_type = _artifact_type(store)
    pushed = mlmd.Artifact(type_id=artifact_type, uri=f"{serving_dir}/{rollback.version}", state=mlmd.Artifact.LIVE)
    _note(pushed, {"pushed": 1, "outcome": "restored", "pushed_destination": pushed.uri})
    _note(pushed, {"pushed_version": str(rollback.version), "digest": digest})
    execution = mlmd.Execution(
        type_id=store.put_execution_type(mlmd.ExecutionType(name=EXECUTION_TYPE)),
        last_known_state=mlmd.Execution.COMPLETE,
    )
    _note(execution, {"restored_from": rollback.restored_from, "rollback_of": rollback.rollback_of})
    linked = [(pushed, _event(mlmd.Event.OUTPUT, "pushed_model"))]
    if before := _pushed_as(store, f"{serving_dir}/{rollback.restored_from}"):
        linked.append((before, _event(mlmd.Event.INPUT, "restored_model")))
    pipeline = store.get_context_by_type_and_name("pipeline", Path(serving_dir).name)
    execution_id, _, _ = store.put_execution(execution, linked, [pipeline] if pipeline else [])
    return execution_id


def _artifact_type(store: MetadataStore) -> int:
    try:
        return store.get_artifact_type(_ARTIFACT_TYPE).id
    except errors.NotFoundError:
        return store.put_artifact_type(mlmd.ArtifactType(name=_ARTIFACT_TYPE))


def _pushed_as(store: MetadataStore, destination: str) -> mlmd.Artifact | None:
    found = [
        artifact
        for artifact in store.get_artifacts_by_type(_ARTIFACT_TYPE)
        if artifact.custom_properties["pushed_destination"].string_value == destination
    ]
    return found[0] if found else None


def _event(kind: mlmd.Event.Type, key: str) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add(key=key)
    event.path.steps.add(index=0)
    return event


def _note(node: mlmd.Artifact | mlmd.Execution, values: dict[str, int | str]) -> None:
    for name, value in values.items():
        if isinstance(value, int):
            node.custom_properties[name].int_value = value
        else:
            node.custom_properties[name].string_value = value
