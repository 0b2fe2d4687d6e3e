"""Finds the exit code of a run: in the failed task's termination message, wherever the API has it.

The API of v2beta1 names the failed tasks but drops the messages of their pods (it fills in no `error` of a task).
So the task's log is read, too: the entrypoint ends it with the same line, and the API serves the archived log as the
artifact `main-logs` of the Argo node, or the pod's own log while the pod is there.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from kubeflow.container.exit_codes import MEANINGS, read_exit_code
from kubeflow.submit.api import ApiRun, TaskDetail, task_details
from kubeflow.submit.server import Server

SUCCEEDED, FAILED, SKIPPED, CANCELED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"
#: What a run does not leave.
FINAL = (SUCCEEDED, FAILED, SKIPPED, CANCELED)

_EXIT_FAILED, _EXIT_STOPPED = 1, 143
_MOST_NODES = 40
#: Argo names pods after the workflow, the template and the node (`workflow-template-1234` for `workflow-1234`).
_TEMPLATES = ("system-container-impl", "retry-system-container-impl")


class Outcome(NamedTuple):
    """The exit code of a run, and its reason."""

    exit_code: int
    reason: str


def judge(server: Server, run: ApiRun) -> Outcome:
    """Returns the outcome of a run that is in a final state.

    Raises:
      ServerError: the server cannot be asked.
    """
    if run.state == SUCCEEDED:
        return Outcome(0, MEANINGS[0])
    if run.state == CANCELED:
        return Outcome(_EXIT_STOPPED, "the run was canceled on the cluster")
    failed = failed_tasks(run)
    for text in itertools.chain(_messages(run, failed), _logs(server, run, failed)):
        if outcome := find_outcome(text):
            return outcome
    names = ", ".join(dict.fromkeys(task.display_name for task in failed if task.display_name)) or "no task"
    message = next((text.strip() for text in _messages(run, failed) if text.strip()), "")
    return Outcome(
        _EXIT_FAILED,
        f"the run is {run.state}, and neither the API nor a log says why. Failed: {names}. "
        + (f"{message} " if message else "")
        + "Look at the pods' events in the UI",
    )


def find_outcome(text: str) -> Outcome | None:
    """Returns the last termination message in a text, such as a log of several attempts.

    Example:
        >>> find_outcome("main: clickbait exit code 3, the data was refused: too few rows")
        Outcome(exit_code=3, reason='too few rows')
    """
    for line in reversed(text.splitlines()):
        code = read_exit_code(line)
        if code is not None:
            message = line[line.index("clickbait exit code") :]
            return Outcome(code, message.partition(": ")[2].strip())
    return None


def failed_tasks(run: ApiRun) -> list[TaskDetail]:
    """Returns the tasks that failed, without what failed because they did: the root, and the Argo workflow itself."""
    return [task for task in task_details(run) if task.state == FAILED and not _is_root(task)]


def _is_root(task: TaskDetail) -> bool:
    name = task.display_name or ""
    # Argo calls a workflow's nodes after the workflow.
    return name == "root" or any((child.pod_name or "").startswith(f"{name}-") for child in task.child_tasks or [])


def _messages(run: ApiRun, failed: list[TaskDetail]) -> Iterator[str]:
    sources: list[TaskDetail | ApiRun] = [*failed, run]
    for source in sources:
        for error in (source.error, *(state.error for state in source.state_history or [])):
            if error and error.message:
                yield error.message


def _logs(server: Server, run: ApiRun, failed: list[TaskDetail]) -> Iterator[str]:
    nodes = dict.fromkeys(
        node
        for task in failed
        for node in (task.pod_name, *(child.pod_name for child in task.child_tasks or []))
        if node
    )
    path = f"/runs/{quote(run.run_id)}/nodes"
    for node in [*nodes][:_MOST_NODES]:
        archived = server.read(f"/apis/v2beta1{path}/{quote(node)}/artifacts/main-logs:read")
        if archived:
            yield _text(archived)
    for node in [*nodes][:_MOST_NODES]:
        workflow, _, number = node.rpartition("-")
        for pod in (node, *(f"{workflow}-{template}-{number}" for template in _TEMPLATES)):
            if log := server.read(f"/apis/v1alpha1{path}/{quote(pod)}/log"):
                yield log.decode(errors="replace")


def _text(answer: bytes) -> str:
    """Returns the text of an artifact: base64 in JSON, unless a proxy made something else of it."""
    try:
        return base64.b64decode(json.loads(answer)["data"], validate=True).decode(errors="replace")
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")
