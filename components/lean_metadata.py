"""A query of ML Metadata for the executions of one run, where TFX reads all that there ever were.

ML Metadata 1.21 has lost the query language that TFX does so with, and TFX's way around it reads all executions of the
pipeline at each node: a run would cost more with every run before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable.input_resolution import channel_resolver
from tfx.orchestration.portable.mlmd import execution_lib


def executions_of_all(store: MetadataStore, contexts: Sequence[mlmd.Context]) -> list[mlmd.Execution]:
    """Returns the executions that belong to every one of the contexts, oldest first."""
    if not contexts:
        return []
    wanted = {context.id for context in contexts}
    # The newest, mostly the run's own, has the fewest.
    found = store.get_executions_by_context(max(wanted))
    whole = (
        execution
        for execution in found
        if wanted <= {context.id for context in store.get_contexts_by_execution(execution.id)}
    )
    return sorted(whole, key=lambda execution: (execution.create_time_since_epoch, execution.id))


def _of_handle(metadata_handle: Metadata, contexts: Iterable[mlmd.Context]) -> list[mlmd.Execution]:
    return executions_of_all(metadata_handle.store, list(contexts))


execution_lib.get_executions_associated_with_all_contexts = _of_handle
channel_resolver._get_executions_by_all_contexts = executions_of_all
