"""The messages of Kubeflow Pipelines v2, as JSON and YAML have them: specs, and what drivers and launchers exchange.

The keys are those of kfp's protos (`pipeline_spec.proto`), as far as this project reads or writes them. Every key may
be missing; which must be there is checked by `kubeflow.spec.pipeline_spec.find_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

Json: TypeAlias = "str | int | float | bool | None | Sequence[Json] | Mapping[str, Json]"
"""Any JSON value, e.g. a parameter's or one of an artifact's metadata."""

Kind = Literal["artifacts", "parameters"]
DefinitionsKey = Literal["inputDefinitions", "outputDefinitions"]


class ArtifactType(TypedDict, total=False):
    """ArtifactTypeSchema."""

    schemaTitle: str
    schemaVersion: str
    instanceSchema: str


class ArtifactDefinition(TypedDict, total=False):
    """An artifact that a component takes or makes."""

    artifactType: ArtifactType
    metadata: dict[str, Json]
    isOptional: bool


class ParameterDefinition(TypedDict, total=False):
    """A parameter that a component takes or makes."""

    parameterType: str
    defaultValue: Json
    isOptional: bool
    description: str


class Definitions(TypedDict, total=False):
    """ComponentInputsSpec and ComponentOutputsSpec."""

    artifacts: dict[str, ArtifactDefinition]
    parameters: dict[str, ParameterDefinition]


class TaskOutput(TypedDict, total=False):
    """An output of another task: `outputArtifactKey` of an artifact, `outputParameterKey` of a parameter."""

    producerTask: str
    outputArtifactKey: str
    outputParameterKey: str


class RuntimeValue(TypedDict, total=False):
    """A constant."""

    constant: Json


class InputSource(TypedDict, total=False):
    """TaskInputSpec: the source of a task's input."""

    taskOutputArtifact: TaskOutput
    componentInputArtifact: str
    taskOutputParameter: TaskOutput
    componentInputParameter: str
    runtimeValue: RuntimeValue


class TaskInputs(TypedDict, total=False):
    """TaskInputsSpec."""

    artifacts: dict[str, InputSource]
    parameters: dict[str, InputSource]


class Name(TypedDict, total=False):
    """PipelineTaskInfo and ComponentRef."""

    name: str


class CachingOptions(TypedDict, total=False):
    """The cache of a task's outputs."""

    enableCache: bool


class RetryPolicy(TypedDict, total=False):
    """The limits of starting a failed task again; durations as `30s`."""

    maxRetryCount: int
    backoffDuration: str
    backoffFactor: float
    backoffMaxDuration: str


class Task(TypedDict, total=False):
    """PipelineTaskSpec."""

    taskInfo: Name
    componentRef: Name
    inputs: TaskInputs
    dependentTasks: list[str]
    cachingOptions: CachingOptions
    retryPolicy: RetryPolicy


class DagSpec(TypedDict, total=False):
    """Tasks by their names."""

    tasks: dict[str, Task]


class Component(TypedDict, total=False):
    """ComponentSpec: of an executor, or of the root with its DAG."""

    inputDefinitions: Definitions
    outputDefinitions: Definitions
    executorLabel: str
    dag: DagSpec


class EnvironmentVariable(TypedDict):
    """A variable of a container."""

    name: str
    value: str


class Accelerator(TypedDict):
    """GPUs; `type` is Kubernetes's name of the resource."""

    type: str
    count: str


class Resources(TypedDict, total=False):
    """CPUs as a count, memory in GB."""

    cpuRequest: float
    cpuLimit: float
    memoryRequest: float
    memoryLimit: float
    accelerator: Accelerator


class Container(TypedDict, total=False):
    """PipelineContainerSpec."""

    image: str
    command: list[str]
    args: list[str]
    env: list[EnvironmentVariable]
    resources: Resources


class Executor(TypedDict, total=False):
    """ExecutorSpec."""

    container: Container


class Deployment(TypedDict, total=False):
    """PipelineDeploymentConfig: the executors by their labels."""

    executors: dict[str, Executor]


class PipelineInfo(TypedDict, total=False):
    """The pipeline's name and description."""

    name: str
    description: str


class Spec(TypedDict, total=False):
    """PipelineSpec."""

    schemaVersion: str
    sdkVersion: str
    pipelineInfo: PipelineInfo
    defaultPipelineRoot: str
    root: Component
    components: dict[str, Component]
    deploymentSpec: Deployment


class PlatformDeployment(TypedDict, total=False):
    """PlatformDeploymentConfig: a KubernetesExecutorConfig each, by the executors' labels."""

    executors: dict[str, dict[str, Json]]


class SinglePlatform(TypedDict, total=False):
    """SinglePlatformSpec: what only a platform knows; `config` is ours, and no release reads it."""

    deploymentSpec: PlatformDeployment
    config: dict[str, Json]


class Platform(TypedDict, total=False):
    """PlatformSpec: the second document, by the platform's name."""

    platforms: dict[str, SinglePlatform]


class RuntimeArtifact(TypedDict, total=False):
    """An artifact at run time; `name` is its id where it is stored."""

    name: str
    uri: str
    type: ArtifactType
    metadata: dict[str, Json]


class ArtifactList(TypedDict, total=False):
    """The artifacts under one key."""

    artifacts: list[RuntimeArtifact]


class OutputFile(TypedDict):
    """Where a container writes a parameter."""

    outputFile: str


class ExecutorInputs(TypedDict, total=False):
    """The inputs in an ExecutorInput."""

    artifacts: dict[str, ArtifactList]
    parameterValues: dict[str, Json]


class ExecutorOutputs(TypedDict, total=False):
    """The outputs in an ExecutorInput; `outputFile` is where a container writes its ExecutorOutput."""

    artifacts: dict[str, ArtifactList]
    parameters: dict[str, OutputFile]
    outputFile: str


class ExecutorInput(TypedDict, total=False):
    """ExecutorInput: from the driver, for a container."""

    inputs: ExecutorInputs
    outputs: ExecutorOutputs


class ExecutorOutput(TypedDict, total=False):
    """ExecutorOutput: from a container, for the launcher."""

    artifacts: dict[str, ArtifactList]
    parameterValues: dict[str, Json]


def iterate_artifacts(
    message: ExecutorInputs | ExecutorOutputs | ExecutorOutput,
) -> Iterator[tuple[str, RuntimeArtifact]]:
    """Yields each artifact of a message with its key."""
    for key, entry in message.get("artifacts", {}).items():
        for artifact in entry.get("artifacts", []):
            yield key, artifact


def parameter_defaults(component: Component) -> dict[str, Json]:
    """Returns the defaults of a component's parameters, by name; of those that have one."""
    definitions = component.get("inputDefinitions", {}).get("parameters", {})
    return {name: entry["defaultValue"] for name, entry in definitions.items() if "defaultValue" in entry}
