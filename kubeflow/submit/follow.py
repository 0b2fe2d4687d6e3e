"""Follows a run to its end; the run itself goes on without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from kubeflow.submit.api import ApiRun
from kubeflow.submit.outcome import FINAL
from kubeflow.submit.server import Server, ServerError
from kubeflow.submit.view import ClusterView


class TimedOut(Exception):  # noqa: N818  as of a clock, not of a fault
    """The run did not end in time."""


class Pace(NamedTuple):
    """Intervals and bounds of following a run, in seconds."""

    poll_seconds: float = 5.0
    timeout_seconds: float | None = None
    """Most to follow; None follows to the end."""
    outage_seconds: float = 300.0
    """Most that a server may be away, as while its pod is moved."""


def follow(
    server: Server,
    run_id: str,
    view: ClusterView,
    pace: Pace,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ApiRun:
    """Waits for the end of a run, and returns the run in its final state.

    Raises:
      ServerError: the server refuses, or is away for too long.
      TimedOut: see `Pace`.
    """
    began = answered = clock()
    while True:
        try:
            run: ApiRun = server.call(server.runs.run_service_get_run, run_id)
            answered = clock()
            view.show(run)
            if run.state in FINAL:
                return run
        except ServerError as error:
            if not error.passing or clock() - answered >= pace.outage_seconds:
                raise
            view.say(f"no answer for {clock() - answered:.0f} s; trying again")
        if pace.timeout_seconds is not None and clock() - began >= pace.timeout_seconds:
            raise TimedOut
        sleep(pace.poll_seconds)
