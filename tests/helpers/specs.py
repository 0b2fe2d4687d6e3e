"""Pipeline specs whose tasks are shell commands, as kfp's container components are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TYPE = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}


def a_spec(**changes: Any) -> dict[str, Any]:
    """Two tasks: `make` writes its parameter into an artifact, `use` reads it."""
    make = container_task(
        "make",
        'mkdir -p "$(dirname "$0")" && echo "$1" > "$0"',
        ["{{$.outputs.artifacts['thing'].path}}", "{{$.inputs.parameters['text']}}"],
        outputs=["thing"],
        parameters={"text": {"componentInputParameter": "text"}},
    )
    use = container_task("use", 'cat "$0"', ["{{$.inputs.artifacts['thing'].path}}"], inputs={"thing": "make.thing"})
    spec = pipeline_of([make, use])
    spec["root"]["inputDefinitions"] = {"parameters": {"text": {"parameterType": "STRING", "defaultValue": "hello"}}}
    return {**spec, **changes}


def container_task(
    name: str,
    script: str,
    arguments: Sequence[str] = (),
    *,
    inputs: Mapping[str, str] = {},
    outputs: Sequence[str] = (),
    parameters: Mapping[str, Any] = {},
    after: Sequence[str] = (),
    **task: Any,
) -> dict[str, Any]:
    """One task, its component and its executor, for `pipeline_of`.

    Args:
      name: of the task.
      script: what `sh -c` runs.
      arguments: `$0`, `$1` and so on, with placeholders.
      inputs: artifacts, as `task.output`, by name.
      outputs: names of artifacts.
      parameters: where each comes from, by name; all are texts.
      after: tasks that it waits for.
      **task: more of the task.
    """
    keys = ("producerTask", "outputArtifactKey")
    producers = {key: dict(zip(keys, producer.split("."), strict=True)) for key, producer in inputs.items()}
    definitions: dict[str, Any] = {"executorLabel": f"exec-{name}"}
    definitions["inputDefinitions"] = {
        "artifacts": dict.fromkeys(inputs, _TYPE),
        "parameters": {key: {"parameterType": "STRING"} for key in parameters},
    }
    definitions["outputDefinitions"] = {"artifacts": dict.fromkeys(outputs, _TYPE)}
    return {
        "name": name,
        "component": _copy(definitions),
        "executor": {"container": {"image": "any", "command": ["sh", "-c", script], "args": [*arguments]}},
        "task": {
            "taskInfo": {"name": name},
            "componentRef": {"name": f"comp-{name}"},
            "cachingOptions": {"enableCache": True},
            "dependentTasks": sorted({*after, *(producer["producerTask"] for producer in producers.values())}),
            "inputs": {
                "artifacts": {key: {"taskOutputArtifact": producer} for key, producer in producers.items()},
                "parameters": dict(parameters),
            },
            **task,
        },
    }


def pipeline_of(tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A spec of tasks from `container_task`."""
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "none",
        "pipelineInfo": {"name": "a-pipeline"},
        "components": {f"comp-{task['name']}": task["component"] for task in tasks},
        "deploymentSpec": {"executors": {f"exec-{task['name']}": task["executor"] for task in tasks}},
        "root": {"dag": {"tasks": {task["name"]: task["task"] for task in tasks}}},
    }


def _copy(value: Any) -> Any:
    # A dict that stands in two places would be written as a YAML anchor, and a change of one would change both.
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value
