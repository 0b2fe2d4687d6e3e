"""What the key of a task is made of, and how two differ."""

from __future__ import annotations

import copy

import pytest

from kubeflow.status.fingerprint import Fingerprint, Parameter, find_differences, fingerprints

TASK = Fingerprint("image:v1", ("python", "-m", "main", "--flag", "a"), {}, {}, {}, ())
VALUES = {
    "data": "s3://b/d.csv",
    "data_digest": "sha256:0",
    "push_destination": "s3://b/m",
    "accepted_data": "s3://b/a",
}


def with_value(value, name="n"):
    return TASK._replace(parameters={"key": Parameter(name, value)})


def test_a_compiled_task_is_read_whole(spec):
    trainer = fingerprints(spec, {}, VALUES)["Trainer"]
    assert trainer.image == "clickbait-tfx:latest"
    assert trainer.command[:3] == ("python", "-m", "kubeflow.container.entrypoint")
    assert "--json_serialized_inputs_spec_args" in trainer.command
    assert {"examples"} <= {*trainer.inputs}
    assert {"model", "model_run"} <= {*trainer.outputs}
    epochs = next(parameter for parameter in trainer.parameters.values() if parameter.name == "epochs")
    assert epochs.value == spec["root"]["inputDefinitions"]["parameters"]["epochs"]["defaultValue"]


def test_the_same_spec_and_values_differ_in_nothing(spec):
    first, second = (fingerprints(copy.deepcopy(spec), {}, VALUES) for _ in range(2))
    assert len(first) == len(spec["root"]["dag"]["tasks"])
    differences = {name: find_differences(fingerprint, second[name]) for name, fingerprint in first.items()}
    assert {name: phrases for name, phrases in differences.items() if phrases} == {
        "RunReport": ["parameter run_id: the run's own"],
        "VersionedPusher": ["parameter run_id: the run's own"],
    }


@pytest.mark.parametrize(
    ("change", "phrases"),
    [
        ({"image": "image:v2"}, ["image: image:v2, was image:v1"]),
        ({"command": ("python", "-m", "main", "--flag", "b")}, ["argument --flag: b, was a"]),
        ({"command": (*TASK.command, "--more=1")}, ["argument --more: 1, was absent"]),
        ({"command": ("go", "run", "--flag", "a")}, ["argument command: go run, was python -m main"]),
        ({"outputs": {"model": {}}}, ["output model: new"]),
        ({"claims": ("checkpoints",)}, ["volume claims: checkpoints, was none"]),
    ],
)
def test_each_part_is_named(change, phrases):
    assert find_differences(TASK._replace(**change), TASK) == phrases


@pytest.mark.parametrize(
    ("new", "old", "phrases"),
    [
        (3, 2, ["parameter n: 3, was 2"]),
        (300, 300.0, []),
        (True, 1, ["parameter n: true, was 1"]),
        ("", "a", ['parameter n: "", was a']),
        ('{"a": 1, "b": {"c": 2}}', '{"b": {"c": 3}, "a": 1}', ["parameter n.b.c: 2, was 3"]),
        ('{"a": 1}', '{ "a": 1 }', []),
        ("{not json", "{nor json", ["parameter n: {not json, was {nor json"]),
        ("{{$.pipeline_job_uuid}}", "{{$.pipeline_job_uuid}}", ["parameter n: the run's own"]),
        ("s3://u:pw@h/a", "s3://u:pw@h/b", ["parameter n: s3://...@h/a, was s3://...@h/b"]),
        ("s3://u:pw@h/a", "s3://u:pq@h/a", ["parameter n: another value"]),
        ("https://h/a?sig=secret", "https://h/b?sig=secret", ["parameter n: https://h/a?..., was https://h/b?..."]),
    ],
)
def test_values_are_compared_as_the_driver_hashes_them(new, old, phrases):
    assert find_differences(with_value(new), with_value(old)) == phrases


@pytest.mark.parametrize("name", ["password", "api_key", "hub_token", "client_secret"])
def test_what_is_called_like_a_secret_is_not_shown(name):
    assert find_differences(with_value("abc", name), with_value("def", name)) == [f"parameter {name}: another value"]
    nested = find_differences(with_value(f'{{"{name}": "abc"}}'), with_value(f'{{"{name}": "def"}}'))
    assert nested == [f"parameter n.{name}: another value"]


def test_of_long_values_the_part_is_shown_that_differs():
    (phrase,) = find_differences(with_value("a" * 500 + "new" + "z" * 500), with_value("a" * 500 + "old" + "z" * 500))
    assert len(phrase) < 150
    assert "new" in phrase
    assert "old" in phrase


def test_a_parameter_that_is_new_was_absent():
    assert find_differences(with_value(1), TASK) == ["parameter n: 1, was absent"]
    assert find_differences(TASK, with_value(1)) == ["parameter n: absent, was 1"]
