"""The objects of the API v2beta1, as far as they are read; kfp's generated client has no types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from kubeflow.spec.messages import Json


class Status(Protocol):
    """Why something failed."""

    message: str | None


class State(Protocol):
    """A state that a run or a task was in."""

    state: str | None
    error: Status | None


class ChildTask(Protocol):
    """A node of Argo below a task."""

    pod_name: str | None


class TaskDetail(Protocol):
    """A task of a run, or another node of Argo. Releases up to 2.17.0 at least leave `pod_name` and `error` empty."""

    display_name: str | None
    pod_name: str | None
    state: str | None
    start_time: datetime | None
    end_time: datetime | None
    error: Status | None
    state_history: list[State] | None
    child_tasks: list[ChildTask] | None


class RunDetails(Protocol):
    """The tasks of a run."""

    task_details: list[TaskDetail] | None


class ApiRun(Protocol):
    """A run."""

    run_id: str
    display_name: str
    experiment_id: str
    recurring_run_id: str | None
    state: str | None
    created_at: datetime | None
    finished_at: datetime | None
    pipeline_version_reference: VersionReference | None
    pipeline_spec: Mapping[str, Json] | None
    """Of a run without a version."""
    runtime_config: RuntimeConfig | None
    run_details: RunDetails | None
    error: Status | None
    state_history: list[State] | None


class PipelineVersion(Protocol):
    """An uploaded spec."""

    pipeline_id: str
    pipeline_version_id: str
    display_name: str
    pipeline_spec: Mapping[str, Json] | None
    """The spec; of a file with a platform document a mapping of both: `pipeline_spec` and `platform_spec`."""


class RunPage(Protocol):
    """A page of a listing of runs."""

    runs: list[ApiRun] | None
    next_page_token: str | None


class Experiment(Protocol):
    """Where runs are listed."""

    experiment_id: str
    namespace: str | None


class VersionReference(Protocol):
    """Which version is run."""

    pipeline_id: str
    pipeline_version_id: str


class RuntimeConfig(Protocol):
    """The parameters of a run, and where its artifacts go."""

    parameters: dict[str, Json] | None
    pipeline_root: str | None


class CronSchedule(Protocol):
    """When."""

    cron: str


class Trigger(Protocol):
    """The trigger of a recurring run."""

    cron_schedule: CronSchedule | None


class RecurringRun(Protocol):
    """A schedule of runs."""

    recurring_run_id: str
    display_name: str
    experiment_id: str
    status: str | None
    pipeline_version_reference: VersionReference | None
    runtime_config: RuntimeConfig | None
    service_account: str | None
    trigger: Trigger | None
    max_concurrency: str | int | None
    no_catchup: bool | None


def task_details(run: ApiRun) -> list[TaskDetail]:
    """Returns the tasks of a run and Argo's other nodes, as far as the server knows of any."""
    return (run.run_details and run.run_details.task_details) or []
