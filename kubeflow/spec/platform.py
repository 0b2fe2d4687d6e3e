"""Checks platform documents, in which only Kubernetes's part of a pipeline is: secrets, volumes, nodes.

Such a document stands behind a spec in its file: `platforms.kubernetes.deploymentSpec.executors`, by the executors'
labels. What no driver reads has no effect, and nothing says so; what a release's proto does not know, it refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_proto
from kfp.pipeline_spec import pipeline_spec_pb2 as proto

from kubeflow.spec.messages import Json, Platform, Spec
from kubeflow.spec.shape import find_wrong

FIRST_READ: dict[str, str | None] = {
    "secretAsEnv.optional": "2.15.0",
    "configMapAsEnv.optional": "2.15.0",
    "pvcMount.subPath": "2.16.0",
    "securityContext": "2.16.0",
    "enabledSharedMemory": None,
    "podAffinity": None,
}
"""Fields of an executor, and the release that reads them first; None: no release does. The others: 2.14.0 and later."""

_EXECUTORS = "platforms.kubernetes.deploymentSpec.executors"


def find_platform_faults(platform: Platform, spec: Spec) -> list[str]:
    """Lists what in a platform document Kubeflow Pipelines would refuse or not read, a line each."""
    if faults := [*find_wrong(cast(Json, platform), proto.PlatformSpec.DESCRIPTOR, "")]:
        return faults
    labels = spec.get("deploymentSpec", {}).get("executors", {})
    for label, executor in platform_executors(platform).items():
        path = f"{_EXECUTORS}.{label}"
        if label not in labels:
            faults.append(f"{path} must be of an executor of the spec; its executors: {', '.join(labels)}")
        wrong = [*find_wrong(executor, kubernetes_proto.KubernetesExecutorConfig.DESCRIPTOR, path)]
        faults += wrong
        for field, release in iterate_releases({} if wrong else executor):
            if release is None:
                faults.append(f"{path}.{field} must be left out; no release of Kubeflow Pipelines reads it")
    return faults


def platform_executors(platform: Platform) -> dict[str, dict[str, Json]]:
    """Returns the configurations of executors by their labels."""
    return platform["platforms"].get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})


def iterate_releases(executor: Mapping[str, Json]) -> Iterator[tuple[str, str | None]]:
    """Yields the fields of an executor's configuration that not every release reads, each with its first release."""
    for path, release in FIRST_READ.items():
        field, _, inner = path.partition(".")
        value = executor.get(field)
        items = value if isinstance(value, list) else [value]
        if value is not None and (not inner or any(isinstance(item, dict) and inner in item for item in items)):
            yield path, release


def release_key(release: str) -> tuple[int, ...]:
    """Returns a release, e.g. `2.14.0`, as what sorts."""
    return tuple(int(part) for part in release.split("."))
