"""The section `kubeflow` of the configuration."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer.section import Section


class KubeflowConfig(Section):
    """How Kubeflow Pipelines runs it. A mapping by task has the key `default` for all tasks that it does not name."""

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
    cpu_request: dict[str, float] = Field(
        {"default": 0.5, "Trainer": 2.0}, description="CPUs that a node must have free for a task, by task."
    )
    cpu_limit: dict[str, float] = Field({"default": 2.0, "Trainer": 8.0}, description="Most CPUs of a task, by task.")
    memory_request_gb: dict[str, float] = Field(
        {"default": 1.5, "Trainer": 4.0},
        description="Memory that a node must have free for a task, in GB (1e9 bytes), by task.",
    )
    memory_limit_gb: dict[str, float] = Field(
        {"default": 4.0, "Trainer": 8.0}, description="Most memory of a task, in GB (1e9 bytes), by task."
    )
    gpus: int = Field(0, ge=0, le=64, description="GPUs of the Trainer.")
    allow_override: bool = Field(
        False, description="Compile evaluation.bless_anyway into a pipeline, all of whose runs then push anyway."
    )
    gpu_resource: str = Field("nvidia.com/gpu", min_length=1, description="What the cluster calls a GPU.")
    retries: dict[str, int] = Field(
        # A retry of these two would fail again.
        {"default": 2, "DataGate": 0, "Verdict": 0},
        description="Most retries of a task that failed, by task.",
    )
    backoff_seconds: int = Field(30, ge=0, le=3600, description="Wait before the first retry, in whole seconds.")
    backoff_factor: float = Field(
        2.0, ge=1, le=10, description="How many times longer each further wait is (a factor, no unit)."
    )
    backoff_max_seconds: int = Field(
        3600, ge=1, description="No retry later than that after a task's first start, in whole seconds."
    )

    @field_validator("cpu_request", "cpu_limit", "memory_request_gb", "memory_limit_gb", "retries")
    @classmethod
    def _for_all_tasks(cls, by_task: dict[str, float]) -> dict[str, float]:
        if "default" not in by_task or min(by_task.values()) < 0:
            raise ValueError("must name a default, and no value below 0")
        return by_task
