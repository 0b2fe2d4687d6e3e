"""What the cache of Kubeflow Pipelines goes by, beside the inputs of a task."""

from __future__ import annotations

#: What looks at the world as it is now: the serving folder, a running server, the outcome of this very run.
UNCACHED = ("NewestVersion", "LocalInfraValidator", "VersionedPusher", "RunReport", "Verdict")

#: Argument of each container, which nothing reads: scheme and bucket of the pipeline root. The arguments are in the
#: cache's key and the root is not, so that the cache would give out artifacts that the launcher cannot open.
ARTIFACT_STORE = "--artifact_store"
DEFAULT_STORE = "default"


def store_of(pipeline_root: str | None) -> str:
    """Returns scheme and bucket of a pipeline root; `default` leaves it to the cluster.

    Example:
        >>> store_of("s3://bucket/artifacts?region=eu-1")
        's3://bucket'
    """
    return "/".join(pipeline_root.partition("?")[0].split("/", 3)[:3]) if pipeline_root else DEFAULT_STORE
