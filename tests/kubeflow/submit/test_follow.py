"""Following a run through outages of the server."""

from __future__ import annotations

import types

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
        return types.SimpleNamespace(state=answer)


AWAY = ServerError("away", 503, passing=True)


def run(server, **pace):
    clock, said = Clock(), []
    view = types.SimpleNamespace(show=lambda run: said.append(run.state), say=said.append)
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
