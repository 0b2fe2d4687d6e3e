"""Verdict: the last task, which fails where the model was not pushed, with the run's exit code and the reason."""

import tfx.v1 as tfx
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

from components.evaluator.results import read_verdict as read_evaluation
from components.evaluator.rules import describe as describe_rule
from components.local_infra_validator.policy import FAIL, describe, read_verdict
from components.versioned_pusher.component import NOT_BLESSED, NOT_FIT


class NotPushed(Exception):  # noqa: N818  the contract's own words
    """The model is not pushed, because a check of it failed."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


@tfx.dsl.components.component
def Verdict(  # noqa: N802  components are named as classes
    pushed_model: tfx.dsl.components.InputArtifact[PushedModel],
    evaluation: tfx.dsl.components.InputArtifact[ModelEvaluation],
    infra_blessing: tfx.dsl.components.InputArtifact[InfraBlessing],
) -> None:
    """Ends the run as `clickbait run` ends.

    VersionedPusher itself ends well when there is nothing to push: a retry of it would be a retry of a verdict.

    Args:
      pushed_model: VersionedPusher's.
      evaluation: the Evaluator's.
      infra_blessing: LocalInfraValidator's.

    Raises:
      NotPushed: with the exit code and the reason.
    """
    outcome = pushed_model.get_string_custom_property("outcome")
    if outcome == NOT_BLESSED:
        failed = [threshold for threshold in read_evaluation(evaluation.uri).thresholds if threshold.refuses]
        raise NotPushed("failed rules: " + "; ".join(map(describe_rule, failed)), 4)
    if outcome == NOT_FIT:
        findings = [finding for finding in read_verdict(infra_blessing.uri).findings if finding.outcome == FAIL]
        raise NotPushed("infra validation failed: " + "; ".join(map(describe, findings)), 5)
