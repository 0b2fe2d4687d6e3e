"""Evaluator: one pass over the scored rows, one verdict, one blessing."""

import logging

import apache_beam as beam
import tfx.v1 as tfx
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import BeamComponentParameter
from tfx.types.standard_artifacts import Examples, ModelBlessing, ModelEvaluation
from tfx.utils import io_utils

from components.beam_jobs import watch_jobs
from components.challenges import CHALLENGES_PROPERTY, rows_from_json
from components.evaluator.behaviours import read_results
from components.evaluator.challenges import measure_challenges
from components.evaluator.evaluate import evaluate_predictions
from components.evaluator.policy import EvaluationConfig
from components.evaluator.rules import describe
from components.slices import CHALLENGE
from trainer import features

logger = logging.getLogger("components")


@tfx.dsl.components.component(use_beam=True)
def Evaluator(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    evaluation: tfx.dsl.components.OutputArtifact[ModelEvaluation],
    blessing: tfx.dsl.components.OutputArtifact[ModelBlessing],
    policy: tfx.dsl.components.Parameter[str],
    min_eval_accuracy: tfx.dsl.components.Parameter[float] = None,
    min_eval_auc: tfx.dsl.components.Parameter[float] = None,
    max_accuracy_drop: tfx.dsl.components.Parameter[float] = None,
    min_train_accuracy: tfx.dsl.components.Parameter[float] = None,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Evaluates the rows that ModelScorer scored, and blesses a model that passes the rules.

    TFX's merges the splits that it is given, scores by itself and so each text anew for each model, and refuses a model
    for a slice that has no rows.

    Args:
      examples: rows and their variants, scored by the candidate and the models that it is compared with. They name the
        candidate, which is no input: a cluster would copy it here, and nobody would open it.
      evaluation: TFMA's files and `verdict.json`.
      blessing: `blessed` 1 or 0, and `override`, the reason, where a model is blessed in spite of failed rules.
      policy: `EvaluationConfig` as JSON.
      min_eval_accuracy: replaces that of the policy, which can hold no runtime parameter; so do the next three. 0
        leaves a null of the policy as it is: no runtime parameter is null.
      min_eval_auc: see there.
      max_accuracy_drop: see there.
      min_train_accuracy: see there.
      beam_pipeline: TFX gives it.
    """
    overrides = {
        "min_eval_accuracy": min_eval_accuracy,
        "min_eval_auc": min_eval_auc,
        "max_accuracy_drop": max_accuracy_drop,
        "min_train_accuracy": min_train_accuracy,
    }
    config = EvaluationConfig.model_validate_json(policy).with_bounds(overrides)
    folders = [f"{examples.uri}/Split-{split}" for split in (features.TRAIN_SPLIT, features.EVAL_SPLIT)]
    behaviours = read_results(examples.uri)
    counts = rows_from_json(examples.get_string_custom_property(CHALLENGES_PROPERTY))
    challenges = measure_challenges(f"{examples.uri}/Split-{CHALLENGE}", counts) if counts else []
    verdict = evaluate_predictions(beam_pipeline, folders, evaluation.uri, config, behaviours, challenges)
    for judged in verdict.thresholds:
        level = logging.WARNING if judged.refuses else logging.INFO
        logger.log(level, "%s: %s", judged.outcome, describe(judged))
    blessed = verdict.blessed
    if not blessed and config.bless_anyway:
        blessing.set_string_custom_property("override", config.bless_anyway)
        logger.warning("blessed in spite of failed rules: %s", config.bless_anyway)
        blessed = True
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, examples.get_string_custom_property("model_uri")
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(f"{blessing.uri}/{name}", "")


watch_jobs(Evaluator.EXECUTOR_SPEC.executor_class)
