"""The default spec on KFP's own driver and launcher; README.md says what to build for it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

import pytest

from kubeflow.container.exit_codes import read_exit_code
from kubeflow.platform import STORE_TASKS
from kubeflow.spec.caching import UNCACHED
from kubeflow.spec.messages import Json
from kubeflow.submit.outcome import find_fatal, find_outcome
from tests.kubeflow.real.binaries import why_not
from tests.kubeflow.real.cluster import SECRET, SECRETS
from tests.kubeflow.real.jobs import SERVING
from tests.kubeflow.real.workflow import CACHED, FAILED, OMITTED, SUCCEEDED, Run, TaskRecord, launcher_lines

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

# A run is of fifteen containers, each with its imports.
pytestmark = [pytest.mark.real_kfp, pytest.mark.timeout(1800)]

#: Where a proto's text has a message in it, as TFX logs artifacts.
PROTO = r"^\s*\w+ \{$"

#: What the driver adds to the metadata that a task wrote.
ADDED = {"display_name", "store_session_info"}


def pushed_versions(keys: list[str]) -> set[str]:
    return {key.split("/")[2] for key in keys if key.endswith("/saved_model.pb")}


def artifacts_of(side: dict) -> dict[str, dict]:
    return {key: entry["artifacts"][0] for key, entry in side.get("artifacts", {}).items()}


def handed_on(value: Json) -> Json:
    """Returns a value of an artifact's metadata as the next task gets it; a large number loses its last bit."""
    if isinstance(value, dict):
        return {"struct": value}
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


def tasks_after(run: Run, names: Collection[str]) -> set[str]:
    """Returns these tasks, and those that take what they make, and so on."""
    tasks, after, before = run.job["pipelineSpec"]["root"]["dag"]["tasks"], {*names}, set()
    while after != before:
        before = {*after}
        after |= {name for name, task in tasks.items() if before & {*producers(task)}}
    return after


def producers(task: dict) -> Iterator[str]:
    for kind, source in (("artifacts", "taskOutputArtifact"), ("parameters", "taskOutputParameter")):
        for item in task.get("inputs", {}).get(kind, {}).values():
            if source in item:
                yield item[source]["producerTask"]


def require_exit_code(record: TaskRecord, exit_code: int) -> str:
    """Requires the same last words of the termination log and of the pod's log; returns the reason in them."""
    assert record.state == FAILED
    assert read_exit_code(record.last_words) == exit_code
    outcome = find_outcome(record.log)
    assert (outcome.exit_code, outcome.reason) == (exit_code, record.last_words.partition(": ")[2].strip())
    return outcome.reason


def test_a_first_run_succeeds_and_pushes_a_version(first, cluster):
    assert first.states() == dict.fromkeys(first.job["pipelineSpec"]["root"]["dag"]["tasks"], SUCCEEDED)
    assert first.status == SUCCEEDED
    assert len(pushed_versions(cluster.keys(f"{SERVING}/"))) == 1


def test_the_launcher_read_what_each_task_wrote_and_the_next_one_is_given_it(first):
    written: dict[str, dict] = {}
    for name, record in first.tasks.items():
        declared = first.job["pipelineSpec"]["components"][name].get("outputDefinitions", {}).get("artifacts", {})
        outputs = artifacts_of(record.written or {})
        assert {*outputs} == {*declared}, name
        given = artifacts_of(record.given["outputs"])
        assert {key: item["uri"] for key, item in outputs.items()} == {key: given[key]["uri"] for key in declared}
        assert any("publish success" in line for line in launcher_lines(record.log)), name
        written |= {item["uri"]: item.get("metadata", {}) for item in outputs.values()}
    for name, record in first.tasks.items():
        for item in artifacts_of(record.given["inputs"]).values():
            expected = {key: handed_on(value) for key, value in written[item["uri"]].items()}
            assert {key: value for key, value in item["metadata"].items() if key not in ADDED} == expected, name


def test_a_pod_has_the_settings_of_its_task_and_no_value_of_a_secret(first):
    spec = first.job["pipelineSpec"]
    for name, record in first.tasks.items():
        (main,) = record.patch["containers"]
        container = spec["deploymentSpec"]["executors"][spec["components"][name]["executorLabel"]]["container"]
        assert main["image"] == container["image"]
        assert main["args"][:3] == container["command"]
        variables = {item["name"]: item for item in main.get("env", [])}
        keys = {
            variable: (item["valueFrom"]["secretKeyRef"]["name"], item["valueFrom"]["secretKeyRef"]["key"])
            for variable, item in variables.items()
            if "valueFrom" in item
        }
        expected = {"AWS_ACCESS_KEY_ID": (SECRET, "accesskey"), "AWS_SECRET_ACCESS_KEY": (SECRET, "secretkey")}
        assert keys == (expected if name in STORE_TASKS else {})
        for item in container.get("env", []):
            assert variables[item["name"]]["value"] == record.environment[item["name"]] == item["value"]
        assert record.environment.get("AWS_SECRET_ACCESS_KEY") == (
            SECRETS[SECRET]["secretkey"] if name in STORE_TASKS else None
        )
        assert {*main["resources"]["requests"]} == {*main["resources"]["limits"]} == {"cpu", "memory"}
        assert SECRETS[SECRET]["secretkey"] not in json.dumps([record.patch, record.given, record.written]) + record.log


def test_a_tasks_log_begins_with_our_line_and_is_for_people(first):
    faults = []
    for name, record in first.tasks.items():
        begin = record.own_log.partition("\n")[0]
        if "of clickbait-tfx" not in begin:
            faults.append(f"{name} begins with {begin}")
        for sign in ("FutureWarning", "Traceback", PROTO):
            if match := re.search(sign, record.own_log, re.MULTILINE):
                faults.append(f"{name} has {record.own_log[match.start() : match.end() + 80]!r}")
    assert not faults, "\n".join(faults)


def test_a_second_run_takes_from_the_cache_and_changes_nothing(first, second, cluster):
    again = tasks_after(first, UNCACHED)
    assert second.states() == {name: SUCCEEDED if name in again else CACHED for name in first.tasks}
    assert second.status == SUCCEEDED
    assert len(pushed_versions(cluster.keys(f"{SERVING}/"))) == 1
    (pushed,) = artifacts_of(second.tasks["VersionedPusher"].written).values()
    assert pushed["metadata"]["outcome"] == "unchanged"


def test_refused_data_ends_in_the_gate_with_3(refused):
    assert "\n" in require_exit_code(refused.tasks["DataGate"], 3)  # a rule a line
    after = tasks_after(refused, ["DataGate"])
    assert {name for name, state in refused.states().items() if state == OMITTED} == after - {"DataGate"}
    assert {refused.tasks[name].state for name in {*refused.tasks} - after} <= {SUCCEEDED, CACHED}


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("wrong-keys", "secret_env: {AWS_ACCESS_KEY_ID: {secret: wrong-keys, key: accesskey}}", "must allow it"),
        ("wrong-endpoint", "env: {AWS_ENDPOINT_URL: 'http://nowhere.kubeflow:9000'}", "must be reachable"),
    ],
    ids=["keys", "endpoint"],
)
def test_a_store_that_a_task_cannot_open_is_in_its_last_words(run, name, settings, words):
    override = f"kubeflow.tasks={{HeadlineExampleGen: {{{settings}}}}}"
    made = run(name, override, data="new.csv", only=("HeadlineExampleGen",))
    assert words in require_exit_code(made.tasks["HeadlineExampleGen"], 2)


def test_a_store_that_the_launcher_cannot_open_is_in_its_last_fatal_line(run):
    made = run("no-bucket", data="new.csv", root="s3://nobody-made-this/root", only=("HeadlineExampleGen",))
    record = made.tasks["HeadlineExampleGen"]
    assert (record.state, record.last_words) == (FAILED, "")
    assert "NoSuchBucket" in find_fatal(record.log)
