"""What a run left in ML Metadata and in its artifacts, read back for the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.data_gate.verdict import read_findings
from components.headline_example_gen.report import REPORT_FILE
from components.local_infra_validator.verdict import read_verdict
from pipeline.evaluation import BASELINE, CANDIDATE, CONFUSION, Threshold
from trainer.settings import HISTORY_FILE

Outputs = dict[str, dict[str, mlmd.Artifact]]


def read_outputs(metadata: Path, pipeline_name: str) -> Outputs:
    """The output artifacts of the newest run of a pipeline, by node and by key; cached ones included."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(config)
    runs = [
        run.id
        for run in store.get_contexts_by_type("pipeline_run")
        if any(parent.name == pipeline_name for parent in store.get_parent_contexts_by_context(run.id))
    ]
    if not runs:
        return {}
    found: Outputs = {}
    for execution in sorted(store.get_executions_by_context(max(runs)), key=lambda one: one.id):
        if execution.last_known_state not in (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED):
            continue
        nodes = [one.name for one in store.get_contexts_by_execution(execution.id) if one.type == "node"]
        node = nodes[0].rpartition(".")[2]
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == mlmd.Event.OUTPUT and event.path.steps:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                found.setdefault(node, {})[event.path.steps[0].key] = artifact
    return found


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


def overall_metrics(evaluation: mlmd.Artifact) -> dict[str, dict[str, float]]:
    """The metrics of the overall slice, of the candidate and, where there was one, of the baseline."""
    return {
        name: {metric: value["doubleValue"] for metric, value in metrics.items() if "doubleValue" in value}
        for name, metrics in _overall(evaluation).items()
    }


def confusion_matrix(evaluation: mlmd.Artifact) -> list[list[int]]:
    """Rows of the candidate by label, news first, in columns by what it said."""
    (at_half,) = _overall(evaluation)[CANDIDATE][CONFUSION]["confusionMatrixAtThresholds"]["matrices"]
    counts = {name: round(at_half.get(name, 0)) for name in ("truePositives", "falsePositives")}
    counts |= {name: round(at_half.get(name, 0)) for name in ("trueNegatives", "falseNegatives")}
    return [[counts["trueNegatives"], counts["falsePositives"]], [counts["falseNegatives"], counts["truePositives"]]]


def _overall(evaluation: mlmd.Artifact) -> dict[str, dict[str, Any]]:
    found = {}
    # With a baseline TFMA stores the metrics under the models' names, without one under none.
    for stored, name in (("", CANDIDATE), (CANDIDATE, CANDIDATE), (BASELINE, BASELINE)):
        result = tfma.load_eval_result(evaluation.uri, model_name=stored)
        for slice_key, by_output in result.slicing_metrics:
            metrics = by_output.get("", {}).get("", {})
            if slice_key == () and metrics:
                found[name] = metrics
    return found


def judge(rules: list[Threshold], split: str, evaluation: mlmd.Artifact) -> list[dict[str, Any]]:
    """Each rule of a split with its bound, the observed value, and whether TFMA found it kept."""
    metrics = overall_metrics(evaluation)
    failed = {
        (failure.metric_key.name, failure.metric_threshold.HasField("change_threshold"))
        for by_slice in tfma.load_validation_result(evaluation.uri).metric_validations_per_slice
        for failure in by_slice.failures
    }
    judged = []
    for rule in (rule for rule in rules if rule.split == split):
        observed = metrics[CANDIDATE][rule.metric]
        if rule.change:
            if BASELINE not in metrics:
                continue
            observed -= metrics[BASELINE][rule.metric]
        judged.append(
            {
                "split": rule.split,
                "metric": rule.metric,
                "against": "last blessed model" if rule.change else "bound",
                "bound": rule.bound,
                "observed": observed,
                "passed": (rule.metric, rule.change) not in failed,
            }
        )
    return judged
