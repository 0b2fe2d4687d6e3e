"""Parameters are held to the spec before anything is sent."""

from __future__ import annotations

import pytest

from kubeflow.parameters import ParameterError
from kubeflow.submit.values import check_values


def spec(**types):
    parameters = {name: {"parameterType": kind} for name, kind in types.items()}
    return {"root": {"inputDefinitions": {"parameters": parameters}}}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("STRING", "a=b", "a=b"),
        ("STRING", "", ""),
        ("NUMBER_INTEGER", "-3", -3),
        ("NUMBER_DOUBLE", "1e-3", 0.001),
        ("BOOLEAN", "true", True),
        ("LIST", "[1]", [1]),
        ("STRUCT", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_of_the_specs_type(kind, text, value):
    assert check_values(spec(x=kind), [f"x={text}"]) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("NUMBER_INTEGER", "1.5"),
        ("NUMBER_DOUBLE", "nan"),
        ("NUMBER_DOUBLE", "much"),
        ("BOOLEAN", "yes"),
        ("LIST", "{}"),
        ("STRUCT", "[]"),
    ],
)
def test_another_type_is_refused(kind, text):
    with pytest.raises(ParameterError, match=f"Received: .*{text[0] if text[0].isalnum() else ''}"):
        check_values(spec(x=kind), [f"x={text}"])


def test_the_later_wins():
    assert check_values(spec(x="STRING"), ["x=1", "x=2"]) == {"x": "2"}


@pytest.mark.parametrize("text", ["y=1", "x"])
def test_what_the_spec_has_not_is_refused_with_the_names(text):
    with pytest.raises(ParameterError, match=f"Received: {text}. The spec's names: x."):
        check_values(spec(x="STRING"), [text])


def test_what_has_no_default_has_to_be_said():
    one = spec(a="STRING", b="STRING", c="STRING", d="STRING")
    one["root"]["inputDefinitions"]["parameters"]["a"]["defaultValue"] = ""
    one["root"]["inputDefinitions"]["parameters"]["b"]["isOptional"] = True
    with pytest.raises(ParameterError, match="nothing for c, d"):
        check_values(one, [])


def test_nothing_is_sent_when_a_value_is_wrong(api, submit):
    result = submit("--parameter", "epochs=many")
    assert result.exit_code == 2
    assert "epochs is a whole number. Received: many" in result.output
    assert not api.calls
