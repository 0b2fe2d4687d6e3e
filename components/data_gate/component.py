"""DataGate: judges the data before anything is trained on it."""

import json
from pathlib import Path

import apache_beam as beam
import tensorflow_data_validation as tfdv
import tfx.v1 as tfx
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.dsl.component.experimental.annotations import BeamComponentParameter
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics, Schema

from components.beam_jobs import watch_jobs
from components.data_gate import accepted, comparison, rules
from components.data_gate.leakage import find_leaks
from components.data_gate.policy import FAIL, GateConfig, apply_policy
from components.data_gate.verdict import DataVerdict, refuse, write_verdict
from components.headline_example_gen.ingest import Ingest
from components.headline_example_gen.report import REPORT_FILE
from trainer import features

LATEST = "latest"
_SPLITS = (features.TRAIN_SPLIT, features.EVAL_SPLIT)


@tfx.dsl.components.component(use_beam=True)
def DataGate(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    ingest: tfx.dsl.components.InputArtifact[Ingest],
    statistics: tfx.dsl.components.InputArtifact[ExampleStatistics],
    schema: tfx.dsl.components.InputArtifact[Schema],
    anomalies: tfx.dsl.components.InputArtifact[ExampleAnomalies],
    verdict: tfx.dsl.components.OutputArtifact[DataVerdict],
    policy: tfx.dsl.components.Parameter[str],
    accepted_dir: tfx.dsl.components.Parameter[str],
    fingerprint: tfx.dsl.components.Parameter[str],
    description: tfx.dsl.components.Parameter[str],
    train_share: tfx.dsl.components.Parameter[float] = None,
    baseline: tfx.dsl.components.Parameter[str] = LATEST,
    content_digest: tfx.dsl.components.Parameter[str] = "",
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Accepts the data, or fails and so stops all that depends on it, which ExampleValidator never does.

    Args:
      examples: of both splits.
      ingest: the account of all rows.
      statistics: of both splits, with the features that StatisticsGen derives.
      schema: with the comparators of drift and skew.
      anomalies: from ExampleValidator.
      verdict: the findings; an input of the Trainer.
      policy: `GateConfig` as JSON.
      accepted_dir: the folder of `accepted`; accepted data becomes the newest entry.
      fingerprint: of the data and of how it was read.
      description: which data, for people.
      train_share: the share of the rows that the split train should have; None where the data gives the splits.
      baseline: what drift is measured against: `latest`, `none`, or the number of an entry. A runner that knows it
        passes it, so that the cache sees a change.
      content_digest: of the data, where the fingerprint is only of how it was read.
      beam_pipeline: TFX gives it.

    Raises:
      DataRefused: with all findings.
    """
    judged_by = GateConfig.model_validate_json(policy)
    fingerprint += content_digest
    by_split = {
        split: _read(f"{statistics.uri}/Split-{split}/FeatureStats.pb", statistics_pb2.DatasetFeatureStatisticsList())
        for split in _SPLITS
    }
    found_anomalies = {
        split: _read(f"{anomalies.uri}/Split-{split}/SchemaDiff.pb", anomalies_pb2.Anomalies()) for split in _SPLITS
    }
    schema_proto = tfdv.load_schema_text(f"{schema.uri}/schema.pbtxt")
    report = json.loads(Path(ingest.uri, REPORT_FILE).read_text(encoding="utf-8"))
    counts, split = report["splits"], report.get("split", {})  # of an earlier version without
    if not all(count["rows"] for count in counts.values()):
        judged_by = judged_by.model_copy(update={"rows": FAIL})  # nothing can be trained or evaluated
    folders = {split: f"{examples.uri}/Split-{split}" for split in _SPLITS}
    leaks = find_leaks(beam_pipeline, folders, f"{verdict.uri}.leaks.json")
    before, name = _baseline(accepted_dir, baseline, fingerprint, judged_by.min_compared_rows)
    findings = [
        *rules.judge_rejects(report, judged_by),
        *rules.judge_anomalies(found_anomalies, judged_by),
        *rules.judge_rows(counts, judged_by, split.get("by", "")),
        *rules.judge_classes(counts, judged_by),
        *rules.judge_split(counts, train_share, judged_by, split),
        *rules.judge_leakage(*leaks, judged_by, report["rows"].get("in_eval", 0), report.get("in_eval", ())),
        *rules.judge_label_fixes(report.get("label_fixes"), judged_by),
        *comparison.judge_drift(by_split[features.TRAIN_SPLIT], before, name, schema_proto, judged_by),
        *comparison.judge_skew(by_split[features.TRAIN_SPLIT], by_split[features.EVAL_SPLIT], schema_proto, judged_by),
    ]
    findings = apply_policy(findings, judged_by)
    if any(finding.outcome == FAIL for finding in findings):
        refuse(findings)
    write_verdict(verdict, findings)
    accepted.write_accepted(
        accepted_dir, statistics.uri, fingerprint, description, counts[features.TRAIN_SPLIT]["rows"]
    )


watch_jobs(DataGate.EXECUTOR_SPEC.executor_class)


def _baseline(
    accepted_dir: str, baseline: str, fingerprint: str, min_rows: int
) -> tuple[statistics_pb2.DatasetFeatureStatisticsList | None, str]:
    """Reads the statistics that drift is measured against; returns them with their name, or None with the reason."""
    known = [entry for entry in accepted.list_accepted(accepted_dir) if entry.rows >= min_rows]
    if known and known[-1].fingerprint == fingerprint:
        return None, "this very data was accepted last"
    if baseline == LATEST and known:
        baseline = str(known[-1].number)
    found = [entry for entry in known if str(entry.number) == baseline]
    if not found:
        return None, "no other data of enough rows was accepted before"
    path = accepted.split_file(accepted_dir, found[0].number, features.TRAIN_SPLIT)
    statistics = _read(str(path), statistics_pb2.DatasetFeatureStatisticsList())
    return statistics, f"accepted data {baseline}, {found[0].description}"


def _read(path: str, proto):
    proto.ParseFromString(Path(path).read_bytes())
    return proto
