"""Argo's part: walks the tasks in their order, several at a time, and retries those that fail."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from kubeflow.container.exit_codes import read_exit_code
from kubeflow.rehearsal import driver
from kubeflow.rehearsal.driver import Dag
from kubeflow.rehearsal.executions import CACHED, COMPLETE, Execution, Executions
from kubeflow.rehearsal.launcher import Attempt, launch
from kubeflow.rehearsal.processes import Isolated
from kubeflow.rehearsal.releases import LOST_PODS, NEWEST, Release
from kubeflow.rehearsal.store import Store
from kubeflow.rehearsal.view import RehearsalView
from kubeflow.spec.caching import volume_claims
from kubeflow.spec.messages import Component, Container, ExecutorInput, Json, Platform, Spec, Task
from kubeflow.spec.pipeline_spec import dependencies, executors, sort_tasks

_INTERRUPTED = 130


@dataclasses.dataclass(frozen=True)
class Failure:
    """The task that ended a run."""

    task: str
    attempt: Attempt

    @property
    def exit_code(self) -> int:
        """The exit code in the termination message: the launcher's own is always 1."""
        code = read_exit_code(self.attempt.message)
        return self.attempt.exit_code if code is None else code

    @property
    def reason(self) -> str:
        """The task, and why it failed."""
        reason = self.attempt.failure.get("reason") or self.attempt.message or "it left no message"
        return f"{self.task}: {reason}"


@dataclasses.dataclass
class Run:
    """One run of a spec.

    Attributes:
      failure: the task that ended it, once one has.
    """

    spec: Spec
    run_id: str
    store: Store
    executions: Executions
    processes: Isolated
    view: RehearsalView
    folder: Path
    """For the files of containers at work."""
    logs: Path
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parallel: int = 1
    failure: Failure | None = None
    release: Release = Release(NEWEST)
    platform: Platform = dataclasses.field(default_factory=Platform)
    """The document behind the spec."""

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def run(self, values: Mapping[str, Json]) -> Dag:
        """Runs the pipeline to its end, and returns what its tasks handed on.

        Raises:
          DriverError: a parameter is not known, missing, or of another type, or a task's input is not there.
        """
        dag = driver.root_dag(self.spec, values)
        tasks = self.spec["root"]["dag"]["tasks"]
        waiting = sort_tasks(tasks)
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(self.parallel) as pool:
            try:
                while running or (waiting and not self.failure):
                    for name in [*waiting]:
                        if self.failure or len(running) >= self.parallel:
                            break
                        if dependencies(tasks[name]) <= {*dag.outputs}:
                            waiting.remove(name)
                            running.add(pool.submit(self._run_task, dag, name, tasks[name]))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            except BaseException:
                for future in running:
                    future.cancel()
                self._stopping.set()
                self.processes.stop()
                raise
        return dag

    def _run_task(self, dag: Dag, name: str, task: Task) -> None:
        if execution := self.executions.of_run(self.run_id, name):
            self._end(dag, execution, "kept")
            return
        self.view.started(name)
        component = self.spec["components"][task["componentRef"]["name"]]
        label = component["executorLabel"]
        container = executors(self.spec)[label]["container"]
        pipeline = self.spec["pipelineInfo"]["name"]
        constants = driver.run_constants(self.run_id, name, self._created, self.release)
        inputs = driver.resolve_inputs(dag, task, component, constants)
        run_root = f"{self.store.pipeline_root}/{pipeline}/{self.run_id}"
        outputs = driver.provision_outputs(component, name, run_root, self.release)
        claims = volume_claims(self.platform, label)
        key = driver.fingerprint(task, component, container, inputs, outputs, claims, self.release)
        key = key and f"{pipeline}/{key}"
        if key and (known := self.executions.cached(key)):
            execution = dataclasses.replace(known, run_id=self.run_id, task=name, state=CACHED)
            self._end(dag, self.executions.add(execution), "cached")
            return
        attempt = self._attempt(name, task, component, container, {"inputs": inputs, "outputs": outputs})
        if attempt.exit_code:
            failure = Failure(name, attempt)
            self.failure = self.failure or failure
            self.view.ended(name, "refused" if failure.exit_code == 3 else "failed")
            return
        execution = Execution(self.run_id, name, COMPLETE, key, attempt.artifacts, attempt.parameters)
        self._end(dag, self.executions.add(execution), "done")

    def _attempt(
        self, name: str, task: Task, component: Component, container: Container, executor_input: ExecutorInput
    ) -> Attempt:
        """Starts a container as often as its retry policy and the release allow."""
        policy = task.get("retryPolicy", {})
        retries = 0 if self.release.has(LOST_PODS) else int(policy.get("maxRetryCount", 0))
        pause, began = _seconds(policy.get("backoffDuration", "0s")), time.monotonic()
        latest = _seconds(policy.get("backoffMaxDuration", "3600s"))
        for retry in range(retries + 1):
            attempt = launch(
                container,
                component,
                executor_input,
                release=self.release,
                retry=retry,
                store=self.store,
                processes=self.processes,
                pod=self.folder / name,
                log=self.logs / f"{name}.txt",
                environ=self.environ,
                progress=lambda progress: self.view.progress(name, progress),
            )
            if self._stopping.is_set() or attempt.exit_code == _INTERRUPTED:  # Ctrl-C goes to all processes at once
                raise KeyboardInterrupt
            if attempt.exit_code == 0 or retry == retries or time.monotonic() - began + pause > latest:
                return attempt
            self.view.retried(name, retry + 1, attempt.exit_code, pause)
            if self._stopping.wait(pause):
                raise KeyboardInterrupt
            pause *= float(policy.get("backoffFactor", 2.0)) or 1.0
        raise AssertionError("the last attempt returns")

    def _end(self, dag: Dag, execution: Execution, status: str) -> None:
        self.view.ended(execution.task, status)
        dag.outputs[execution.task] = {"artifacts": execution.artifacts, "parameters": execution.parameters}


def _seconds(duration: str) -> float:
    """Returns the seconds of a Duration as JSON writes it, e.g. `30s`."""
    return float(duration.removesuffix("s"))
