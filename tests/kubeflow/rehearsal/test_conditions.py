"""Conditions are judged as the driver judges them."""

from __future__ import annotations

import pytest

from kubeflow.rehearsal.conditions import evaluate

INPUTS = {
    "inputs": {
        "parameterValues": {"pipelinechannel--coin": "heads", "n": 2.0, "yes": True, "facts": '{"a": 3}', "odd": "&&"},
        "artifacts": {"model": {"artifacts": [{"metadata": {"blessed": 1.0, "name": "it's"}, "uri": "s3://b"}]}},
    }
}
MODEL = "inputs.artifacts['model'].artifacts[0]"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.parameter_values['pipelinechannel--coin'] == 'heads'", True),
        ("!(inputs.parameter_values['pipelinechannel--coin'] == 'heads')", False),
        ("inputs.parameter_values['n'] >= 2 && inputs.parameter_values['n'] < 3", True),
        ("int(inputs.parameter_values['n']) != 2 || inputs.parameter_values['yes'] == true", True),
        (f"({MODEL}.metadata['blessed'] == 1.0)", True),
        (f"{MODEL}.metadata['name'] == \"it's\" && {MODEL}.uri == 's3://b'", True),
        ("inputs.parameter_values['odd'] == '&&'", True),
        ("parseJson(inputs.parameter_values['facts'])['a'] == 3", True),
        ("inputs.parameter_values['n'] > -1 && false", False),
    ],
)
def test_conditions(condition, expected):
    assert evaluate(condition, INPUTS) is expected


@pytest.mark.parametrize("condition", ["inputs.parameter_values['gone'] == 1", "__import__('os')", "1 +", "n.x()"])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(ValueError, match="A condition must consist of comparisons of inputs. Received: "):
        evaluate(condition, INPUTS)
