"""ModelScorer: the scores of every row by the candidate and the last blessed model."""

import json
from pathlib import Path

import apache_beam as beam
import tfx.v1 as tfx
from tfx.dsl.component.experimental.annotations import BeamComponentParameter
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.beam_jobs import runs_in_memory, watch_jobs
from components.behaviours import BEHAVIOURS_FILE, Behaviours
from components.challenges import CHALLENGES_PROPERTY
from components.model_scorer.explanations import EXPLANATIONS_FILE, Explanations
from trainer import features, saved_model


@tfx.dsl.components.component(use_beam=True)
def ModelScorer(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    model: tfx.dsl.components.InputArtifact[Model],
    baseline_model: tfx.dsl.components.InputArtifact[Model],
    predictions: tfx.dsl.components.OutputArtifact[Examples],
    explanations: tfx.dsl.components.OutputArtifact[Explanations],
    batch_rows: tfx.dsl.components.Parameter[int] = 128,
    explained_errors: tfx.dsl.components.Parameter[int] = 50,
    behaviours: tfx.dsl.components.Parameter[str] = "",
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Scores each distinct text once, by the signature that takes texts, and explains the most confident errors.

    On an engine its workers score, and a text of several parts of a split is scored in each.

    Args:
      examples: BaselineScorer's.
      model: the candidate.
      baseline_model: the last blessed one; may be an artifact without a model.
      predictions: the same rows in the same order and files, with `probability` (float), the candidate's;
        `as_is_probability`, the candidate's for the same row as it is; and `last_blessed`, that model's, which is left
        out where there is none. A score that is no number stays one. The property `model_uri` names the candidate.
      explanations: of errors on the evaluation rows as they are, see `Explanations`.
      batch_rows: texts scored at a time.
      explained_errors: how many, at most.
      behaviours: cases as JSON, see `components.behaviours`, whose scores by the candidate lie beside the predictions;
        empty: none. The cases themselves and no path: the cache goes by them, and a cluster has no file.
      beam_pipeline: TFX gives it; None scores in this process.
    """
    from components.model_scorer.score import (
        LAST_BLESSED,
        confident_errors,
        explain_errors,
        read_errors,
        score_behaviours,
        score_splits,
    )
    from components.text_scorer import TextScorer

    splits = artifact_utils.decode_split_names(examples.split_names)
    predictions.split_names = examples.split_names
    predictions.set_string_custom_property("model_uri", model.uri)
    if counts := examples.get_string_custom_property(CHALLENGES_PROPERTY):
        predictions.set_string_custom_property(CHALLENGES_PROPERTY, counts)
    sources, targets = (
        {split: artifact_utils.get_split_uri([artifact], split) for split in splits}
        for artifact in (examples, predictions)
    )
    models = {features.PROBABILITY: path_utils.serving_model_path(model.uri)}
    baseline = path_utils.serving_model_path(baseline_model.uri)
    # Before the first push LatestBlessedModel emits an artifact without a model.
    if Path(baseline, saved_model.GRAPH).is_file():
        models[LAST_BLESSED] = baseline
    if runs_in_memory(beam_pipeline):
        scorers = {name: TextScorer(folder, batch_rows) for name, folder in models.items()}
        candidate = scorers[features.PROBABILITY]
        score_splits(sources, targets, candidate, scorers.get(LAST_BLESSED))
        errors = confident_errors(read_errors(targets[features.EVAL_SPLIT]), explained_errors)
    else:
        from components.model_scorer.on_beam import score_on_beam

        scratch = f"{predictions.uri}.errors.json"
        errors = score_on_beam(beam_pipeline, sources, targets, models, batch_rows, explained_errors, scratch)
        candidate = TextScorer(models[features.PROBABILITY], batch_rows)
    if behaviours:
        scored = score_behaviours(Behaviours.model_validate_json(behaviours), candidate)
        Path(predictions.uri, BEHAVIOURS_FILE).write_text(scored.model_dump_json(), encoding="utf-8")
    explained = explain_errors(errors, candidate)
    Path(explanations.uri).mkdir(parents=True, exist_ok=True)
    Path(explanations.uri, EXPLANATIONS_FILE).write_text(
        json.dumps(explained, indent=2, ensure_ascii=False), encoding="utf-8"
    )


watch_jobs(ModelScorer.EXECUTOR_SPEC.executor_class)
