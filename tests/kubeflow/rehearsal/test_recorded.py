"""A rehearsal hands over what the real driver and launcher handed over, by release.

`tests/kubeflow/container/recorded` holds real ones: `inputs` and `outputs` by release and task, and `job.json`, the
PipelineJob of those runs (`pipelineSpec`, and `runtimeConfig` with the parameters' values). What is compared is all but
ids, times, digests and the names of a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeflow.rehearsal import driver, launcher
from kubeflow.rehearsal.releases import NUMBERED_LOGS, Release
from kubeflow.spec.messages import iterate_artifacts

RECORDED = Path(__file__).parents[1] / "container" / "recorded"
CALLS = sorted(str(path.relative_to(RECORDED / "inputs")) for path in (RECORDED / "inputs").rglob("*.json"))
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUN_ROOT = re.compile(r"[a-z0-9]+://[^\"]*?/UUID/|/(minio|s3|gcs)/[^\"]*?/UUID/")


@pytest.fixture(scope="module")
def job() -> dict:
    path = RECORDED / "job.json"
    if not path.exists():
        pytest.skip("recorded/job.json is not there: the job of the recorded runs")
    return json.loads(path.read_text(encoding="utf-8"))


def read(side: str, call: str) -> dict:
    return json.loads((RECORDED / side / call).read_text(encoding="utf-8"))


def handed_over(call: str, job: dict, real: dict) -> dict:
    """What a rehearsal hands over to a task after what the recorded tasks before it wrote."""
    spec, task = job["pipelineSpec"], Path(call).stem
    release = Release(".".join(call.split(".")[:2]))
    (logs,) = real["outputs"]["artifacts"][driver.LOGS]["artifacts"]
    run_root = logs["uri"].rpartition(f"/{task}/")[0]
    pipeline_root, _, run_id = run_root.rsplit("/", 2)
    session = launcher.session_info(pipeline_root, release)
    dag = driver.root_dag(spec, job["runtimeConfig"]["parameterValues"])
    for name in spec["root"]["dag"]["tasks"]:
        component, output = spec["components"][name], written_by(name, call)
        written = dict(iterate_artifacts(output))
        artifacts = {
            key: [launcher.recorded(key, artifact, written.get(key, {}), session) | {"name": "1"}]
            for key, artifact in iterate_artifacts(driver.provision_outputs(component, name, run_root, release))
        }
        dag.outputs[name] = {"artifacts": artifacts, "parameters": output.get("parameterValues", {})}
    component = spec["components"][task]
    constants = driver.run_constants(run_id, task, "2026-01-31T06:00:00Z", release)
    inputs = driver.resolve_inputs(dag, spec["root"]["dag"]["tasks"][task], component, constants)
    outputs = driver.provision_outputs(component, task, run_root, release)
    if release.has(NUMBERED_LOGS):
        launcher.number_logs(outputs, 0)
    return {"inputs": inputs, "outputs": outputs}


def written_by(task: str, call: str) -> dict:
    """What a task of the same run wrote; of a task that came from the cache, what it wrote in an earlier one."""
    for folder in Path(call).parents:
        path = RECORDED / "outputs" / folder / f"{task}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    return {}


def comparable(message: dict) -> dict:
    """A message with `ID`, `UUID` and `ROOT/` in place of what is another in each run."""
    message = json.loads(_RUN_ROOT.sub("ROOT/", _UUID.sub("UUID", json.dumps(message))))
    for _, artifact in iterate_artifacts(message["inputs"]):
        artifact["name"] = "ID"
        session = json.loads(artifact["metadata"]["store_session_info"])
        if session["Provider"] != "minio":  # the cluster had settings of its own for the other stores
            artifact["metadata"]["store_session_info"] = session["Provider"]
    return message


def differences(ours: object, real: object, path: str = "") -> Iterator[str]:
    """Where two messages differ, also in the kind of a number, a line each."""
    if isinstance(ours, dict) and isinstance(real, dict):
        for key in {**ours, **real}:
            yield from differences(ours.get(key, "absent"), real.get(key, "absent"), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        for number, (item, other) in enumerate(zip(ours, real, strict=True)):
            yield from differences(item, other, f"{path}[{number}]")
    elif type(ours) is not type(real) or digits(ours) != digits(real):
        yield f"{path[1:]}: {ours!r}, really {real!r}"


def digits(value: object) -> object:
    """A value, of a number the 15 digits that SQLite hands out; the recorded ML Metadata lay in one."""
    return f"{value:.15g}" if isinstance(value, int | float) else value


@pytest.mark.parametrize("call", CALLS)
def test_a_task_is_handed_over_what_the_real_driver_and_launcher_handed_over(call, job):
    real = read("inputs", call)
    assert [*differences(comparable(handed_over(call, job, real)), comparable(real))] == []


def test_a_difference_is_found():
    real = {"n": 300, "a": [{"b": True}], "c": "x"}
    assert [*differences({"n": 300.0, "a": [{"b": 1}], "d": "x"}, real)] == [
        "n: 300.0, really 300",
        "a[0].b: 1, really True",
        "d: 'x', really 'absent'",
        "c: 'absent', really 'x'",
    ]
