"""A rollback stands in ML Metadata as an execution between two PushedModels, and in no run."""

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.versioned_pusher.lineage import EXECUTION_TYPE, record_rollback
from serving.versions.rollback import Rollback

DONE = Rollback(version=9, restored_from=7, rollback_of=8)


@pytest.fixture
def metadata(tmp_path):
    """ML Metadata as a run leaves it: a pipeline, a run, and the PushedModel of version 7."""
    path = tmp_path / "metadata.db"
    store = open_store(path)
    pipeline, run = (
        mlmd.Context(type_id=store.put_context_type(mlmd.ContextType(name=name)), name=value)
        for name, value in (("pipeline", "clickbait"), ("pipeline_run", "r1"))
    )
    pushed = mlmd.Artifact(type_id=store.put_artifact_type(mlmd.ArtifactType(name="PushedModel")), uri="tfx/pushed/1")
    pushed.custom_properties["pushed_destination"].string_value = "/out/serving/clickbait/7"
    pusher = mlmd.Execution(type_id=store.put_execution_type(mlmd.ExecutionType(name="VersionedPusher")))
    store.put_execution(pusher, [(pushed, mlmd.Event(type=mlmd.Event.OUTPUT))], [pipeline, run])
    return path


def open_store(path):
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return MetadataStore(config)


def test_it_goes_from_the_old_version_s_artifact_to_a_new_one(metadata):
    execution_id = record_rollback(metadata, "/out/serving/clickbait", DONE, "sha256:7")
    store = open_store(metadata)
    (execution,) = store.get_executions_by_type(EXECUTION_TYPE)
    assert (execution.id, execution.last_known_state) == (execution_id, mlmd.Execution.COMPLETE)
    noted = {name: value.int_value for name, value in execution.custom_properties.items()}
    assert noted == {"restored_from": 7, "rollback_of": 8}
    events = {event.type: event.artifact_id for event in store.get_events_by_execution_ids([execution_id])}
    before, after = store.get_artifacts_by_id([events[mlmd.Event.INPUT], events[mlmd.Event.OUTPUT]])
    assert before.uri == "tfx/pushed/1"
    assert after.uri == "/out/serving/clickbait/9"
    noted = {name: value.string_value or value.int_value for name, value in after.custom_properties.items()}
    assert noted == {
        "pushed": 1,
        "outcome": "restored",
        "pushed_version": "9",
        "pushed_destination": "/out/serving/clickbait/9",
        "digest": "sha256:7",
    }


def test_it_belongs_to_the_pipeline_and_to_no_run(metadata):
    execution_id = record_rollback(metadata, "/out/serving/clickbait", DONE, "sha256:7")
    assert [context.name for context in open_store(metadata).get_contexts_by_execution(execution_id)] == ["clickbait"]


def test_a_second_one_goes_on_from_the_first(metadata):
    record_rollback(metadata, "/out/serving/clickbait", DONE, "sha256:7")
    again = record_rollback(metadata, "/out/serving/clickbait", Rollback(10, 9, 9), "sha256:7")
    store = open_store(metadata)
    events = store.get_events_by_execution_ids([again])
    (before,) = store.get_artifacts_by_id([event.artifact_id for event in events if event.type == mlmd.Event.INPUT])
    assert before.uri == "/out/serving/clickbait/9"


def test_an_empty_database_takes_it_too(tmp_path):
    open_store(tmp_path / "metadata.db")
    execution_id = record_rollback(tmp_path / "metadata.db", "/out/serving/clickbait", DONE, "sha256:7")
    (event,) = open_store(tmp_path / "metadata.db").get_events_by_execution_ids([execution_id])
    assert event.type == mlmd.Event.OUTPUT


def test_without_metadata_it_fails_and_makes_none(tmp_path):
    with pytest.raises(Exception, match="unable to open database"):
        record_rollback(tmp_path / "metadata.db", "/out/serving/clickbait", DONE, "sha256:7")
    assert not (tmp_path / "metadata.db").exists()
