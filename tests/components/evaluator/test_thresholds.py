"""Bounds that a run is told when it starts are those that its model is held to."""

import pytest

from pipeline.config import EvaluationConfig

pytestmark = pytest.mark.slow  # imports TensorFlow Model Analysis


@pytest.fixture
def replaced():
    """Returns the EvalConfig of a split with other bounds, and the EvalConfig that the configuration would make."""
    from google.protobuf import json_format

    from components.evaluator.thresholds import replace_bounds
    from pipeline.evaluation import create_eval_config

    def replaced(split, bounds, **settings):
        default = create_eval_config(EvaluationConfig(), split)
        found = replace_bounds(json_format.MessageToJson(default, preserving_proto_field_name=True), bounds)
        return json_format.Parse(found, type(default)()), create_eval_config(EvaluationConfig(**settings), split)

    return replaced


@pytest.mark.parametrize(
    ("split", "bounds", "settings"),
    [
        ("eval", {}, {}),
        ("eval", {"min_accuracy": 0.5}, {"min_eval_accuracy": 0.5}),
        ("eval", {"min_auc": 0.0, "max_accuracy_drop": 0.25}, {"min_eval_auc": 0.0, "max_accuracy_drop": 0.25}),
        ("train", {"min_accuracy": 0.625}, {"min_train_accuracy": 0.625}),
    ],
)
def test_a_replaced_bound_is_as_a_configured_one(replaced, split, bounds, settings):
    found, expected = replaced(split, bounds, **settings)
    assert found == expected


def test_a_bound_that_nothing_is_held_to_is_refused(replaced):
    with pytest.raises(ValueError, match=r"max_accuracy_drop replaces a threshold. Received: 0.1 for an EvalConfig"):
        replaced("train", {"max_accuracy_drop": 0.1})
