"""The launcher's part: a container's files, its command with the placeholders filled in, and what it left behind."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from components.errors import InputError
from kubeflow.container.entrypoint import FAILURE_FILE, TERMINATION_LOG
from kubeflow.container.places import MOUNT_ROOT, local_path
from kubeflow.rehearsal.store import Store

Progress = Callable[[dict[str, Any]], None]


class Processes(Protocol):
    """What starts a container's command as a process of its own."""

    def run(self, command: list[str], environ: Mapping[str, str], log: Path, progress: Progress) -> int:
        """Runs it to its end, and returns its exit code."""

    def stop(self) -> None:
        """Ends what is running, from another thread."""


class Attempt(NamedTuple):
    """What came of one start of a container."""

    exit_code: int
    message: str
    """Its termination message; empty where it left none."""
    failure: dict[str, Any]
    """Our entrypoint's facts of a failure: `exit_code`, `reason`, `findings`; else empty."""
    artifacts: dict[str, list[dict[str, Any]]]
    parameters: dict[str, Any]


def launch(
    container: Mapping[str, Any],
    component: Mapping[str, Any],
    executor_input: Mapping[str, Any],
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
      progress: hears what the Trainer says.
    """
    shutil.rmtree(pod, ignore_errors=True)
    pod.mkdir(parents=True)
    try:
        return _launch(container, component, executor_input, store, processes, pod, log, environ, progress)
    except InputError as error:  # of the store: this attempt's, and the next may reach it
        return Attempt(error.exit_code, str(error), {}, {}, {})
    finally:
        shutil.rmtree(pod, ignore_errors=True)


def _launch(container, component, executor_input, store, processes, pod, log, environ, progress) -> Attempt:
    told = copy.deepcopy(dict(executor_input))
    _place_outputs(told, pod)
    for _, artifact in _artifacts(told.get("inputs", {})):
        store.download(artifact["uri"], Path(local_path(artifact["uri"], pod)))
    for _, artifact in _artifacts(told["outputs"]):
        Path(local_path(artifact["uri"], pod)).parent.mkdir(parents=True, exist_ok=True)
    message, failure = pod / "termination-log", pod / "failure.json"
    places = {MOUNT_ROOT: str(pod), TERMINATION_LOG: str(message), FAILURE_FILE: str(failure)}
    for one in container.get("env", []):
        places[one["name"]] = one["value"]
    command = fill_in([*container.get("command", []), *container.get("args", [])], with_defaults(told, component), pod)
    exit_code = processes.run(command, {**environ, **places}, log, progress)
    said = message.read_text(encoding="utf-8") if message.is_file() else ""
    facts = json.loads(failure.read_text(encoding="utf-8")) if failure.is_file() else {}
    if exit_code:
        return Attempt(exit_code, said, facts, {}, {})
    output = _read_output(Path(told["outputs"]["outputFile"]))
    parameters = _collect_parameters(told["outputs"], output, component)
    return Attempt(0, "", {}, _upload(told["outputs"], output, store, pod), parameters)


def fill_in(command: list[str], told: Mapping[str, Any], root: str | Path) -> list[str]:
    """A command with its placeholders replaced, as the launcher knows them.

    Example:
        >>> fill_in(["echo", "{{$.inputs.parameters['n']}}"], {"inputs": {"parameterValues": {"n": 2.0}}}, "")
        ['echo', '2']
    """
    words = {"{{$}}": json.dumps(told)}
    for key, value in told.get("inputs", {}).get("parameterValues", {}).items():
        words[f"{{{{$.inputs.parameters['{key}']}}}}"] = as_text(value)
    for side in ("inputs", "outputs"):
        for key, artifact in _artifacts(told.get(side, {})):
            words[f"{{{{$.{side}.artifacts['{key}'].uri}}}}"] = artifact["uri"]
            words[f"{{{{$.{side}.artifacts['{key}'].path}}}}"] = local_path(artifact["uri"], root)
    for key, one in told.get("outputs", {}).get("parameters", {}).items():
        words[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = one["outputFile"]
    return [_replaced(word, words) for word in command]


def with_defaults(told: Mapping[str, Any], component: Mapping[str, Any]) -> dict[str, Any]:
    """An ExecutorInput with the defaults of the component's parameters."""
    defaults = {
        name: one["defaultValue"]
        for name, one in component.get("inputDefinitions", {}).get("parameters", {}).items()
        if "defaultValue" in one
    }
    if not defaults:
        return dict(told)
    inputs = told.get("inputs", {})
    return {**told, "inputs": {**inputs, "parameterValues": {**defaults, **inputs.get("parameterValues", {})}}}


def as_text(value: Any) -> str:
    """A parameter as the launcher writes it into a command."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def from_text(text: str, kind: str) -> Any:
    """A parameter that a container wrote into a file."""
    if kind == "STRING":
        return text
    return json.loads(text.strip().lower() if kind == "BOOLEAN" else text)


def _replaced(word: str, words: Mapping[str, str]) -> str:
    for placeholder, text in words.items():
        word = word.replace(placeholder, text)
    return word


def _place_outputs(told: dict[str, Any], pod: Path) -> None:
    """Files that the launcher alone looks at have paths of the container."""
    outputs = told["outputs"]
    outputs["outputFile"] = local_path(outputs["outputFile"], pod)
    Path(outputs["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
    for one in outputs.get("parameters", {}).values():
        one["outputFile"] = local_path(one["outputFile"], pod)
        Path(one["outputFile"]).parent.mkdir(parents=True, exist_ok=True)


def _read_output(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _collect_parameters(
    outputs: Mapping[str, Any], output: Mapping[str, Any], component: Mapping[str, Any]
) -> dict[str, Any]:
    definitions = component.get("outputDefinitions", {}).get("parameters", {})
    found = dict(output.get("parameterValues", {}))
    for key, one in outputs.get("parameters", {}).items():
        if key not in found:
            found[key] = from_text(
                Path(one["outputFile"]).read_text(encoding="utf-8"), definitions[key]["parameterType"]
            )
    return found


def _upload(outputs: Mapping[str, Any], output: Mapping[str, Any], store: Store, pod: Path) -> dict[str, Any]:
    uploaded: dict[str, Any] = {}
    for key, artifact in _artifacts(outputs):
        said = output.get("artifacts", {}).get(key, {}).get("artifacts", [{}])[0]
        uri = said.get("uri") or artifact["uri"]
        store.upload(Path(local_path(uri, pod)), uri)
        metadata = {"display_name": key, **artifact.get("metadata", {}), **said.get("metadata", {})}
        uploaded[key] = [{"uri": uri, "metadata": metadata}]
    return uploaded


def _artifacts(side: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, those in side.get("artifacts", {}).items():
        for artifact in those.get("artifacts", []):
            yield key, artifact
