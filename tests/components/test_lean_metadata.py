"""TFX's queries of ML Metadata find their executions, and cost no more with more runs."""

from __future__ import annotations

import pytest

import components  # noqa: F401  isort: skip
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.portable import launcher
from tfx.orchestration.portable.input_resolution import channel_resolver
from tfx.orchestration.portable.mlmd import execution_lib

from components import lean_metadata
from components.lean_metadata import executions_of_all

NODES = ("First", "Second")


@pytest.fixture
def store() -> MetadataStore:
    return MetadataStore(mlmd.ConnectionConfig(fake_database=mlmd.FakeDatabaseConfig()))


@pytest.fixture
def contexts(store):
    """Of a pipeline, its runs and its nodes, by name; each run has executed each node."""
    kinds = {name: store.put_context_type(mlmd.ContextType(name=name)) for name in ("pipeline", "pipeline_run", "node")}
    kind = store.put_execution_type(mlmd.ExecutionType(name="Any"))
    made = {}

    def context(type_name: str, name: str) -> mlmd.Context:
        if name not in made:
            (number,) = store.put_contexts([mlmd.Context(type_id=kinds[type_name], name=name)])
            made[name] = mlmd.Context(id=number, type_id=kinds[type_name], name=name)
        return made[name]

    for run in range(4):
        for node in NODES:
            together = [context("pipeline", "all"), context("pipeline_run", f"run {run}"), context("node", node)]
            execution = mlmd.Execution(type_id=kind, name=f"run {run} {node}")
            store.put_execution(execution, [], together)
    return made


def names(executions) -> list[str]:
    return [execution.name for execution in executions]


def test_an_execution_is_found_by_all_its_contexts(store, contexts):
    asked = [contexts["all"], contexts["run 2"], contexts["Second"]]
    assert names(executions_of_all(store, asked)) == ["run 2 Second"]
    assert names(executions_of_all(store, [contexts["run 1"]])) == ["run 1 First", "run 1 Second"]
    assert names(executions_of_all(store, [contexts["all"], contexts["First"]])) == [f"run {n} First" for n in range(4)]
    assert executions_of_all(store, [contexts["run 1"], contexts["run 2"]]) == []
    assert executions_of_all(store, []) == []


def test_as_many_are_read_as_one_run_has(store, contexts, monkeypatch):
    read = []
    by_context = store.get_executions_by_context
    monkeypatch.setattr(store, "get_executions_by_context", lambda context: read.append(context) or by_context(context))
    executions_of_all(store, [contexts["all"], contexts["First"], contexts["run 3"]])
    assert read == [contexts["run 3"].id]


def test_tfx_asks_so():
    assert launcher.execution_lib is execution_lib
    assert execution_lib.get_executions_associated_with_all_contexts is lean_metadata._of_handle
    assert channel_resolver._get_executions_by_all_contexts is executions_of_all
