"""Writes what Kubernetes alone knows of the tasks: their variables and the platform document, by kfp's proto types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.kubernetes import kubernetes_executor_config_pb2 as proto
from kfp.pipeline_spec import pipeline_spec_pb2 as spec_proto

from kubeflow.container.endpoint import ENDPOINTS
from kubeflow.spec.messages import EnvironmentVariable, Json, Platform, Spec
from kubeflow.spec.pipeline_spec import SpecError
from kubeflow.spec.platform import iterate_releases, platform_executors, release_key
from pipeline.config.kubeflow import LEAST_RELEASE, KubeflowConfig
from pipeline.config.kubeflow_tasks import NodeRequirement, SecretKey, TaskConfig

#: The tasks whose own process opens an object store. The others read and write what KFP's launcher copies.
STORE_TASKS = (
    "HeadlineExampleGen",
    "DataGate",
    "NewestVersion",
    "LatestBlessedModel",
    "ChallengeExampleGen",
    "VersionedPusher",
)

# The Secret has the same name and keys in all releases from 2.14.0 on.
_SECRET = "mlpipeline-minio-artifact"
_SEAWEEDFS, _MINIO = "http://seaweedfs.kubeflow:9000", "http://minio-service.kubeflow:9000"
_ONLY_SEAWEEDFS = "2.16.0"

# Volumes that Kubeflow Pipelines has in each pod.
_OWN_VOLUMES = (
    *("kfp-launcher", "ca-bundle", "gcs-scratch", "s3-scratch", "minio-scratch"),
    *("dot-local-scratch", "dot-cache-scratch", "dot-config-scratch"),
)

_EnvVar = spec_proto.PipelineDeploymentConfig.PipelineContainerSpec.EnvVar


def task_settings(config: KubeflowConfig, name: str) -> TaskConfig:
    """Returns the settings of a task: its own over the default's, and both over the installation's."""
    settings = config.task(name)
    if config.installation == "standard" and name in STORE_TASKS:
        return settings.over(_standard_store(config.release))
    return settings


def _standard_store(release: str) -> TaskConfig:
    stores = [_SEAWEEDFS] if release_key(release) >= release_key(_ONLY_SEAWEEDFS) else [_SEAWEEDFS, _MINIO]
    return TaskConfig(
        env={ENDPOINTS: " ".join(stores), "AWS_DEFAULT_REGION": "us-east-1"},
        secret_env={
            "AWS_ACCESS_KEY_ID": SecretKey(secret=_SECRET, key="accesskey"),
            "AWS_SECRET_ACCESS_KEY": SecretKey(secret=_SECRET, key="secretkey"),
        },
    )


def container_env(settings: TaskConfig) -> list[EnvironmentVariable]:
    """Returns the plain variables of a container, as a spec has them."""
    variables = [_EnvVar(name=name, value=value) for name, value in settings.env.items()]
    return [cast(EnvironmentVariable, {"value": "", **json_format.MessageToDict(item)}) for item in variables]


def platform_document(spec: Spec, config: KubeflowConfig) -> Platform | None:
    """Returns the platform document of a compiled pipeline; None where it needs none.

    Raises:
      SpecError: `kubeflow.tasks` has a task that the pipeline has not, or what no pod can have, or what
        `kubeflow.release` does not read.
    """
    tasks = spec["root"]["dag"]["tasks"]
    if unknown := sorted({*config.named_tasks()} - {*tasks}):
        raise SpecError(
            f"kubeflow.tasks must have tasks of the pipeline, or default. Received: {', '.join(unknown)}. Its tasks: "
            f"{', '.join(sorted(tasks))}."
        )
    executors: dict[str, dict[str, Json]] = {}
    for name, task in tasks.items():
        settings = task_settings(config, name)
        _check_pod(name, settings)
        executor = json_format.MessageToDict(_executor_config(settings))
        for field, release in iterate_releases(executor):
            if release is None or release_key(release) > release_key(config.release):
                raise SpecError(
                    f"kubeflow.release must be {release} or later for {field} ({name}); earlier ones refuse it or do "
                    f"not read it. Received: {config.release}. Leave it out, or set kubeflow.release."
                )
        if executor:
            executors[spec["components"][task["componentRef"]["name"]]["executorLabel"]] = executor
    facts: dict[str, Json] = {"serviceAccount": config.service_account} if config.service_account else {}
    if not executors and not facts and config.release == LEAST_RELEASE:
        return None
    facts["release"] = config.release
    document = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}, "config": facts}}}
    json_format.ParseDict(document, spec_proto.PlatformSpec())  # raises where kfp would not read it
    return cast(Platform, document)


def tasks_with_secrets(platform: Platform | None) -> int:
    """Returns how many tasks get a Secret, as variables or as files."""
    executors = platform_executors(platform).values() if platform else []
    return sum(bool({"secretAsEnv", "secretAsVolume"} & {*executor}) for executor in executors)


def _check_pod(name: str, settings: TaskConfig) -> None:
    """Raises for what Kubernetes would refuse, when the task starts."""
    pairs = (
        ("cpu_request", settings.cpu_request, "cpu_limit", settings.cpu_limit),
        ("memory_request_gb", settings.memory_request_gb, "memory_limit_gb", settings.memory_limit_gb),
    )
    for request_name, request, limit_name, limit in pairs:
        if request is not None and limit is not None and request > limit:
            raise SpecError(
                f"{request_name} must be at most {limit_name}. Received: {request} and {limit} ({name}). Change one of "
                "them in kubeflow.tasks."
            )
    counts = Counter(volume for _, volume in settings.volume_names())
    if doubled := [volume for volume, count in counts.items() if count > 1 or volume in _OWN_VOLUMES]:
        raise SpecError(
            "A Secret, ConfigMap or PersistentVolumeClaim that is mounted must have a name that no other volume of the "
            f"pod has: the volume is named after it. Received: {', '.join(doubled)} ({name}). Make a copy of it."
        )


def _executor_config(settings: TaskConfig) -> Message:
    message: Message = proto.KubernetesExecutorConfig(
        secret_as_env=_secret_variables(settings),
        config_map_as_env=[
            proto.ConfigMapAsEnv(
                config_map_name_parameter=_constant(item.config_map),
                key_to_env=[proto.ConfigMapAsEnv.ConfigMapKeyToEnvMap(config_map_key=item.key, env_var=variable)],
                optional=item.optional or None,
            )
            for variable, item in settings.config_env.items()
        ],
        secret_as_volume=[
            proto.SecretAsVolume(
                secret_name_parameter=_constant(item.secret), mount_path=path, optional=item.optional or None
            )
            for path, item in settings.secret_volumes.items()
        ],
        config_map_as_volume=[
            proto.ConfigMapAsVolume(
                config_map_name_parameter=_constant(item.config_map), mount_path=path, optional=item.optional or None
            )
            for path, item in settings.config_volumes.items()
        ],
        pvc_mount=[
            proto.PvcMount(pvc_name_parameter=_constant(item.claim), mount_path=path, sub_path=item.sub_path)
            for path, item in settings.volumes.items()
        ],
        empty_dir_mounts=[
            proto.EmptyDirMount(
                volume_name=f"empty-dir-{number}", mount_path=path, medium=item.medium, size_limit=item.size_limit
            )
            for number, (path, item) in enumerate(settings.empty_dirs.items(), start=1)
        ],
        image_pull_secret=[
            proto.ImagePullSecret(secret_name_parameter=_constant(secret)) for secret in settings.image_pull_secrets
        ],
        node_selector=proto.NodeSelector(labels=settings.node_selector) if settings.node_selector else None,
        tolerations=[proto.Toleration(**item.model_dump()) for item in settings.tolerations],
        node_affinity=[
            proto.NodeAffinityTerm(
                match_expressions=_requirements(item.match_expressions),
                match_fields=_requirements(item.match_fields),
                weight=item.weight,
            )
            for item in settings.node_affinity or []
        ],
    )
    return message


def _secret_variables(settings: TaskConfig) -> Iterator[Message]:
    by_secret: dict[tuple[str, bool], dict[str, str]] = {}
    for variable, item in settings.secret_env.items():
        by_secret.setdefault((item.secret, item.optional), {})[variable] = item.key
    for (secret, optional), keys in by_secret.items():
        yield proto.SecretAsEnv(
            secret_name_parameter=_constant(secret),
            key_to_env=[
                proto.SecretAsEnv.SecretKeyToEnvMap(secret_key=key, env_var=variable) for variable, key in keys.items()
            ],
            optional=optional or None,
        )


def _requirements(requirements: Iterable[NodeRequirement]) -> list[Message]:
    return [proto.SelectorRequirement(**item.model_dump()) for item in requirements]


def _constant(text: str) -> Message:
    value = spec_proto.ValueOrRuntimeParameter(constant={"string_value": text})
    parameter: Message = spec_proto.TaskInputsSpec.InputParameterSpec(runtime_value=value)
    return parameter
