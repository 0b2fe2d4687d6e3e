"""Uploads: a pipeline by its name, and a version of it by the content of the spec, so that none is there twice."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kfp_server_api as kfp

from kubeflow.spec.pipeline_spec import SCHEMA_VERSION, Spec, write_spec
from kubeflow.submit.server import Server, ServerError, old_backend

_DIGITS = 16


def spec_digest(spec: Spec, *platforms: Mapping[str, Any]) -> str:
    """sha256 of what a spec says, whatever the order of its keys; and of what stands behind it."""
    texts = (json.dumps(one, sort_keys=True, separators=(",", ":"), default=str) for one in (spec, *platforms))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def upload(
    server: Server, spec: Spec, namespace: str | None, platforms: Sequence[Mapping[str, Any]] = ()
) -> tuple[kfp.V2beta1PipelineVersion, bool]:
    """The version of the pipeline that holds the spec, and whether it was uploaded now.

    Args:
      server: to which.
      spec: compiled and checked.
      namespace: in which the pipeline is private; None on a server for one user.
      platforms: what stands behind the spec in its file.

    Raises:
      ServerError: the server refuses.
    """
    name, digest = spec["pipelineInfo"]["name"], spec_digest(spec, *platforms)
    pipeline = _pipeline(server, name, spec["pipelineInfo"].get("description", ""), namespace)
    version_name = f"sha256-{digest[:_DIGITS]}"
    if found := _version(server, pipeline, version_name):
        return found, False
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        path = Path(folder, f"{name}.yaml")
        write_spec(spec, path, platforms)
        try:
            made = server.call(
                server.uploads.upload_pipeline_version,
                str(path),
                name=version_name,
                pipelineid=pipeline,
                description=f"spec sha256:{digest}",
            )
        except ServerError as error:
            if error.status == 409 and (found := _version(server, pipeline, version_name)):
                return found, False  # somebody else was quicker
            if error.status in (400, 500) and "schema" in str(error).lower():
                raise old_backend(f"{server.host}, which refuses {SCHEMA_VERSION}: {error}") from error
            raise
    return made, True


def _pipeline(server: Server, name: str, description: str, namespace: str | None) -> str:
    where = {"namespace": namespace} if namespace else {}
    found = server.find(server.pipelines.pipeline_service_list_pipelines, "pipelines", name, **where)
    if found is None:
        body = kfp.V2beta1Pipeline(display_name=name, description=description, **where)
        try:
            found = server.call(server.pipelines.pipeline_service_create_pipeline, body)
        except ServerError as error:
            if error.status != 409:
                raise
            found = server.find(server.pipelines.pipeline_service_list_pipelines, "pipelines", name, **where)
            if found is None:
                raise
    return found.pipeline_id


def _version(server: Server, pipeline: str, name: str) -> kfp.V2beta1PipelineVersion | None:
    return server.find(server.pipelines.pipeline_service_list_pipeline_versions, "pipeline_versions", name, pipeline)


def find_experiment(server: Server, name: str, namespace: str | None) -> str:
    """The id of an experiment, which is made where it is not there."""
    where = {"namespace": namespace} if namespace else {}
    found = server.find(server.experiments.experiment_service_list_experiments, "experiments", name, **where)
    if found is None:
        body = kfp.V2beta1Experiment(display_name=name, **where)
        found = server.call(server.experiments.experiment_service_create_experiment, body)
    return found.experiment_id
