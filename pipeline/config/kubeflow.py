"""The section `kubeflow` of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_serializer, field_validator

from pipeline.config.kubeflow_tasks import ObjectName, TaskConfig
from pipeline.config.layers import merge_groups
from trainer.section import Section

LEAST_RELEASE = "2.14.0"

_ALL = "default"

# A retry of DataGate and Verdict would fail again. Memory is requested for what tasks took on 32,000 headlines with the
# default encoder: 1.1 GB but for those that are named; LocalInfraValidator's is the sum of it and of the server.
_TASKS: dict[str, dict[str, float | int | str]] = {
    _ALL: {
        "cpu_request": 0.5,
        "cpu_limit": 2.0,
        "memory_request_gb": 1.5,
        "memory_limit_gb": 4.0,
        "gpus": 0,
        "gpu_resource": "nvidia.com/gpu",
        "retries": 2,
    },
    "Trainer": {"cpu_request": 2.0, "cpu_limit": 8.0, "memory_request_gb": 4.0, "memory_limit_gb": 8.0},
    "BaselineScorer": {"memory_request_gb": 2.0},
    "ModelScorer": {"memory_request_gb": 2.5},
    "LocalInfraValidator": {"memory_request_gb": 3.0},
    "DataGate": {"retries": 0},
    "Verdict": {"retries": 0},
}


class KubeflowConfig(Section):
    """How Kubeflow Pipelines runs it. `tasks` has the key `default` for all tasks; the table of its fields is below."""

    image: str = Field(
        "clickbait-tfx:latest", min_length=1, description="Container image of all tasks, as the cluster pulls it."
    )
    pipeline_root: str | None = Field(
        None,
        pattern="^(minio|s3|gs)://",
        description="Where artifacts go, e.g. s3://bucket/artifacts; null: the cluster's default.",
    )
    push_destination: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL (s3://, gs://) of the versions that TF Serving watches; null: a run's parameter.",
    )
    accepted_data: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL of the statistics of accepted data; null: a run's parameter.",
    )
    release: str = Field(
        LEAST_RELEASE,
        pattern=r"^2\.(1[4-9]|[2-9][0-9])\.[0-9]+$",
        json_schema_extra={"words": "a release such as 2.16.0, at least 2.14.0"},
        description="Least release of Kubeflow Pipelines that the pipeline must run on.",
    )
    installation: Literal["standard"] | None = Field(
        None,
        description="standard: the tasks that open a store get the address and the keys of the object store that "
        "Kubeflow Pipelines installs; null: only what `tasks` gives them.",
    )
    service_account: ObjectName | None = Field(
        None, description="Kubernetes service account of the pods; null: that of Kubeflow Pipelines."
    )
    tasks: dict[str, TaskConfig] = Field(
        default_factory=lambda: {task: TaskConfig.model_validate(fields) for task, fields in _TASKS.items()},
        examples=["{Trainer: {gpus: 1}}"],
        description="Settings by task, and of all tasks by the key `default`. A task's fields stand over the "
        "default's: mappings are merged key by key, lists added. Fields that are given take the place of those shown.",
    )
    allow_override: bool = Field(
        False, description="Compile evaluation.bless_anyway into a pipeline, all of whose runs then push anyway."
    )
    backoff_seconds: int = Field(30, ge=0, le=3600, description="Wait before the first retry, in whole seconds.")
    backoff_factor: int = Field(
        2, ge=1, le=10, description="How many times longer each further wait is (a whole factor, no unit)."
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _over_our_own(cls, tasks: object) -> object:
        return merge_groups(_TASKS, tasks)

    @field_serializer("tasks")
    def _as_given(self, tasks: dict[str, TaskConfig]) -> dict[str, object]:
        return {name: task.model_dump(exclude_unset=True) for name, task in tasks.items()}

    def task(self, name: str) -> TaskConfig:
        """Returns the settings of a task: its own over the default's."""
        default = self.tasks[_ALL]
        return self.tasks[name].over(default) if name in self.tasks else default

    def named_tasks(self) -> list[str]:
        """Returns the names of the tasks with settings of their own."""
        return [name for name in self.tasks if name != _ALL]
