"""Follows a run to its end; the run itself goes on without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from kubeflow.submit.api import ApiRun, task_details
from kubeflow.submit.outcome import is_canceled
from kubeflow.submit.server import Server, ServerError
from kubeflow.submit.tasks import FAILED, FINAL, PENDING, RUNNING, read_tasks, workflow_name
from kubeflow.submit.view import ClusterView

#: The server writes the final state of a run before those of its tasks.
_SETTLE_SECONDS, _SETTLE_POLL_SECONDS = 15.0, 0.5


class TimedOut(Exception):  # noqa: N818  as of a clock, not of a fault
    """The run did not end in time."""


class Pace(NamedTuple):
    """Intervals and bounds of following a run, in seconds."""

    poll_seconds: float = 5.0
    timeout_seconds: float | None = None
    """Most to follow; None follows to the end."""
    outage_seconds: float = 300.0
    """Most that a server may be away, as while its pod is moved."""
    still_seconds: float = 600.0
    """Without a change for so long, it is said what may be the matter; the next time after twice that, and so on."""


def follow(
    server: Server,
    run_id: str,
    view: ClusterView,
    pace: Pace,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ApiRun:
    """Waits for the end of a run, and returns the run in its final state, with its tasks in theirs.

    Raises:
      ServerError: the server refuses, or is away for too long.
      TimedOut: see `Pace`.
    """
    began = answered = changed = clock()
    states: object = None
    patience = pace.still_seconds
    while True:
        try:
            run: ApiRun = server.call(server.runs.run_service_get_run, run_id)
            answered = clock()
            view.show(run)
            if run.state in FINAL:
                return settle(server, run, view, clock, sleep)
            if _states(run) != states:
                states, changed, patience = _states(run), answered, pace.still_seconds
            elif answered - changed >= patience:
                view.note(f"nothing has changed for {(answered - changed) / 60:.0f} min{still_because(run)}")
                patience *= 2
        except ServerError as error:
            if not error.passing or clock() - answered >= pace.outage_seconds:
                raise
            view.say(f"no answer for {clock() - answered:.0f} s; trying again")
        if pace.timeout_seconds is not None and clock() - began >= pace.timeout_seconds:
            raise TimedOut
        sleep(pace.poll_seconds)


def settle(
    server: Server,
    run: ApiRun,
    view: ClusterView | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ApiRun:
    """Reads a run that has ended until its tasks have, too, but not for long: what was killed keeps its state.

    Raises:
      ServerError: the server refuses.
    """
    began = clock()
    while not _is_settled(run) and clock() - began < _SETTLE_SECONDS:
        sleep(_SETTLE_POLL_SECONDS)
        try:
            run = server.call(server.runs.run_service_get_run, run.run_id)
        except ServerError as error:
            if not error.passing:
                raise
            continue
        if view:
            view.show(run)
    return run


def _is_settled(run: ApiRun) -> bool:
    states = [task.state for task in task_details(run)]
    if not states or RUNNING in states or PENDING in states:
        return False
    return run.state != FAILED or is_canceled(run) or FAILED in states


def _states(run: ApiRun) -> object:
    return run.state, sorted((task.display_name or "", task.state or "") for task in task_details(run))


def still_because(run: ApiRun) -> str:
    """Returns what is at work in a run without an end, and what may be the matter: the rest of a sentence and more."""
    at_work = ", ".join(task.name for task in read_tasks(run) if task.state and task.state not in FINAL)
    return (
        f"{f'; at work: {at_work}' if at_work else ''}. A long training "
        "looks so. So do a pod that cannot start, as without its secret, its volume or its image, and a workflow that "
        "was deleted; the API tells none from the other, but `kubectl describe pods --namespace NAMESPACE "
        f"--selector workflows.argoproj.io/workflow={workflow_name(run) or 'WORKFLOW'}` does."
    )
