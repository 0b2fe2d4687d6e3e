"""A fault that is planted in a spec is called by its name."""

from __future__ import annotations

import copy
import functools

import pytest

from kubeflow.spec.pipeline_spec import (
    SpecError,
    dependencies,
    find_faults,
    load_platforms,
    load_spec,
    sort_tasks,
    write_spec,
)
from tests.helpers.specs import a_spec


@pytest.fixture
def spec():
    return a_spec()


def test_a_sound_spec_has_no_faults(spec):
    assert find_faults(spec) == []


def executor(spec):
    return spec["deploymentSpec"]["executors"]["exec-use"]


def task(spec):
    return spec["root"]["dag"]["tasks"]["use"]


PLANTED = {
    "a resolver": (
        lambda spec: spec["deploymentSpec"]["executors"].update({"exec-use": {"resolver": {}}}),
        "exec-use: a resolver, which the driver does not implement; use a component that finds the artifact",
    ),
    "schema 2.0.0": (
        lambda spec: spec.update(schemaVersion="2.0.0"),
        "schemaVersion must be 2.1.0, the one that the API server takes; received '2.0.0'",
    ),
    "no schema version": (
        lambda spec: spec.pop("schemaVersion"),
        "schemaVersion must be 2.1.0, the one that the API server takes; received None",
    ),
    "an artifact without a type": (
        lambda spec: spec["components"]["comp-make"]["outputDefinitions"]["artifacts"]["thing"].update(artifactType={}),
        "comp-make: the artifact thing of its outputDefinitions has no type",
    ),
    "a parameter without a type": (
        lambda spec: spec["components"]["comp-make"]["inputDefinitions"]["parameters"].update(text={}),
        "comp-make: the parameter text of its inputDefinitions has no type",
    ),
    "a custom job": (
        lambda spec: spec["deploymentSpec"]["executors"].update({"exec-use": {"customJob": {}}}),
        "exec-use: customJob, where the driver knows containers and importers only",
    ),
    "no image": (lambda spec: executor(spec)["container"].pop("image"), "exec-use: a container without an image"),
    "an unknown executor label": (
        lambda spec: spec["components"]["comp-use"].update(executorLabel="exec-gone"),
        "comp-use: its executor label 'exec-gone' names no executor",
    ),
    "an unknown component": (
        lambda spec: task(spec).update(componentRef={"name": "comp-gone"}),
        "use: its component 'comp-gone' is missing",
    ),
    "a missing dependency": (
        lambda spec: task(spec)["dependentTasks"].append("gone"),
        "use: depends on the task 'gone', which is missing",
    ),
    "a cycle": (
        lambda spec: spec["root"]["dag"]["tasks"]["make"].update(dependentTasks=["use"]),
        "root: the tasks make, use wait for each other in a cycle",
    ),
    "an output that is not there": (
        lambda spec: task(spec)["inputs"]["artifacts"]["thing"]["taskOutputArtifact"].update(outputArtifactKey="x"),
        "use: its input thing is 'x', which make has not",
    ),
    "an input without a source": (
        lambda spec: task(spec)["inputs"]["artifacts"].clear(),
        "use: its input thing has no source",
    ),
    "an unknown type of a parameter": (
        lambda spec: spec["root"]["inputDefinitions"]["parameters"]["text"].update(parameterType="FLOAT"),
        "root.inputDefinitions.parameters.text.parameterType must be one of PARAMETER_TYPE_ENUM_UNSPECIFIED, "
        "NUMBER_DOUBLE, NUMBER_INTEGER, STRING, BOOLEAN, LIST, STRUCT, TASK_FINAL_STATUS, TASK_CONFIG; "
        "received 'FLOAT'",
    ),
    "a list for a mapping": (
        lambda spec: task(spec).update(inputs=["thing"]),
        "root.dag.tasks.use.inputs must be a mapping; received ['thing']",
    ),
    "a null": (lambda spec: spec.update(components=None), "components must be a mapping; received None"),
    "a wrong duration": (
        lambda spec: task(spec).update(retryPolicy={"backoffDuration": "1h"}),
        "root.dag.tasks.use.retryPolicy.backoffDuration must be seconds, as 30s; received '1h'",
    ),
    "a command that is a text": (
        lambda spec: executor(spec)["container"].update(command="sh"),
        "deploymentSpec.executors.exec-use.container.command must be a list; received 'sh'",
    ),
    "no name": (lambda spec: spec.pop("pipelineInfo"), "pipelineInfo: the pipeline has no name"),
    "no tasks": (lambda spec: spec["root"].pop("dag"), "root: no tasks"),
    "a task without a name": (lambda spec: task(spec).pop("taskInfo"), "use: no name in its taskInfo"),
    "an input from nowhere": (
        lambda spec: task(spec)["inputs"]["artifacts"].update(thing={}),
        "use: its input thing comes from nowhere",
    ),
    "a parameter that nobody tells": (
        lambda spec: spec["root"].pop("inputDefinitions"),
        "make: its input text is 'text', which is no input of the pipeline",
    ),
}


@pytest.mark.parametrize(("plant", "fault"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_caught_by_name(spec, plant, fault, tmp_path):
    plant(spec)
    assert find_faults(spec) == [fault]
    write_spec(spec, tmp_path / "spec.yaml")
    with pytest.raises(SpecError) as refused:
        load_spec(tmp_path / "spec.yaml")
    assert str(refused.value).splitlines()[1] == f"  {fault}"


def test_whatever_is_left_out_or_replaced_there_is_a_fault_or_none_but_no_crash(spec):
    for *place, last in [*places(spec)]:
        for other in (None, 5, "x", [], ["x"], {}, {"x": 1}):
            changed = copy.deepcopy(spec)
            around = functools.reduce(lambda inside, key: inside[key], place, changed)
            around[last] = other
            assert all(isinstance(one, str) for one in find_faults(changed))
        del around[last]
        assert all(isinstance(one, str) for one in find_faults(changed))


def places(value, place=()):
    """The paths of all that is in a spec."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*place, key)
        if isinstance(one, (dict, list)):
            yield from places(one, (*place, key))


def test_what_kubernetes_alone_knows_stands_behind_and_is_kept(spec, tmp_path):
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-use": {"secretAsEnv": []}}}}}}
    write_spec(spec, tmp_path / "spec.yaml", [platform])
    assert load_spec(tmp_path / "spec.yaml") == spec
    assert load_platforms(tmp_path / "spec.yaml") == [platform]


@pytest.mark.parametrize("text", ["a: &a [x, *a]", "[" * 500, "a: !!python/object/apply:os.getcwd []", "\x00"])
def test_yaml_that_would_do_more_than_say_something_is_refused(text, tmp_path):
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(SpecError, match="--spec must be a readable YAML file. Received: "):
        load_spec(tmp_path / "spec.yaml")


@pytest.mark.parametrize(
    ("behind", "message"),
    [({"platforms": {"google": {}}}, "with google. Remove it"), ("pipelineInfo: {}", "must be of `platforms:`")],
)
def test_what_else_stands_behind_is_refused(spec, behind, message, tmp_path):
    write_spec(spec, tmp_path / "spec.yaml", [behind])
    with pytest.raises(SpecError, match=message):
        load_spec(tmp_path / "spec.yaml")


def test_what_was_written_is_read(spec, tmp_path):
    write_spec(spec, tmp_path / "spec.yaml")
    assert load_spec(tmp_path / "spec.yaml") == spec


@pytest.mark.parametrize("text", ["", "- a list", "a: [", b"\xff\xfe\x00"])
def test_what_is_no_spec_is_refused_with_the_way_out(text, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError, match=r"must be a .*clickbait kubeflow compile"):
        load_spec(path)


def test_a_task_waits_for_whom_it_names_and_for_whose_outputs_it_takes():
    takes = {
        "dependentTasks": ["a"],
        "inputs": {
            "artifacts": {"x": {"taskOutputArtifact": {"producerTask": "b", "outputArtifactKey": "k"}}},
            "parameters": {
                "y": {"taskOutputParameter": {"producerTask": "c", "outputParameterKey": "k"}},
                "z": {"componentInputParameter": "z"},
            },
        },
    }
    assert dependencies(takes) == {"a", "b", "c"}


def test_tasks_are_sorted_by_what_they_wait_for_then_by_name():
    tasks = {"c": {}, "a": {"dependentTasks": ["b"]}, "b": {}, "d": {"dependentTasks": ["a", "c"]}}
    before = copy.deepcopy(tasks)
    assert sort_tasks(tasks) == ["b", "a", "c", "d"]
    assert tasks == before
