"""Gathers what a server knows of a run's tasks: states, attempts, exit codes, and the reasons of the cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple, cast

from kubeflow.container.exit_codes import MEANINGS
from kubeflow.spec.caching import UNCACHED
from kubeflow.spec.messages import Json, Platform, Spec, Task
from kubeflow.spec.pipeline_spec import SpecError, sort_tasks
from kubeflow.status.fingerprint import Fingerprint, find_differences, fingerprints
from kubeflow.submit.api import ApiRun, Experiment, PipelineVersion, VersionReference, task_details
from kubeflow.submit.follow import settle
from kubeflow.submit.outcome import DRIVER_TEMPLATES, TEMPLATES, is_canceled, log_path, pod_name, read_outcome
from kubeflow.submit.server import Health, Server, ServerError, run_page
from kubeflow.submit.tasks import FAILED, FINAL, SKIPPED, SUCCEEDED, RunTask, has_started, read_tasks, seconds_between

CACHED = "cached"

#: From which on the names of volume claims are part of the key.
_CLAIMS_RELEASE = "2.15.0"
_JUST_NOW = timedelta(minutes=1)
_MOST_LISTED = 500
_MOST_COMPARED = 20
_UNKNOWN = (
    "nothing differs that the API shows: KFP was upgraded, the server's cache is off, the entry was not written or is "
    "gone, or an input artifact is another"
)


class StatusError(Exception):
    """There is no such run."""

    exit_code = 2


class TaskStatus(NamedTuple):
    """A task of a run; what is None is not known."""

    name: str
    state: str
    """`succeeded`, `cached`, `failed`, `canceled`, `running`, `pending`, `waiting`, or `omitted`: not to run."""
    retries: int | None
    max_retries: int | None
    seconds: float | None
    """Since its start, with those of its retries and the waits between them."""
    cached: bool | None
    """None also of a task that has not begun."""
    not_cached: tuple[str, ...]
    """Why not, a phrase each."""
    compared_with: str | None
    """The id of the run in which the fingerprint was another."""
    exit_code: int | None
    reason: str | None
    log: str | None
    """URL of the newest attempt's log."""


class RunStatus(NamedTuple):
    """A run and its tasks, in an order in which they can run."""

    run_id: str
    name: str
    state: str
    pipeline: str | None
    version: str | None
    created_at: str | None
    seconds: float | None
    page: str
    tasks: tuple[TaskStatus, ...]

    def as_dict(self) -> dict[str, Json]:
        """Returns it as JSON has it."""
        return {
            **self._asdict(),
            "tasks": [{**task._asdict(), "not_cached": [*task.not_cached]} for task in self.tasks],
        }


class _Document(NamedTuple):
    """A version of a pipeline."""

    name: str | None
    spec: Spec
    platform: Platform


class _Run:
    """A run and what it was started with.

    Args:
      run: as the API has it.
      document: its spec; None where the server has none any more.
    """

    def __init__(self, run: ApiRun, document: _Document | None):
        self.run = run
        self.document = document

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Of the root DAG."""
        return self.document.spec["root"]["dag"]["tasks"] if self.document else {}

    @cached_property
    def names(self) -> list[str]:
        """Of the tasks, in order."""
        if not self.document:
            return [*self.read]
        try:
            return sort_tasks(self.tasks)
        except SpecError:
            return [*self.tasks]

    @cached_property
    def read(self) -> dict[str, RunTask]:
        """The tasks that have begun or were omitted, by name."""
        return {task.name: task for task in read_tasks(self.run, [*self.tasks] if self.document else None)}

    @cached_property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """Of each task that is a container."""
        if not self.document:
            return {}
        values = (self.run.runtime_config and self.run.runtime_config.parameters) or {}
        return fingerprints(self.document.spec, self.document.platform, values)

    def state(self, name: str) -> str:
        """Returns the state of a task: one of those of `TaskStatus`."""
        task = self.read.get(name)
        state = task.state if task else ""
        if state == SKIPPED or (state == SUCCEEDED and self.ran(name) is False):
            return CACHED
        if state == FAILED and is_canceled(self.run):
            return "canceled"
        if state:
            return state.lower()
        return "omitted" if self.run.state in FINAL else "waiting"

    def ran(self, name: str) -> bool | None:
        """Returns whether a task's container was started; None where the nodes do not show it."""
        task = self.read.get(name)
        return has_started(task, self.tasks.get(name, {})) if task else None


class _Reader:
    """Reads runs and specs from a server, each once."""

    def __init__(self, server: Server):
        self.server = server
        self._documents: dict[str, _Document | None] = {}

    def run(self, run_id: str) -> _Run:
        """Returns a run by its id."""
        try:
            run: ApiRun = self.server.call(self.server.runs.run_service_get_run, run_id)
            if run.state in FINAL and run.finished_at and datetime.now(UTC) - run.finished_at < _JUST_NOW:
                run = settle(self.server, run)
        except ServerError as error:
            if error.status != 404:
                raise
            raise StatusError(
                f"RUN must be the id of a run. Received: {run_id}, which {self.server.host} does not have. "
                f"Leave it out for the pipeline's newest run; {self.server.host}/#/runs lists them all."
            ) from error
        return self.with_document(run)

    def with_document(self, run: ApiRun) -> _Run:
        """Returns a run with its spec."""
        reference = run.pipeline_version_reference
        if run.pipeline_spec:
            return _Run(run, _document(None, run.pipeline_spec))
        if not reference or not reference.pipeline_version_id:
            return _Run(run, None)
        if reference.pipeline_version_id not in self._documents:
            self._documents[reference.pipeline_version_id] = self._version(reference)
        return _Run(run, self._documents[reference.pipeline_version_id])

    def _version(self, reference: VersionReference) -> _Document | None:
        try:
            version: PipelineVersion = self.server.call(
                self.server.pipelines.pipeline_service_get_pipeline_version,
                reference.pipeline_id,
                reference.pipeline_version_id,
            )
        except ServerError as error:
            if error.status not in (401, 403, 404):
                raise
            return None
        return _document(version.display_name, version.pipeline_spec)

    def runs(self, pipeline_id: str, **where: str) -> Iterator[ApiRun]:
        """Yields the runs of a pipeline, the newest first, of those that the server lists first."""
        for run in itertools.islice(self.server.list_runs("created_at desc", **where), _MOST_LISTED):
            if run.pipeline_version_reference and run.pipeline_version_reference.pipeline_id == pipeline_id:
                yield run


def _document(name: str | None, content: Mapping[str, Json] | None) -> _Document | None:
    if not content:
        return None
    # With a platform's document beside it, the API has both in one.
    spec = cast(Spec, content.get("pipeline_spec", content))
    if not spec.get("root", {}).get("dag", {}).get("tasks"):
        return None
    return _Document(name, spec, cast(Platform, content.get("platform_spec") or {}))


def find_pipeline(server: Server, pipeline: str, namespace: str | None) -> str:
    """Returns the id of a pipeline.

    Args:
      server: that has it.
      pipeline: its name.
      namespace: of the user; None on a server for one user.

    Raises:
      StatusError: there is no such pipeline.
      ServerError: the server refuses, or is not there.
    """
    where = {"namespace": namespace} if namespace else {}
    item = server.find(server.pipelines.pipeline_service_list_pipelines, "pipelines", pipeline, **where)
    if item is None:
        raise StatusError(
            f"--pipeline must name a pipeline. Received: {pipeline}, which {server.host} does not have. Give its name "
            "as its spec has it, or the id of a run."
        )
    return str(item.pipeline_id)


def read_newest(server: Server, pipeline: str, namespace: str | None) -> str:
    """Returns the id of a pipeline's newest run.

    Args:
      server: that has it.
      pipeline: its name.
      namespace: of the user; None on a server for one user.

    Raises:
      StatusError: there is no such pipeline, or it has no run.
      ServerError: the server refuses, or is not there.
    """
    where = {"namespace": namespace} if namespace else {}
    run = next(_Reader(server).runs(find_pipeline(server, pipeline, namespace), **where), None)
    if run is None:
        raise StatusError(
            f"The pipeline must have a run. Received: {pipeline}, which has none among the newest "
            f"{_MOST_LISTED} of {server.host}. `clickbait kubeflow submit` starts one."
        )
    return run.run_id


def read_status(server: Server, run_id: str, health: Health, now: datetime | None = None) -> RunStatus:
    """Reads the status of a run.

    Args:
      server: that has it.
      run_id: of the run.
      health: of the server: what is in a key depends on its release.
      now: the end of the seconds of what is at work.

    Raises:
      StatusError: there is no such run.
      ServerError: the server refuses, or is not there.
    """
    reader = _Reader(server)
    run, now = reader.run(run_id), now or datetime.now(UTC)
    earlier = _earlier_runs(reader, run, health.several_users)
    return RunStatus(
        run_id,
        run.run.display_name,
        "canceled" if run.run.state in FINAL and is_canceled(run.run) else (run.run.state or "pending").lower(),
        run.document.spec.get("pipelineInfo", {}).get("name") if run.document else None,
        run.document.name if run.document else None,
        run.run.created_at.isoformat() if run.run.created_at else None,
        seconds_between(run.run.created_at, run.run.finished_at, now if run.run.state not in FINAL else None),
        run_page(server.host, run_id),
        tuple(_task_status(server, run, name, earlier, health, now) for name in run.names),
    )


class _Earlier:
    """Earlier runs of the same pipeline, the newest first; read as far as they are looked at."""

    def __init__(self, reader: _Reader, runs: Iterator[ApiRun]):
        self._reader = reader
        self._coming = itertools.islice(runs, _MOST_COMPARED)
        self._read: list[_Run] = []

    def find(self, name: str) -> _Run | None:
        """Returns the newest in which a task succeeded or was cached."""
        for run in self._runs():
            if run.state(name) in ("succeeded", CACHED):
                return run
        return None

    def _runs(self) -> Iterator[_Run]:
        yield from self._read
        for listed in self._coming:
            run = self._reader.with_document(listed) if task_details(listed) else self._reader.run(listed.run_id)
            self._read.append(run)
            yield run


def _earlier_runs(reader: _Reader, run: _Run, several_users: bool) -> _Earlier:
    reference, created = run.run.pipeline_version_reference, run.run.created_at
    if not reference or not created:
        return _Earlier(reader, iter(()))
    where = {}
    if several_users:
        server = reader.server
        experiment: Experiment = server.call(
            server.experiments.experiment_service_get_experiment, run.run.experiment_id
        )
        where = {"namespace": experiment.namespace} if experiment.namespace else {}
    return _Earlier(
        reader,
        (
            item
            for item in reader.runs(reference.pipeline_id, **where)
            if item.run_id != run.run.run_id and item.created_at and item.created_at <= created
        ),
    )


def _task_status(server: Server, run: _Run, name: str, earlier: _Earlier, health: Health, now: datetime) -> TaskStatus:
    state, task = run.state(name), run.read.get(name)
    begun = bool(task and task.state)
    at_work = now if state == "running" and run.run.state not in FINAL else None
    cached = True if state == CACHED else False if run.ran(name) else None
    reasons: list[str] = []
    compared = None
    if cached is False and run.document:
        reasons, compared = _why_not_cached(run, name, earlier, health)
    outcome = read_outcome(server, run.run.run_id, task) if task and state == "failed" else None
    return TaskStatus(
        name,
        state,
        max(task.attempts - 1, 0) if task and task.attempts is not None and cached is not None else None,
        run.tasks.get(name, {}).get("retryPolicy", {}).get("maxRetryCount"),
        seconds_between(task.start_time, task.end_time, at_work) if task and begun else None,
        cached,
        tuple(reasons),
        compared.run.run_id if compared else None,
        outcome.exit_code if outcome else None,
        outcome.reason or MEANINGS.get(outcome.exit_code) if outcome else None,
        log_url(server.host, run.run.run_id, task) if task else None,
    )


def _why_not_cached(run: _Run, name: str, earlier: _Earlier, health: Health) -> tuple[list[str], _Run | None]:
    """Returns why a task ran anew, and the run that it was compared with."""
    if not _cache_is_on(run, name):
        if name in UNCACHED:
            return ["never cached (looks at the world as it is)"], None
        return ["the cache is off for this task"], None
    before = earlier.find(name)
    if before is None:
        return ["no earlier run in which it succeeded"], None
    if name not in before.fingerprints or name not in run.fingerprints:
        return ["the spec of the earlier run cannot be read"], before
    differences = _differences(run, before, name, health)
    differences += _new_inputs(run, before, name, health)
    return differences or [_UNKNOWN], before


def _cache_is_on(run: _Run, name: str) -> bool:
    return bool(run.tasks[name].get("cachingOptions", {}).get("enableCache"))


def _differences(run: _Run, before: _Run, name: str, health: Health) -> list[str]:
    now, then = run.fingerprints[name], before.fingerprints[name]
    if health.older_than(_CLAIMS_RELEASE):
        now, then = now._replace(claims=()), then._replace(claims=())
    return find_differences(now, then)


def _new_inputs(run: _Run, before: _Run, name: str, health: Health) -> list[str]:
    """Returns a phrase for each task whose outputs, inputs of this one, are others than in the run before."""
    inputs: dict[str, list[str]] = {}
    for key, source in run.fingerprints[name].inputs.items():
        inputs.setdefault(source.task, []).append(key)
    phrases = []
    for producer, keys in inputs.items():
        if (change := _change_of(run, before, producer, health)) is not None:
            phrases.append(f"{change}: {producer} ({', '.join(sorted(keys))})")
    return phrases


def _change_of(run: _Run, before: _Run, producer: str, health: Health) -> str | None:
    """Returns how a task comes to other outputs than in the run before; None where it took the same from the cache."""
    if run.state(producer) != CACHED:
        return "ran anew" if run.ran(producer) else "perhaps ran anew"
    if producer not in run.fingerprints or producer not in before.fingerprints:
        return None
    if _differences(run, before, producer, health) or _new_inputs(run, before, producer, health):
        return "taken from another run"
    return None


def log_url(host: str, run_id: str, task: RunTask) -> str | None:
    """Returns the URL of the log of a task's newest attempt, or of its driver where that failed; None without a pod."""
    if task.attempts:
        pod = pod_name(task.nodes[0], TEMPLATES[0])
    elif task.state == FAILED and task.drivers:
        pod = pod_name(task.drivers[0], DRIVER_TEMPLATES[0])
    else:
        return None
    return host + log_path(run_id, pod)
