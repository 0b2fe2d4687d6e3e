"""The command against a fake API server: what it shows of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from kubeflow.container.exit_codes import termination_message
from kubeflow.spec.caching import UNCACHED
from kubeflow.spec.pipeline_spec import sort_tasks
from kubeflow.submit.tasks import node_id
from pipeline.cli import main
from tests.kubeflow.status.argo import WORKFLOW
from tests.kubeflow.submit.fake_api import say

SERVED = "never cached (looks at the world as it is)"
ORDER = (
    *("HeadlineExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "DataGate"),
    "VariantExampleGen",
)


def everything(spec, state="SUCCEEDED", **states):
    return {**dict.fromkeys(spec["root"]["dag"]["tasks"], state), **states}


def shown(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def by_task(result):
    return {task["name"]: task for task in shown(result)["tasks"]}


def test_the_first_run_of_a_pipeline_has_nothing_to_be_compared_with(api, status, spec):
    api.add_run(spec, everything(spec))
    run = shown(status("--json"))
    assert [task["name"] for task in run["tasks"]] == sort_tasks(spec["root"]["dag"]["tasks"])
    assert (run["run_id"], run["state"], run["pipeline"], run["version"]) == ("run-1", "succeeded", "clickbait", "v1")
    assert run["seconds"] == 600
    assert run["page"] == f"{api.url}/#/runs/details/run-1"
    for task in run["tasks"]:
        assert (task["state"], task["retries"], task["seconds"], task["cached"]) == ("succeeded", 0, 72, False)
        uncached = task["name"] in UNCACHED
        assert task["not_cached"] == [SERVED if uncached else "no earlier run in which it succeeded"]
        assert task["compared_with"] is None


@pytest.mark.parametrize("wrapped", [False, True], ids=["no template defaults", "stock 2.17"])
def test_a_second_run_took_from_the_cache_what_had_no_attempt(api, status, spec, wrapped):
    api.add_run(spec, everything(spec), wrapped=wrapped)
    anew = (*UNCACHED, "LatestBlessedModel", "ModelScorer", "Evaluator")
    cached = [name for name in spec["root"]["dag"]["tasks"] if name not in anew]
    api.add_run(spec, everything(spec, **dict.fromkeys(cached, "cached")), wrapped=wrapped)
    tasks = by_task(status("--json"))
    assert {name for name, task in tasks.items() if task["cached"]} == {*cached}
    assert {tasks[name]["state"] for name in cached} == {"cached"}
    assert tasks["Trainer"]["not_cached"] == []
    assert tasks["LatestBlessedModel"]["not_cached"] == ["ran anew: NewestVersion (version)"]
    assert tasks["ModelScorer"]["not_cached"] == ["ran anew: LatestBlessedModel (baseline_model)"]
    assert tasks["ModelScorer"]["compared_with"] == "run-1"
    assert tasks["Evaluator"]["not_cached"] == ["ran anew: ModelScorer (examples)"]
    lines = [line.split() for line in status().output.splitlines()]
    assert {line[0] for line in lines if line[1:2] == ["cached"] == line[-1:]} == {*cached}
    assert ["ran", "anew:", "LatestBlessedModel", "(baseline_model)"] in [line[-4:] for line in lines]


def test_a_task_that_is_skipped_was_taken_from_the_cache(api, status, spec):
    api.add_run(spec, everything(spec, Trainer="SKIPPED"))
    assert by_task(status("--json"))["Trainer"]["state"] == "cached"


@pytest.mark.parametrize("wrapped", [False, True], ids=["no template defaults", "stock 2.17"])
def test_attempts_are_counted_for_each_task(api, status, spec, wrapped):
    api.add_run(spec, everything(spec), attempts={"Trainer": 3, "DataGate": 2}, wrapped=wrapped)
    tasks = by_task(status("--json"))
    assert {name: task["retries"] for name, task in tasks.items() if task["retries"]} == {"Trainer": 2, "DataGate": 1}
    assert tasks["Trainer"]["max_retries"] == spec["root"]["dag"]["tasks"]["Trainer"]["retryPolicy"]["maxRetryCount"]
    assert tasks["Trainer"]["log"].startswith(f"{api.url}/apis/v1alpha1/runs/run-1/nodes/{WORKFLOW}-retry-system-")
    assert "2 of 2" in status().output


def test_what_differs_is_said_by_name(api, status, spec):
    trained = dict.fromkeys((*ORDER, "BaselineScorer"), "cached")
    api.add_run(spec, everything(spec), values={"epochs": 2})
    api.add_run(spec, everything(spec, **trained), values={"epochs": 3})
    tasks = by_task(status("--json"))
    assert tasks["Trainer"]["not_cached"] == ["parameter epochs: 3, was 2"]
    assert "ran anew: Trainer (model)" in tasks["ModelScorer"]["not_cached"]
    for name in [task for task in tasks if task not in UNCACHED]:
        spec["deploymentSpec"]["executors"][f"{name}_executor"]["container"]["image"] = "registry/clickbait:v2"
    api.add_run(spec, everything(spec), values={"epochs": 3})
    tasks = by_task(status("--json"))
    assert tasks["HeadlineExampleGen"]["not_cached"] == ["image: registry/clickbait:v2, was clickbait-tfx:latest"]
    assert tasks["HeadlineExampleGen"]["compared_with"] == "run-2"
    assert "image: registry/clickbait:v2" in status().output


def test_the_run_compared_with_is_the_newest_in_which_the_task_succeeded(api, status, spec):
    api.add_run(spec, everything(spec), values={"epochs": 1})
    api.add_run(spec, {"HeadlineExampleGen": "SUCCEEDED", "ImportSchemaGen": "FAILED"}, state="FAILED")
    api.add_run(spec, everything(spec), pipeline="another", values={"epochs": 9})
    api.add_run(spec, everything(spec, HeadlineExampleGen="cached"), values={"epochs": 2})
    tasks = by_task(status("--json", "run-4"))
    assert tasks["Trainer"]["compared_with"] == "run-1"
    assert "parameter epochs: 2, was 1" in tasks["Trainer"]["not_cached"]
    assert by_task(status("--json", "run-2"))["HeadlineExampleGen"]["compared_with"] == "run-1"


def test_an_input_from_the_cache_may_be_of_another_run(api, status, spec):
    api.add_run(spec, everything(spec), values={"data_digest": "sha256:1"})
    api.add_run(spec, everything(spec), values={"data_digest": "sha256:2"})
    api.add_run(spec, everything(spec, HeadlineExampleGen="cached"), values={"data_digest": "sha256:1"})
    tasks = by_task(status("--json"))
    assert "taken from another run: HeadlineExampleGen (examples)" in tasks["StatisticsGen"]["not_cached"]


def test_where_nothing_differs_the_other_causes_are_listed(api, status, spec):
    for _ in range(2):
        api.add_run(spec, everything(spec))
    (reason,) = by_task(status("--json"))["HeadlineExampleGen"]["not_cached"]
    assert "KFP was upgraded" in reason
    assert "the server's cache is off" in reason


def test_a_cache_that_is_off_is_no_difference(api, status, spec):
    spec["root"]["dag"]["tasks"]["Trainer"]["cachingOptions"] = {}
    api.add_run(spec, everything(spec))
    assert by_task(status("--json"))["Trainer"]["not_cached"] == ["the cache is off for this task"]


@pytest.mark.parametrize(("release", "differs"), [("2.14.0", False), ("2.15.0", True), ("2.17.0", True), ("dev", True)])
def test_volume_claims_count_since_2_15(api, status, spec, release, differs):
    api.release = release
    for claim in ("old", "new"):
        mounts = {"Trainer_executor": {"pvcMount": [{"constant": claim, "mountPath": "/checkpoints"}]}}
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": mounts}}}}
        api.add_run(spec, everything(spec, **dict.fromkeys(ORDER, "cached")), platform=platform)
    reasons = by_task(status("--json"))["Trainer"]["not_cached"]
    assert ("volume claims: new, was old" in reasons) is differs


@pytest.mark.parametrize("archived", [True, False], ids=["archived log", "log of the pod"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["no template defaults", "stock 2.17"])
def test_a_failed_task_is_shown_with_its_exit_code_reason_and_log(api, status, spec, archived, wrapped):
    tasks = dict.fromkeys(ORDER[:4], "SUCCEEDED") | {"DataGate": "FAILED"}
    api.add_run(spec, tasks, state="FAILED", wrapped=wrapped, attempts={"DataGate": 2})
    path = f"{WORKFLOW}(0).root(0).DataGate(0)" if wrapped else f"{WORKFLOW}.root.DataGate"
    node = node_id(WORKFLOW, f"{path}.executor(1)")
    pod = f"{WORKFLOW}-retry-system-container-impl-{node.rpartition('-')[2]}"
    log = f"importing\n{termination_message(3, 'too few rows')}\n"
    if archived:
        api.artifacts[node] = log
    else:
        api.logs[pod] = log
    gate = by_task(status("--json"))["DataGate"]
    assert (gate["state"], gate["exit_code"], gate["reason"], gate["retries"]) == ("failed", 3, "too few rows", 1)
    assert gate["log"] == f"{api.url}/apis/v1alpha1/runs/run-1/nodes/{pod}/log"
    result = status("run-1")
    assert result.exit_code == 0
    assert "DataGate: exit code 3, the data was refused: too few rows" in result.output
    assert gate["log"] in result.output
    assert by_task(status("--json"))["Trainer"]["state"] == "omitted"


def test_a_failure_of_which_nothing_is_known_says_so(api, status, spec):
    api.add_run(spec, dict.fromkeys(ORDER[:4], "SUCCEEDED") | {"DataGate": "FAILED"}, state="FAILED")
    gate = by_task(status("--json"))["DataGate"]
    assert (gate["exit_code"], gate["reason"]) == (None, None)
    assert "neither the API nor a log says why" in status().output


def test_a_task_whose_driver_failed_failed(api, status, spec):
    api.add_run(spec, dict.fromkeys(ORDER[:4], "SUCCEEDED") | {"DataGate": "driver failed"}, state="FAILED")
    gate = by_task(status("--json"))["DataGate"]
    assert (gate["state"], gate["cached"], gate["retries"]) == ("failed", None, None)
    assert "-system-container-driver-" in gate["log"]
    api.logs[gate["log"].split("/")[-2]] = "F0102 03:04:05.000001      17 main.go:59] KFP driver: no such secret\n"
    gate = by_task(status("--json"))["DataGate"]
    assert (gate["exit_code"], gate["reason"]) == (1, "KFP driver: no such secret")


def test_a_run_at_work(api, status, spec):
    tasks = {"HeadlineExampleGen": "SUCCEEDED", "ImportSchemaGen": "SUCCEEDED", "StatisticsGen": "RUNNING"}
    api.add_run(spec, tasks, state="RUNNING")
    run = api.things["runs"][0]
    run["finished_at"] = "1970-01-01T00:00:00Z"
    for task in run["run_details"]["task_details"]:
        if task["display_name"] == "StatisticsGen":
            task["end_time"] = "1970-01-01T00:00:00Z"
    result = by_task(status("--json"))
    assert result["StatisticsGen"]["state"] == "running"
    assert result["StatisticsGen"]["seconds"] > 0
    assert (result["Trainer"]["seconds"], result["Trainer"]["cached"]) == (None, None)


@pytest.mark.parametrize("ago", [0, 3600], ids=["just now", "an hour ago"])
def test_of_a_run_that_has_just_ended_the_tasks_are_waited_for(api, status, spec, ago):
    api.add_run(spec, {"HeadlineExampleGen": "RUNNING"}, state="SUCCEEDED")
    ended = datetime.now(UTC) - timedelta(seconds=ago)
    api.things["runs"][0]["finished_at"] = ended.strftime("%Y-%m-%dT%H:%M:%SZ")
    status("run-1")
    assert (api.called("GET", "/apis/v2beta1/runs/run-1") > 1) == (ago == 0)


def test_what_was_killed_without_a_word_is_running_for_ever_and_has_no_seconds(api, status, spec):
    api.add_run(spec, {"HeadlineExampleGen": "RUNNING"}, state="FAILED")
    for task in api.things["runs"][0]["run_details"]["task_details"]:
        task["end_time"] = "1970-01-01T00:00:00Z"
    ingest = by_task(status("--json"))["HeadlineExampleGen"]
    assert (ingest["state"], ingest["seconds"]) == ("running", None)


def test_a_spec_of_others_is_shown_too(api, status, spec):
    """A DAG in the DAG has no container, and a task without a retry policy no attempts."""
    tasks = spec["root"]["dag"]["tasks"]
    spec["components"]["Trainer"] = {"dag": {"tasks": {}}}
    for task in tasks.values():
        task.pop("retryPolicy")
    api.add_run(spec, everything(spec, DataGate="cached"))
    api.add_run(spec, everything(spec, DataGate="cached"))
    result = by_task(status("--json"))
    assert (result["DataGate"]["state"], result["DataGate"]["cached"]) == ("succeeded", None)
    assert "not known" in status().output


def test_a_run_that_is_there_before_its_tasks(api, status, spec):
    api.add_run(spec, {}, state="PENDING")
    api.things["runs"][0]["run_details"] = {}
    api.things["runs"][0]["runtime_config"] = None
    run = shown(status("--json"))
    assert {task["state"] for task in run["tasks"]} == {"waiting"}


def test_a_canceled_run_is_no_failure(api, status, spec):
    api.add_run(spec, dict.fromkeys(ORDER[:4], "SUCCEEDED") | {"DataGate": "FAILED"}, state="FAILED")
    api.things["runs"][0]["state_history"] = [{"state": "RUNNING"}, {"state": "CANCELING"}, {"state": "FAILED"}]
    run = shown(status("--json"))
    assert run["state"] == "canceled"
    assert "canceled" in [task["state"] for task in run["tasks"]]
    assert not any("/nodes/" in call for call in api.calls)


def test_a_run_whose_version_was_deleted_has_states_and_no_reasons(api, status, spec):
    api.add_run(spec, everything(spec), wrapped=True)
    api.things["pipeline_versions"].clear()
    tasks = by_task(status("--json", "run-1"))
    assert {*tasks} == {*spec["root"]["dag"]["tasks"]}
    assert {task["state"] for task in tasks.values()} == {"succeeded"}


def test_runs_are_read_page_by_page(api, status, spec, monkeypatch):
    monkeypatch.setattr("kubeflow.submit.server._PAGE_RUNS", 2)
    api.add_run(spec, everything(spec), values={"epochs": 2})
    for _ in range(4):
        api.add_run(spec, everything(spec), pipeline="another")
    api.add_run(spec, everything(spec, **dict.fromkeys(ORDER, "cached")), values={"epochs": 3})
    assert by_task(status("--json"))["Trainer"]["compared_with"] == "run-1"


def test_on_a_server_of_several_users_the_experiment_has_the_namespace(api, status, spec):
    api.multi_user = True
    api.things["experiments"].append({"experiment_id": "experiment-1", "display_name": "e", "namespace": "alice"})
    for epochs in (2, 3):
        api.add_run(spec, everything(spec, **dict.fromkeys(ORDER, "cached")), values={"epochs": epochs})
    for item in (*api.things["runs"], *api.things["pipelines"]):
        item["namespace"] = "alice"
    assert by_task(status("--json", "run-2"))["Trainer"]["not_cached"][0] == "parameter epochs: 3, was 2"
    assert shown(status("--json", "--namespace", "alice"))["run_id"] == "run-2"
    assert "--namespace must be given" in status().output


def test_what_cannot_be_shown_ends_with_2_and_a_sentence(api, status, spec):
    missing = status("no-such-run")
    assert missing.exit_code == 2
    assert f"RUN must be the id of a run. Received: no-such-run, which {api.url} does not have." in missing.output
    nobody = status("--pipeline", "nobody")
    assert nobody.exit_code == 2
    assert "--pipeline must name a pipeline. Received: nobody" in nobody.output
    api.things["pipelines"].append({"display_name": "idle", "pipeline_id": "id-of-idle"})
    idle = status("--pipeline", "idle")
    assert idle.exit_code == 2
    assert "The pipeline must have a run. Received: idle" in idle.output
    assert status("run-1", host="http://127.0.0.1:9").exit_code == 2
    for code in (401, 403, 500):
        api.mood = say(code, {"message": "no"})
        refused = status("run-1")
        assert refused.exit_code == 2
        assert f"Received: {code} from" in refused.output
    api.mood = say(200, "<html>login</html>")
    assert status("run-1").exit_code == 2


def test_no_host_is_an_error_of_the_call(status):
    result = CliRunner().invoke(main, ["kubeflow", "status"])
    assert result.exit_code == 2
    assert "--host or KUBEFLOW_HOST must name a cluster" in result.output


def test_controls_of_an_untrusted_name_are_shown_not_obeyed(api, status, spec):
    api.add_run(spec, everything(spec))
    api.things["runs"][0]["display_name"] = "a\x1b[31mb"
    for arguments in ([], ["--json"]):
        assert "\x1b" not in status(*arguments).output


def test_the_help_says_the_exit_codes():
    shown = " ".join(CliRunner().invoke(main, ["kubeflow", "status", "--help"]).output.split())
    assert "Exit codes: 0 the status was shown, whatever it is; 2" in shown
