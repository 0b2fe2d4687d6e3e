"""Reads the result of a run from its artifacts into its verdict. Imports TFX."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from components.bulk_example_gen import BULK_SPLIT
from components.bulk_example_gen.settings import BulkConfig
from components.data_gate.policy import mask
from components.evaluator.behaviours import show_titles
from components.evaluator.rules import describe as describe_rule
from components.local_infra_validator.policy import FAIL, describe
from pipeline.results import lineage
from pipeline.results.diagnosis import cause_of
from pipeline.results.lineage import Outputs
from pipeline.results.run_folders import REJECTS_FILE
from pipeline.results.verdict import Bulk, Pushed, Verdict


def collect_facts(verdict: Verdict, outputs: Outputs, folder: Path | None = None) -> Verdict:
    """Adds what is known however the run ended: the rows, the gate's findings, the trials, the training.

    Copies the rejected rows into the run folder.

    Args:
      verdict: of the run so far.
      outputs: of the run, see `pipeline.results.lineage`; as many as there are.
      folder: of the run, where it has one.
    """
    if ingest := outputs.get("HeadlineExampleGen", {}).get("ingest"):
        counts, rows = lineage.ingest_counts(ingest)
        verdict = replace(verdict, ingest=counts, rows=rows)
        if folder:
            shutil.copyfile(Path(ingest.uri, REJECTS_FILE), folder / REJECTS_FILE)
    if data_verdict := outputs.get("DataGate", {}).get("verdict"):
        verdict = replace(verdict, gate=lineage.gate_verdict(data_verdict))
    if tuner_results := outputs.get("Tuner", {}).get("tuner_results"):
        verdict = replace(verdict, tuning=lineage.tuner_facts(tuner_results))
    if model_run := outputs.get("Trainer", {}).get("model_run"):
        verdict = replace(verdict, training=lineage.training_facts(model_run))
    return verdict


def judge_model(verdict: Verdict, outputs: Outputs, bulk: BulkConfig | None = None) -> Verdict:
    """Adds the evaluation, and whether and where the model was pushed.

    With `gate.mask_examples`, the titles of failed cases are masked.

    Args:
      verdict: of the run so far.
      outputs: of the run, see `pipeline.results.lineage`; as many as there are.
      bulk: the texts that it scored.
    """
    verdict = replace(verdict, status="done", exit_code=0, reason="the selected components have run")
    if baseline := outputs.get("LatestBlessedModel", {}).get("model"):
        verdict = replace(verdict, baseline_version=baseline.custom_properties["version"].string_value)
    if evaluation := outputs.get("Evaluator", {}).get("evaluation"):
        evaluated = lineage.evaluation_verdict(evaluation)
        shown = mask if (verdict.gate_policy or {}).get("mask_examples") else str
        verdict = replace(
            verdict,
            thresholds=evaluated.thresholds,
            evaluation=evaluated.evaluation,
            behaviours=show_titles(evaluated.behaviours, shown),
            challenges=evaluated.challenges,
        )
    if blessing := outputs.get("LocalInfraValidator", {}).get("blessing"):
        verdict = replace(verdict, infra=lineage.infra_verdict(blessing))
    if pushed_model := outputs.get("VersionedPusher", {}).get("pushed_model"):
        properties = {key: value.string_value for key, value in pushed_model.custom_properties.items()}
        verdict = _push_outcome(verdict, properties)
    scored = outputs.get("BulkInferrer", {}).get("output_examples")
    if bulk and bulk.path and scored and (folders := lineage.split_uris(scored)):
        rows = outputs["BulkExampleGen"]["examples"].custom_properties["rows"].int_value
        verdict = replace(verdict, bulk=Bulk(bulk.path, rows, folders[BULK_SPLIT]))
    return verdict


def _push_outcome(verdict: Verdict, properties: dict[str, str]) -> Verdict:
    outcome = properties["outcome"]
    if outcome == "not blessed":
        reason = f"failed rules: {_failed(verdict)}"
        verdict = replace(verdict, status=outcome, exit_code=4, blessed=False, reason=reason)
        return replace(verdict, cause=cause_of(verdict))
    if outcome == "infra not blessed":
        findings = verdict.infra.findings if verdict.infra else []
        reason = "infra validation failed: " + "; ".join(
            describe(finding) for finding in findings if finding.outcome == FAIL
        )
        return replace(verdict, status=outcome, exit_code=5, blessed=True, reason=reason)
    if outcome == "rolled back":
        reason = "a rollback took this very model out of service; `clickbait rollback --to` puts it back"
        return replace(verdict, status=outcome, blessed=True, reason=reason)
    unchanged = "" if outcome == "pushed" else ", and the newest version is this very model"
    rules = "all rules passed"
    if not all(judged.passed for judged in verdict.thresholds):
        rules = "all rules that gate passed"
    if properties.get("override"):
        rules = f"overridden, failed rules: {_failed(verdict)}"
    pushed = Pushed(
        int(properties["pushed_version"]),
        properties["pushed_destination"],
        new=outcome == "pushed",
        confirmed_by=properties.get("confirmed_by"),
    )
    return replace(verdict, status=outcome, blessed=True, reason=f"{rules}{unchanged}", pushed=pushed)


def _failed(verdict: Verdict) -> str:
    return "; ".join(map(describe_rule, verdict.failed_rules))
