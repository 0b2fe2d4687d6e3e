"""The command against a fake API server: what is sent, and how it ends."""

from __future__ import annotations

import pytest

from kubeflow.container.exit_codes import MEANINGS, termination_message
from kubeflow.spec.pipeline_spec import load_spec, write_spec
from kubeflow.submit.tasks import node_id
from kubeflow.submit.versions import spec_digest
from tests.kubeflow.golden import GOLDEN
from tests.kubeflow.submit.conftest import SAID, SMALL
from tests.kubeflow.submit.fake_api import WORKFLOW, Nodes, detail, say

TASKS = ["HeadlineExampleGen", "DataGate", "Verdict"]


def test_a_run_that_is_pushed_ends_with_0_and_shows_its_tasks(api, submit):
    result = submit("--parameter", "epochs=3")
    assert result.exit_code == 0
    for name in TASKS:
        assert f"✓ {name:<22}     72 s" in result.output
    assert "driver" not in result.output
    assert result.output.count("✓") == len(TASKS)
    (run,) = api.things["runs"]
    assert run["runtime_config"]["parameters"] == {
        **dict(one.split("=", 1) for one in SAID),
        "epochs": 3,
    }
    assert f"{api.url}/#/runs/details/{run['run_id']}" in result.output
    (experiment,) = api.things["experiments"]
    assert experiment["display_name"] == "clickbait"
    assert run["experiment_id"] == experiment["experiment_id"]


@pytest.mark.parametrize("stock", [True, False])
def test_what_comes_from_the_cache_is_marked_so(api, submit, tmp_path, stock):
    spec = load_spec(SMALL)
    for task in spec["root"]["dag"]["tasks"].values():
        task["retryPolicy"] = {"maxRetryCount": 2}
    write_spec(spec, tmp_path / "spec.yaml")
    nodes = Nodes(stock)
    nodes.add("DataGate", "SUCCEEDED", attempts=0)
    nodes.add("HeadlineExampleGen", "SUCCEEDED", attempts=2)
    api.tasks = nodes.details()
    output = submit("--spec", str(tmp_path / "spec.yaml")).output
    assert "- DataGate                   72 s  from the cache" in output
    assert "✓ HeadlineExampleGen" in output


@pytest.mark.parametrize(
    ("task", "code"), [("DataGate", 3), ("Verdict", 4), ("Verdict", 5), ("HeadlineExampleGen", 2), ("Verdict", 1)]
)
@pytest.mark.parametrize("archived", [True, False], ids=["archived log", "log of the pod"])
@pytest.mark.parametrize(("attempts", "stock"), [(3, True), (1, True), (3, False), (1, False)])
def test_a_failed_task_ends_the_command_as_it_ended_itself(api, submit, task, code, archived, attempts, stock):
    api.fail(task, log=log_of(code, "because of this"), archived=archived, attempts=attempts, stock=stock)
    result = submit()
    assert result.exit_code == code
    assert f"{task}: {MEANINGS[code]}: because of this" in result.output
    assert "main.go" not in result.output
    assert result.output.count("✗") == 1
    assert f"✗ {task}" in result.output
    assert "retr" not in result.output
    # Logs of what succeeded are not read.
    assert sum("/nodes/" in one for one in api.calls) <= 3


def test_all_lines_of_a_message_are_shown(api, submit):
    reason = "The data must keep the gate's rules. Received:\n  too_few: 3 rows, where 20 must be\n\n  labels: [one]"
    api.fail("DataGate", log=log_of(3, reason))
    result = submit()
    assert result.exit_code == 3
    assert f"DataGate: the data was refused: {reason}  exit code 3" in result.output


def log_of(code, reason):
    """The log of a task: the launcher's lines, the task's own, and the launcher's and Argo's again."""
    return (
        "I1130 10:00:00.000001      17 launcher_v2.go:200] PipelineSpec: clickbait exit code\n"
        f"importing\n{termination_message(code, reason)}\n"
        "F1130 10:00:01.000001      17 main.go:59] failed to execute component: exit status 1\n"
        'time="2026-11-30T10:00:01Z" level=info msg="sub-process exited"\nError: exit status 1\n'
    )


def test_the_first_task_that_failed_is_told_and_the_others_are_named(api, submit):
    api.fail("Trainer", "DataGate", log=log_of(3, "too few rows"))
    result = submit()
    assert "Trainer: the data was refused" in result.output
    assert "failed, too: DataGate;" in result.output


@pytest.mark.parametrize(
    "fatal",
    [
        # The launcher of 2.17.0: no key of the secret, an address that is none, no permission, the cache away.
        'failed to execute component: failed to get Bucket credentials from secret name="mlpipeline-minio-artifact" '
        'namespace="kubeflow": secrets "mlpipeline-minio-artifact" not found',
        "failed to execute component: failed to list objects in remote storage: dial tcp: lookup "
        "minio-service.kubeflow: no such host",
        "failed to execute component: uploadFile(): unable to complete copying: AccessDenied: Access Denied.",
        "failed to execute component: failed to create task: rpc error: code = Unavailable desc = error reading",
    ],
)
def test_where_the_launcher_failed_its_own_last_line_is_the_reason(api, submit, fatal):
    log = (
        "E1130 10:00:00.000001      17 launcher_v2.go:230] an error\nimporting\n"
        f"F1130 10:00:01.000001      17 main.go:59] {fatal}\n\tstatus code: 403, request id: 7\nError: exit status 1\n"
    )
    api.fail("DataGate", log=log)
    result = submit()
    assert result.exit_code == 1
    assert f"DataGate: failed: {fatal}" in result.output
    assert "status code: 403, request id: 7  exit code 1" in result.output


def test_where_the_driver_failed_its_own_last_line_is_the_reason(api, submit):
    nodes = Nodes()
    nodes.add("ImportSchemaGen", "SUCCEEDED")
    driver = nodes.add("DataGate", None)
    api.tasks = nodes.details()
    for node in api.tasks:
        if node["display_name"].startswith(("DataGate-driver", WORKFLOW, "root")):
            node["state"] = "FAILED"
    number = driver.rpartition("-")[2]
    api.states = ["RUNNING", "FAILED"]
    api.logs[f"{WORKFLOW}-system-container-driver-{number}"] = (
        "F1130 10:00:01.000001       1 main.go:79] KFP driver: driver.Container(pipelineName=clickbait) failed: x\n"
    )
    result = submit()
    assert result.exit_code == 1
    assert "DataGate: failed: KFP driver: driver.Container(pipelineName=clickbait) failed: x" in result.output
    assert "✗ DataGate" in result.output


def test_where_the_driver_of_the_whole_run_failed_no_task_is_named(api, submit):
    driver = node_id(WORKFLOW, f"{WORKFLOW}.root-driver")
    api.tasks = [detail(WORKFLOW, "FAILED", [driver]), detail("root-driver", "FAILED"), detail("root", None)]
    api.states = ["RUNNING", "FAILED"]
    api.artifacts[driver] = "F1130 10:00:01.000001       1 main.go:79] KFP driver: driver.RootDAG failed: no mlmd\n"
    assert "root: failed: KFP driver: driver.RootDAG failed: no mlmd" in submit().output


def test_a_task_in_a_dag_of_the_dag_is_named_and_its_log_is_read(api, submit):
    """Of a spec of somebody else's, whose names of nodes are longer."""
    api.tasks = [
        detail(WORKFLOW, "FAILED", [f"{WORKFLOW}-1"]),
        detail("loop", "FAILED", [f"{WORKFLOW}-2"], "2026-01-02T03:05:19Z"),
        detail("loop-driver", "SUCCEEDED", [f"{WORKFLOW}-3"]),
        detail("inner", "FAILED", [f"{WORKFLOW}-4"], "2026-01-02T03:05:18Z"),
        detail("executor", "FAILED", [f"{WORKFLOW}-5"]),
        detail("executor(0)", "FAILED"),
    ]
    api.states = ["RUNNING", "FAILED"]
    api.artifacts[f"{WORKFLOW}-5"] = termination_message(3, "too few rows")
    result = submit()
    assert result.exit_code == 3
    assert "inner: the data was refused: too few rows" in result.output


def test_a_run_whose_workflow_was_deleted_can_be_left(api, submit):
    submit("--no-wait")
    (run,) = api.things["runs"]
    run["deleted"] = True
    left = submit("--follow", run["run_id"], "--timeout", "0.05", said=())
    assert left.exit_code == 1
    assert "not done in 0.05 s: the run continues" in left.output


def test_a_server_that_gives_the_message_itself_is_not_asked_for_logs(api, submit):
    api.fail("DataGate", log="nothing here")
    (task,) = (task for task in api.tasks if task["display_name"] == "DataGate")
    task["error"] = {"code": 2, "message": f"Error (exit code 1): {termination_message(3, 'too few rows')}"}
    result = submit()
    assert result.exit_code == 3
    assert "the data was refused: too few rows" in result.output
    assert not any("/nodes/" in one for one in api.calls)


def test_a_failure_of_which_nothing_is_known_ends_with_1_and_says_where_to_look(api, submit):
    api.fail("Trainer")
    result = submit()
    assert result.exit_code == 1
    assert "Failed: Trainer. " in result.output
    assert "UI" in result.output


@pytest.mark.parametrize("state", ["CANCELED", "FAILED"])
def test_a_run_that_somebody_cancels_is_no_verdict(api, submit, state):
    """Releases up to 2.17.0 call it FAILED, after CANCELING."""
    api.states, api.history = ["RUNNING", state], ["RUNNING", "CANCELING", "FAILED"]
    result = submit()
    assert result.exit_code == 143
    assert "canceled" in result.output


def test_a_spec_is_uploaded_once_and_another_is_another_version(api, submit, tmp_path):
    assert submit("--no-wait").exit_code == 0
    again = submit("--no-wait")
    assert "there already" in again.output
    (version,) = api.things["pipeline_versions"]
    digest = spec_digest(load_spec(SMALL))
    assert version["display_name"] == f"sha256-{digest[:16]}"
    assert version["description"] == f"spec sha256:{digest}"
    assert version["pipeline_spec"] == load_spec(SMALL)
    other = tmp_path / "other.yaml"
    other.write_text(SMALL.read_text().replace("clickbait-tfx:v1", "clickbait-tfx:v2"))
    assert submit("--no-wait", "--spec", str(other)).exit_code == 0
    assert len(api.things["pipeline_versions"]) == 2
    assert len(api.things["pipelines"]) == 1
    assert len(api.things["runs"]) == 3


@pytest.mark.parametrize("value", ["many", "2.5", "1e400", "True"])
def test_nothing_is_sent_when_a_value_is_wrong(api, submit, value):
    result = submit("--parameter", f"epochs={value}")
    assert result.exit_code == 2
    assert f"epochs must be a whole number. Received: {value}" in result.output
    assert not api.calls


def test_what_kubernetes_alone_knows_of_a_spec_is_uploaded_with_it(api, submit, tmp_path):
    assert submit("--no-wait").exit_code == 0
    platform = {
        "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"DataGate_executor": {"nodeSelector": {}}}}}}
    }
    write_spec(load_spec(SMALL), tmp_path / "both.yaml", [platform])
    assert submit("--no-wait", "--spec", str(tmp_path / "both.yaml")).exit_code == 0
    assert api.platforms == [platform]
    assert len(api.things["pipeline_versions"]) == 2


def test_the_order_of_a_specs_keys_is_no_other_spec():
    spec = load_spec(SMALL)
    assert spec_digest({key: spec[key] for key in reversed(spec)}) == spec_digest(spec)
    assert spec_digest(spec | {"sdkVersion": "x"}) != spec_digest(spec)


def test_another_upload_of_the_same_spec_at_the_same_time_is_taken(api, submit):
    submit("--no-wait")
    first = say(200, {}, "/versions?", times=1)  # as it was before the other one's upload
    api.mood = first
    result = submit("--no-wait")
    assert result.exit_code == 0
    assert len(api.things["pipeline_versions"]) == 1


def test_without_waiting_it_says_how_to_follow_and_the_command_does(api, submit):
    result = submit("--no-wait")
    assert result.exit_code == 0
    assert not api.called("GET", "/apis/v2beta1/runs/")
    (run,) = api.things["runs"]
    assert f"--follow {run['run_id']}" in result.output
    api.fail("DataGate", log=termination_message(3, "too few rows"))
    followed = submit("--follow", run["run_id"], said=())
    assert followed.exit_code == 3
    assert "✗ DataGate" in followed.output
    # The tasks are those of the run's spec.
    assert followed.output.count("✗") == 1
    assert "✓" not in followed.output
    assert len(api.things["runs"]) == 1


def test_at_the_timeout_the_run_goes_on(api, submit):
    api.states = ["RUNNING"]
    result = submit("--timeout", "0.05")
    assert result.exit_code == 1
    (run,) = api.things["runs"]
    assert run["state"] == "RUNNING"
    assert f"--follow {run['run_id']}" in result.output


@pytest.mark.parametrize("terminate", [False, True])
def test_ctrl_c_stops_following_and_ends_the_run_only_where_that_is_asked_for(api, submit, monkeypatch, terminate):
    api.states = ["RUNNING"]
    monkeypatch.setattr("kubeflow.submit.submit.follow", _interrupted)
    result = submit(*["--terminate"] * terminate)
    assert result.exit_code == 130
    (run,) = api.things["runs"]
    assert run["state"] == ("CANCELING" if terminate else "PENDING")
    assert ("terminating the run" if terminate else f"--follow {run['run_id']}") in result.output


def _interrupted(*_):
    raise KeyboardInterrupt


def test_a_server_for_several_users_is_told_the_namespace(api, submit, monkeypatch, tmp_path):
    api.multi_user = True
    monkeypatch.setattr("kubeflow.submit.submit._POD_NAMESPACE", tmp_path / "namespace")  # these tests may be in a pod
    refused = submit()
    assert refused.exit_code == 2
    assert "no --namespace" in refused.output
    assert submit("--namespace", "team", "--no-wait").exit_code == 0
    assert api.things["pipelines"][0]["namespace"] == "team"
    assert api.things["experiments"][0]["namespace"] == "team"
    (tmp_path / "namespace").write_text("team\n", encoding="utf-8")
    assert submit("--no-wait").exit_code == 0
    assert len(api.things["pipelines"]) == 1


def test_in_a_pod_the_namespace_is_its_own(api, submit, pod_namespace):
    api.multi_user = True
    pod_namespace.parent.mkdir()
    pod_namespace.write_text("team\n")
    assert submit("--no-wait").exit_code == 0
    assert api.things["pipelines"][0]["namespace"] == "team"


def test_a_server_for_one_user_takes_no_namespace(api, submit):
    result = submit("--namespace", "team")
    assert result.exit_code == 2
    assert "Leave it out" in result.output
    assert not api.things["pipelines"]


def test_the_compiled_pipeline_is_submitted_as_it_is(api, submit):
    assert submit("--spec", str(GOLDEN), "--no-wait").exit_code == 0
    assert api.things["pipeline_versions"][0]["pipeline_spec"] == load_spec(GOLDEN)


def test_a_name_with_signs_of_urls_is_found_again(api, submit):
    for _ in range(2):
        assert submit("--experiment", 'a+b 100% "ü"', "--no-wait").exit_code == 0
    assert [one["display_name"] for one in api.things["experiments"]] == ['a+b 100% "ü"']


def test_names_of_run_and_experiment(api, submit):
    submit("--name", "by hand", "--experiment", "trials", "--no-wait")
    assert api.things["runs"][0]["display_name"] == "by hand"
    assert api.things["experiments"][0]["display_name"] == "trials"
