"""Following a run through outages of the server."""

from __future__ import annotations

import types

import kfp_server_api as kfp
import pytest

from kubeflow.submit.follow import Pace, TimedOut, follow
from kubeflow.submit.server import ServerError


class Clock:
    """Whose sleep takes no time."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Server:
    """Gives or raises one answer a look, the last for ever."""

    runs = types.SimpleNamespace(run_service_get_run=None)

    def __init__(self, *answers):
        self._answers = list(answers)

    def call(self, *_):
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, kfp.V2beta1Run) else api_run(answer, DataGate=answer)


def api_run(state, history=(), **tasks):
    """A run, and its tasks with their states."""
    details = [kfp.V2beta1PipelineTaskDetail(display_name=name, state=of) for name, of in tasks.items()]
    states = [kfp.V2beta1RuntimeStatus(state=one) for one in history]
    run_details = kfp.V2beta1RunDetails(task_details=details)
    return kfp.V2beta1Run(run_id="id", state=state, run_details=run_details, state_history=states)


AWAY = ServerError("away", 503, passing=True)


def run(server, **pace):
    clock, said = Clock(), []
    view = types.SimpleNamespace(show=lambda run: said.append(run.state), say=said.append, note=said.append)
    return follow(server, "id", view, Pace(**pace), clock, clock.sleep), clock.now, said


def test_an_outage_is_waited_for_and_said():
    found, now, said = run(Server("RUNNING", AWAY, AWAY, "SUCCEEDED"), poll_seconds=10)
    assert (found.state, now) == ("SUCCEEDED", 30)
    assert said == ["RUNNING", "no answer for 10 s; trying again", "no answer for 20 s; trying again", "SUCCEEDED"]


def test_an_outage_without_end_is_an_error():
    with pytest.raises(ServerError):
        run(Server("RUNNING", AWAY), poll_seconds=10, outage_seconds=60)


def test_each_answer_begins_a_new_outage():
    answers = ["RUNNING", AWAY, AWAY, AWAY] * 5 + ["FAILED"]
    assert run(Server(*answers), poll_seconds=10, outage_seconds=40)[0].state == "FAILED"


def test_a_refusal_is_not_waited_for():
    with pytest.raises(ServerError):
        run(Server("RUNNING", ServerError("no", 403), "SUCCEEDED"))


def test_the_timeout_counts_outages():
    with pytest.raises(TimedOut):
        run(Server("RUNNING", AWAY), timeout_seconds=30)


def test_a_run_that_has_ended_is_read_until_its_tasks_have():
    behind = api_run("FAILED", DataGate="RUNNING", Verdict=None)
    found, now, _ = run(Server("RUNNING", behind, behind, AWAY, api_run("FAILED", DataGate="FAILED", Verdict=None)))
    assert found.run_details.task_details[0].state == "FAILED"
    assert now == 5 + 3 * 0.5


@pytest.mark.parametrize("tasks", [{"DataGate": "RUNNING"}, {"DataGate": "SUCCEEDED"}, {}])
def test_tasks_that_never_end_are_not_waited_for_without_end(tasks):
    assert run(Server(api_run("FAILED", **tasks)))[1] == 15


def test_a_run_that_was_canceled_need_have_no_failed_task():
    assert run(Server(api_run("FAILED", ["RUNNING", "CANCELING", "FAILED"], DataGate="SUCCEEDED")))[1] == 0


def test_where_nothing_changes_it_is_said_what_may_be_the_matter_at_ever_longer_intervals():
    """A pod without its secret and a workflow that was deleted are RUNNING for ever."""
    for_ever = api_run("RUNNING", root="RUNNING", Trainer="RUNNING", executor="PENDING", Verdict=None)
    answers = [for_ever] * 45
    _, _, said = run(Server(*answers, "SUCCEEDED"), poll_seconds=60)
    lines = [one for one in said if "nothing has changed" in one]
    assert [line.partition(";")[0] for line in lines] == [f"nothing has changed for {n} min" for n in (10, 20, 40)]
    assert "; at work: Trainer. " in lines[0]
    assert "kubectl describe pods" in lines[0]
    assert "deleted" in lines[0]
