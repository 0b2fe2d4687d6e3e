"""Reads, writes and checks pipeline specs: whether open-source Kubeflow Pipelines can run them. Needs no TFX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast

import yaml

from kubeflow.spec.messages import Component, DefinitionsKey, Executor, Json, Kind, Platform, Spec, Task
from serving.untrusted import compose_yaml

SCHEMA_VERSION = "2.1.0"

_DEFINITIONS: tuple[DefinitionsKey, DefinitionsKey] = ("inputDefinitions", "outputDefinitions")
#: Fields of a task: conditions and exit handlers, and loops.
_NOT_REHEARSED = {"triggerPolicy", "parameterIterator", "artifactIterator"}


class _SourceKeys(NamedTuple):
    """The keys of what an input comes from."""

    task_output: Literal["taskOutputArtifact", "taskOutputParameter"]
    output_key: Literal["outputArtifactKey", "outputParameterKey"]
    component_input: Literal["componentInputArtifact", "componentInputParameter"]


_SOURCE_KEYS: dict[Kind, _SourceKeys] = {
    "artifacts": _SourceKeys("taskOutputArtifact", "outputArtifactKey", "componentInputArtifact"),
    "parameters": _SourceKeys("taskOutputParameter", "outputParameterKey", "componentInputParameter"),
}


class SpecError(Exception):
    """A spec cannot be read, or not be run."""

    exit_code = 2


def load_spec(path: str | Path) -> Spec:
    """Reads a spec and checks it.

    Raises:
      SpecError: with all faults, a line each.
    """
    document, *platforms = _read_documents(path)
    spec = cast(Spec, document)  # of which `require_sound` makes sure
    require_sound(spec, str(path))
    _check_platforms(platforms, spec, path)
    return spec


def load_platforms(path: str | Path) -> list[Platform]:
    """Reads what stands behind a spec in its file: kfp writes there what only Kubernetes knows, as secrets and volumes.

    Raises:
      SpecError: the file cannot be read, or has something else there.
    """
    spec, *platforms = _read_documents(path)
    return _check_platforms(platforms, cast(Spec, spec), path)


def _read_documents(path: str | Path) -> list[Json]:
    try:
        nodes = compose_yaml(Path(path).read_text(encoding="utf-8"), yaml.SafeLoader)
        documents = [yaml.SafeLoader("").construct_document(node) for node in nodes]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(
            f"--spec must be a readable YAML file. Received: {path}: {str(error).splitlines()[0]}. "
            "`clickbait kubeflow compile` writes one."
        ) from error
    if not documents or not isinstance(documents[0], dict):
        raise SpecError(
            f"A pipeline spec must be a mapping. Received: {path}, which holds none. "
            "`clickbait kubeflow compile` writes one."
        )
    return documents


def _check_platforms(documents: list[Json], spec: Spec, path: str | Path) -> list[Platform]:
    for document in documents:
        platforms = document.get("platforms") if isinstance(document, dict) else None
        if not isinstance(platforms, dict):
            raise SpecError(
                f"A document after the spec must be of `platforms:`. Received: {path} with "
                f"{str(document)[:60]!r}. Give a file of one spec."
            )
        if unknown := sorted({*platforms} - {"kubernetes"}, key=str):
            raise SpecError(
                f"The platform must be kubernetes, the only one of open-source Kubeflow Pipelines. Received: {path} "
                f"with {', '.join(map(str, unknown))}. Remove it."
            )
    if len(documents) > 1:
        raise SpecError(
            f"A spec must have one document of `platforms:` at most. Received: {path} with {len(documents)}. Make them "
            "one."
        )
    checked = cast(list[Platform], documents)
    for platform in checked:
        from kubeflow.spec.platform import find_platform_faults  # with most of kfp, which takes 0.5 s

        if faults := find_platform_faults(platform, spec):
            raise SpecError(
                "The document behind a spec must be one that Kubeflow Pipelines reads. Received: "
                f"{path} with {_list(faults)}\n"
                "`clickbait kubeflow compile` writes one without faults; docs/kubeflow.md says what it can hold."
            )
    return checked


def require_sound(spec: Spec, name: str = "the spec") -> None:
    """Raises where `find_faults` finds any.

    Raises:
      SpecError: with all faults, a line each.
    """
    if faults := find_faults(spec):
        raise SpecError(
            f"A spec must be one that open-source Kubeflow Pipelines can run. Received: {name} with {_list(faults)}\n"
            "`clickbait kubeflow compile` writes one without faults."
        )


def _list(faults: Sequence[str]) -> str:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return "\n".join([f"{count}:", *(f"  {fault}" for fault in faults)])


def check_name(path: Path) -> None:
    """Raises unless a path has the suffix of a spec.

    Raises:
      SpecError: kfp would take it for something else.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise SpecError(
            f"--spec must end in .yaml or .yml, by which kfp knows the format. Received: {path}. Give another path."
        )


def write_spec(spec: Spec, path: Path, platforms: Sequence[Platform] = ()) -> None:
    """Writes a spec, and what a platform knows of it behind.

    Raises:
      SpecError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join([to_yaml(spec), *map(to_yaml, platforms)]), encoding="utf-8")
    except OSError as error:
        raise SpecError(f"--spec must be writable. Received: {path}: {error.strerror}. Give another path.") from error


def to_yaml(document: Spec | Platform) -> str:
    """Returns a document as the API server, kfp and people read it."""
    return yaml.safe_dump(document, sort_keys=True, width=120, allow_unicode=True)


def find_faults(spec: Spec) -> list[str]:
    """Lists what in a spec open-source Kubeflow Pipelines would refuse or could not run, a line each."""
    from kubeflow.spec.shape import find_misshapen  # with most of kfp, which takes 0.5 s

    version = spec.get("schemaVersion")
    if version != SCHEMA_VERSION:
        return [f"schemaVersion must be {SCHEMA_VERSION}, the one that the API server takes; received {version!r}"]
    if faults := find_misshapen(spec):
        return faults
    faults = [*_check_names(spec), *_check_executors(spec)]
    for name, component in {"root": spec.get("root", {}), **spec.get("components", {})}.items():
        faults += _check_component(spec, name, component)
    return [*faults, *_check_tasks(spec)]


def require_rehearsable(spec: Spec, name: str) -> None:
    """Raises where a sound spec has what a cluster runs and the rehearsal does not.

    Raises:
      SpecError: with all of it, a line each.
    """
    faults = [f"{label}: an importer" for label, executor in executors(spec).items() if "importer" in executor]
    faults += [
        f"{key}: a DAG in the DAG" for key, component in spec.get("components", {}).items() if "dag" in component
    ]
    for key, task in spec["root"]["dag"]["tasks"].items():
        faults += [f"{key}: {field}" for field in sorted(_NOT_REHEARSED & {*task})]
    if faults:
        raise SpecError(
            "A rehearsed spec must be one DAG of containers, without conditions, loops and exit handlers. Received: "
            f"{name} with {_list(faults)}\n`clickbait kubeflow compile` writes such a one; a cluster runs others, too."
        )


def _check_names(spec: Spec) -> Iterator[str]:
    if not spec.get("pipelineInfo", {}).get("name"):
        yield "pipelineInfo: the pipeline has no name"
    if not spec.get("root", {}).get("dag", {}).get("tasks"):
        yield "root: no tasks"


def _check_executors(spec: Spec) -> Iterator[str]:
    for label, executor in executors(spec).items():
        if "resolver" in executor:
            yield f"{label}: a resolver, which the driver does not implement; use a component that finds the artifact"
        elif not {"container", "importer"} & {*executor}:
            yield f"{label}: {', '.join(executor) or 'nothing'}, where the driver knows containers and importers only"
        elif not executor.get("container", {"image": True}).get("image"):
            yield f"{label}: a container without an image"


def _check_component(spec: Spec, name: str, component: Component) -> Iterator[str]:
    if name != "root" and "dag" not in component:
        label = component.get("executorLabel")
        if label not in executors(spec):
            yield f"{name}: its executor label {label!r} names no executor"
    for side in _DEFINITIONS:
        definitions = component.get(side, {})
        for key, artifact in definitions.get("artifacts", {}).items():
            kinds = artifact.get("artifactType", {})
            if not (kinds.get("schemaTitle") or kinds.get("instanceSchema")):
                yield f"{name}: the artifact {key} of its {side} has no type"
        for key, parameter in definitions.get("parameters", {}).items():
            if not parameter.get("parameterType"):
                yield f"{name}: the parameter {key} of its {side} has no type"


def _check_tasks(spec: Spec) -> Iterator[str]:
    root = spec.get("root", {})
    tasks = root.get("dag", {}).get("tasks", {})
    for name, task in tasks.items():
        component = _component(spec, task)
        if component is None:
            yield f"{name}: its component {task.get('componentRef', {}).get('name')!r} is missing"
            continue
        if not task.get("taskInfo", {}).get("name"):
            yield f"{name}: no name in its taskInfo"
        for needed in sorted(dependencies(task), key=str):
            if needed not in tasks:
                yield f"{name}: depends on the task {needed!r}, which is missing"
        for kind in _SOURCE_KEYS:
            yield from _check_inputs(spec, name, component, kind, root)
    try:
        sort_tasks(tasks)
    except SpecError as error:
        yield f"root: {error}"


def _check_inputs(spec: Spec, name: str, component: Component, kind: Kind, parent: Component) -> Iterator[str]:
    """Checks that each input of a task has a source, and that none is missing."""
    tasks, keys = parent["dag"]["tasks"], _SOURCE_KEYS[kind]
    sources = tasks[name].get("inputs", {}).get(kind, {})
    for key, source in sources.items():
        produced, component_input = source.get(keys.task_output), source.get(keys.component_input)
        if produced is not None:
            output, producer = produced.get(keys.output_key), produced.get("producerTask", "")
            made_by = _component(spec, tasks.get(producer, {}))
            if made_by is not None and output not in made_by.get("outputDefinitions", {}).get(kind, {}):
                yield f"{name}: its input {key} is {output!r}, which {producer} has not"
        elif component_input is not None:
            if component_input not in parent.get("inputDefinitions", {}).get(kind, {}):
                yield f"{name}: its input {key} is {component_input!r}, which is no input of the pipeline"
        elif not {"runtimeValue", "taskFinalStatus"} & {*source}:
            yield f"{name}: its input {key} comes from {', '.join(source) or 'nowhere'}"
    for key, definition in component.get("inputDefinitions", {}).get(kind, {}).items():
        if key not in sources and not definition.get("isOptional") and "defaultValue" not in definition:
            yield f"{name}: its input {key} has no source"


def _component(spec: Spec, task: Task) -> Component | None:
    return spec.get("components", {}).get(task.get("componentRef", {}).get("name", ""))


def executors(spec: Spec) -> dict[str, Executor]:
    """Returns the executors by their labels."""
    return spec.get("deploymentSpec", {}).get("executors", {})


def dependencies(task: Task) -> set[str]:
    """Returns the tasks that a task waits for: those that it names, and those whose outputs it takes."""
    needed, inputs = {*task.get("dependentTasks", [])}, task.get("inputs", {})
    for source in inputs.get("artifacts", {}).values():
        if "taskOutputArtifact" in source:
            needed.add(source["taskOutputArtifact"].get("producerTask", ""))
    for source in inputs.get("parameters", {}).values():
        if "taskOutputParameter" in source:
            needed.add(source["taskOutputParameter"].get("producerTask", ""))
    return needed


def sort_tasks(tasks: Mapping[str, Task]) -> list[str]:
    """Returns the tasks of a DAG in an order in which they can run; of those that could be next, by name.

    Raises:
      SpecError: there is a cycle.
    """
    waiting = {name: dependencies(task) & {*tasks} for name, task in sorted(tasks.items())}
    order: list[str] = []
    while waiting:
        ready = [name for name, needed in waiting.items() if needed <= {*order}]
        if not ready:
            raise SpecError(f"the tasks {', '.join(waiting)} wait for each other in a cycle")
        order.append(ready[0])
        del waiting[ready[0]]
    return order
