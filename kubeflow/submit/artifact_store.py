"""Notices that the artifacts of a pipeline go to another store than before.

The cache gives out what an earlier run made, wherever that lies, and the launcher opens only the store that artifacts
go to now. `compile` makes the store a part of each task's key in the cache; a spec from before that has no such part.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kubeflow.spec.messages import Spec
from kubeflow.spec.pipeline_spec import SpecError, executors
from kubeflow.submit.api import ApiRun
from kubeflow.submit.server import Server

STORE_FLAG = "--artifact_store"
_NEWEST_RUNS = 20
_DEFAULT = "the cluster's default"


def pipeline_root(spec: Spec) -> str | None:
    """Returns where the artifacts of a spec go; None leaves it to the cluster."""
    return spec.get("defaultPipelineRoot") or None


def store_of(root: str | None) -> str:
    """Returns scheme and bucket of a pipeline root.

    Example:
        >>> store_of("s3://bucket/artifacts?region=eu-1")
        's3://bucket'
    """
    if not root:
        return _DEFAULT
    parts = urlsplit(root)
    return f"{parts.scheme}://{parts.netloc}"


def check_store(server: Server, spec: Spec, pipeline: str, experiment: str, namespace: str | None) -> str | None:
    """Returns a line for a person where the artifacts' store is another than that of the pipeline's newest run.

    Raises:
      SpecError: the cache would give out what lies in the store of before.
      ServerError: the server cannot be asked.
    """
    cached = [
        task for task in spec["root"]["dag"]["tasks"].values() if task.get("cachingOptions", {}).get("enableCache")
    ]
    if not cached or (newest := _newest_run(server, pipeline, experiment, namespace)) is None:
        return None
    before = store_of(newest.runtime_config.pipeline_root if newest.runtime_config else None)
    now = store_of(pipeline_root(spec))
    if before == now:
        return None
    labels = {spec["components"][task["componentRef"]["name"]].get("executorLabel", "") for task in cached}
    containers = [executor.get("container", {}) for label, executor in executors(spec).items() if label in labels]
    if not all(any(STORE_FLAG in text for text in container.get("args", [])) for container in containers):
        raise SpecError(
            "A spec with cached tasks must name its artifacts' store in their arguments where the store changes: the "
            f"cache would give out artifacts of {before}, which the launcher cannot open beside {now}. Received: a "
            f"spec of an earlier `compile`, and the run {newest.run_id} in {before}. Compile it anew, with "
            "kubeflow.pipeline_root, or with --set cache=false."
        )
    return f"the artifacts' store changed from {before} to {now}: nothing is taken from the cache this time"


def _newest_run(server: Server, pipeline: str, experiment: str, namespace: str | None) -> ApiRun | None:
    """Returns the newest run of a pipeline: in its experiment, else in any."""
    for where in ({"experiment_id": experiment}, {"namespace": namespace} if namespace else {}):
        answer = server.call(
            server.runs.run_service_list_runs, sort_by="created_at desc", page_size=_NEWEST_RUNS, **where
        )
        runs: list[ApiRun] = answer.runs or []
        for run in runs:
            if run.pipeline_version_reference and run.pipeline_version_reference.pipeline_id == pipeline:
                return run
    return None
