"""The default pipeline as a job for a standard installation, and the data that it is given."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.kubeflow.image.dockerfile import ROOT

SERVING = "data/serving/clickbait"


class Compiled(NamedTuple):
    """A spec, and its second document."""

    spec: dict[str, Any]
    platform: dict[str, Any]


def compile_default(*overrides: str) -> Compiled:
    """Compiles the preset smoke for a standard installation, whatever the environment says."""
    from kubeflow.compiler import compile_pipeline
    from kubeflow.platform import platform_document
    from pipeline.config.pipeline_config import load_config

    config = load_config("smoke", overrides=("kubeflow.installation=standard", *overrides), environ={})
    spec = compile_pipeline(config)
    return Compiled(spec, platform_document(spec, config.kubeflow))


def store() -> dict[str, bytes]:
    """Returns what the store has at first.

    `headlines.csv` is the sample, `new.csv` the same, of which the cache knows nothing, and `refused.csv` has one class
    alone, which the gate refuses.
    """
    sample = (ROOT / "data/sample/headlines.csv").read_bytes()
    header, *rows = csv.reader(io.StringIO(sample.decode()))
    refused = io.StringIO()
    csv.writer(refused).writerows([header, *(row for row in rows if row[1] == "1")])
    return {
        "data/headlines.csv": sample,
        "data/new.csv": sample,
        "data/refused.csv": refused.getvalue().encode(),
    }


def make_job(name: str, compiled: Compiled, data: str = "headlines.csv", root: str = "") -> dict[str, Any]:
    """Returns a PipelineJob: `name` for people, `data` of the bucket, `root` in place of the launcher's own."""
    parameters: Mapping[str, str] = {
        "data": f"s3://data/{data}",
        "data_digest": f"sha256:{hashlib.sha256(store()[f'data/{data}']).hexdigest()}",
        "push_destination": f"s3://{SERVING}",
        "accepted_data": "s3://data/accepted",
    }
    runtime = {"parameterValues": parameters, **({"gcsOutputDirectory": root} if root else {})}
    return {"displayName": name, "pipelineSpec": compiled.spec, "runtimeConfig": runtime}
