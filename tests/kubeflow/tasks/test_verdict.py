"""The last task ends a run with the exit code of its outcome."""

import pytest

from tests.helpers.evaluations import a_policy, a_slice, good_slices
from tests.helpers.verdicts import an_infra_verdict

pytestmark = pytest.mark.slow  # imports TFX


@pytest.fixture
def judge(tmp_path):
    """Runs the task on the artifacts of an outcome."""
    from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

    from components.evaluator.compose import compose_verdict
    from components.evaluator.results import write_verdict as write_evaluation
    from components.local_infra_validator.policy import Finding, write_verdict
    from kubeflow.tasks.verdict import Verdict

    def judge(outcome: str, slices=()) -> None:
        pushed_model, infra, evaluation = PushedModel(), InfraBlessing(), ModelEvaluation()
        pushed_model.set_string_custom_property("outcome", outcome)
        infra.uri = str(tmp_path)
        findings = [Finding("memory", "server", "<= 1 GB", "2 GB", kept) for kept in (False, True)]
        write_verdict(tmp_path, an_infra_verdict(blessed=False, findings=findings))
        evaluation.uri = str(tmp_path / "evaluation")
        write_evaluation(evaluation.uri, compose_verdict(slices, [], a_policy()))
        function = Verdict.EXECUTOR_SPEC.executor_class._FUNCTION
        function(pushed_model=pushed_model, evaluation=evaluation, infra_blessing=infra)

    return judge


@pytest.mark.parametrize("outcome", ["pushed", "unchanged", "rolled back"])
def test_these_end_well(judge, outcome):
    judge(outcome)


def test_not_blessed_is_4_and_names_the_rules(judge):
    from kubeflow.tasks.verdict import NotPushed

    with pytest.raises(NotPushed) as refused:
        judge("not blessed", good_slices(lower=a_slice(wrong=386, against={"as_is": 5}, variant="lower")))
    assert refused.value.exit_code == 4
    assert str(refused.value) == "failed rules: variant lower accuracy 0.6140, 38.1 points below as is (at most 2.0)"


def test_not_fit_to_be_served_is_5_and_says_why(judge):
    from kubeflow.tasks.verdict import NotPushed

    with pytest.raises(NotPushed) as refused:
        judge("infra not blessed")
    assert refused.value.exit_code == 5
    assert str(refused.value) == "infra validation failed: memory, server: expected <= 1 GB, observed 2 GB"
