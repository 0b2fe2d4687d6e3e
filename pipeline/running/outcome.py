"""What a run says of itself: `verdict.json`, from its first line to its outcome."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from components.bulk_example_gen import BULK_SPLIT
from components.bulk_example_gen.settings import BulkConfig
from components.evaluator.rules import describe as describe_rule
from components.local_infra_validator.verdict import describe
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import DataSource, SchemaSource
from pipeline.results.run_folders import REJECTS_FILE, Verdict

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

SCHEMA_VERSION = 2


def open_verdict(config: PipelineConfig, run_id: str, data: DataSource, schema: SchemaSource) -> Verdict:
    """What is known before anything has run."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "status": "running",
        "preset": config.preset,
        "data": {
            "origin": data.origin,
            "description": data.description,
            "files": list(data.csv.paths),
            "sha256": data.digest,
            "schema_sha256": schema.digest,
            **config.data.model_dump(exclude={"path"}),
        },
        "gate_policy": config.gate.model_dump(),
        "evaluation_policy": config.evaluation.model_dump(),
        "tuner_policy": config.tuner.model_dump(),
        "infra_policy": config.infra.model_dump(),
        "encoder": {"source": config.encoder.source, "fine_tuned": config.training.fine_tune},
    }


def collect_facts(outputs: Outputs, folder: Path | None = None) -> Verdict:
    """What is known however the run ended: the rows, what the gate found, the trials, the training.

    The rejected rows are laid into the run folder.

    Args:
      outputs: of the run, see `pipeline.results.lineage`; those of them that there are.
      folder: of the run, where it has one.
    """
    from pipeline.results import lineage

    verdict: Verdict = {}
    if ingest := outputs.get("HeadlineExampleGen", {}).get("ingest"):
        report = lineage.ingest_report(ingest)
        verdict["ingest"] = {**report["rows"], "rejected_by_rule": report["rejected_by_rule"]}
        verdict["rows"] = report["splits"]
        if folder:
            shutil.copyfile(Path(ingest.uri, REJECTS_FILE), folder / REJECTS_FILE)
    if data_verdict := outputs.get("DataGate", {}).get("verdict"):
        verdict["gate"] = {"accepted": True, "findings": lineage.gate_findings(data_verdict)}
    if tuner_results := outputs.get("Tuner", {}).get("tuner_results"):
        verdict["tuning"] = lineage.tuner_facts(tuner_results)
    if model_run := outputs.get("Trainer", {}).get("model_run"):
        verdict["training"] = lineage.training_facts(model_run)
    return verdict


def judge_model(outputs: Outputs, bulk: BulkConfig | None = None) -> Verdict:
    """What the model reached, and whether and where it was pushed.

    Args:
      outputs: of the run, see `pipeline.results.lineage`; those of them that there are.
      bulk: what was scored by it.
    """
    from pipeline.results import lineage

    verdict: Verdict = {"status": "done", "exit_code": 0, "reason": "the components asked for have run"}
    if baseline := outputs.get("LatestBlessedModel", {}).get("model"):
        verdict["baseline_version"] = baseline.custom_properties["version"].string_value
    if evaluation := outputs.get("Evaluator", {}).get("evaluation"):
        found = lineage.evaluation_verdict(evaluation)
        verdict |= {"thresholds": found["thresholds"], "evaluation": found["evaluation"]}
    if blessing := outputs.get("LocalInfraValidator", {}).get("blessing"):
        verdict["infra"] = lineage.infra_verdict(blessing)
    if pushed_model := outputs.get("VersionedPusher", {}).get("pushed_model"):
        properties = {key: value.string_value for key, value in pushed_model.custom_properties.items()}
        verdict |= _push_outcome(verdict, properties)
    scored = outputs.get("BulkInferrer", {}).get("output_examples")
    if bulk and scored and (folders := lineage.split_uris(scored)):
        rows = outputs["BulkExampleGen"]["examples"].custom_properties["rows"].int_value
        verdict["bulk"] = {"file": bulk.path, "rows": rows, "path": folders[BULK_SPLIT]}
    return verdict


def _push_outcome(verdict: Verdict, properties: dict[str, str]) -> Verdict:
    outcome = properties["outcome"]
    if outcome == "not blessed":
        reason = f"not kept: {_broken(verdict)}"
        return {"status": outcome, "exit_code": 4, "blessed": False, "reason": reason, "pushed": None}
    if outcome == "infra not blessed":
        broken = [describe(one) for one in verdict["infra"]["findings"] if one["outcome"] == "fail"]
        reason = "not fit to be served: " + "; ".join(broken)
        return {"status": outcome, "exit_code": 5, "blessed": True, "reason": reason, "pushed": None}
    if outcome == "rolled back":
        reason = "a rollback took this very model out of service; `clickbait rollback --to` puts it back"
        return {"status": outcome, "blessed": True, "reason": reason, "pushed": None}
    unchanged = "" if outcome == "pushed" else ", and the newest version is this very model"
    kept = "all thresholds are kept"
    if not all(one["passed"] for one in verdict["thresholds"]):
        kept = "all thresholds that gate are kept"
    if properties.get("override"):
        kept = f"overridden, not kept: {_broken(verdict)}"
    return {
        "status": outcome,
        "blessed": True,
        "reason": f"{kept}{unchanged}",
        "pushed": {
            "version": int(properties["pushed_version"]),
            "path": properties["pushed_destination"],
            "new": outcome == "pushed",
            "confirmed_by": properties.get("confirmed_by"),
        },
    }


def _broken(verdict: Verdict) -> str:
    return "; ".join(describe_rule(one) for one in verdict["thresholds"] if one["gates"] and not one["passed"])
