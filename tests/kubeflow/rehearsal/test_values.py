"""Values are written as Go writes them, and what the driver or the launcher would not take fails."""

from __future__ import annotations

import pytest

from kubeflow.rehearsal.driver import DriverError
from kubeflow.rehearsal.values import as_json, as_text, from_text
from tests.helpers.specs import container_task, pipeline_of

WRITE = 'mkdir -p "$(dirname "$0")" && '


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (300.0, 300),
        (2.5, 2.5),
        (True, True),
        (None, None),
        (2**60, 1152921504606847000),
        (1e22, 1e22),
        ({"a": [1.0]}, {"a": [1]}),
    ],
)
def test_whole_numbers_are_whole(value, written):
    assert repr(as_json(value)) == repr(written)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (2.0, "2"),
        (1e-7, "0.0000001"),
        (True, "true"),
        ({"b": 1.0, "a": "ä<"}, '{"a":"ä\\u003c","b":1}'),
        ([1, None], "[1,null]"),
    ],
)
def test_a_parameter_in_a_command(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (" a\n", "STRING", " a\n"),
        (" 7\n", "NUMBER_INTEGER", 7),
        ("7", "NUMBER_DOUBLE", 7.0),
        ("T\n", "BOOLEAN", True),
        ("[1]", "LIST", [1]),
        ("{}", "STRUCT", {}),
    ],
)
def test_an_output_parameter_is_read_by_its_type(text, kind, value):
    assert from_text(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"), [("2.5", "NUMBER_INTEGER"), ("yes", "BOOLEAN"), ("{}", "LIST"), ("[", "STRUCT"), ("", "LIST")]
)
def test_an_output_parameter_of_another_type(text, kind):
    with pytest.raises(ValueError):
        from_text(text, kind)


def saying(kind: str, value: object, **definition: object) -> dict:
    """One task that says its parameter, which is a constant; without one where the value is None."""
    sources = {} if value is None else {"x": {"runtimeValue": {"constant": value}}}
    say = container_task("say", 'echo "$0"', ["{{$.inputs.parameters['x']}}"], parameters=sources)
    say["component"]["inputDefinitions"]["parameters"] = {"x": {"parameterType": kind, **definition}}
    return pipeline_of([say])


@pytest.mark.parametrize(
    ("kind", "value", "definition", "said"),
    [
        ("STRING", 3.0, {}, "3"),
        ("STRING", {"a": True}, {}, '{"a":true}'),
        ("NUMBER_INTEGER", 2.5, {}, "2.5"),  # the driver knows doubles alone
        ("NUMBER_DOUBLE", 2, {}, "2"),
        ("STRING", None, {"isOptional": True, "defaultValue": "d"}, "d"),
        ("STRING", None, {"defaultValue": "d"}, ""),  # only of an optional parameter the launcher fills in the default
    ],
)
def test_a_parameter_that_the_driver_takes(rehearse, tmp_path, kind, value, definition, said):
    rehearse(saying(kind, value, **definition))
    assert (tmp_path / "logs" / "say.txt").read_text() == f"{said}\n"


@pytest.mark.parametrize(
    ("kind", "value"), [("NUMBER_DOUBLE", "2"), ("BOOLEAN", 1), ("NUMBER_INTEGER", True), ("LIST", {}), ("STRUCT", [])]
)
def test_a_parameter_of_another_type(rehearse, kind, value):
    with pytest.raises(DriverError, match=f"must be of its type. Received: x, a {kind}, with "):
        rehearse(saying(kind, value))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ('{"artifacts": {"thing": {"artifacts": [{"metadata": {"n": null}}]}}}', "n of thing: unknown/unsupported"),
        ('{"artifacts": {"thing": {"artifacts": [{"uri": "minio://other/x"}]}}}', "must lie below the pipeline root"),
        ('{"things": {}}', "must be an ExecutorOutput"),
        ("{", "must be an ExecutorOutput"),
    ],
)
def test_an_output_that_the_launcher_does_not_take(rehearse, written, reason):
    script = WRITE + 'echo x > "$0" && printf %s "$1" > "$(dirname "$0")/output_metadata.json"'
    arguments = ["{{$.outputs.artifacts['thing'].path}}", written]
    run, _ = rehearse(pipeline_of([container_task("make", script, arguments, outputs=["thing"])]))
    assert run.failure.exit_code == 1
    assert run.failure.reason.startswith("make: the launcher failed: ")
    assert reason in run.failure.reason


def test_an_output_parameter_that_is_not_written(rehearse):
    make = container_task("make", "true")
    make["component"]["outputDefinitions"]["parameters"] = {"n": {"parameterType": "NUMBER_INTEGER"}}
    run, _ = rehearse(pipeline_of([make]))
    assert "each output parameter. Received: n, a NUMBER_INTEGER: " in run.failure.reason
