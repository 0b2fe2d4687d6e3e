"""ModelScorer: the scores of every row by the candidate and the last blessed model."""

import json
from pathlib import Path

import tfx.v1 as tfx
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.behaviours import BEHAVIOURS_FILE, Behaviours
from components.challenges import CHALLENGES_PROPERTY
from components.model_scorer.explanations import EXPLANATIONS_FILE, Explanations
from trainer import features, saved_model


@tfx.dsl.components.component
def ModelScorer(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    model: tfx.dsl.components.InputArtifact[Model],
    baseline_model: tfx.dsl.components.InputArtifact[Model],
    predictions: tfx.dsl.components.OutputArtifact[Examples],
    explanations: tfx.dsl.components.OutputArtifact[Explanations],
    batch_rows: tfx.dsl.components.Parameter[int] = 128,
    explained_errors: tfx.dsl.components.Parameter[int] = 50,
    behaviours: tfx.dsl.components.Parameter[str] = "",
):
    """Scores each distinct text once, by the signature that takes texts, and explains the most confident errors.

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
    """
    from components.model_scorer.score import explain_errors, score_behaviours, score_splits
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
    candidate = TextScorer(path_utils.serving_model_path(model.uri), batch_rows)
    baseline = Path(path_utils.serving_model_path(baseline_model.uri))
    # Before the first push LatestBlessedModel emits an artifact without a model.
    last_blessed = TextScorer(baseline, batch_rows) if (baseline / saved_model.GRAPH).is_file() else None
    score_splits(sources, targets, candidate, last_blessed)
    if behaviours:
        scored = score_behaviours(Behaviours.model_validate_json(behaviours), candidate)
        Path(predictions.uri, BEHAVIOURS_FILE).write_text(scored.model_dump_json(), encoding="utf-8")
    found = explain_errors(targets[features.EVAL_SPLIT], candidate, explained_errors)
    Path(explanations.uri).mkdir(parents=True, exist_ok=True)
    Path(explanations.uri, EXPLANATIONS_FILE).write_text(
        json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8"
    )
