"""RunReport: what a run came to, for the run's page."""

from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, ModelRun, PushedModel

from components.data_gate.verdict import DataVerdict
from components.headline_example_gen.ingest import Ingest
from kubeflow.outputs import as_artifact, metadata_of
from kubeflow.tasks.artifacts import HTML, ClassificationMetrics, Metrics
from kubeflow.tasks.page import render_page
from pipeline import lineage
from pipeline.verdict import collect_facts, judge_model

_CLASSES = ("not clickbait", "clickbait")


@tfx.dsl.components.component
def RunReport(  # noqa: N802  components are named as classes
    ingest: tfx.dsl.components.InputArtifact[Ingest],
    data_verdict: tfx.dsl.components.InputArtifact[DataVerdict],
    model_run: tfx.dsl.components.InputArtifact[ModelRun],
    evaluation: tfx.dsl.components.InputArtifact[ModelEvaluation],
    infra_blessing: tfx.dsl.components.InputArtifact[InfraBlessing],
    pushed_model: tfx.dsl.components.InputArtifact[PushedModel],
    metrics: tfx.dsl.components.OutputArtifact[Metrics],
    confusion_matrix: tfx.dsl.components.OutputArtifact[ClassificationMetrics],
    report: tfx.dsl.components.OutputArtifact[HTML],
):
    """Emits what the UI draws. It ends well whatever the outcome: of a task that fails nothing is kept.

    Args:
      ingest: the account of all rows.
      data_verdict: DataGate's.
      model_run: the Trainer's.
      evaluation: the Evaluator's.
      infra_blessing: LocalInfraValidator's.
      pushed_model: VersionedPusher's.
      metrics: what the rules for all rows as they are observed, and the counts of rows.
      confusion_matrix: of the held-out rows at 0.5.
      report: a page.
    """
    outputs = {
        node: {key: as_artifact(one.uri, metadata_of(one))}
        for node, key, one in (
            ("HeadlineExampleGen", "ingest", ingest),
            ("DataGate", "verdict", data_verdict),
            ("Trainer", "model_run", model_run),
            ("Evaluator", "evaluation", evaluation),
            ("LocalInfraValidator", "blessing", infra_blessing),
            ("VersionedPusher", "pushed_model", pushed_model),
        )
    }
    verdict = {**collect_facts(outputs), **judge_model(outputs)}
    for one in verdict["thresholds"]:
        if one["against"] == "bound" and not one["slice"] and one["observed"] is not None:
            metrics.set_float_custom_property(f"{one['split']} {one['metric']}", float(one["observed"]))
    for split, counts in verdict["rows"].items():
        metrics.set_float_custom_property(f"{split} rows", float(counts["rows"]))
    matrix = lineage.confusion_matrix(verdict["evaluation"])
    confusion_matrix.set_json_value_custom_property(
        "confusionMatrix",
        {
            "annotationSpecs": [{"displayName": name} for name in _CLASSES],
            "rows": [{"row": row} for row in matrix],
        },
    )
    Path(report.uri).parent.mkdir(parents=True, exist_ok=True)
    Path(report.uri).write_text(render_page(verdict), encoding="utf-8")
