"""RunReport: emits the outcome of a run for the run's page."""

from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import (
    Examples,
    ExampleStatistics,
    InfraBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
)

from components.data_gate.verdict import DataVerdict
from components.headline_example_gen.ingest import Ingest
from components.model_scorer.explanations import Explanations
from kubeflow.container.outputs import as_artifact, metadata_of
from kubeflow.tasks.artifacts import HTML, ClassificationMetrics, Metrics
from pipeline.results.report.changes import overall
from pipeline.results.report.collect import collect_facts
from pipeline.results.report.render import render_report
from pipeline.results.tracking import metrics_of
from pipeline.results.verdict import Data, Verdict
from pipeline.running import outcome

_CLASSES = ("not clickbait", "clickbait")


@tfx.dsl.components.component
def RunReport(  # noqa: N802  components are named as classes
    ingest: tfx.dsl.components.InputArtifact[Ingest],
    statistics: tfx.dsl.components.InputArtifact[ExampleStatistics],
    data_verdict: tfx.dsl.components.InputArtifact[DataVerdict],
    model_run: tfx.dsl.components.InputArtifact[ModelRun],
    predictions: tfx.dsl.components.InputArtifact[Examples],
    explanations: tfx.dsl.components.InputArtifact[Explanations],
    evaluation: tfx.dsl.components.InputArtifact[ModelEvaluation],
    infra_blessing: tfx.dsl.components.InputArtifact[InfraBlessing],
    pushed_model: tfx.dsl.components.InputArtifact[PushedModel],
    metrics: tfx.dsl.components.OutputArtifact[Metrics],
    confusion_matrix: tfx.dsl.components.OutputArtifact[ClassificationMetrics],
    report: tfx.dsl.components.OutputArtifact[HTML],
    run_id: tfx.dsl.components.Parameter[str],
    data: tfx.dsl.components.Parameter[str],
    data_digest: tfx.dsl.components.Parameter[str],
    mask_examples: tfx.dsl.components.Parameter[int],
) -> None:
    """Emits what the UI draws. It succeeds whatever the outcome: the outputs of a task that fails are not kept.

    Args:
      ingest: the account of all rows.
      statistics: StatisticsGen's.
      data_verdict: DataGate's.
      model_run: the Trainer's.
      predictions: ModelScorer's.
      explanations: ModelScorer's.
      evaluation: the Evaluator's.
      infra_blessing: LocalInfraValidator's.
      pushed_model: VersionedPusher's.
      metrics: by the names that a local run logs to MLflow, so that KFP's own MLflow plugin logs the same.
      confusion_matrix: of the held-out rows at 0.5.
      report: the page that a local run leaves as `report.html`.
      run_id: of the run.
      data: where the rows came from.
      data_digest: sha256 of them; empty where it was not known before the run.
      mask_examples: whether the page may not show a headline, 0 or 1.
    """
    outputs = {
        node: {key: as_artifact(artifact.uri, metadata_of(artifact))}
        for node, key, artifact in (
            ("HeadlineExampleGen", "ingest", ingest),
            ("StatisticsGen", "statistics", statistics),
            ("DataGate", "verdict", data_verdict),
            ("Trainer", "model_run", model_run),
            ("ModelScorer", "predictions", predictions),
            ("ModelScorer", "explanations", explanations),
            ("Evaluator", "evaluation", evaluation),
            ("LocalInfraValidator", "blessing", infra_blessing),
            ("VersionedPusher", "pushed_model", pushed_model),
        )
    }
    verdict = Verdict(
        run_id=run_id,
        status="running",
        data=Data(description=data, sha256=data_digest or None),
        gate_policy={"mask_examples": bool(mask_examples)},
    )
    verdict = outcome.judge_model(outcome.collect_facts(verdict, outputs), outputs)
    for name, value in metrics_of(verdict).items():
        metrics.set_float_custom_property(name, value)
    evaluated = overall(verdict)
    confusion_matrix.set_json_value_custom_property(
        "confusionMatrix",
        {
            "annotationSpecs": [{"displayName": name} for name in _CLASSES],
            "rows": [{"row": row} for row in (evaluated.confusion if evaluated else [])],
        },
    )
    Path(report.uri).parent.mkdir(parents=True, exist_ok=True)
    Path(report.uri).write_text(render_report(verdict, collect_facts(verdict, outputs)), encoding="utf-8")
