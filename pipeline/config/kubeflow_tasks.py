"""The settings of a task on Kubeflow Pipelines: its variables, volumes, node and resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from trainer.section import Section, holds_secret

# Kubernetes's own rules of names. A volume is named after what it mounts, and volumes have no dots in their names.
_Label = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"),
    Field(json_schema_extra={"words": "a name of at most 63 of a-z, 0-9 and -"}),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"),
    Field(json_schema_extra={"words": "a name of at most 253 of a-z, 0-9, - and ."}),
]
_Size = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"),
    Field(json_schema_extra={"words": "a quantity such as 512Mi or 2Gi"}),
]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Path = Annotated[str, StringConstraints(pattern=r"^/[^:]+$")]
_Text = Annotated[str, StringConstraints(min_length=1)]

_OPTIONAL = "Start the task without it, where it does not exist."

_SECRET_NAME = re.compile(r"(^|_)(API|ACCESS)?(KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PWD)(_ID)?(_|$)", re.IGNORECASE)
_FILE_NAME = re.compile(r"_(FILE|PATH|DIR|NAME)$", re.IGNORECASE)

# Kubeflow Pipelines mounts its own there.
_MOUNTED = ("/gcs", "/s3", "/minio", "/kfp-launcher", "/.local", "/.cache", "/.config")

_VARIABLES = ("env", "secret_env", "config_env")
_MOUNTS = ("secret_volumes", "config_volumes", "volumes", "empty_dirs")


class SecretKey(Section):
    """A key of a Secret."""

    secret: ObjectName = Field(description="Name of the Secret, in the namespace of the run.")
    key: _Text = Field(description="Key of the Secret.")
    optional: bool = Field(False, description=_OPTIONAL)


class ConfigMapKey(Section):
    """A key of a ConfigMap."""

    config_map: ObjectName = Field(description="Name of the ConfigMap, in the namespace of the run.")
    key: _Text = Field(description="Key of the ConfigMap.")
    optional: bool = Field(False, description=_OPTIONAL)


class SecretVolume(Section):
    """A Secret as files."""

    secret: _Label = Field(description="Name of the Secret, in the namespace of the run.")
    optional: bool = Field(False, description=_OPTIONAL)


class ConfigMapVolume(Section):
    """A ConfigMap as files."""

    config_map: _Label = Field(description="Name of the ConfigMap, in the namespace of the run.")
    optional: bool = Field(False, description=_OPTIONAL)


class ClaimVolume(Section):
    """A volume that is there already."""

    claim: _Label = Field(description="Name of the PersistentVolumeClaim, in the namespace of the run.")
    sub_path: _Text | None = Field(None, description="Folder of the volume that is mounted; null: its root.")


class EmptyDir(Section):
    """An empty folder that goes with the pod."""

    medium: Literal["Memory"] | None = Field(None, description="Memory: a tmpfs; null: the node's disk.")
    size_limit: _Size | None = Field(None, description="Most bytes in it; null: no limit.")


class Toleration(Section):
    """A toleration of taints, as in a pod."""

    key: _Text | None = Field(None, description="Key of the taint; null: every key.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="Whether the value counts.")
    value: str | None = Field(None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; null: all."
    )
    toleration_seconds: int | None = Field(None, ge=0, description="Of NoExecute: seconds to stay; null: for ever.")

    @model_validator(mode="after")
    def _valid_in_kubernetes(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with the operator Exists must have no value. Leave it out, or set Equal")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration with the operator Equal must have a key. Give it, or set Exists")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("toleration_seconds must be used with the effect NoExecute alone. Leave it out")
        return self


class NodeRequirement(Section):
    """A condition on a node."""

    key: _Text = Field(description="Label of the node, or its field.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="As in a pod.")
    values: list[str] = Field(default_factory=list, description="None with Exists and DoesNotExist.")


class NodeAffinityTerm(Section):
    """A term of a pod's node affinity: all its conditions hold, and any of the terms without a weight."""

    match_expressions: list[NodeRequirement] = Field(default_factory=list, description="Conditions on labels.")
    match_fields: list[NodeRequirement] = Field(default_factory=list, description="Conditions on fields.")
    weight: int | None = Field(None, ge=1, le=100, description="Preferred by that weight; null: required.")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.match_expressions or self.match_fields):
            raise ValueError("a term of node_affinity must have match_expressions or match_fields. Give one of them")
        return self


class TaskConfig(Section):
    """A task on Kubeflow Pipelines. What is null or left out is that of `default`."""

    env: dict[_Variable, str] = Field(
        default_factory=dict, description="Variables by name. Everybody who reads the spec sees them: no secrets."
    )
    secret_env: dict[_Variable, SecretKey] = Field(
        default_factory=dict, description="Variables by name, each from a key of a Secret."
    )
    config_env: dict[_Variable, ConfigMapKey] = Field(
        default_factory=dict, description="Variables by name, each from a key of a ConfigMap."
    )
    secret_volumes: dict[_Path, SecretVolume] = Field(
        default_factory=dict, description="Secrets as files, by the path where they are mounted."
    )
    config_volumes: dict[_Path, ConfigMapVolume] = Field(
        default_factory=dict, description="ConfigMaps as files, by the path where they are mounted."
    )
    volumes: dict[_Path, ClaimVolume] = Field(
        default_factory=dict, description="PersistentVolumeClaims, by the path where they are mounted."
    )
    empty_dirs: dict[_Path, EmptyDir] = Field(
        default_factory=dict,
        description="Empty folders, by the path where they are mounted; /dev/shm of Memory is shared memory.",
    )
    image_pull_secrets: list[ObjectName] = Field(
        default_factory=list, description="Secrets for the image's registry, beside those of the default."
    )
    node_selector: dict[_Text, str] = Field(default_factory=dict, description="Labels that the node must have.")
    tolerations: list[Toleration] = Field(
        default_factory=list, description="Tolerations of taints, beside those of the default."
    )
    node_affinity: list[NodeAffinityTerm] | None = Field(
        None, description="Node affinity, in place of the default's (of two required terms one is enough)."
    )
    cpu_request: float | None = Field(None, ge=0, description="CPUs that a node must have free for the task.")
    cpu_limit: float | None = Field(None, ge=0, description="Most CPUs of the task.")
    memory_request_gb: float | None = Field(
        None, ge=0, description="Memory that a node must have free for the task, in GB (1e9 bytes)."
    )
    memory_limit_gb: float | None = Field(None, ge=0, description="Most memory of the task, in GB (1e9 bytes).")
    gpus: int | None = Field(None, ge=0, le=64, description="GPUs of the task; the Trainer's are --gpu, too.")
    gpu_resource: _Text | None = Field(None, description="What the cluster calls a GPU.")
    retries: int | None = Field(None, ge=0, description="Most retries of the task.")

    @field_validator("env")
    @classmethod
    def _without_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if (_SECRET_NAME.search(name) and not _FILE_NAME.search(name)) or holds_secret(value):
                raise ValueError(
                    f"{name} must not be a plain variable, for everybody who reads the spec would see its value. Give "
                    f"it in secret_env: {{{name}: {{secret: NAME, key: KEY}}}}, from a Secret of the cluster"
                )
        return env

    @model_validator(mode="after")
    def _once(self) -> Self:
        for fields in (_VARIABLES, _MOUNTS):
            names = [name for field in fields for name in getattr(self, field)]
            if doubled := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{doubled[0]} must be given once in {', '.join(fields)}. Keep one of them")
        for path in (path for field in _MOUNTS for path in getattr(self, field)):
            if path.rstrip("/") in _MOUNTED:
                raise ValueError(f"a mount must not be Kubeflow Pipelines's own: {path}. Give another path")
        return self

    def over(self, base: TaskConfig) -> TaskConfig:
        """Returns this task's settings with those of `base` where it has none.

        Mappings are merged key by key, lists are added; a variable or a path of this task takes the place of that of
        `base`, whatever each comes from.
        """
        fields = dict(_merge(self, base))
        for group in (_VARIABLES, _MOUNTS):
            own = {name for field in group for name in getattr(self, field)}
            for field in group:
                kept = {name: value for name, value in getattr(base, field).items() if name not in own}
                fields[field] = {**kept, **getattr(self, field)}
        return base.model_copy(update=fields)

    def volume_names(self) -> list[tuple[str, str]]:
        """Returns what each mount but the empty folders' is of, e.g. `("Secret", "my-key")`, without duplicates."""
        names = [("Secret", volume.secret) for volume in self.secret_volumes.values()]
        names += [("ConfigMap", volume.config_map) for volume in self.config_volumes.values()]
        names += [("PersistentVolumeClaim", volume.claim) for volume in self.volumes.values()]
        return list(dict.fromkeys(names))


def _merge(task: TaskConfig, base: TaskConfig) -> Iterator[tuple[str, object]]:
    for name in TaskConfig.model_fields:
        own, inherited = getattr(task, name), getattr(base, name)
        if isinstance(own, dict):
            yield name, {**inherited, **own}
        elif isinstance(own, list) and name != "node_affinity":
            yield name, [*inherited, *(item for item in own if item not in inherited)]
        else:
            yield name, inherited if own is None else own
