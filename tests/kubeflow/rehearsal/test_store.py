"""Stores: what is found by the beginning of its name, and the one bucket that the launcher can open."""

from __future__ import annotations

import contextlib

import pytest

from kubeflow.rehearsal.store import FolderStore, UrlStore
from tests.helpers.object_stores import gcs_server, s3_server
from tests.helpers.specs import a_spec


@pytest.mark.parametrize(
    ("server", "root"),
    [(contextlib.nullcontext, ""), (s3_server, "s3://bucket/a"), (gcs_server, "gs://bucket/a")],
    ids=["folder", "s3", "gs"],
)
def test_what_begins_with_the_name_of_a_uri(tmp_path, server, root):
    with server():
        store = UrlStore(root) if root else FolderStore(tmp_path / "store")
        task_root = f"{store.pipeline_root}/Trainer/1[a]"
        (tmp_path / "file").write_text("x")
        for name in ("model/saved_model.pb", "model_run/log", "other", "executor-logs-0"):
            store.upload(tmp_path / "file", f"{task_root}/{name}")
        assert {*store.with_prefix(f"{task_root}/model")} == {f"{task_root}/model", f"{task_root}/model_run"}
        assert [*store.with_prefix(f"{task_root}/gone")] == []
        assert [*store.with_prefix(f"{store.pipeline_root}/Gone/2/model")] == []
        for uri in store.with_prefix(f"{task_root}/model"):
            store.download(uri, tmp_path / "pod" / uri.rpartition("/")[2])
        files = {str(path.relative_to(tmp_path / "pod")) for path in (tmp_path / "pod").rglob("*") if path.is_file()}
        assert files == {"model/saved_model.pb", "model_run/log"}


def half_cached() -> dict:
    """A pipeline whose first task comes from the cache and whose second runs."""
    spec = a_spec()
    spec["root"]["dag"]["tasks"]["use"]["cachingOptions"] = {}
    return spec


def test_what_the_cache_gives_out_from_another_bucket_cannot_be_opened(rehearse, statuses):
    rehearse(half_cached(), root="minio://mlpipeline/v2/artifacts")
    run, _ = rehearse(half_cached(), root="s3://mlpipeline/v2/artifacts")
    assert statuses(run) == {"make": "cached", "use": "failed"}
    assert run.failure.exit_code == 1
    assert "must lie in the bucket of the pipeline root" in run.failure.reason
    assert "with the root s3://mlpipeline/v2/artifacts" in run.failure.reason


def test_another_folder_of_the_bucket_can(rehearse, statuses):
    rehearse(half_cached(), root="s3://bucket/one")
    assert statuses(rehearse(half_cached(), root="s3://bucket/other")[0]) == {"make": "cached", "use": "done"}
