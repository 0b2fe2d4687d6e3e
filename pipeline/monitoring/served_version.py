"""A served version, and the artifacts of the run that made it: by the version's card and ML Metadata."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.config.paths import OutputPaths
from pipeline.monitoring.traffic import Logs
from serving.versions import version_folder
from trainer import features

_RUN_TYPE = "pipeline_run"


class MonitorError(Exception):
    """What is served cannot be compared with what it was made from."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class TrainedFrom:
    """Where the things lie that a version was made from."""

    statistics: Path
    """Of the train split."""
    schema: Path
    examples: Path
    """The folder of the evaluation split's."""
    digest: str
    """Of the model, by the version's card."""


def choose_version(logs: Logs, serving_dir: Path, wanted: int | None) -> int:
    """The version to judge: the one that is asked for, else the newest in the serving folder, which is served.

    An older one's requests say nothing of the model that was trained since.

    Raises:
      MonitorError: the logs are of other models or of versions that are not in the folder.
    """
    known = version_folder.list_versions(serving_dir)
    logged = ", ".join("not named" if one is None else str(one) for one in logs.versions) or "none"
    if not logs.versions:
        others = ", ".join(f"{count:,} of {name or 'no model'}" for name, count in logs.other_models.items())
        others = others or f"{logs.other_entries:,} without texts and scores"
        raise MonitorError(
            f"The logs hold requests to the model {serving_dir.name}. Received: {others}, in {logs.files} files. "
            "Give --model, the name that the server has for it."
        )
    if wanted is not None:
        if wanted not in known or not {wanted, None} & set(logs.versions):
            raise MonitorError(
                f"--version is in {serving_dir} and in the logs. Received: {wanted}; the folder has "
                f"{', '.join(map(str, known)) or 'none'}, the logs have {logged}."
            )
        return wanted
    if not set(known) & set(logs.versions):
        hint = "Give --output or --model, or --version for requests that name none."
        raise MonitorError(
            f"The logs are of versions in {serving_dir}. Received: version {logged}; the folder has "
            f"{', '.join(map(str, known)) or 'none'}. {hint}"
        )
    return known[-1]


def find_trained_from(paths: OutputPaths, version: int) -> TrainedFrom:
    """The artifacts of the run that pushed a version.

    Raises:
      MonitorError: clickbait did not push it, or its artifacts are gone.
    """
    card = version_folder.read_card(paths.serving_model, version)
    if card is None:
        raise MonitorError(
            f"A version says by its card which run made it. Received: {paths.serving_model / str(version)}, which has "
            "none: clickbait did not push it."
        )
    found = _outputs(paths, card.run_id)
    try:
        made_from = TrainedFrom(
            Path(found["StatisticsGen", "statistics"], f"Split-{features.TRAIN_SPLIT}", "FeatureStats.pb"),
            Path(found["ImportSchemaGen", "schema"], "schema.pbtxt"),
            Path(found["HeadlineExampleGen", "examples"], f"Split-{features.EVAL_SPLIT}"),
            card.digest,
        )
        needed = (made_from.statistics, made_from.schema, made_from.examples)
        missing = [str(path) for path in needed if not path.exists()]
    except KeyError as error:
        missing = [f"no output {error} in {paths.metadata}"]
    if missing:
        raise MonitorError(
            f"A version is compared with the artifacts of its run, {card.run_id}. Received: {missing[0]}, which is "
            "gone. Run `clickbait run` again, with the same --output."
        )
    return made_from


def _outputs(paths: OutputPaths, run_id: str) -> dict[tuple[str, str], str]:
    """The folders of what a run's nodes put out, cached ones included, by node and key."""
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    if not paths.metadata.is_file():
        return {}
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(paths.metadata)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(config)
    # TFX has an id of its own for a run; the pusher's execution knows ours.
    pushes = [one for one in store.get_executions() if one.custom_properties["run_id"].string_value == run_id]
    runs = [
        context for push in pushes for context in store.get_contexts_by_execution(push.id) if context.type == _RUN_TYPE
    ]
    found = {}
    for execution in store.get_executions_by_context(runs[-1].id) if runs else ():
        nodes = [one.name for one in store.get_contexts_by_execution(execution.id) if one.type == "node"]
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == mlmd.Event.OUTPUT and event.path.steps and nodes:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                found[nodes[0].rpartition(".")[2], event.path.steps[0].key] = artifact.uri
    return found
