"""What the cache of Kubeflow Pipelines goes by, beside the inputs of a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from kubeflow.spec.messages import Json, Platform

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


def volume_claims(platform: Platform, label: str) -> tuple[str, ...]:
    """Returns the names of an executor's volume claims; where a name is not constant, where it comes from."""
    node: Json = cast(Json, platform.get("platforms", {}))
    for key in ("kubernetes", "deploymentSpec", "executors", label, "pvcMount"):
        node = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, list):
        return ()
    names = set()
    for mount in node:
        if isinstance(mount, Mapping):
            source = {key: value for key, value in mount.items() if key != "mountPath"}
            names.add(str(source.get("constant") or json.dumps(source, sort_keys=True)))
    return tuple(sorted(names))
