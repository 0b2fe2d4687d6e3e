"""Argo's part: walks DAGs in their order, several tasks at a time, with conditions, retries and exit handlers."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from kubeflow.container.exit_codes import read_exit_code
from kubeflow.rehearsal import driver
from kubeflow.rehearsal.conditions import evaluate
from kubeflow.rehearsal.driver import Dag
from kubeflow.rehearsal.executions import CACHED, CANCELED, COMPLETE, Execution, Executions
from kubeflow.rehearsal.launcher import Attempt, Processes, launch
from kubeflow.rehearsal.store import Store
from kubeflow.rehearsal.view import RehearsalView
from kubeflow.spec.messages import Component, Container, ExecutorInputs, Json, Spec, Task, parameter_defaults
from kubeflow.spec.pipeline_spec import dependencies, executors, sort_tasks

_INTERRUPTED = 130
_EXIT_HANDLER = "ALL_UPSTREAM_TASKS_COMPLETED"
_SUCCEEDED, _FAILED, _SKIPPED = "SUCCEEDED", "FAILED", "SKIPPED"


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
    processes: Processes
    view: RehearsalView
    folder: Path
    """For the files of containers at work."""
    logs: Path
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parallel: int = 1
    failure: Failure | None = None

    def __post_init__(self) -> None:
        self._stopping = threading.Event()

    def run(self, values: Mapping[str, Json]) -> Dag:
        """Runs the pipeline to its end, and returns what its tasks handed on.

        Raises:
          DriverError: a parameter is not known, missing, or of another type.
        """
        root = driver.root_dag(self.spec, values)
        with ThreadPoolExecutor(self.parallel) as pool:
            try:
                self._run_dag(root, pool)
            except BaseException:
                self._stopping.set()
                self.processes.stop()
                raise
        return root

    def _run_dag(self, dag: Dag, pool: ThreadPoolExecutor) -> str:
        tasks = dag.component["dag"]["tasks"]
        handlers = [name for name in tasks if _is_exit_handler(tasks[name])]
        waiting = [name for name in sort_tasks(tasks) if name not in handlers]
        running: dict[Future[str], str] = {}
        try:
            while running or (waiting and not self.failure):
                for name in [*waiting]:
                    needed = [dag.states.get(task) for task in dependencies(tasks[name])]
                    if _SKIPPED in needed:
                        self._skip(dag, name)
                        waiting.remove(name)
                    elif all(state == _SUCCEEDED for state in needed) and not self.failure:
                        if len(running) >= self.parallel:
                            break
                        waiting.remove(name)
                        if "dag" in self._component(tasks[name]):
                            dag.states[name] = self._run_subdag(dag, name, pool)
                            break
                        running[pool.submit(self._run_task, dag, name)] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    dag.states[running.pop(future)] = future.result()
        finally:
            for future in running:
                future.cancel()
        for name in handlers:
            # Whatever became of the others; what it does changes the run's outcome only where it fails itself.
            dag.states[name] = self._run_task(dag, name)
        return _FAILED if _FAILED in dag.states.values() else _SUCCEEDED

    def _run_subdag(self, dag: Dag, name: str, pool: ThreadPoolExecutor) -> str:
        task = dag.component["dag"]["tasks"][name]
        inputs = self._inputs(dag, task)
        if not _is_triggered(task, inputs):
            self._skip(dag, name)
            return _SKIPPED
        inner = Dag(
            f"{dag.path}/{name}",
            self._component(task),
            {**parameter_defaults(self._component(task)), **inputs.get("parameterValues", {})},
            {key: entry["artifacts"] for key, entry in inputs.get("artifacts", {}).items()},
        )
        state = self._run_dag(inner, pool)
        if state == _SUCCEEDED:
            dag.outputs[name] = driver.dag_outputs(inner)
        return state

    def _run_task(self, dag: Dag, name: str) -> str:
        path = f"{dag.path}/{name}"
        shown = path.removeprefix("root/")
        if known := self.executions.of_run(self.run_id, path):
            return self._take(dag, name, known, "skipped" if known.state == CANCELED else "kept")
        task = dag.component["dag"]["tasks"][name]
        component = self._component(task)
        self.view.started(shown)
        inputs = self._inputs(dag, task)
        if not _is_triggered(task, inputs):
            return self._take(dag, name, self.executions.add(Execution(self.run_id, path, CANCELED)), "skipped")
        executor = executors(self.spec)[component["executorLabel"]]
        if "importer" in executor:
            artifacts = driver.import_artifact(self.spec, component, inputs)
            execution = Execution(self.run_id, path, COMPLETE, artifacts=artifacts)
            return self._take(dag, name, self.executions.add(execution), "done")
        key = driver.fingerprint(task, component, executor["container"], inputs)
        if key and (known := self.executions.cached(key)):
            execution = dataclasses.replace(known, run_id=self.run_id, task=path, state=CACHED)
            return self._take(dag, name, self.executions.add(execution), "cached")
        attempt = self._attempt(path, task, component, executor["container"], inputs)
        if attempt.exit_code:
            failure = Failure(shown, attempt)
            self.failure = self.failure or failure
            self.view.ended(shown, "refused" if failure.exit_code == 3 else "failed")
            return _FAILED
        execution = Execution(self.run_id, path, COMPLETE, key, attempt.artifacts, attempt.parameters)
        return self._take(dag, name, self.executions.add(execution), "done")

    def _attempt(
        self, path: str, task: Task, component: Component, container: Container, inputs: ExecutorInputs
    ) -> Attempt:
        """Starts a container as often as its retry policy allows."""
        shown = path.removeprefix("root/")
        policy = task.get("retryPolicy", {})
        pause, began = _seconds(policy.get("backoffDuration", "0s")), time.monotonic()
        latest = _seconds(policy.get("backoffMaxDuration", "3600s"))
        outputs = driver.provision_outputs(component, task["taskInfo"]["name"], self._run_root)
        file_name = path.replace("/", "-")
        for number in range(1, 2 + int(policy.get("maxRetryCount", 0))):
            attempt = launch(
                container,
                component,
                {"inputs": inputs, "outputs": outputs},
                store=self.store,
                processes=self.processes,
                pod=self.folder / file_name,
                log=self.logs / f"{file_name.removeprefix('root-')}.txt",
                environ=self.environ,
                progress=lambda progress: self.view.progress(shown, progress),
            )
            if self._stopping.is_set() or attempt.exit_code == _INTERRUPTED:  # Ctrl-C goes to all processes at once
                raise KeyboardInterrupt
            last = number > int(policy.get("maxRetryCount", 0)) or time.monotonic() - began + pause > latest
            if attempt.exit_code == 0 or last:
                return attempt
            self.view.retried(shown, number, attempt.exit_code, pause)
            if self._stopping.wait(pause):
                raise KeyboardInterrupt
            pause *= float(policy.get("backoffFactor", 2.0)) or 1.0
        raise AssertionError("the last attempt returns")

    def _take(self, dag: Dag, name: str, execution: Execution, status: str) -> str:
        self.view.ended(f"{dag.path}/{name}".removeprefix("root/"), status)
        if execution.state == CANCELED:
            return _SKIPPED
        dag.outputs[name] = {"artifacts": execution.artifacts, "parameters": execution.parameters}
        return _SUCCEEDED

    def _skip(self, dag: Dag, name: str) -> None:
        dag.states[name] = _SKIPPED
        self.view.ended(f"{dag.path}/{name}".removeprefix("root/"), "skipped")

    def _inputs(self, dag: Dag, task: Task) -> ExecutorInputs:
        run = {
            "pipeline_job_uuid": self.run_id,
            "pipeline_job_name": self.run_id,
            "pipeline_job_resource_name": self.run_id,
            "pipeline_task_name": task["taskInfo"]["name"],
            "pipeline_root": self._run_root,
        }
        return driver.resolve_inputs(dag, task, run)

    def _component(self, task: Task) -> Component:
        return self.spec["components"][task["componentRef"]["name"]]

    @property
    def _run_root(self) -> str:
        return f"{self.store.pipeline_root}/{self.spec['pipelineInfo']['name']}/{self.run_id}"


def _is_exit_handler(task: Task) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == _EXIT_HANDLER


def _is_triggered(task: Task, inputs: ExecutorInputs) -> bool:
    condition = task.get("triggerPolicy", {}).get("condition")
    return not condition or evaluate(condition, {"inputs": inputs})


def _seconds(duration: str) -> float:
    """Returns the seconds of a Duration as JSON writes it, e.g. `30s`."""
    return float(duration.removesuffix("s"))
