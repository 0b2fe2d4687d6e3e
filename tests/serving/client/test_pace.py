"""The pace of a bulk run, by a clock that stands still."""

from __future__ import annotations

import pytest

from serving.client import ClientOptions, Retry
from serving.client.pace import Pace


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pace(clock, **options) -> Pace:
    return Pace(ClientOptions(**options), clock)


def refuse(pace, clock, *, overloaded=True) -> None:
    """Refuses a call that was sent after the last refusal."""
    clock.now += 10.0
    pace.refused(clock.now, overloaded=overloaded)


def test_refusals_lower_the_calls_in_flight_and_answers_raise_them_slowly(clock):
    of_run = pace(clock, calls_in_flight=8)
    limits = [of_run.allowed]
    for _ in range(4):
        refuse(of_run, clock)
        limits.append(of_run.allowed)
    assert limits == [8, 5, 3, 2, 1]
    answers = 0
    while of_run.allowed < 8:
        of_run.answered()
        answers += 1
    assert answers > 60
    for _ in range(100):
        of_run.answered()
    assert of_run.allowed == 8


def test_calls_that_were_in_flight_together_count_as_a_single_refusal(clock):
    of_run = pace(clock, calls_in_flight=8)
    sent_at = clock.now
    clock.now += 1.0
    for _ in range(5):
        of_run.refused(sent_at, overloaded=True)
    assert of_run.allowed == 5


def test_a_server_that_is_gone_does_not_lower_them(clock):
    of_run = pace(clock, calls_in_flight=8)
    refuse(of_run, clock, overloaded=False)
    assert of_run.pause_s > 0
    assert of_run.allowed == 8


def test_the_pause_is_drawn_up_to_a_bound_that_doubles_and_an_answer_ends_it(clock):
    retry = Retry(first_pause_s=0.1, longest_pause_s=0.5)
    for failures, bound in enumerate([0.1, 0.2, 0.4, 0.5, 0.5], start=1):
        pauses = [retry.draw_pause_s(failures) for _ in range(500)]
        assert 0 <= min(pauses) < 0.1 * bound
        assert 0.9 * bound < max(pauses) <= bound
    of_run = pace(clock, retry=retry)
    refuse(of_run, clock)
    assert 0 < of_run.pause_s <= 0.1
    of_run.answered()
    assert of_run.pause_s == 0


def test_with_its_budget_spent_a_run_sends_one_call_at_a_time(clock):
    of_run = pace(clock, calls_in_flight=8)
    for _ in range(10):
        refuse(of_run, clock, overloaded=False)
    assert of_run.allowed == 1
    of_run.answered()
    assert of_run.allowed == 1
    of_run.answered()
    assert of_run.allowed == 8


def test_a_run_stalls_without_an_answer_alone(clock):
    of_run = pace(clock, stall_timeout_s=120.0, retry=Retry(longest_pause_s=1000.0, first_pause_s=1000.0))
    clock.now += 119.0
    of_run.answered()
    clock.now += 119.0
    assert not of_run.stalled
    of_run.refused(clock.now, overloaded=True)
    assert of_run.pause_s <= 1.0  # one last call before it ends
    clock.now += 1.0
    assert of_run.stalled
    of_run.restart()
    assert not of_run.stalled
