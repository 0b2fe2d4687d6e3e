"""Finds the tasks of a run among the nodes of Argo, as which the API lists them.

Argo has more nodes than the spec has tasks: `root` and the workflow around them, a `Task-driver` and an `executor` for
each, and with KFP's own configuration of Argo (2.17.0) each of these a second time, as the attempt `Task(0)` of a node
that may be retried. No node tells its own id, only its children's; but ids are made of names, so that those of a task
are known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from kubeflow.spec.messages import Task
from kubeflow.submit.api import ApiRun, TaskDetail, task_details

SUCCEEDED, FAILED, SKIPPED, CANCELED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"
PENDING, RUNNING, CANCELING = "PENDING", "RUNNING", "CANCELING"
#: What a run does not leave.
FINAL = (SUCCEEDED, FAILED, SKIPPED, CANCELED)

_ATTEMPT = re.compile(r"\(\d+\)$")
_DRIVER = "-driver"
_MOST_ATTEMPTS = 100
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class RunTask(NamedTuple):
    """A task of a run."""

    name: str
    state: str
    """As the API has it; empty of a task that is omitted, for one before it failed."""
    start_time: datetime | None
    end_time: datetime | None
    messages: tuple[str, ...] = ()
    """Of the API; empty on releases that drop them."""
    nodes: tuple[str, ...] = ()
    """Ids of Argo's nodes that are pods of the task: the newest attempt first."""
    drivers: tuple[str, ...] = ()
    """Ids of Argo's nodes that are pods of the task's driver: the newest attempt first."""
    attempts: int | None = None
    """Attempts of its container: of a task with a retry policy that succeeded none where it was taken from the cache.
    None where the nodes do not show them."""


def read_tasks(run: ApiRun, names: Collection[str] | None = None) -> list[RunTask]:
    """Returns the tasks of a run in the order in which the API lists them.

    Args:
      run: as the API gives it.
      names: of the spec's tasks; None takes what no rule of Kubeflow Pipelines gives another meaning.
    """
    details, workflow = task_details(run), workflow_name(run)
    named: dict[str, list[TaskDetail]] = {}
    for detail in details:
        named.setdefault(_ATTEMPT.sub("", detail.display_name or ""), []).append(detail)
    bases = dict.fromkeys(name.removesuffix(_DRIVER) for name in named)
    if names is None:
        names = {*bases} - {"", "root", "executor", workflow}
    known = {child.pod_name for detail in details for child in detail.child_tasks or [] if child.pod_name}
    tasks = (_task(name, named, known, workflow) for name in bases if name in names)
    return [task for task in tasks if task]


def has_started(task: RunTask, compiled: Task) -> bool | None:
    """Tells whether the container of a task that has ended was started; it was not where the cache had its outputs.

    Args:
      task: of the run.
      compiled: the same of the spec.

    Returns:
      None where the nodes do not show it.
    """
    if task.state == SKIPPED:
        return False
    if task.attempts:
        return True
    return False if task.state == SUCCEEDED and task.attempts == 0 and "retryPolicy" in compiled else None


def seconds_between(began: datetime | None, ended: datetime | None, now: datetime | None = None) -> float | None:
    """Returns the seconds that something took, up to `now` where it has not ended; None where a time is not known.

    The API writes times that it does not know as the epoch.
    """
    if not began or began.year <= 1970:
        return None
    end = ended if ended and ended.year > 1970 else now
    return max((end - began).total_seconds(), 0.0) if end else None


def failed_tasks(run: ApiRun) -> list[RunTask]:
    """Returns the tasks that failed, the first that ended first; the root of the DAG where no task did."""
    failed = [task for task in read_tasks(run) if task.state == FAILED]
    failed.sort(key=lambda task: task.end_time or _NEVER)
    details = [detail for detail in task_details(run) if detail.state == FAILED]
    if failed or not details:
        return failed
    workflow = workflow_name(run)
    known = {child.pod_name for detail in task_details(run) for child in detail.child_tasks or [] if child.pod_name}
    tops = _attempts(workflow, workflow, known)
    names = [name for top in tops for name in _pod_names(f"{top}.root{_DRIVER}", workflow, known)]
    drivers = _existing(names, workflow, known)
    children = dict.fromkeys(child.pod_name for detail in details for child in detail.child_tasks or [])
    nodes = tuple(node for node in children if node and node not in drivers)
    return [RunTask("root", FAILED, None, None, _messages(details), nodes, drivers)]


def workflow_name(run: ApiRun) -> str:
    """Returns the name of Argo's workflow, which its nodes are called after; empty where there are none yet."""
    names = Counter(
        child.pod_name.rpartition("-")[0]
        for detail in task_details(run)
        for child in detail.child_tasks or []
        if child.pod_name
    )
    return names.most_common(1)[0][0] if names else ""


def node_id(workflow: str, name: str) -> str:
    """Returns the id that Argo gives the node of a name: the workflow's and the FNV-1a hash of its own.

    Example:
        >>> node_id("clickbait-x7k2p", "clickbait-x7k2p.root.Trainer")
        'clickbait-x7k2p-3393239871'
    """
    number = 0x811C9DC5
    for byte in name.encode():
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{workflow}-{number}"


def _task(name: str, named: dict[str, list[TaskDetail]], known: Collection[str], workflow: str) -> RunTask | None:
    own, driver = named.get(name, []), named.get(f"{name}{_DRIVER}", [])
    detail = max(own, key=_weight, default=None)
    drive = max(driver, key=_weight, default=None)
    if drive and drive.state == FAILED and not (detail and detail.state):
        detail = drive
    if detail is None:
        return None
    nodes, drivers, attempts = _pods(name, known, workflow)
    if not nodes and not drivers:  # in a DAG of the DAG, of which the names are not known
        others = [item for item in named.get("executor", []) if item.state == FAILED == detail.state]
        children = dict.fromkeys(child.pod_name for item in [*own, *others] for child in item.child_tasks or [])
        nodes = tuple(node for node in children if node)
    if detail.pod_name:
        nodes = (detail.pod_name, *nodes)
    state = detail.state if detail.state and not detail.state.endswith("UNSPECIFIED") else ""
    return RunTask(
        name, state, detail.start_time, detail.end_time, _messages([*own, *driver]), nodes, drivers, attempts
    )


def _weight(detail: TaskDetail) -> tuple[bool, bool, datetime]:
    """Puts a node before its attempts, and what ran before what did not; of several the newest."""
    whole = not _ATTEMPT.search(detail.display_name or "")
    return bool(detail.state), whole, detail.start_time or _NEVER


def _pods(name: str, known: Collection[str], workflow: str) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    roots = [root for top in _attempts(workflow, workflow, known) for root in _attempts(f"{top}.root", workflow, known)]
    tasks = [task for root in roots for task in _attempts(f"{root}.{name}", workflow, known)]
    nodes = [node for task in tasks for node in _pod_names(f"{task}.executor", workflow, known)]
    drivers = [node for root in roots for node in _pod_names(f"{root}.{name}{_DRIVER}", workflow, known)]
    existing = _existing(nodes, workflow, known)
    attempts = sum(bool(_ATTEMPT.search(node)) for node in nodes) if existing else None
    return existing, _existing(drivers, workflow, known), attempts


def _attempts(name: str, workflow: str, known: Collection[str]) -> Iterator[str]:
    yield name
    for number in range(_MOST_ATTEMPTS):
        if node_id(workflow, f"{name}({number})") not in known:
            break
        yield f"{name}({number})"


def _pod_names(name: str, workflow: str, known: Collection[str]) -> list[str]:
    """Returns the names of the nodes that are pods: the attempts of a node that may be retried, else itself."""
    whole, *attempts = _attempts(name, workflow, known)
    return attempts or [whole]


def _existing(names: Iterable[str], workflow: str, known: Collection[str]) -> tuple[str, ...]:
    nodes = [node_id(workflow, name) for name in names]
    return tuple(node for node in reversed(nodes) if node in known)


def _messages(details: Iterable[TaskDetail]) -> tuple[str, ...]:
    errors = (
        error for detail in details for error in (detail.error, *(item.error for item in detail.state_history or []))
    )
    return tuple(error.message for error in errors if error and error.message)
