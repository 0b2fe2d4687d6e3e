"""Where artifacts go, and that a run finds nothing in the cache that lies elsewhere."""

from __future__ import annotations

import pytest

from kubeflow.spec.pipeline_spec import load_spec, write_spec
from tests.kubeflow.submit.conftest import SMALL


@pytest.fixture
def spec(tmp_path):
    """Returns a function that writes a spec with a pipeline root, its cache keyed by the store or not."""

    def write(root: str | None, keyed: bool = True, cached: bool = True) -> str:
        spec = load_spec(SMALL)
        if root:
            spec["defaultPipelineRoot"] = root
        for executor in spec["deploymentSpec"]["executors"].values():
            executor["container"]["args"] = ["--artifact_store", str(root)] if keyed else []
        for task in spec["root"]["dag"]["tasks"].values() if not cached else ():
            task["cachingOptions"] = {}
        write_spec(spec, tmp_path / "spec.yaml")
        return str(tmp_path / "spec.yaml")

    return write


def test_the_pipeline_root_of_the_spec_is_sent(api, submit, spec):
    assert submit("--spec", spec("s3://bucket/a"), "--no-wait").exit_code == 0
    assert api.things["runs"][0]["runtime_config"]["pipeline_root"] == "s3://bucket/a"


def test_without_one_the_cluster_chooses(api, submit):
    assert submit("--no-wait").exit_code == 0
    assert "pipeline_root" not in api.things["runs"][0]["runtime_config"]
    assert "service_account" not in api.things["runs"][0]


def test_the_service_account_of_the_spec_is_sent(api, submit, tmp_path):
    platform = {"platforms": {"kubernetes": {"config": {"serviceAccount": "pipelines"}}}}
    write_spec(load_spec(SMALL), tmp_path / "spec.yaml", [platform])
    assert submit("--spec", str(tmp_path / "spec.yaml"), "--no-wait").exit_code == 0
    assert api.things["runs"][0]["service_account"] == "pipelines"


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        ("s3://bucket/a", "s3://other/a", "from s3://bucket to s3://other"),
        ("minio://bucket/a", "s3://bucket/a", "from minio://bucket to s3://bucket"),
        (None, "s3://bucket/a", "from the cluster's default to s3://bucket"),
        ("s3://bucket/a", None, "from s3://bucket to the cluster's default"),
    ],
)
def test_a_store_that_moved_is_told(api, submit, spec, before, now, line):
    assert "cache" not in submit("--spec", spec(before), "--no-wait").output
    moved = submit("--spec", spec(now), "--no-wait")
    assert moved.exit_code == 0
    assert f"the artifacts' store changed {line}: nothing in the former is taken from the cache" in moved.output
    assert "cache " not in submit("--spec", spec(now), "--no-wait").output


def test_another_folder_in_the_same_bucket_is_no_other_store(api, submit, spec):
    submit("--spec", spec("s3://bucket/a", keyed=False), "--no-wait")
    assert submit("--spec", spec("s3://bucket/b", keyed=False), "--no-wait").exit_code == 0


def test_a_spec_whose_cache_is_not_keyed_by_the_store_is_refused(api, submit, spec):
    submit("--spec", spec("s3://bucket/a", keyed=False), "--no-wait")
    refused = submit("--spec", spec("s3://other/a", keyed=False), "--no-wait")
    assert refused.exit_code == 2
    assert "artifacts of s3://bucket, which the launcher cannot open beside s3://other" in refused.output
    assert "Compile it anew" in refused.output
    assert len(api.things["runs"]) == 1
    # Nor in another experiment.
    assert submit("--spec", spec("s3://other/a", keyed=False), "--experiment", "new", "--no-wait").exit_code == 2
    assert submit("--spec", spec("s3://other/a", keyed=False, cached=False), "--no-wait").exit_code == 0


def test_runs_of_other_pipelines_do_not_count(api, submit, spec):
    submit("--spec", spec("s3://bucket/a"), "--no-wait")
    api.things["runs"][0]["pipeline_version_reference"]["pipeline_id"] = "another"
    assert "cache " not in submit("--spec", spec("s3://other/a"), "--no-wait").output
