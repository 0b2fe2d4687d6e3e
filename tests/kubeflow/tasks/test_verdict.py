"""The last task ends a run with the exit code of its outcome."""

import pytest

pytestmark = pytest.mark.slow  # imports TFX


@pytest.fixture
def judge(tmp_path):
    """Runs the task on the artifacts of an outcome."""
    from tfx.types.standard_artifacts import InfraBlessing, ModelBlessing, PushedModel

    from components.local_infra_validator.verdict import write_verdict
    from kubeflow.tasks.verdict import Verdict

    def judge(outcome: str, eval_blessed: int = 1, train_blessed: int = 1) -> None:
        pushed_model, infra = PushedModel(), InfraBlessing()
        pushed_model.set_string_custom_property("outcome", outcome)
        infra.uri = str(tmp_path)
        finding = {"rule": "memory", "where": "server", "bound": "<= 1 GB", "observed": "2 GB", "detail": ""}
        write_verdict(tmp_path, {"findings": [{**finding, "outcome": "fail"}, {**finding, "outcome": "kept"}]})
        blessings = []
        for blessed in (eval_blessed, train_blessed):
            blessings.append(ModelBlessing())
            blessings[-1].set_int_custom_property("blessed", blessed)
        function = Verdict.EXECUTOR_SPEC.executor_class._FUNCTION
        function(
            pushed_model=pushed_model, eval_blessing=blessings[0], train_blessing=blessings[1], infra_blessing=infra
        )

    return judge


@pytest.mark.parametrize("outcome", ["pushed", "unchanged", "rolled back"])
def test_these_end_well(judge, outcome):
    judge(outcome)


def test_not_blessed_is_4_and_says_where(judge):
    from kubeflow.tasks.verdict import NotPushed

    with pytest.raises(NotPushed, match="thresholds are not kept on the training rows") as refused:
        judge("not blessed", train_blessed=0)
    assert refused.value.exit_code == 4


def test_not_fit_to_be_served_is_5_and_says_why(judge):
    from kubeflow.tasks.verdict import NotPushed

    with pytest.raises(NotPushed) as refused:
        judge("infra not blessed")
    assert refused.value.exit_code == 5
    assert str(refused.value) == "not fit to be served: memory, server: expected <= 1 GB, observed 2 GB"
