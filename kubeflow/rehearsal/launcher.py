"""The launcher's part: stages a container's files, fills in its command, and collects what it left behind."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as proto

from components.errors import InputError
from kubeflow.container.entrypoint import FAILURE_FILE, TERMINATION_LOG, Failure
from kubeflow.container.mounts import MOUNT_ROOT, local_path
from kubeflow.rehearsal.driver import LOGS
from kubeflow.rehearsal.processes import Isolated, Progress
from kubeflow.rehearsal.releases import FAILED_LOGS, NUMBERED_LOGS, SEAWEEDFS, STORE_RETRIES, WHOLE_NAMES, Release
from kubeflow.rehearsal.store import Store
from kubeflow.rehearsal.values import as_stored, as_text, from_text
from kubeflow.spec.caching import store_of
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
from serving.versions.stores import StoreError


class LauncherError(Exception):
    """The launcher itself fails: what a container is to be given, or what it left, is not as it must be."""


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
    release: Release,
    retry: int,
    store: Store,
    processes: Isolated,
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
      release: of the launcher.
      retry: how often it was started before.
      store: where artifacts come from and go to.
      processes: what starts its command.
      pod: a folder for its files, emptied before and removed after.
      log: appended to.
      environ: more variables for it.
      progress: is called with the progress that the Trainer logs.
    """
    shutil.rmtree(pod, ignore_errors=True)
    pod.mkdir(parents=True)
    executor_input = copy.deepcopy(executor_input)
    outputs = executor_input["outputs"]
    try:
        _stage(executor_input, release, retry, store, pod)
        command = fill_in(container, with_defaults(executor_input, component), pod)
        message_file, failure_file = pod / "termination-log", pod / "failure.json"
        variables = {MOUNT_ROOT: str(pod), TERMINATION_LOG: str(message_file), FAILURE_FILE: str(failure_file)}
        variables |= {variable["name"]: variable["value"] for variable in container.get("env", [])}
        began = log.stat().st_size if log.exists() else 0
        exit_code = processes.run(command, {**environ, **variables}, log, progress)
        _keep_log(log, began, outputs, pod)
        if exit_code:
            if release.has(FAILED_LOGS):
                _upload({"artifacts": {LOGS: outputs["artifacts"][LOGS]}}, {}, release, store, pod)
            message = message_file.read_text(encoding="utf-8") if message_file.is_file() else ""
            failure: Failure = json.loads(failure_file.read_text(encoding="utf-8")) if failure_file.is_file() else {}
            return Attempt(exit_code, message, failure, {}, {})
        output = _read_output(Path(outputs["outputFile"]))
        parameters = _collect_parameters(outputs, output, component)
        return Attempt(0, "", {}, _upload(outputs, output, release, store, pod), parameters)
    except (InputError, StoreError, LauncherError) as error:  # this attempt's; the next may reach the store
        return Attempt(1, f"the launcher failed: {error}", {}, {}, {})
    finally:
        shutil.rmtree(pod, ignore_errors=True)


def fill_in(container: Container, executor_input: ExecutorInput, root: str | Path) -> list[str]:
    """Returns a container's command and arguments with their placeholders replaced.

    Example:
        >>> fill_in({"command": ["n={{$.inputs.parameters['n']}}"]}, {"inputs": {"parameterValues": {"n": 2.0}}}, "")
        ['n=2']
    """
    inputs, outputs = executor_input.get("inputs", {}), executor_input.get("outputs", {})
    words = {"{{$}}": json.dumps(executor_input, ensure_ascii=False)}
    for key, value in inputs.get("parameterValues", {}).items():
        words[f"{{{{$.inputs.parameters['{key}']}}}}"] = as_text(value)
    for side, artifacts in (("inputs", iterate_artifacts(inputs)), ("outputs", iterate_artifacts(outputs))):
        for key, artifact in artifacts:
            words[f"{{{{$.{side}.artifacts['{key}'].uri}}}}"] = artifact["uri"]
            words[f"{{{{$.{side}.artifacts['{key}'].path}}}}"] = local_path(artifact["uri"], root)
    for key, parameter in outputs.get("parameters", {}).items():
        words[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = parameter["outputFile"]
    return [_replaced(word, words) for word in (*container.get("command", []), *container.get("args", []))]


def with_defaults(executor_input: ExecutorInput, component: Component) -> ExecutorInput:
    """Returns an ExecutorInput with the defaults of the component's parameters."""
    inputs, defaults = executor_input.get("inputs", {}), parameter_defaults(component)
    if not defaults:
        return executor_input
    values = {**defaults, **inputs.get("parameterValues", {})}
    return {**executor_input, "inputs": {**inputs, "parameterValues": values}}


def number_logs(outputs: ExecutorOutputs, retry: int) -> None:
    """Puts the retry's number behind the URI of the logs, as the launcher does since 2.16.1."""
    outputs["artifacts"][LOGS]["artifacts"][0]["uri"] += f"-{retry}"


def session_info(pipeline_root: str, release: Release) -> str:
    """Returns the session of a store as the driver makes it where the cluster has no settings of its own."""
    provider = store_of(pipeline_root).partition("://")[0]
    parameters = {"fromEnv": "true"}
    if provider == "minio":
        parameters = {
            "accessKeyKey": "accesskey",
            "disableSSL": "true",
            "endpoint": "seaweedfs.kubeflow:9000" if release.has(SEAWEEDFS) else "minio-service.kubeflow:9000",
            "fromEnv": "false",
            **({"maxRetries": "5"} if release.has(STORE_RETRIES) else {}),
            "region": "minio",
            "secretKeyKey": "secretkey",
            "secretName": "mlpipeline-minio-artifact",
        }
    return json.dumps({"Provider": provider, "Params": parameters}, separators=(",", ":"))


def recorded(key: str, artifact: RuntimeArtifact, written: RuntimeArtifact, session: str) -> RuntimeArtifact:
    """Returns an output as ML Metadata keeps it.

    Args:
      key: of the output.
      artifact: as the driver provisioned it.
      written: what the container wrote of it; empty where nothing.
      session: from `session_info`.

    Raises:
      LauncherError: its metadata holds what ML Metadata cannot keep.
    """
    metadata: dict[str, Json] = {"display_name": key, "store_session_info": session}
    for name, value in {**artifact.get("metadata", {}), **written.get("metadata", {})}.items():
        try:
            metadata[name] = as_stored(value)
        except ValueError as error:
            raise LauncherError(
                f"An artifact's metadata must be what ML Metadata keeps. Received: {name} of {key}: {error}. Leave "
                "it out of the container's output."
            ) from error
    return {"uri": written.get("uri") or artifact["uri"], "metadata": metadata}


def _replaced(word: str, words: Mapping[str, str]) -> str:
    for placeholder, text in words.items():
        word = word.replace(placeholder, text)
    return word


def _stage(executor_input: ExecutorInput, release: Release, retry: int, store: Store, pod: Path) -> None:
    """Downloads the inputs and makes the folders of the outputs, whose files get paths below the pod's folder."""
    outputs = executor_input["outputs"]
    if release.has(NUMBERED_LOGS):
        number_logs(outputs, retry)
    outputs["outputFile"] = f"{pod}{outputs['outputFile']}"
    for parameter in outputs.get("parameters", {}).values():
        parameter["outputFile"] = f"{pod}{parameter['outputFile']}"
        Path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
    for key, artifact in iterate_artifacts(executor_input.get("inputs", {})):
        if store_of(artifact["uri"]) != store_of(store.pipeline_root):
            raise LauncherError(
                "An input must lie in the bucket of the pipeline root, the only one for which the launcher has "
                f"credentials. Received: {key} at {artifact['uri']}, with the root {store.pipeline_root}. The cache "
                "gives out what another root holds: compile with kubeflow.pipeline_root, or go back to that root."
            )
        for uri in [artifact["uri"]] if release.has(WHOLE_NAMES) else store.with_prefix(artifact["uri"]):
            store.download(uri, Path(local_path(uri, pod)))
    for _, artifact in iterate_artifacts(outputs):
        Path(local_path(artifact["uri"], pod)).parent.mkdir(parents=True, exist_ok=True)


def _keep_log(log: Path, began: int, outputs: ExecutorOutputs, pod: Path) -> None:
    """Copies what an attempt logged to where the launcher uploads it from."""
    if log.exists():
        with (
            log.open("rb") as stream,
            Path(local_path(outputs["artifacts"][LOGS]["artifacts"][0]["uri"], pod)).open("wb") as copied,
        ):
            stream.seek(began)
            shutil.copyfileobj(stream, copied)


def _read_output(path: Path) -> ExecutorOutput:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    try:
        json_format.Parse(text, proto.ExecutorOutput())
    except json_format.ParseError as error:
        raise LauncherError(
            f"A container's output file must be an ExecutorOutput. Received: {' '.join(str(error).split())}. Correct "
            "what writes it."
        ) from error
    output: ExecutorOutput = json.loads(text)
    return output


def _collect_parameters(outputs: ExecutorOutputs, output: ExecutorOutput, component: Component) -> dict[str, Json]:
    definitions = component.get("outputDefinitions", {}).get("parameters", {})
    values = dict(output.get("parameterValues", {}))
    for key, parameter in outputs.get("parameters", {}).items():
        if key not in values:
            kind = definitions[key]["parameterType"]
            try:
                values[key] = from_text(Path(parameter["outputFile"]).read_text(encoding="utf-8"), kind)
            except (OSError, ValueError) as error:
                raise LauncherError(
                    f"A container must write each output parameter. Received: {key}, a {kind}: {error}. Correct "
                    "what writes it."
                ) from error
    return values


def _upload(
    outputs: ExecutorOutputs, output: ExecutorOutput, release: Release, store: Store, pod: Path
) -> dict[str, list[RuntimeArtifact]]:
    uploaded: dict[str, list[RuntimeArtifact]] = {}
    nothing: list[RuntimeArtifact] = [{}]
    session = session_info(store.pipeline_root, release)
    for key, artifact in iterate_artifacts(outputs):
        (written, *_) = output.get("artifacts", {}).get(key, {}).get("artifacts") or nothing
        made = recorded(key, artifact, written, session)
        if not made["uri"].startswith(store.pipeline_root):
            raise LauncherError(
                f"An output must lie below the pipeline root. Received: {key} at {made['uri']}, with the root "
                f"{store.pipeline_root}. Write to the output's own path."
            )
        store.upload(Path(local_path(made["uri"], pod)), made["uri"])
        uploaded[key] = [made]
    return uploaded
