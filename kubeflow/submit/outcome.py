"""Finds the exit code of a run: in the failed task's termination message, wherever the API has it.

The API of v2beta1 names the failed tasks but drops the messages of their pods (it fills in no `error` of a task).
So the task's log is read, too: the entrypoint ends it with the same message, and the API serves the archived log as the
artifact `main-logs` of the Argo node, or the pod's own log while the pod is there. Where the launcher or the driver
failed by itself, the log ends with its own fatal line.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from kubeflow.container.exit_codes import MEANINGS, read_exit_code
from kubeflow.submit.api import ApiRun
from kubeflow.submit.server import Server, shorten
from kubeflow.submit.tasks import CANCELED, CANCELING, SUCCEEDED, RunTask, failed_tasks

_EXIT_FAILED, _EXIT_STOPPED = 1, 143
_MOST_NODES = 40
#: Argo names pods after the workflow, the template and the node (`workflow-template-1234` for `workflow-1234`).
TEMPLATES = ("retry-system-container-impl", "system-container-impl")
DRIVER_TEMPLATES = ("system-container-driver", "system-dag-driver")
#: Where a message in a log ends: a line of the launcher's or the driver's own, of Argo's, or the command's end.
_NOT_THE_MESSAGE = re.compile(r'[IWEF]\d{4} \d\d:\d\d:\d\d|time="?\d{4}-|\{"time":|Error: exit status \d')
_FATAL = re.compile(r"F\d{4} \d\d:\d\d:\d\d\S*\s+\d+ [\w.-]+:\d+\] (.*)")


class Outcome(NamedTuple):
    """The exit code of a run, and its reason."""

    exit_code: int
    reason: str
    task: str = ""
    """The task that the reason is of; empty where it is the run's."""
    also_failed: tuple[str, ...] = ()
    """The other tasks that failed."""
    is_own: bool = True
    """The task says so itself, rather than the launcher or the driver that failed around it."""


def judge(server: Server, run: ApiRun) -> Outcome:
    """Returns the outcome of a run that is in a final state: of several failed tasks that of the first which says why.

    Args:
      server: which has the logs.
      run: see `follow`, which waits for the states of its tasks.

    Raises:
      ServerError: the server cannot be asked.
    """
    if run.state == SUCCEEDED:
        return Outcome(0, MEANINGS[0])
    if is_canceled(run):
        return Outcome(_EXIT_STOPPED, "the run was canceled on the cluster")
    failed = failed_tasks(run)
    fatal: Outcome | None = None
    for task in failed:
        if outcome := read_outcome(server, run.run_id, task):
            outcome = outcome._replace(also_failed=tuple(other.name for other in failed if other.name != task.name))
            if outcome.is_own:
                return outcome
            fatal = fatal or outcome
    run_errors = (run.error, *(state.error for state in run.state_history or []))
    run_messages = [error.message for error in run_errors if error and error.message]
    for text in run_messages:
        if outcome := find_outcome(text):
            return outcome
    if fatal:
        return fatal
    message = next((text.strip() for task in failed for text in task.messages), "") or " ".join(run_messages)
    return Outcome(
        _EXIT_FAILED,
        f"the run is {run.state}, and neither the API nor a log says why. "
        f"Failed: {', '.join(task.name for task in failed) or 'no task'}. "
        + (f"{message.strip()} " if message.strip() else "")
        + "Look at the pods' events in the UI",
    )


def read_outcome(server: Server, run_id: str, task: RunTask) -> Outcome | None:
    """Returns the outcome of a failed task; None where neither the API nor a log says why.

    Raises:
      ServerError: the server cannot be asked.
    """
    fatal: str | None = None
    for text in task.messages:
        if outcome := find_outcome(text):
            return outcome._replace(task=task.name)
    for text in read_logs(server, run_id, task):
        if outcome := find_outcome(text):
            return outcome._replace(task=task.name)
        fatal = fatal or find_fatal(text)
    return Outcome(_EXIT_FAILED, fatal, task.name, is_own=False) if fatal else None


def is_canceled(run: ApiRun) -> bool:
    """Tells whether somebody canceled a run: the API calls it FAILED then, after CANCELING."""
    return run.state == CANCELED or any(state.state == CANCELING for state in run.state_history or [])


def find_outcome(text: str) -> Outcome | None:
    """Returns the last termination message in a text, such as a log of several attempts; all its lines.

    Example:
        >>> find_outcome("main: clickbait exit code 3, the data was refused: too few rows")
        Outcome(exit_code=3, reason='too few rows', task='', also_failed=(), is_own=True)
    """
    lines = text.splitlines()
    for number in reversed(range(len(lines))):
        code = read_exit_code(lines[number])
        if code is not None:
            first = lines[number][lines[number].index("clickbait exit code") :].partition(": ")[2]
            return Outcome(code, _block(first, lines[number + 1 :]))
    return None


def find_fatal(text: str) -> str | None:
    """Returns the last fatal message of the launcher or the driver in a log; None where there is none.

    Example:
        >>> find_fatal("F1130 10:00:00.000001      17 main.go:59] failed to execute component: exit status 1")
        'failed to execute component: exit status 1'
    """
    lines = text.splitlines()
    for number in reversed(range(len(lines))):
        if match := _FATAL.match(lines[number]):
            return shorten(_block(match[1], lines[number + 1 :]))
    return None


def _block(first: str, rest: list[str]) -> str:
    lines = [first]
    for line in rest:
        if _NOT_THE_MESSAGE.match(line):
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def read_logs(server: Server, run_id: str, task: RunTask) -> Iterator[str]:
    """Yields the logs of a task that the API has, the newest attempt first, then those of its driver.

    Raises:
      ServerError: the server cannot be asked.
    """
    for nodes, templates in ((task.nodes, TEMPLATES), (task.drivers, DRIVER_TEMPLATES)):
        for node in nodes[:_MOST_NODES]:
            if (log := _read_log(server, run_id, node, templates)) is not None:
                yield log


def pod_name(node: str, template: str) -> str:
    """Returns the name of the pod of a node of Argo's.

    Example:
        >>> pod_name("clickbait-x7k2p-1234", "system-container-driver")
        'clickbait-x7k2p-system-container-driver-1234'
    """
    workflow, _, number = node.rpartition("-")
    return f"{workflow}-{template}-{number}"


def log_path(run_id: str, pod: str) -> str:
    """Returns the path at which the API serves a pod's own log."""
    return f"/apis/v1alpha1/runs/{quote(run_id)}/nodes/{quote(pod)}/log"


def _read_log(server: Server, run_id: str, node: str, templates: tuple[str, ...]) -> str | None:
    if archived := server.read(f"/apis/v2beta1/runs/{quote(run_id)}/nodes/{quote(node)}/artifacts/main-logs:read"):
        return _text(archived)
    for pod in (*(pod_name(node, template) for template in templates), node):
        log = server.read(log_path(run_id, pod))
        # Of a pod that is not there, too, the answer is 200.
        if log and not log.startswith(b'{"error_message":'):
            return log.decode(errors="replace")
    return None


def _text(answer: bytes) -> str:
    """Returns the text of an artifact: base64 in JSON, unless a proxy made something else of it."""
    try:
        return base64.b64decode(json.loads(answer)["data"], validate=True).decode(errors="replace")
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")
