"""Compiles the DAG to a pipeline spec for open-source Kubeflow Pipelines: TFX's compiler, and what that leaves out."""

from __future__ import annotations

import components.lean_tfx  # noqa: F401  isort: skip

import json
import re
from collections.abc import Mapping

import tfx.v1 as tfx
from tfx.dsl.components.base import base_node
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.compiler_utils import TITLE_TO_CLASS_PATH
from tfx.types import artifact
from tfx.types.channel import Channel
from tfx.utils import name_utils

from components.challenges import sources_to_json
from kubeflow.inputs import RUN_ID, cluster_inputs
from kubeflow.platform import container_env, task_settings
from kubeflow.spec.caching import ARTIFACT_STORE, UNCACHED, store_of
from kubeflow.spec.messages import ArtifactType, Container, DefinitionsKey, Json, Resources, Spec, Task
from kubeflow.spec.parameters import RunParameter, default_values, parameters_of
from kubeflow.spec.pipeline_spec import SpecError, require_sound
from kubeflow.tasks.newest_version import NewestVersion
from kubeflow.tasks.run_report import RunReport
from kubeflow.tasks.verdict import Verdict
from pipeline.config.kubeflow_tasks import TaskConfig
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.pipeline import create_pipeline

ENTRYPOINT = ("python", "-m", "kubeflow.container.entrypoint")

_SYSTEM = "system."

# A year. To Argo it is the time after a task's first start at which a retry that is running is ended, and without it
# there would be no retries: Kubeflow Pipelines hands 0 over.
_BACKOFF_MAX = "31536000s"


def compile_pipeline(config: PipelineConfig, values: Mapping[str, Json] | None = None) -> Spec:
    """Compiles the pipeline.

    Args:
      config: of the pipeline.
      values: defaults of runtime parameters, over those of the configuration.

    Returns:
      A PipelineSpec of schema 2.1.0.

    Raises:
      SpecError: the pipeline has something that Kubeflow Pipelines does not run.
    """
    if config.bulk.path is not None:
        raise SpecError(
            f"bulk.path must be unset in a compiled pipeline. Received: {config.bulk.path}. Leave it out; `clickbait "
            "predict --input` scores a file with the pushed model."
        )
    if config.tuner.trials:
        raise SpecError(
            f"tuner.trials must be 0 in a compiled pipeline. Received: {config.tuner.trials}. Leave it out; "
            "`clickbait run --tune` finds hyperparameters on this machine, for --set training."
        )
    if config.evaluation.bless_anyway and not config.kubeflow.allow_override:
        raise SpecError(
            "evaluation.bless_anyway must be unset in a compiled pipeline: every run would push its model, whichever "
            f"rules failed. Received: {config.evaluation.bless_anyway!r}. Leave it out, or give "
            "--set kubeflow.allow_override=true."
        )
    parameters = {item.name: RuntimeParameter(name=item.name, ptype=item.kind) for item in parameters_of(config)}
    newest_version = NewestVersion(serving_model_dir=parameters["push_destination"])
    known = {**parameters, "baseline_version": newest_version.outputs["version"].future()[0].value}
    inputs = cluster_inputs(config)
    pipeline = create_pipeline(config, inputs, known)
    _add(pipeline, [newest_version], _cluster_tasks(pipeline.components, config, parameters))
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(
        tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
            default_image=config.kubeflow.image, default_commands=ENTRYPOINT, use_pipeline_spec_2_1=True
        )
    )
    spec: Spec = runner.run(pipeline, write_out=False)["pipelineSpec"]
    _name(spec, config)
    _set_arguments(spec, pipeline.components, config.kubeflow.pipeline_root)
    challenges = sources_to_json(inputs.challenges.sources)
    _set_defaults(spec, parameters_of(config), {**default_values(config), "challenges": challenges, **(values or {})})
    for name, task in spec["root"]["dag"]["tasks"].items():
        _name_producers(task)
        settings = task_settings(config.kubeflow, name)
        _set_policies(name, task, config, settings)
        _set_container(_container(spec, name), settings)
    require_sound(spec)
    return spec


def _add(pipeline: tfx.dsl.Pipeline, first: list[base_node.BaseNode], last: list[base_node.BaseNode]) -> None:
    registry = pipeline.dsl_context_registry
    with registry.temporary_mutable():
        for node in (*first, *last):
            registry.put_node(node)
    pipeline.components = [*first, *pipeline.components, *last]


def _cluster_tasks(
    nodes: list[base_node.BaseNode],
    config: PipelineConfig,
    parameters: Mapping[str, RuntimeParameter],
) -> list[base_node.BaseNode]:
    outputs = {node.id: node.outputs for node in nodes}
    pushed_model = outputs["VersionedPusher"]["pushed_model"]
    infra_blessing = outputs["LocalInfraValidator"]["blessing"]
    report = RunReport(
        ingest=outputs["HeadlineExampleGen"]["ingest"],
        statistics=outputs["StatisticsGen"]["statistics"],
        data_verdict=outputs["DataGate"]["verdict"],
        model_run=outputs["Trainer"]["model_run"],
        predictions=outputs["ModelScorer"]["predictions"],
        explanations=outputs["ModelScorer"]["explanations"],
        evaluation=outputs["Evaluator"]["evaluation"],
        infra_blessing=infra_blessing,
        pushed_model=pushed_model,
        run_id=RUN_ID,
        data=parameters["data"],
        data_digest=parameters["data_digest"],
        mask_examples=int(config.gate.mask_examples),
    )
    verdict = Verdict(
        pushed_model=pushed_model,
        evaluation=outputs["Evaluator"]["evaluation"],
        infra_blessing=infra_blessing,
    )
    verdict.add_upstream_node(report)  # so that it is there, whatever the verdict
    return [report, verdict]


def _name(spec: Spec, config: PipelineConfig) -> None:
    spec["pipelineInfo"]["name"] = pipeline_name(config)
    spec["pipelineInfo"]["description"] = "From a CSV of labelled headlines to a version that TF Serving loads."
    if config.kubeflow.pipeline_root:
        spec["defaultPipelineRoot"] = config.kubeflow.pipeline_root


def pipeline_name(config: PipelineConfig) -> str:
    """Returns the model's name as Kubeflow Pipelines allows names."""
    return re.sub("[^a-z0-9]+", "-", config.model_name.lower()).strip("-")


def _set_arguments(spec: Spec, nodes: list[base_node.BaseNode], pipeline_root: str | None) -> None:
    """Writes this project's artifact types with their modules, without which no container finds the class.

    TFX writes their names alone. The entrypoint reads what the component declares from its arguments: the launcher
    hands inputs over without types, and outputs that no component declares.

    The root's store is an argument for the cache's sake, see `kubeflow.spec.caching`.
    """
    store = [ARTIFACT_STORE, store_of(pipeline_root)]
    for node in nodes:
        component = spec["components"][node.id]
        sides: tuple[tuple[DefinitionsKey, Mapping[str, Channel]], ...] = (
            ("inputDefinitions", node.inputs),
            ("outputDefinitions", node.outputs),
        )
        for side, channels in sides:
            for key, channel in channels.items():
                definition = component[side]["artifacts"][key]
                definition["artifactType"] = _own_type(channel.type) or definition["artifactType"]
        arguments = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]["args"]
        position = 1 + arguments.index("--json_serialized_inputs_spec_args")
        inputs, outputs = (json.dumps(component.get(side, {}), sort_keys=True) for side, _ in sides)
        arguments[position : position + 1] = [inputs, "--json_serialized_outputs_spec_args", outputs, *store]


def _own_type(kind: type[artifact.Artifact]) -> ArtifactType | None:
    if kind.TYPE_NAME.startswith(_SYSTEM):
        return {"schemaTitle": kind.TYPE_NAME, "schemaVersion": "0.0.1"}
    if f"tfx.{kind.TYPE_NAME}" in TITLE_TO_CLASS_PATH:
        return None
    return {"instanceSchema": f"title: {name_utils.get_full_name(kind)}\ntype: object\n"}


def _name_producers(task: Task) -> None:
    """Names the task that makes a parameter as it is called: TFX adds `_task` there, and nowhere else."""
    for source in task.get("inputs", {}).get("parameters", {}).values():
        if produced := source.get("taskOutputParameter"):
            produced["producerTask"] = produced["producerTask"].removesuffix("_task")


def _set_defaults(spec: Spec, parameters: list[RunParameter], values: Mapping[str, Json]) -> None:
    definitions = spec["root"]["inputDefinitions"]["parameters"]
    for parameter in parameters:
        definitions[parameter.name]["description"] = parameter.description
        if parameter.name in values:
            definitions[parameter.name]["defaultValue"] = values[parameter.name]


def _set_policies(name: str, task: Task, config: PipelineConfig, settings: TaskConfig) -> None:
    task["cachingOptions"] = {"enableCache": True} if config.cache and name not in UNCACHED else {}
    task["retryPolicy"] = {
        "maxRetryCount": settings.retries or 0,
        "backoffDuration": f"{config.kubeflow.backoff_seconds}s",
        "backoffFactor": config.kubeflow.backoff_factor,
        "backoffMaxDuration": _BACKOFF_MAX,
    }


def _set_container(container: Container, settings: TaskConfig) -> None:
    resources: Resources = {}
    if settings.cpu_request is not None:
        resources["cpuRequest"] = settings.cpu_request
    if settings.cpu_limit is not None:
        resources["cpuLimit"] = settings.cpu_limit
    if settings.memory_request_gb is not None:
        resources["memoryRequest"] = settings.memory_request_gb
    if settings.memory_limit_gb is not None:
        resources["memoryLimit"] = settings.memory_limit_gb
    if settings.gpus and settings.gpu_resource:
        resources["accelerator"] = {"type": settings.gpu_resource, "count": str(settings.gpus)}
    container["resources"] = resources
    if variables := container_env(settings):
        container["env"] = variables


def _container(spec: Spec, task: str) -> Container:
    label = spec["components"][spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]["container"]
