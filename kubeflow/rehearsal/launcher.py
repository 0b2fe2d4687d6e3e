"""The launcher's part: stages a container's files, fills in its command, and collects what it left behind."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from components.errors import InputError
from kubeflow.container.entrypoint import FAILURE_FILE, TERMINATION_LOG, Failure
from kubeflow.container.mounts import MOUNT_ROOT, local_path
from kubeflow.rehearsal.store import Store
from kubeflow.spec.messages import (
    Component,
    Container,
    ExecutorInput,
    ExecutorOutput,
    ExecutorOutputs,
    Json,
    RuntimeArtifact,
    iterate_artifacts,
    parameter_defaults,
)

Progress = Callable[[Mapping[str, float]], None]


class Processes(Protocol):
    """Starts a container's command as a process of its own."""

    def run(self, command: list[str], environ: Mapping[str, str], log: Path, progress: Progress) -> int:
        """Runs it to its end, and returns its exit code."""

    def stop(self) -> None:
        """Ends what is running, from another thread."""


class Attempt(NamedTuple):
    """The result of one start of a container."""

    exit_code: int
    message: str
    """Its termination message; empty where it left none."""
    failure: Failure
    """From our entrypoint; empty where there is none."""
    artifacts: dict[str, list[RuntimeArtifact]]
    parameters: dict[str, Json]


def launch(
    container: Container,
    component: Component,
    executor_input: ExecutorInput,
    *,
    store: Store,
    processes: Processes,
    pod: Path,
    log: Path,
    environ: Mapping[str, str],
    progress: Progress,
) -> Attempt:
    """Starts a container once.

    Args:
      container: of the spec.
      component: of the spec.
      executor_input: from the driver.
      store: where artifacts come from and go to.
      processes: what starts its command.
      pod: a folder for its files, emptied before and removed after.
      log: appended to.
      environ: more variables for it.
      progress: is called with the progress that the Trainer logs.
    """
    shutil.rmtree(pod, ignore_errors=True)
    pod.mkdir(parents=True)
    try:
        return _launch(container, component, executor_input, store, processes, pod, log, environ, progress)
    except InputError as error:  # of the store: this attempt's, and the next may reach it
        return Attempt(error.exit_code, str(error), {}, {}, {})
    finally:
        shutil.rmtree(pod, ignore_errors=True)


def _launch(
    container: Container,
    component: Component,
    executor_input: ExecutorInput,
    store: Store,
    processes: Processes,
    pod: Path,
    log: Path,
    environ: Mapping[str, str],
    progress: Progress,
) -> Attempt:
    executor_input = copy.deepcopy(executor_input)
    outputs = executor_input["outputs"]
    _localize_outputs(outputs, pod)
    for _, artifact in iterate_artifacts(executor_input.get("inputs", {})):
        store.download(artifact["uri"], Path(local_path(artifact["uri"], pod)))
    for _, artifact in iterate_artifacts(outputs):
        Path(local_path(artifact["uri"], pod)).parent.mkdir(parents=True, exist_ok=True)
    message_file, failure_file = pod / "termination-log", pod / "failure.json"
    variables = {MOUNT_ROOT: str(pod), TERMINATION_LOG: str(message_file), FAILURE_FILE: str(failure_file)}
    for variable in container.get("env", []):
        variables[variable["name"]] = variable["value"]
    words = [*container.get("command", []), *container.get("args", [])]
    command = fill_in(words, with_defaults(executor_input, component), pod)
    exit_code = processes.run(command, {**environ, **variables}, log, progress)
    if exit_code:
        message = message_file.read_text(encoding="utf-8") if message_file.is_file() else ""
        failure: Failure = json.loads(failure_file.read_text(encoding="utf-8")) if failure_file.is_file() else {}
        return Attempt(exit_code, message, failure, {}, {})
    output = _read_output(Path(outputs["outputFile"]))
    parameters = _collect_parameters(outputs, output, component)
    return Attempt(0, "", {}, _upload(outputs, output, store, pod), parameters)


def fill_in(command: list[str], executor_input: ExecutorInput, root: str | Path) -> list[str]:
    """Returns a command with its placeholders replaced, as the launcher knows them.

    Example:
        >>> fill_in(["echo", "{{$.inputs.parameters['n']}}"], {"inputs": {"parameterValues": {"n": 2.0}}}, "")
        ['echo', '2']
    """
    inputs, outputs = executor_input.get("inputs", {}), executor_input.get("outputs", {})
    words = {"{{$}}": json.dumps(executor_input)}
    for key, value in inputs.get("parameterValues", {}).items():
        words[f"{{{{$.inputs.parameters['{key}']}}}}"] = as_text(value)
    for side, artifacts in (("inputs", iterate_artifacts(inputs)), ("outputs", iterate_artifacts(outputs))):
        for key, artifact in artifacts:
            words[f"{{{{$.{side}.artifacts['{key}'].uri}}}}"] = artifact["uri"]
            words[f"{{{{$.{side}.artifacts['{key}'].path}}}}"] = local_path(artifact["uri"], root)
    for key, parameter in outputs.get("parameters", {}).items():
        words[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = parameter["outputFile"]
    return [_replaced(word, words) for word in command]


def with_defaults(executor_input: ExecutorInput, component: Component) -> ExecutorInput:
    """Returns an ExecutorInput with the defaults of the component's parameters."""
    inputs, defaults = executor_input.get("inputs", {}), parameter_defaults(component)
    if not defaults:
        return executor_input
    values = {**defaults, **inputs.get("parameterValues", {})}
    return {**executor_input, "inputs": {**inputs, "parameterValues": values}}


def as_text(value: Json) -> str:
    """Returns a parameter as the launcher writes it into a command."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def from_text(text: str, kind: str) -> Json:
    """Reads a parameter that a container wrote into a file."""
    if kind == "STRING":
        return text
    value: Json = json.loads(text.strip().lower() if kind == "BOOLEAN" else text)
    return value


def _replaced(word: str, words: Mapping[str, str]) -> str:
    for placeholder, text in words.items():
        word = word.replace(placeholder, text)
    return word


def _localize_outputs(outputs: ExecutorOutputs, pod: Path) -> None:
    """Puts paths of the container in place of URIs of files that the launcher alone looks at, and makes the folders."""
    outputs["outputFile"] = local_path(outputs["outputFile"], pod)
    Path(outputs["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
    for parameter in outputs.get("parameters", {}).values():
        parameter["outputFile"] = local_path(parameter["outputFile"], pod)
        Path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)


def _read_output(path: Path) -> ExecutorOutput:
    output: ExecutorOutput = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return output


def _collect_parameters(outputs: ExecutorOutputs, output: ExecutorOutput, component: Component) -> dict[str, Json]:
    definitions = component.get("outputDefinitions", {}).get("parameters", {})
    values = dict(output.get("parameterValues", {}))
    for key, parameter in outputs.get("parameters", {}).items():
        if key not in values:
            text = Path(parameter["outputFile"]).read_text(encoding="utf-8")
            values[key] = from_text(text, definitions[key]["parameterType"])
    return values


def _upload(
    outputs: ExecutorOutputs, output: ExecutorOutput, store: Store, pod: Path
) -> dict[str, list[RuntimeArtifact]]:
    uploaded: dict[str, list[RuntimeArtifact]] = {}
    for key, artifact in iterate_artifacts(outputs):
        nothing: list[RuntimeArtifact] = [{}]
        written = output.get("artifacts", {}).get(key, {}).get("artifacts", nothing)[0]
        uri = written.get("uri") or artifact["uri"]
        store.upload(Path(local_path(uri, pod)), uri)
        metadata = {"display_name": key, **artifact.get("metadata", {}), **written.get("metadata", {})}
        uploaded[key] = [{"uri": uri, "metadata": metadata}]
    return uploaded
