"""Parameters are checked against the spec before anything is sent."""

from __future__ import annotations

import re

import pytest

from components.headline_example_gen.settings import DataConfig
from kubeflow.spec.parameters import PARAMETERS, ParameterError
from kubeflow.spec.values import check_values, ingest_settings, parse_values
from tests.helpers.specs import container_task, pipeline_of


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
        ("NUMBER_DOUBLE", "3", 3.0),
        ("NUMBER_DOUBLE", ".5", 0.5),
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
        ("NUMBER_INTEGER", "2.5"),
        ("NUMBER_INTEGER", "3.0"),
        ("NUMBER_INTEGER", "1e3"),
        ("NUMBER_INTEGER", "1_000"),
        ("NUMBER_INTEGER", "9007199254740993"),
        ("NUMBER_INTEGER", "9" * 5000),
        ("NUMBER_INTEGER", "True"),
        ("NUMBER_INTEGER", ""),
        ("NUMBER_DOUBLE", "nan"),
        ("NUMBER_DOUBLE", "1e400"),
        ("NUMBER_DOUBLE", "-inf"),
        ("NUMBER_DOUBLE", "1_000.5"),
        ("NUMBER_DOUBLE", "True"),
        ("BOOLEAN", "True"),
        ("BOOLEAN", "1"),
        ("LIST", "[NaN]"),
        ("LIST", "[1e400]"),
        ("NUMBER_DOUBLE", "much"),
        ("BOOLEAN", "yes"),
        ("LIST", "{}"),
        ("STRUCT", "[]"),
    ],
)
def test_another_type_is_refused(kind, text):
    with pytest.raises(ParameterError, match=f"Received: {re.escape(text)}. Give another"):
        check_values(spec(x=kind), [f"x={text}"])


def test_the_later_wins():
    assert check_values(spec(x="STRING"), ["x=1", "x=2"]) == {"x": "2"}


@pytest.mark.parametrize("text", ["y=1", "x"])
def test_what_the_spec_has_not_is_refused_with_the_names(text):
    with pytest.raises(ParameterError, match=f"Received: {text}. Give one of x."):
        check_values(spec(x="STRING"), [text])


def test_what_has_no_default_must_be_given():
    one = spec(a="STRING", b="STRING", c="STRING", d="STRING")
    one["root"]["inputDefinitions"]["parameters"]["a"]["defaultValue"] = ""
    one["root"]["inputDefinitions"]["parameters"]["b"]["isOptional"] = True
    with pytest.raises(ParameterError, match="none for c, d"):
        check_values(one, [])


OURS = {one.name: {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}[one.kind] for one in PARAMETERS}


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("epochs=-3", "training.epochs"),
        ("epochs=0", "training.epochs"),
        ("min_eval_accuracy=1.5", "evaluation.min_eval_accuracy"),
        ("push_destination=", "kubeflow.push_destination"),
    ],
)
def test_a_value_out_of_the_bounds_of_its_setting_is_refused(text, setting):
    with pytest.raises(ParameterError, match=f"within the bounds of its setting(.|\n)*{setting}"):
        parse_values(spec(**OURS), [text])


def test_bounds_are_those_of_our_pipeline_alone():
    assert parse_values(spec(epochs="NUMBER_INTEGER"), ["epochs=-3"]) == {"epochs": -3}


def test_the_settings_of_the_ingest_are_those_of_the_spec():
    settings = DataConfig(labels={"no": 0, "yes": 1}, window_spans=2, last_span="7")
    parameters = {"settings": {"runtimeValue": {"constant": settings.model_dump_json()}}}
    spec = pipeline_of([container_task("HeadlineExampleGen", "true", parameters=parameters)])
    assert ingest_settings(spec) == settings


def test_a_spec_without_an_ingest_has_no_settings_of_it():
    assert ingest_settings(pipeline_of([container_task("any", "true")])) is None


def test_challenges_are_a_list_of_sources():
    text = '[{"name": "a", "path": "s3://b/a.csv", "sha256": "sha256:1"}]'
    assert parse_values(spec(**OURS), [f"challenges={text}"]) == {"challenges": text}
    with pytest.raises(
        ParameterError, match="challenges must be JSON, a list of name, path and sha256. Received: a.csv"
    ):
        parse_values(spec(**OURS), ["challenges=a.csv"])
