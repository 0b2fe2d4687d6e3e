"""A URI becomes the path where the launcher mounts it, and comes back."""

from __future__ import annotations

import pytest

from kubeflow.invocation import for_launcher, for_tfx
from kubeflow.places import is_url, local_path, uri_of
from kubeflow.staging import split_pattern


@pytest.mark.parametrize(
    ("uri", "path"),
    [("minio://b/a", "/minio/b/a"), ("s3://b/a/c", "/s3/b/a/c"), ("gs://b", "/gcs/b"), ("/data/a", "/data/a")],
)
@pytest.mark.parametrize("root", ["", "/pods/one"])
def test_a_uri_has_a_path_and_the_path_has_the_uri(uri, path, root):
    there = path if path == uri else root + path
    assert local_path(uri, root) == there
    assert uri_of(there, root) == uri
    assert is_url(uri) == (path != uri)


@pytest.mark.parametrize(
    ("url", "base", "pattern"),
    [
        ("s3://b/data.csv", "s3://b/data.csv", ""),
        ("s3://b/in/", "s3://b/in", ""),
        ("gs://b/{SPAN}/a.csv", "gs://b", "{SPAN}/a.csv"),
        ("s3://b/a/day-*/x.csv", "s3://b/a", "day-*/x.csv"),
    ],
)
def test_a_url_is_split_before_its_pattern(url, base, pattern):
    assert split_pattern(url) == (base, pattern)


SCHEMA = {"artifacts": {"examples": {"artifactType": {"instanceSchema": "title: tfx.Examples\n"}}}}


def an_invocation() -> dict:
    examples = {"uri": "minio://b/examples", "type": {"instanceSchema": ""}, "metadata": {"split_names": "[]"}}
    metrics = {"uri": "minio://b/metrics", "name": "metrics", "type": {"schemaTitle": "system.Metrics"}}
    return {
        "inputs": {"artifacts": {"examples": {"artifacts": [examples]}}, "parameterValues": {"n": 1.0}},
        "outputs": {"artifacts": {"metrics": {"artifacts": [metrics]}}, "outputFile": "/tmp/out.json"},
    }


def test_tfx_is_told_the_types_paths_and_names_that_the_launcher_leaves_out():
    before = an_invocation()
    told = for_tfx(before, SCHEMA, "/pod")
    (examples,) = told["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples == {
        "uri": "/pod/minio/b/examples",
        "name": "minio://b/examples",
        "type": {"instanceSchema": "title: tfx.Examples\n"},
        "metadata": {"split_names": "[]"},
    }
    (metrics,) = told["outputs"]["artifacts"]["metrics"]["artifacts"]
    assert metrics["uri"] == "/pod/minio/b/metrics"
    assert metrics["type"] == {"instanceSchema": "title: kubeflow.tasks.artifacts.Metrics\n"}
    assert before == an_invocation()


def test_the_launcher_is_told_the_uris_also_in_the_metadata():
    said = {"uri": "/pod/gcs/b/m", "metadata": {"current_model": "/pod/gcs/b/x", "n": 1.0, "version": "7"}}
    output = {"artifacts": {"model": {"artifacts": [said]}}}
    (model,) = for_launcher(output, "/pod")["artifacts"]["model"]["artifacts"]
    assert model == {"uri": "gs://b/m", "metadata": {"current_model": "gs://b/x", "n": 1.0, "version": "7"}}


def test_an_artifact_without_any_type_is_named():
    told = an_invocation()
    told["outputs"]["artifacts"]["metrics"]["artifacts"][0].pop("type")
    with pytest.raises(ValueError, match="Received: metrics without one"):
        for_tfx(told, SCHEMA, "")
