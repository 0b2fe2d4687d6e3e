"""What a run left in ML Metadata and in its artifacts, read back for the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.data_gate.verdict import read_findings
from components.evaluator.measures import CONFUSION
from components.evaluator.verdict import read_verdict as read_evaluation
from components.headline_example_gen.report import REPORT_FILE
from components.local_infra_validator.verdict import read_verdict
from components.tuner import RESULTS_FILE as TUNER_FILE
from trainer import features
from trainer.settings import HISTORY_FILE

Outputs = dict[str, dict[str, mlmd.Artifact]]


def read_outputs(metadata: Path, pipeline_name: str) -> Outputs:
    """The output artifacts of the newest run of a pipeline, by node and by key; cached ones included."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(config)
    runs = sorted((run.id for run in store.get_contexts_by_type("pipeline_run")), reverse=True)
    newest = next((run for run in runs if _is_of(store, run, pipeline_name)), None)
    if newest is None:
        return {}
    found: Outputs = {}
    for execution in sorted(store.get_executions_by_context(newest), key=lambda one: one.id):
        if execution.last_known_state not in (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED):
            continue
        nodes = [one.name for one in store.get_contexts_by_execution(execution.id) if one.type == "node"]
        node = nodes[0].rpartition(".")[2]
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == mlmd.Event.OUTPUT and event.path.steps:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                found.setdefault(node, {})[event.path.steps[0].key] = artifact
    return found


def _is_of(store: MetadataStore, run: int, pipeline_name: str) -> bool:
    return any(parent.name == pipeline_name for parent in store.get_parent_contexts_by_context(run))


def ingest_report(ingest: mlmd.Artifact) -> dict[str, Any]:
    """HeadlineExampleGen's account of all rows, see `components.headline_example_gen.report`."""
    return json.loads(Path(ingest.uri, REPORT_FILE).read_text(encoding="utf-8"))


def gate_findings(verdict: mlmd.Artifact) -> list[dict[str, Any]]:
    """What DataGate found in data that it accepted."""
    return read_findings(verdict.uri)


def infra_verdict(blessing: mlmd.Artifact) -> dict[str, Any]:
    """What LocalInfraValidator found, see `components.local_infra_validator.validate`."""
    return read_verdict(blessing.uri)


def split_uris(examples: mlmd.Artifact) -> dict[str, str]:
    """The folders of an Examples artifact's splits, by their names."""
    names = examples.properties["split_names"].string_value
    return {name: f"{examples.uri}/Split-{name}" for name in json.loads(names or "[]")}


def training_facts(model_run: mlmd.Artifact) -> dict[str, Any]:
    """What `trainer.fine_tune` wrote of itself."""
    return json.loads(Path(model_run.uri, HISTORY_FILE).read_text(encoding="utf-8"))


def tuner_facts(tuner_results: mlmd.Artifact) -> list[dict[str, Any]]:
    """The Tuner's trials in the order in which they ran, of those that ended well."""
    read = json.loads(Path(tuner_results.uri, TUNER_FILE).read_text(encoding="utf-8"))
    trials = [{name.removeprefix("tuner/"): value for name, value in one.items()} for one in read]
    return sorted(({**one, "best": not place} for place, one in enumerate(trials)), key=lambda one: one["trial_id"])


def evaluation_verdict(evaluation: mlmd.Artifact) -> dict[str, Any]:
    """What the Evaluator found, see `components.evaluator.evaluate`."""
    return read_evaluation(evaluation.uri)


def overall_metrics(evaluation: dict[str, Any], split: str) -> dict[str, float | None]:
    """The metrics of a split's rows as they are, of an evaluation verdict."""
    return {name: metric["value"] for name, metric in _overall(evaluation, split)["metrics"].items()}


def confusion_matrix(evaluation: dict[str, Any]) -> list[list[int]]:
    """Evaluation rows of the candidate by label, news first, in columns by what it said."""
    metrics = _overall(evaluation, features.EVAL_SPLIT)["metrics"]
    news, clickbait = CONFUSION[:2], CONFUSION[2:]
    return [[int(metrics[name]["value"]) for name in row] for row in (news, clickbait)]


def _overall(evaluation: dict[str, Any], split: str) -> dict[str, Any]:
    (overall,) = [one for one in evaluation["slices"] if one["split"] == split and not one["slice"]]
    return overall
