"""Reads a run's artifacts and ML Metadata for the verdict."""

from __future__ import annotations

import json
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.data_gate.policy import GateVerdict
from components.data_gate.verdict import read_verdict as read_gate
from components.evaluator.results import EvaluationVerdict
from components.evaluator.results import read_verdict as read_evaluation
from components.headline_example_gen.report import REPORT_FILE
from components.local_infra_validator.policy import InfraVerdict
from components.local_infra_validator.policy import read_verdict as read_infra
from components.tuner import RESULTS_FILE as TUNER_FILE
from pipeline.results.verdict import Ingest, SplitRows, Training, Trial
from trainer.settings import HISTORY_FILE

Outputs = dict[str, dict[str, mlmd.Artifact]]

_RUN_TYPE = "pipeline_run"


def read_outputs(metadata: Path, pipeline_name: str, run_id: str | None = None) -> Outputs:
    """Reads the output artifacts of a run, by node and by key; cached ones included.

    Args:
      metadata: ML Metadata's file.
      pipeline_name: the pipeline's.
      run_id: of a run that pushed; None: the pipeline's newest run.
    """
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(config)
    run = _newest_run(store, pipeline_name) if run_id is None else _run_that_pushed(store, run_id)
    if run is None:
        return {}
    found: Outputs = {}
    for execution in sorted(store.get_executions_by_context(run), key=lambda execution: execution.id):
        if execution.last_known_state not in (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED):
            continue
        contexts = store.get_contexts_by_execution(execution.id)
        nodes = [context.name for context in contexts if context.type == "node"]
        node = nodes[0].rpartition(".")[2]
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == mlmd.Event.OUTPUT and event.path.steps:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                found.setdefault(node, {})[event.path.steps[0].key] = artifact
    return found


def _newest_run(store: MetadataStore, pipeline_name: str) -> int | None:
    runs = sorted((run.id for run in store.get_contexts_by_type(_RUN_TYPE)), reverse=True)
    return next((run for run in runs if _is_of(store, run, pipeline_name)), None)


def _is_of(store: MetadataStore, run: int, pipeline_name: str) -> bool:
    return any(parent.name == pipeline_name for parent in store.get_parent_contexts_by_context(run))


def _run_that_pushed(store: MetadataStore, run_id: str) -> int | None:
    """Finds the run by the pusher's execution: TFX has an id of its own for a run."""
    pushes = [push for push in store.get_executions() if push.custom_properties["run_id"].string_value == run_id]
    runs = [
        context.id
        for push in pushes
        for context in store.get_contexts_by_execution(push.id)
        if context.type == _RUN_TYPE
    ]
    return runs[-1] if runs else None


def ingest_counts(ingest: mlmd.Artifact) -> tuple[Ingest, dict[str, SplitRows]]:
    """Reads HeadlineExampleGen's counts of all rows and of each split, see `components.headline_example_gen.report`."""
    report = json.loads(Path(ingest.uri, REPORT_FILE).read_text(encoding="utf-8"))
    fixes = report.get("label_fixes")  # of some runs only
    known = {name: fixes[name] for name in ("answers", "answered", "relabelled", "absent")} if fixes else None
    counts = Ingest.from_dict({**report["rows"], "rejected_by_rule": report["rejected_by_rule"], "label_fixes": known})
    return counts, {split: SplitRows.from_dict(rows) for split, rows in report["splits"].items()}


def gate_verdict(verdict: mlmd.Artifact) -> GateVerdict:
    """Reads DataGate's verdict on data that it accepted."""
    return read_gate(verdict.uri)


def infra_verdict(blessing: mlmd.Artifact) -> InfraVerdict:
    """Reads LocalInfraValidator's verdict."""
    return read_infra(blessing.uri)


def split_uris(examples: mlmd.Artifact) -> dict[str, str]:
    """Returns the folders of an Examples artifact's splits, by their names."""
    names = examples.properties["split_names"].string_value
    return {name: f"{examples.uri}/Split-{name}" for name in json.loads(names or "[]")}


def training_facts(model_run: mlmd.Artifact) -> Training:
    """Reads the history that `trainer.fine_tune` wrote."""
    return Training.from_dict(json.loads(Path(model_run.uri, HISTORY_FILE).read_text(encoding="utf-8")))


def tuner_facts(tuner_results: mlmd.Artifact) -> list[Trial]:
    """Reads the Tuner's successful trials, in the order in which they ran."""
    read = json.loads(Path(tuner_results.uri, TUNER_FILE).read_text(encoding="utf-8"))
    trials = [
        Trial.from_dict({**{name.removeprefix("tuner/"): value for name, value in trial.items()}, "best": not rank})
        for rank, trial in enumerate(read)
    ]
    return sorted(trials, key=lambda trial: trial.trial_id)


def evaluation_verdict(evaluation: mlmd.Artifact) -> EvaluationVerdict:
    """Reads the Evaluator's verdict."""
    return read_evaluation(evaluation.uri)
