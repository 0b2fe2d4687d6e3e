"""Walks the Argo workflow that KFP compiles of a job: runs its drivers and launchers, and keeps what they hand on."""

from __future__ import annotations

import concurrent.futures
import json
import re
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kubeflow.real.cluster import RECORD, Cluster, metadata_variables, secret_value

SUCCEEDED, FAILED, OMITTED, CACHED = "Succeeded", "Failed", "Omitted", "Cached"

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_VARIABLE = re.compile(r"\$\$|\$\(([^)]*)\)")
_LAUNCHER_LINE = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d")
_INVOCATION = "--json_serialized_invocation_args"


@dataclass
class TaskRecord:
    """What a task's container was, got and left.

    Attributes:
      state: Succeeded, Failed, Omitted or Cached.
      patch: of its pod, from the driver.
      environment: of its process.
      given: ExecutorInput in place of `{{$}}`.
      written: ExecutorOutput, which the launcher reads; None where there is none.
      log: of the pod, with the launcher's lines; or the driver's, where that failed.
      own_log: what the task's process itself printed, as the launcher keeps it.
      last_words: the termination message.
      seconds: that the container ran.
    """

    state: str = OMITTED
    patch: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] | None = None
    log: str = ""
    own_log: str = ""
    last_words: str = ""
    seconds: float = 0


@dataclass
class Run:
    """A run: `tasks` by name; `job` is what was compiled, a PipelineJob."""

    job: dict[str, Any]
    run_id: str
    run_name: str
    status: str = ""
    tasks: dict[str, TaskRecord] = field(default_factory=dict)

    def states(self) -> dict[str, str]:
        return {name: task.state for name, task in self.tasks.items()}


def run_job(
    cluster: Cluster,
    compiler: Path,
    job: dict[str, Any],
    platform: Mapping[str, Any] | None,
    *,
    only: Collection[str] | None = None,
    parallel: int = 2,
) -> Run:
    """Compiles a job by KFP's Argo compiler and walks it.

    Args:
      cluster: whose services are running.
      compiler: the program that prints the workflow of JOB.json and PLATFORM.json, see README.md.
      job: a PipelineJob.
      platform: the spec's second document.
      only: these tasks are run; all if None. The others are omitted.
      parallel: most pods at a time.
    """
    folder = cluster.folder / job["displayName"]
    folder.mkdir()
    paths = []
    for name, document in (("job.json", job), ("platform.json", platform)):
        if document:
            paths.append(folder / name)
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
    workflow = json.loads(subprocess.run([compiler, *paths], check=True, stdout=subprocess.PIPE).stdout)
    run = Run(job, str(uuid.uuid4()), f"{workflow['metadata']['generateName']}{uuid.uuid4().hex[:5]}")
    run.tasks = {name: TaskRecord() for name in job["pipelineSpec"]["root"]["dag"]["tasks"]}
    walk = _Walk(cluster, folder, workflow, run, only, threading.Semaphore(parallel))
    run.status, _ = walk.template(workflow["spec"]["entrypoint"], {}, ())
    return run


class _Walk:
    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        workflow: dict[str, Any],
        run: Run,
        only: Collection[str] | None,
        slots: threading.Semaphore,
    ) -> None:
        self._cluster, self._folder, self._run, self._only, self._slots = cluster, folder, run, only, slots
        spec = workflow["spec"]
        self._templates = {item["name"]: item for item in spec["templates"]}
        self._global = {
            "workflow.uid": run.run_id,
            "workflow.name": run.run_name,
            "workflow.creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **{f"workflow.parameters.{item['name']}": item["value"] for item in spec["arguments"]["parameters"]},
        }

    def template(self, name: str, arguments: Mapping[str, str], path: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        """Runs a template; returns its state and output parameters."""
        template = self._templates[name]
        scope = dict(self._global)
        for item in template.get("inputs", {}).get("parameters", []):
            value = arguments.get(item["name"], item.get("default"))
            if value is None:
                raise RuntimeError(f"{name}: nothing for {item['name']}")
            scope[f"inputs.parameters.{item['name']}"] = value
        if "dag" in template:
            return self._dag(template["dag"]["tasks"], scope, path), {}
        with self._slots:
            if "podSpecPatch" in template:
                return self._task(template, {**scope, "retries": "0"}, path[-2]), {}
            return self._driver(template, scope, path[-1].removesuffix("-driver"))

    def _dag(self, tasks: list[dict[str, Any]], scope: dict[str, str], path: tuple[str, ...]) -> str:
        waiting, running, states = {item["name"]: item for item in tasks}, {}, {}
        with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
            while waiting or running:
                for name in [name for name, item in waiting.items() if {*_needs(item)} <= {*states}]:
                    item = waiting.pop(name)
                    if any(states[need] != SUCCEEDED for need in _needs(item)) or self._is_left_out(path, name):
                        states[name] = OMITTED  # a task, too, whose driver failed
                    elif "when" in item and not _is_true(_fill(item["when"], scope)):
                        states[name] = SUCCEEDED  # skipped, which is no failure
                        self._run.tasks[path[-1]].state = CACHED
                    else:
                        arguments = {
                            parameter["name"]: _fill(str(parameter.get("value", parameter.get("default", ""))), scope)
                            for parameter in item.get("arguments", {}).get("parameters", [])
                        }
                        future = pool.submit(self.template, item["template"], arguments, (*path, name))
                        running[future] = name
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    states[name], outputs = future.result()
                    scope |= {f"tasks.{name}.outputs.parameters.{key}": text for key, text in outputs.items()}
        return FAILED if {FAILED, OMITTED} & {*states.values()} else SUCCEEDED

    def _is_left_out(self, path: tuple[str, ...], name: str) -> bool:
        return path == ("root",) and self._only is not None and name.removesuffix("-driver") not in self._only

    def _driver(self, template: dict[str, Any], scope: dict[str, str], name: str) -> tuple[str, dict[str, str]]:
        root = self._folder / f"{name}-driver"
        outputs = {item["name"]: item["valueFrom"] for item in template["outputs"]["parameters"]}
        scope |= {f"outputs.parameters.{key}.path": source["path"] for key, source in outputs.items()}
        container = template["container"]
        arguments = [_fill(item, scope) for item in container["args"]]
        log = root.with_suffix(".log")
        code = self._cluster.run_driver(root, arguments, self._variables(container.get("env", []), scope), log)
        values = {}
        for key, source in outputs.items():
            path = root / source["path"].lstrip("/")
            if path.exists() or "default" in source:
                values[key] = path.read_text(encoding="utf-8") if path.exists() else source["default"]
        if code:
            text = log.read_text(encoding="utf-8", errors="replace")
            if name not in self._run.tasks:
                raise RuntimeError(f"the driver of {name} must succeed. Received: {text}")
            self._run.tasks[name].state, self._run.tasks[name].log = FAILED, text
        return (FAILED if code else SUCCEEDED), values

    def _task(self, template: dict[str, Any], scope: dict[str, str], name: str) -> str:
        record, root = self._run.tasks[name], self._folder / name
        container, record.patch = template["container"], json.loads(_fill(template["podSpecPatch"], scope))
        (main,) = record.patch["containers"]
        variables = self._variables([*container.get("env", []), *main.get("env", [])], scope)
        if "envFrom" in container:
            variables = {**metadata_variables(), **variables}
        command = [_expand(item, variables) for item in (*main["command"], *main["args"])]
        log, begun = root.with_suffix(".log"), time.monotonic()
        code = self._cluster.run_task(root, command, variables, log)
        record.seconds = time.monotonic() - begun
        record.state = FAILED if code else SUCCEEDED
        record.log = log.read_text(encoding="utf-8", errors="replace")
        record.last_words = (root / "dev/termination-log").read_text(encoding="utf-8")
        _read_process(record, root)
        for mount in ("minio", "s3", "tmp"):
            shutil.rmtree(root / mount)
        return record.state

    def _variables(self, entries: list[dict[str, Any]], scope: Mapping[str, str]) -> dict[str, str]:
        values, uid = {}, str(uuid.uuid4())
        pod = {"metadata.name": f"{self._run.run_name}-{uid[:8]}", "metadata.uid": uid}
        for item in entries:
            source = item.get("valueFrom", {})
            if "secretKeyRef" in source:
                values[item["name"]] = secret_value(source["secretKeyRef"])
            elif "fieldRef" in source:
                values[item["name"]] = pod[source["fieldRef"]["fieldPath"]]
            else:
                values[item["name"]] = _fill(item.get("value", ""), scope)
        return values


def _read_process(record: TaskRecord, root: Path) -> None:
    """Fills in what the task's process got and left, where the launcher came to start it."""
    arguments = root / RECORD / "argv"
    if not arguments.exists():
        return
    words = arguments.read_text(encoding="utf-8").split("\0")
    record.given = json.loads(words[1 + words.index(_INVOCATION)])
    environment = (root / RECORD / "env").read_text(encoding="utf-8").split("\0")
    record.environment = dict(item.split("=", 1) for item in environment if item)
    output = root / record.given["outputs"]["outputFile"].lstrip("/")
    if output.exists():
        record.written = json.loads(output.read_text(encoding="utf-8"))
    (logs,) = record.given["outputs"]["artifacts"]["executor-logs"]["artifacts"]
    path = root / logs["uri"].replace("://", "/", 1)
    record.own_log = path.read_text(encoding="utf-8", errors="replace")


def launcher_lines(log: str) -> list[str]:
    """Returns the lines of a pod's log that begin as those of KFP's own logger."""
    return [line for line in log.splitlines() if _LAUNCHER_LINE.match(line)]


def _needs(task: Mapping[str, Any]) -> list[str]:
    """Returns the tasks that must have succeeded: a task's `depends` is `A.Succeeded && B.Succeeded`."""
    terms = [term.strip() for term in task.get("depends", "").split("&&") if term.strip()]
    assert all(term.endswith(f".{SUCCEEDED}") for term in terms) and not task.get("hooks"), task
    return [term.removesuffix(f".{SUCCEEDED}") for term in terms]


def _is_true(condition: str) -> bool:
    left, sign, right = condition.partition(" != ")
    assert sign, condition
    return left != right


def _fill(text: str, scope: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: scope.get(match[1], match[0]), text)


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """Fills in `$(NAME)` as Kubernetes does in a command."""
    return _VARIABLE.sub(lambda match: "$" if match[0] == "$$" else variables.get(match[1], match[0]), text)
