"""The command between an API server and a webhook: who hears of what, once, whatever was away."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from kubeflow.notify.notice import masks_examples
from kubeflow.notify.notify import Options, look
from kubeflow.spec.pipeline_spec import load_spec
from kubeflow.submit.address import Address
from kubeflow.submit.server import Server
from tests.kubeflow.golden import GOLDEN
from tests.kubeflow.notify.conftest import SECRET, at, log_of, small_spec
from tests.kubeflow.submit.fake_api import UNKNOWN, say

REASON = "The data must pass the gate's rules. Received:\n  rows, train: expected >= 50 rows, observed 3\nFix the data."


def ids(receiver) -> list[str]:
    return [body["run_id"] for body in receiver.bodies]


def test_a_refusal_of_the_data_is_told_with_all_that_is_known(api, receiver, notify):
    api.end_run("DataGate", log_of(3, REASON))
    done = notify("--ui", "https://kfp.example/#/runs")
    assert (done.exit_code, done.stdout) == (0, "notified of run-1: failed, exit code 3, DataGate\n")
    (body,) = receiver.bodies
    assert body.pop("log").startswith(f"{api.url}/apis/v1alpha1/runs/run-1/nodes/clickbait-x7k2p-retry-")
    assert body.pop("text") == (
        'clickbait: the run "clickbait 1" failed in DataGate: the data was refused (exit code 3)\n'
        f"{REASON.replace('>', '&gt;')}\nhttps://kfp.example/#/runs/details/run-1"
    )
    assert body == {
        "state": "failed",
        "run_id": "run-1",
        "run_name": "clickbait 1",
        "pipeline": "clickbait",
        "task": "DataGate",
        "also_failed": [],
        "exit_code": 3,
        "meaning": "the data was refused",
        "reason": REASON,
        "page": "https://kfp.example/#/runs/details/run-1",
        "started": "2026-01-02T01:00:00+00:00",
        "ended": "2026-01-02T01:10:00+00:00",
        "host": api.url,
    }


@pytest.mark.parametrize(("code", "task"), [(4, "Verdict"), (5, "Verdict"), (2, "HeadlineExampleGen"), (1, "Trainer")])
def test_each_exit_code_is_passed_on(api, receiver, notify, code, task):
    api.end_run(task, log_of(code, "because"))
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert (body["exit_code"], body["task"], body["reason"]) == (code, task, "because")


def test_where_the_launcher_failed_its_last_line_is_the_reason(api, receiver, notify):
    fatal = "failed to execute component: failed to create task: rpc error: code = Unavailable desc = error reading"
    api.end_run("Trainer", f"importing\nF1130 10:00:01.000001      17 main.go:59] {fatal}\n")
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert (body["exit_code"], body["task"], body["reason"]) == (1, "Trainer", fatal)


def test_a_canceled_run_is_told(api, receiver, notify):
    api.end_run("Trainer")
    api.run("run-1")["state_history"] = [{"state": state} for state in ("RUNNING", "CANCELING", "FAILED")]
    assert "notified of run-1: canceled, exit code 143\n" in notify().output
    (body,) = receiver.bodies
    assert (body["state"], body["exit_code"], body["task"]) == ("canceled", 143, None)
    assert body["text"].startswith('clickbait: the run "clickbait 1" was canceled\nhttp://')


def test_a_success_is_told_on_request(api, receiver, notify, state):
    api.end_run()
    assert notify().exit_code == 0
    assert receiver.posts == 0
    state.unlink()
    assert notify("--on", "all").exit_code == 0
    (body,) = receiver.bodies
    assert (body["state"], body["exit_code"], body["reason"]) == ("succeeded", 0, "")


def test_each_run_is_told_once_in_the_order_of_their_ends(api, receiver, notify):
    for task in ("Verdict", "DataGate", "Trainer"):
        api.end_run(task, log_of(4, "not blessed"))
    api.run("run-1")["finished_at"] = "2026-01-02T09:00:00Z"
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-2", "run-3", "run-1"]
    assert notify().output == ""
    api.end_run("Verdict", log_of(4, "not blessed"))
    assert "notified of run-4" in notify().output
    assert ids(receiver) == ["run-2", "run-3", "run-1", "run-4"]


def test_a_run_that_is_at_work_is_told_when_it_has_ended(api, receiver, notify):
    run = api.run(api.end_run("Trainer", log_of(1, "ValueError: bad")))
    run |= {"state": "RUNNING", "finished_at": UNKNOWN}
    assert notify().exit_code == 0
    assert receiver.posts == 0
    run |= {"state": "FAILED", "finished_at": "2026-01-02T08:00:00Z"}
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1"]


def test_a_run_that_is_retried_and_fails_again_is_told_again(api, receiver, notify):
    run = api.run(api.end_run("Trainer", log_of(1, "ValueError: bad")))
    assert notify().exit_code == 0
    run["finished_at"] = "2026-01-02T08:00:00Z"
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1", "run-1"]


def test_what_ended_before_the_first_look_is_no_news(api, receiver, notify):
    api.end_run("Trainer", log_of(1, "ValueError: bad"))
    assert notify("--since", "2026-01-02T01:30:00").exit_code == 0
    assert receiver.posts == 0


def test_after_days_away_none_is_left_out_however_many_there_are(api, receiver, notify, monkeypatch):
    monkeypatch.setattr("kubeflow.submit.server._PAGE_RUNS", 5)
    api.end_run("Trainer", log_of(1, "ValueError: bad"))
    assert notify().exit_code == 0
    for day in range(3, 23, 4):
        for hour in (3, 9, 15):
            run = api.run(api.end_run("Trainer"))
            run |= {"created_at": f"2026-01-{day:02}T01:00:00Z", "finished_at": f"2026-01-{day:02}T{hour:02}:00:00Z"}
    assert notify().exit_code == 0
    assert len(ids(receiver)) == len({*ids(receiver)}) == 16
    assert notify().output == ""


def test_an_end_that_becomes_known_late_is_told(api, receiver, notify):
    for _ in range(5):
        api.end_run("Trainer", log_of(1, "ValueError: bad"))
    late = api.things["runs"].pop(0)
    assert notify().exit_code == 0
    api.things["runs"].append(late)
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-2", "run-3", "run-4", "run-5", "run-1"]


def test_runs_of_other_pipelines_are_told_by_experiment_alone(api, receiver, notify, state):
    api.end_run("Trainer", log_of(1, "ValueError: bad"), pipeline="other")
    assert notify().exit_code == 0
    assert receiver.posts == 0
    api.things["experiments"].append({"display_name": "news", "experiment_id": "experiment-1"})
    done = notify("--experiment", "news")
    assert done.exit_code == 2
    assert "--state must be of the same pipeline or experiment" in done.output
    state.unlink()
    assert notify("--experiment", "news").exit_code == 0
    assert ids(receiver) == ["run-1"]
    assert receiver.bodies[0]["pipeline"] == "clickbait"  # as the spec has it


def test_a_server_that_is_away_costs_nothing_but_time(api, receiver, notify, state):
    api.end_run("DataGate", log_of(3, REASON))
    done = notify(host="http://127.0.0.1:9")
    assert done.exit_code == 2
    assert "A server must answer at --host" in done.output
    api.mood = say(503, {"message": "away"})
    assert notify().exit_code == 2
    api.mood = say(503, {"message": "away"}, "/runs/run-1")
    assert notify().exit_code == 2
    assert receiver.posts == 0
    api.mood = lambda handler: False
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1"]


def test_a_look_that_breaks_off_goes_on_at_the_next(api, receiver, notify):
    for _ in range(3):
        api.end_run("DataGate", log_of(3, REASON))
    api.mood = say(500, {"message": "broken"}, "/runs/run-2")
    assert notify().exit_code == 2
    assert ids(receiver) == ["run-1"]
    api.mood = lambda handler: False
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1", "run-2", "run-3"]


def test_tasks_whose_states_come_after_the_run_s_are_waited_for(api, receiver, state, notify, monkeypatch):
    monkeypatch.setattr("kubeflow.submit.follow._SETTLE_POLL_SECONDS", 0)
    run = api.run(api.end_run("DataGate", log_of(3, REASON)))
    details, reads = run["run_details"]["task_details"], []
    run["run_details"] = {"task_details": [detail | {"state": "RUNNING"} for detail in details]}

    def settle(handler):
        reads.append(handler.path.endswith("/runs/run-1"))
        if sum(reads) == 3:
            run["run_details"] = {"task_details": details}

    api.mood = settle
    options = Options(state, pipeline="clickbait", since=at("2026-01-02T00:00:00"))
    assert look(Server(Address(api.url)), options, lambda: at("2026-01-02T01:10:05")) == 0
    (body,) = receiver.bodies
    assert (body["exit_code"], body["task"]) == (3, "DataGate")


def test_a_log_that_cannot_be_read_is_waited_for_and_then_done_without(api, receiver, notify, state, monkeypatch):
    api.end_run("DataGate", log_of(3, REASON))
    api.mood = say(502, {"message": "the store is away"}, "/nodes/")
    server = Server(Address(api.url))
    monkeypatch.setattr("kubeflow.submit.server._PAUSE_SECONDS", 0)
    options = Options(state, pipeline="clickbait", since=at("2026-01-02T00:00:00"))
    assert look(server, options, lambda: at("2026-01-02T01:12:00")) == 1
    assert receiver.posts == 0
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert body["exit_code"] == 1
    assert body["reason"].startswith(
        "the run is FAILED, and its logs cannot be read: The server must answer without an"
    )


def test_a_run_that_was_deleted_meanwhile_is_passed_over(api, receiver, notify):
    api.end_run("DataGate", log_of(3, REASON))
    api.mood = say(404, {"message": "not found"}, "/runs/run-1")
    assert notify().exit_code == 0
    assert receiver.posts == 0


@pytest.mark.parametrize("answer", [(500, {}), (429, {"Retry-After": "0"}), (503, {"Retry-After": "Thu"}), None])
def test_a_webhook_that_comes_back_at_once_is_tried_again(api, receiver, notify, answer):
    api.end_run("DataGate", log_of(3, REASON))
    receiver.answers = [answer, answer]
    assert notify().exit_code == 0
    assert receiver.posts == 3
    assert ids(receiver) == ["run-1"]


def test_a_webhook_that_is_down_is_told_when_it_is_back(api, receiver, notify, monkeypatch):
    for _ in range(2):
        api.end_run("DataGate", log_of(3, REASON))
    monkeypatch.setenv("CLICKBAIT_WEBHOOK", f"http://127.0.0.1:9/services/{SECRET}")
    for _ in range(2):
        done = notify()
        assert done.exit_code == 1
        assert "run-1 is left for the next look: The webhook must answer" in done.output
        assert "run-2" not in done.output  # it is not tried with each
    monkeypatch.setenv("CLICKBAIT_WEBHOOK", receiver.url)
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1", "run-2"]
    assert notify().output == ""


def test_days_without_a_webhook_leave_none_out(api, receiver, notify):
    for _ in range(2):
        api.end_run("DataGate", log_of(3, REASON))
    api.run("run-2")["finished_at"] = "2026-01-20T00:00:00Z"
    receiver.answers = [(500, {})] * 4
    assert notify().exit_code == 1
    api.run(api.end_run())["finished_at"] = "2026-01-25T00:00:00Z"
    receiver.answers = [(500, {})] * 4
    assert notify().exit_code == 1
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-1", "run-2"]


def test_what_the_webhook_wants_later_is_left_for_the_next_look(api, receiver, notify):
    api.end_run("DataGate", log_of(3, REASON))
    receiver.answers = [(429, {"Retry-After": "3600"})]
    done = notify()
    assert (done.exit_code, receiver.posts) == (1, 1)
    assert "Received: HTTP 429" in done.output


@pytest.mark.parametrize("status", [400, 404, 302])
def test_what_is_refused_for_good_is_not_tried_again_and_holds_up_nobody(api, receiver, notify, status):
    for _ in range(2):
        api.end_run("DataGate", log_of(3, REASON))
    receiver.answers = [(status, {"Location": f"/services/{SECRET}"})]
    done = notify()
    assert done.exit_code == 1
    assert f"Received: HTTP {status}." in done.output
    assert ids(receiver) == ["run-2"]
    assert notify().exit_code == 0
    assert ids(receiver) == ["run-2", "run-1"]


def test_the_text_alone_is_posted_on_request(api, receiver, notify):
    api.end_run("DataGate", log_of(3, REASON))
    assert notify("--text-only").exit_code == 0
    (body,) = receiver.bodies
    assert [*body] == ["text"]


def test_a_run_that_does_not_end_is_told_once(api, receiver, notify, state):
    for _ in range(2):
        run = api.run(api.end_run("Trainer"))
        run |= {"state": "RUNNING", "finished_at": UNKNOWN}
    api.run("run-2")["created_at"] = "2026-01-02T20:00:00Z"
    api.run("run-1")["run_details"]["task_details"][-1]["state"] = "RUNNING"
    server, options = Server(Address(api.url)), Options(state, pipeline="clickbait", since=at("2026-01-02T00:00:00"))
    now = at("2026-01-03T02:00:00")
    assert look(server, options, lambda: now) == 0
    (body,) = receiver.bodies
    assert (body["run_id"], body["state"], body["exit_code"], body["ended"]) == ("run-1", "overdue", None, None)
    assert 'the run "clickbait 1" is overdue: it has not ended 24 h after it was created\n' in body["text"]
    assert "kubectl describe pods" in body["reason"]
    assert look(server, options, lambda: now + timedelta(hours=1)) == 0
    assert receiver.posts == 1
    receiver.answers = [(400, {})]
    assert look(server, options, lambda: now + timedelta(hours=30)) == 1
    assert look(server, options, lambda: now + timedelta(hours=31)) == 0
    assert ids(receiver) == ["run-1", "run-2"]
    api.run("run-1").update(state="FAILED", finished_at="2026-01-04T12:00:00Z")
    assert notify().exit_code == 0
    assert [body["state"] for body in receiver.bodies] == ["overdue", "overdue", "failed"]


def test_a_compiled_pipeline_says_whether_examples_are_masked():
    spec = load_spec(GOLDEN)
    assert not masks_examples(spec)
    policy = spec["root"]["dag"]["tasks"]["DataGate"]["inputs"]["parameters"]["policy"]["runtimeValue"]
    policy["constant"] = json.dumps(json.loads(policy["constant"]) | {"mask_examples": True})
    assert masks_examples(spec)
    del policy["constant"]
    assert masks_examples(spec)


def test_a_spec_that_is_no_pipeline_of_ours_masks_nothing():
    assert not masks_examples({"apiVersion": "argoproj.io/v1alpha1"})


@pytest.mark.parametrize(
    ("code", "reason", "shown"),
    [
        (
            2,
            "/data/a.csv:1: there must be a column `text`. Received: 7 Secret Cats.\nGive it.",
            "/data/a.csv:1: there must be a column `text`. Received: 0 Xxxxxx Xxxx.\nXxxx xx.",
        ),
        (1, "ValueError: Secret. Received: Cats", "ValueError: Xxxxxx. Xxxxxxxx: Xxxx"),
        (1, "Secret Cats", "Xxxxxx Xxxx"),
        (3, REASON, REASON),  # which the gate masks itself
        (4, "failed rules: eval accuracy 0.5 (at least 0.9)", "failed rules: eval accuracy 0.5 (at least 0.9)"),
        (143, "stopped by SIGTERM: a retry", "stopped by SIGTERM: a retry"),
    ],
)
def test_where_the_gate_masks_its_examples_no_reason_has_titles(api, receiver, notify, state, code, reason, shown):
    api.end_run("HeadlineExampleGen", log_of(code, reason), spec=small_spec(mask=True))
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert body["reason"] == shown
    assert "Secret" not in str(body)
    state.unlink()
    api.things["pipeline_versions"][-1]["pipeline_spec"] = small_spec()
    assert notify().exit_code == 0
    assert receiver.bodies[-1]["reason"] == reason


def test_of_a_spec_that_is_gone_the_reason_is_masked(api, receiver, notify):
    api.end_run("HeadlineExampleGen", log_of(1, "ValueError: Secret"))
    api.things["pipeline_versions"].clear()
    assert notify().exit_code == 0
    assert receiver.bodies[0]["reason"] == "ValueError: Xxxxxx"


def test_a_reason_calls_nobody_and_hides_no_link(api, receiver, notify):
    reason = "rows: <!channel> @here a@example.org <https://evil|click> \x1b[2J &"
    api.end_run("DataGate", log_of(3, reason))
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert body["reason"] == reason
    expected = "rows: &lt;!channel&gt; @\u200bhere a@example.org &lt;https://evil|click&gt; \\u001b[2J &amp;"
    assert body["text"].splitlines()[1] == expected


def test_a_long_reason_is_whole_in_its_field(api, receiver, notify):
    reason = "The data must pass. Received: " + "x" * 3000
    api.end_run("DataGate", log_of(3, reason))
    assert notify().exit_code == 0
    (body,) = receiver.bodies
    assert body["reason"] == reason
    assert len(body["text"]) < 2300


def test_watching_outlives_what_is_away(api, receiver, notify, monkeypatch):
    api.end_run("DataGate", log_of(3, REASON))
    api.mood = say(503, {"message": "away"}, "/healthz", times=8)
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("kubeflow.notify.notify.time", SimpleNamespace(sleep=sleep))
    done = notify("--watch", "--poll", "7")
    assert done.exit_code == 130
    assert looks == [7] * 4
    assert "The server must answer without an error" in done.stderr
    assert ids(receiver) == ["run-1"]
