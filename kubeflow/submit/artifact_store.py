"""Notices that the artifacts of a pipeline go to another store than before.

The cache gives out what an earlier run made, wherever that lies, and the launcher opens only the store that artifacts
go to now. `compile` makes the store a part of each task's key in the cache; a spec from before that has no such part.
"""

from __future__ import annotations

from kubeflow.spec.caching import ARTIFACT_STORE, DEFAULT_STORE, store_of
from kubeflow.spec.messages import Spec
from kubeflow.spec.pipeline_spec import SpecError, executors
from kubeflow.submit.api import ApiRun
from kubeflow.submit.server import Server

_NEWEST_RUNS = 20


def pipeline_root(spec: Spec) -> str | None:
    """Returns where the artifacts of a spec go; None leaves it to the cluster."""
    return spec.get("defaultPipelineRoot") or None


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
    before, now = ("the cluster's default" if store == DEFAULT_STORE else store for store in (before, now))
    labels = {spec["components"][task["componentRef"]["name"]].get("executorLabel", "") for task in cached}
    containers = [executor.get("container", {}) for label, executor in executors(spec).items() if label in labels]
    if not all(any(text == ARTIFACT_STORE for text in container.get("args", [])) for container in containers):
        raise SpecError(
            "A spec with cached tasks must name its artifacts' store in their arguments where the store changes: the "
            f"cache would give out artifacts of {before}, which the launcher cannot open beside {now}. Received: a "
            f"spec of an earlier `compile`, and the run {newest.run_id} in {before}. Compile it anew, or with "
            "--set cache=false."
        )
    return f"the artifacts' store changed from {before} to {now}: nothing in the former is taken from the cache"


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
