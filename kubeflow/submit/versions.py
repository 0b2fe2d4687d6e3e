"""Uploads: a pipeline by its name, and a version of it by the content of the spec, so that none is there twice."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import kfp_server_api as kfp
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as proto

from kubeflow.spec.messages import Json, Platform, Spec, Task
from kubeflow.spec.pipeline_spec import SCHEMA_VERSION, SpecError, write_spec
from kubeflow.submit.api import ApiRun, PipelineVersion
from kubeflow.submit.server import Server, ServerError, old_backend

_DIGITS = 16
_NAME = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 128  # of a column in the server's database


def spec_digest(spec: Spec, *platforms: Platform) -> str:
    """Returns the sha256 of what a spec says, whatever the order of its keys; and of what stands behind it."""
    documents = (spec, *platforms)
    texts = (json.dumps(item, sort_keys=True, separators=(",", ":"), default=str) for item in documents)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def upload(
    server: Server, spec: Spec, namespace: str | None, platforms: Sequence[Platform] = ()
) -> tuple[PipelineVersion, bool]:
    """Returns the version of the pipeline that holds the spec, and whether it was uploaded now.

    Args:
      server: to which.
      spec: compiled and checked.
      namespace: in which the pipeline is private; None on a server for one user.
      platforms: what stands behind the spec in its file.

    Raises:
      SpecError: the server would refuse the spec, after a pipeline was made for it.
      ServerError: the server refuses.
    """
    _require_readable(spec, platforms)
    name, digest = spec["pipelineInfo"]["name"], spec_digest(spec, *platforms)
    pipeline = _pipeline(server, name, spec["pipelineInfo"].get("description", ""), namespace)
    version_name = f"sha256-{digest[:_DIGITS]}"
    if version := _version(server, pipeline, version_name):
        return version, False
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        path = Path(folder, f"{name}.yaml")
        write_spec(spec, path, platforms)
        try:
            uploaded: PipelineVersion = server.call(
                server.uploads.upload_pipeline_version,
                str(path),
                name=version_name,
                pipelineid=pipeline,
                description=f"spec sha256:{digest}",
            )
        except ServerError as error:
            if error.status == 409 and (version := _version(server, pipeline, version_name)):
                return version, False  # somebody else was quicker
            if error.status in (400, 500) and "schema" in str(error).lower():
                raise old_backend(f"{server.host}, which refuses {SCHEMA_VERSION}: {error}") from error
            raise
    return uploaded, True


def _require_readable(spec: Spec, platforms: Sequence[Platform]) -> None:
    """Raises where the server would say no more than `unknown template format`, or nothing until a run begins."""
    name = spec["pipelineInfo"]["name"]
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise SpecError(
            f"pipelineInfo.name must be of a-z, 0-9 and -, with a letter or digit at both ends, and at most "
            f"{_LONGEST_NAME} characters long. Received: {name}. Compile with another --set model_name=..."
        )
    if len(platforms) > 1:
        raise SpecError(
            f"A spec must have one document of `platforms:` at most. Received: {len(platforms)}. Join them in one."
        )
    documents = cast(list[dict[str, Json]], [spec, *platforms])
    for document in documents:
        try:
            json_format.ParseDict(document, proto.PlatformSpec() if "platforms" in document else proto.PipelineSpec())
        except json_format.ParseError as error:
            raise SpecError(
                f"A spec must hold what Kubeflow Pipelines knows, and nothing else. Received: {error}. "
                "Remove it, or compile the spec anew."
            ) from error


def _pipeline(server: Server, name: str, description: str, namespace: str | None) -> str:
    where = {"namespace": namespace} if namespace else {}
    pipeline = server.find(server.pipelines.pipeline_service_list_pipelines, "pipelines", name, **where)
    if pipeline is None:
        body = kfp.V2beta1Pipeline(display_name=name, description=description, **where)
        try:
            pipeline = server.call(server.pipelines.pipeline_service_create_pipeline, body)
        except ServerError as error:
            if error.status != 409:
                raise
            pipeline = server.find(server.pipelines.pipeline_service_list_pipelines, "pipelines", name, **where)
            if pipeline is None:
                raise
    return str(pipeline.pipeline_id)


def _version(server: Server, pipeline: str, name: str) -> PipelineVersion | None:
    version: PipelineVersion | None = server.find(
        server.pipelines.pipeline_service_list_pipeline_versions, "pipeline_versions", name, pipeline
    )
    return version


def find_experiment(server: Server, name: str, namespace: str | None) -> str:
    """Returns the id of an experiment, which is made where it is not there."""
    where = {"namespace": namespace} if namespace else {}
    experiment = server.find(server.experiments.experiment_service_list_experiments, "experiments", name, **where)
    if experiment is None:
        body = kfp.V2beta1Experiment(display_name=name, **where)
        experiment = server.call(server.experiments.experiment_service_create_experiment, body)
    return str(experiment.experiment_id)


def read_spec(server: Server, run: ApiRun) -> Spec | None:
    """Returns the spec of a run, its own or its pipeline's version; None where the server has it no more."""
    if run.pipeline_spec:
        return _spec_in(run.pipeline_spec)
    reference = run.pipeline_version_reference
    if not (reference and reference.pipeline_id and reference.pipeline_version_id):
        return None
    method = server.pipelines.pipeline_service_get_pipeline_version
    try:
        version: PipelineVersion = server.call(method, reference.pipeline_id, reference.pipeline_version_id)
    except ServerError as error:
        if error.status in (401, 403, 404):
            return None
        raise
    return _spec_in(version.pipeline_spec or {})


def _spec_in(document: Mapping[str, Json]) -> Spec | None:
    # With a platform's document beside it, the API has both in one.
    return cast(Spec, document.get("pipeline_spec", document)) or None


def tasks_of(spec: Spec | None) -> Mapping[str, Task] | None:
    """Returns a spec's tasks by name; None without a spec."""
    return spec["root"]["dag"]["tasks"] if spec else None
