"""A URI becomes the path where the launcher mounts it, and comes back."""

from __future__ import annotations

import pytest

from kubeflow.container.mounts import local_path, uri_of
from serving.versions.stores import is_url, split_pattern


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
