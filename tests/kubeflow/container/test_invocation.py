"""What the launcher hands over becomes what TFX's executors take; also what a real one handed over.

`recorded/` holds, by release of Kubeflow Pipelines, what the real driver and launcher put in place of `{{$}}` for each
task of a run (`inputs`), and what the launcher read when the task had ended (`outputs`):
`python -m tests.kubeflow.real.record RELEASE` writes them anew.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from pathlib import Path

import pytest
import yaml

from kubeflow.container import entrypoint
from kubeflow.container.invocation import complete_outputs, for_launcher, for_tfx
from kubeflow.container.mounts import MOUNT_ROOT, local_path
from pipeline.config.pipeline_config import load_config

INPUTS_SPEC = {"artifacts": {"examples": {"artifactType": {"instanceSchema": "title: tfx.Examples\n"}}}}
OUTPUTS_SPEC = {"artifacts": {"metrics": {"artifactType": {"schemaTitle": "system.Metrics"}}}}


def an_invocation() -> dict:
    examples = {"uri": "minio://b/examples", "type": {"instanceSchema": ""}, "metadata": {"split_names": "[]"}}
    metrics = {"uri": "minio://b/metrics", "name": "metrics", "type": {"schemaTitle": "system.Metrics"}}
    logs = {"uri": "minio://b/executor-logs-0", "name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}}
    outputs = {"metrics": {"artifacts": [metrics]}, "executor-logs": {"artifacts": [logs]}}
    return {
        "inputs": {"artifacts": {"examples": {"artifacts": [examples]}}, "parameterValues": {"n": 1.0}},
        "outputs": {"artifacts": outputs, "outputFile": "/tmp/out.json"},
    }


def test_tfx_is_told_the_types_paths_and_names_that_the_launcher_leaves_out():
    before = an_invocation()
    told = for_tfx(before, INPUTS_SPEC, OUTPUTS_SPEC, "/pod")
    (examples,) = told["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples == {
        "uri": "/pod/minio/b/examples",
        "name": "minio://b/examples",
        "type": {"instanceSchema": "title: tfx.Examples\n"},
        "metadata": {"split_names": "[]"},
    }
    (metrics,) = told["outputs"]["artifacts"]["metrics"]["artifacts"]
    assert metrics["uri"] == "/pod/minio/b/metrics"
    assert metrics["type"] == {"instanceSchema": "title: kubeflow.tasks.artifacts.Metrics\n"}
    assert before == an_invocation()


def test_what_the_component_does_not_declare_is_dropped_and_a_component_may_declare_nothing():
    assert {*for_tfx(an_invocation(), INPUTS_SPEC, OUTPUTS_SPEC, "")["outputs"]["artifacts"]} == {"metrics"}
    assert for_tfx(an_invocation(), INPUTS_SPEC, {}, "")["outputs"] == {"artifacts": {}, "outputFile": "/tmp/out.json"}


def test_a_type_is_the_declared_one_whatever_the_launcher_says():
    before = an_invocation()
    before["inputs"]["artifacts"]["examples"]["artifacts"][0]["type"] = {"instanceSchema": "title: tfx.Model\n"}
    (examples,) = for_tfx(before, INPUTS_SPEC, OUTPUTS_SPEC, "")["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples["type"] == {"instanceSchema": "title: tfx.Examples\n"}


def test_the_launcher_is_told_the_uris_also_in_the_metadata():
    said = {"uri": "/pod/gcs/b/m", "metadata": {"current_model": "/pod/gcs/b/x", "n": 1.0, "version": "7"}}
    output = {"artifacts": {"model": {"artifacts": [said]}}}
    (model,) = for_launcher(output, {}, "/pod")["artifacts"]["model"]["artifacts"]
    assert model == {"uri": "gs://b/m", "metadata": {"current_model": "gs://b/x", "n": 1.0, "version": "7"}}


def test_metrics_are_numbers_alone_and_no_null_goes_to_the_launcher():
    metadata = {"auc": 0.5, "rows": 3, "tfx_version": "1.21.0", "note": "text", "none": None}
    output = {"artifacts": {key: {"artifacts": [{"uri": key, "metadata": metadata}]} for key in ("metrics", "model")}}
    written = for_launcher(output, OUTPUTS_SPEC, "")["artifacts"]
    assert written["metrics"]["artifacts"][0]["metadata"] == {"auc": 0.5, "rows": 3}
    kept = {"auc": 0.5, "rows": 3, "tfx_version": "1.21.0", "note": "text"}
    assert written["model"]["artifacts"][0]["metadata"] == kept


def test_a_declared_output_that_was_not_written_is_an_empty_folder_but_metrics_have_no_file(tmp_path):
    spec = {"artifacts": {**OUTPUTS_SPEC["artifacts"], "pushed_model": {}, "report": {}}}
    (tmp_path / "report").write_text("page", encoding="utf-8")
    outputs = {key: {"artifacts": [{"uri": str(tmp_path / key)}]} for key in spec["artifacts"]}
    complete_outputs({"artifacts": outputs}, spec)
    assert {path.name: path.is_dir() for path in tmp_path.iterdir()} == {"pushed_model": True, "report": False}


def test_an_input_type_may_be_the_whole_text_of_a_schema():
    before = an_invocation()
    whole = {"instanceSchema": "title: tfx.Examples\ntype: object\nproperties:\n  span:\n    type: integer\n"}
    before["inputs"]["artifacts"]["examples"]["artifacts"][0]["type"] = whole
    assert for_tfx(before, INPUTS_SPEC, OUTPUTS_SPEC, "/pod") == for_tfx(
        an_invocation(), INPUTS_SPEC, OUTPUTS_SPEC, "/pod"
    )


# ---- What a real driver and launcher handed over

RECORDED = Path(__file__).parent / "recorded"
CALLS = sorted(str(path.relative_to(RECORDED / "inputs")) for path in (RECORDED / "inputs").rglob("*.json"))
SCHEMA_CALLS = [call for call in CALLS if Path(call).stem == "ImportSchemaGen"]


def recorded(side: str, call: str) -> dict:
    return json.loads((RECORDED / side / call).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def spec():
    """As the recorded runs were compiled, but for the variables of a standard installation's object store."""
    from kubeflow.compiler import compile_pipeline

    return compile_pipeline(load_config("smoke", environ={}))


@pytest.fixture
def hand_over(spec, tmp_path, monkeypatch):
    """Calls the container's command in this process as the launcher did, and returns the exit code and the output."""
    from kubeflow.container import staging

    monkeypatch.setenv(MOUNT_ROOT, str(tmp_path))
    monkeypatch.setenv(entrypoint.TERMINATION_LOG, str(tmp_path / "termination-log"))
    monkeypatch.setattr(sys, "argv", sys.argv)
    # No task downloads its data here.
    monkeypatch.setattr(staging, "staged_parameters", lambda values: contextlib.nullcontext(values))

    def hand_over(call: str) -> tuple[int, dict]:
        invocation = recorded("inputs", call)
        invocation["outputs"]["outputFile"] = output_file = f"{tmp_path}{invocation['outputs']['outputFile']}"
        label = spec["components"][Path(call).stem]["executorLabel"]
        arguments = spec["deploymentSpec"]["executors"][label]["container"]["args"]
        code = entrypoint.run_task([json.dumps(invocation) if one == "{{$}}" else one for one in arguments])
        return code, json.loads(Path(output_file).read_text(encoding="utf-8")) if code == 0 else {}

    yield hand_over
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture
def given(spec, monkeypatch):
    """Puts a stub in place of a task's executor, which notes what it is given, and writes values alone."""
    from tfx.types.value_artifact import ValueArtifact
    from tfx.utils import import_utils

    def given(task: str) -> dict:
        label = spec["components"][task]["executorLabel"]
        arguments = spec["deploymentSpec"]["executors"][label]["container"]["args"]
        executor = import_utils.import_class_by_path(arguments[1 + arguments.index("--executor_class_path")])
        noted: dict = {}

        def do(self, *those) -> None:
            noted.update(zip(NOTED, those, strict=True))
            for (artifact,) in noted["outputs"].values():
                if isinstance(artifact, ValueArtifact):
                    Path(artifact.uri).parent.mkdir(parents=True)  # by the launcher
                    artifact.write("value")

        monkeypatch.setattr(executor, "Do", do)
        return noted

    return given


NOTED = ("inputs", "outputs", "exec_properties")
KINDS = {"NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "STRING": str}


def declared_class(artifact_type: dict) -> str:
    title = artifact_type.get("schemaTitle") or yaml.safe_load(artifact_type["instanceSchema"])["title"]
    return title.rpartition(".")[2]


def simple_values(artifact: dict) -> dict:
    """The texts and numbers in its metadata; every number of JSON is a double there."""
    metadata = artifact.get("metadata", {})
    texts = {name: value for name, value in metadata.items() if isinstance(value, str)}
    return texts | {name: float(value) for name, value in metadata.items() if isinstance(value, int | float)}


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_an_executor_is_given_what_its_component_declares(call, hand_over, given, spec, tmp_path):
    from kubeflow.container.outputs import metadata_of

    invocation, component = recorded("inputs", call), spec["components"][Path(call).stem]
    noted = given(Path(call).stem)
    code, output = hand_over(call)
    assert code == 0
    for side in ("inputs", "outputs"):
        told = invocation[side].get("artifacts", {})
        declared = component.get(f"{side[:-1]}Definitions", {}).get("artifacts", {})
        assert {*told} - {*declared} == ({"executor-logs"} if side == "outputs" else set())
        assert {*noted[side]} == {*told} & {*declared}
        for key, (artifact,) in noted[side].items():
            (before,) = told[key]["artifacts"]
            assert type(artifact).__name__ == declared_class(declared[key]["artifactType"])
            assert artifact.uri == local_path(before["uri"], tmp_path)
            assert simple_values(before).items() <= metadata_of(artifact).items()
    parameters = invocation["inputs"].get("parameterValues", {})
    assert {*parameters} == {*component.get("inputDefinitions", {}).get("parameters", {})}
    assert noted["exec_properties"] == parameters
    for name in parameters:
        kind = KINDS[component["inputDefinitions"]["parameters"][name]["parameterType"]]
        assert type(noted["exec_properties"][name]) is kind
    outputs = {key: those["artifacts"][0] for key, those in output.get("artifacts", {}).items()}
    assert {key: one["uri"] for key, one in outputs.items()} == {
        key: invocation["outputs"]["artifacts"][key]["artifacts"][0]["uri"] for key in noted["outputs"]
    }


@pytest.mark.slow
@pytest.mark.parametrize("call", SCHEMA_CALLS)
def test_a_task_that_runs_whole_leaves_what_the_launcher_read(call, hand_over, tmp_path):
    from tfx.version import __version__

    code, output = hand_over(call)
    assert code == 0
    before = recorded("outputs", call)
    (schema,) = before["artifacts"]["schema"]["artifacts"]
    schema["metadata"]["tfx_version"] = __version__
    assert output == before
    written = Path(local_path(schema["uri"], tmp_path), "schema.pbtxt")
    assert written.read_text(encoding="utf-8") == recorded("inputs", call)["inputs"]["parameterValues"]["text"]
