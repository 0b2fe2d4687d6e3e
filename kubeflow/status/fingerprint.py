"""What Kubeflow Pipelines' cache goes by: the key of a task, and how those of two runs differ.

The driver hashes the container's image, command and arguments, the values of the parameters, the ids of the input
artifacts, the names and types of the outputs, and since 2.15.0 the names of mounted volume claims. Neither variables of
the environment nor resources, retries and the pipeline root are in it. The ids of artifacts are in ML Metadata alone;
what stands in their place here is the task that made them.
"""

from __future__ import annotations

import json
import os.path
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from kubeflow.spec.caching import volume_claims
from kubeflow.spec.messages import Component, Container, Json, Platform, Spec, Task, parameter_defaults
from kubeflow.spec.pipeline_spec import executors

_MOST_CHARACTERS = 48
_CONTEXT = 12
#: Constants that the driver replaces before it computes the key, by what is another in each run.
_OF_THE_RUN = re.compile(
    r"\{\{\$\.pipeline_(job_(name|resource_name|uuid|create_time_utc|schedule_time_utc)|task_uuid)\}\}"
)
_SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key|access_?key|private", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(://[^\s?]*\?)\S+")
_ABSENT = object()


class Input(NamedTuple):
    """The source of an input that another task makes: an artifact, or a parameter."""

    task: str
    output: str


class Parameter(NamedTuple):
    """An input parameter: its name for a person, and its value."""

    name: str
    value: Json


class Fingerprint(NamedTuple):
    """What the key of a task is made of."""

    image: str
    command: tuple[str, ...]
    """The arguments, too."""
    parameters: Mapping[str, Parameter]
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Json]
    """Definitions by name, artifacts and parameters."""
    claims: tuple[str, ...]
    """Names of volume claims; where a name is not constant, where it comes from."""


def fingerprints(spec: Spec, platform: Platform, values: Mapping[str, Json]) -> dict[str, Fingerprint]:
    """Returns the fingerprints of those tasks of the root DAG that run a container.

    Args:
      spec: of the run.
      platform: the document behind the spec, empty where there is none.
      values: of the run's parameters; the spec's defaults stand for the others.
    """
    values = parameter_defaults(spec["root"]) | dict(values)
    fingerprints = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec.get("components", {}).get(task.get("componentRef", {}).get("name", ""), {})
        label = component.get("executorLabel", "")
        container = executors(spec).get(label, {}).get("container")
        if container is not None:
            fingerprints[name] = _fingerprint(task, component, container, volume_claims(platform, label), values)
    return fingerprints


def _fingerprint(
    task: Task, component: Component, container: Container, claims: tuple[str, ...], values: Mapping[str, Json]
) -> Fingerprint:
    inputs, outputs = task.get("inputs", {}), component.get("outputDefinitions", {})
    parameters = {key: Parameter(key, value) for key, value in parameter_defaults(component).items()}
    for key, source in inputs.get("parameters", {}).items():
        if "componentInputParameter" in source:
            name = source["componentInputParameter"]
            parameters[key] = Parameter(name, values.get(name))
        elif "runtimeValue" in source:
            parameters[key] = Parameter(key, source["runtimeValue"].get("constant"))
    made = {}
    for key, source in {**inputs.get("artifacts", {}), **inputs.get("parameters", {})}.items():
        if produced := source.get("taskOutputArtifact"):
            made[key] = Input(produced["producerTask"], produced["outputArtifactKey"])
        elif produced := source.get("taskOutputParameter"):
            made[key] = Input(produced["producerTask"], produced["outputParameterKey"])
    return Fingerprint(
        container.get("image", ""),
        (*container.get("command", []), *container.get("args", [])),
        parameters,
        made,
        cast(dict[str, Json], {**outputs.get("artifacts", {}), **outputs.get("parameters", {})}),
        claims,
    )


def find_differences(now: Fingerprint, before: Fingerprint) -> list[str]:
    """Returns how the fingerprint of a task differs from that in another run, a phrase each.

    Of input artifacts the sources are compared. Values of parameters that are called like a secret, and credentials in
    URLs, are not shown.

    Example:
        >>> task = Fingerprint("image:v1", ("python",), {"n": Parameter("epochs", 2)}, {}, {}, ())
        >>> find_differences(task._replace(parameters={"n": Parameter("epochs", 3)}), task)
        ['parameter epochs: 3, was 2']
    """
    return [*_differences(now, before)]


def _differences(now: Fingerprint, before: Fingerprint) -> Iterator[str]:
    if now.image != before.image:
        yield _change("image", now.image, before.image)
    yield from _parameter_differences(now.parameters, before.parameters)
    if now.command != before.command:
        yield from _command_differences(now.command, before.command)
    for key, item in now.inputs.items():
        if before.inputs.get(key) != item:
            yield f"input {key}: of {item.task}, which was another's"
    for key in {**now.outputs, **before.outputs}:
        if now.outputs.get(key) != before.outputs.get(key):
            yield (
                f"output {key}: another type"
                if key in now.outputs and key in before.outputs
                else (f"output {key}: {'new' if key in now.outputs else 'gone'}")
            )
    if now.claims != before.claims:
        yield _change("volume claims", ", ".join(now.claims) or "none", ", ".join(before.claims) or "none")


def _parameter_differences(now: Mapping[str, Parameter], before: Mapping[str, Parameter]) -> Iterator[str]:
    for key in {**now, **before}:
        name = (now.get(key) or before[key]).name
        new = now[key].value if key in now else _ABSENT
        old = before[key].value if key in before else _ABSENT
        if isinstance(new, str) and _OF_THE_RUN.fullmatch(new):
            yield f"parameter {name}: the run's own"
        else:
            yield from _value_differences(f"parameter {name}", _parsed(new), _parsed(old))


def _parsed(value: object) -> object:
    """Returns the mapping in a text of JSON, such as a component's settings; anything else as it is."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _value_differences(name: str, new: object, old: object) -> Iterator[str]:
    if isinstance(new, dict) and isinstance(old, dict):
        for key in {**new, **old}:
            yield from _value_differences(f"{name}.{key}", new.get(key, _ABSENT), old.get(key, _ABSENT))
    elif new != old or isinstance(new, bool) != isinstance(old, bool):
        yield _change(name, new, old)


def _command_differences(now: tuple[str, ...], before: tuple[str, ...]) -> Iterator[str]:
    new, old = _flags(now), _flags(before)
    changes = [
        _change(f"argument {flag}", new.get(flag, _ABSENT), old.get(flag, _ABSENT))
        for flag in {**new, **old}
        if new.get(flag) != old.get(flag)
    ]
    yield from changes or ["arguments: in another order"]


def _flags(command: tuple[str, ...]) -> dict[str, str]:
    """Returns the arguments by their flags; what stands before them as `command`."""
    flags: dict[str, str] = {}
    name = "command"
    for word in command:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            flags[name] = value if equals else flags.get(name, "")
        else:
            flags[name] = f"{flags.get(name, '')} {word}".strip()
    return flags


def _change(name: str, new: object, old: object) -> str:
    if _SECRET_NAME.search(name):
        return f"{name}: another value"
    texts = [_text(new), _text(old)]
    if texts[0] == texts[1]:
        return f"{name}: another value"
    return f"{name}: {_excerpt(texts[0], texts[1])}, was {_excerpt(texts[1], texts[0])}"


def _text(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return _QUERY.sub(r"\1...", _USER_INFO.sub("...@", text)) or '""'


def _excerpt(text: str, other: str) -> str:
    """Returns a text, where it is long the part in which it differs from another."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    start = max(0, len(os.path.commonprefix([text, other])) - _CONTEXT)
    part = text[start : start + _MOST_CHARACTERS]
    return ("..." if start else "") + part + ("..." if start + len(part) < len(text) else "")
