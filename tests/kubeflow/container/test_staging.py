"""Places in a store become folders of this machine, and what was written there goes back."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest

from kubeflow.container import staging
from serving.versions.stores import StoreError, download, find_sizes
from tests.helpers.object_stores import gcs_server


@pytest.fixture
def store():
    return fsspec.filesystem("memory")


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}"


def mark(store, url: str, *folders: str) -> None:
    """Objects of no bytes as consoles make them of folders."""
    for folder in folders:
        marker = f"{store._strip_protocol(url)}/{folder}"
        store.pipe_file(f"{url}/any", b"")
        store.store[marker] = type(store.store.pop(f"{store._strip_protocol(url)}/any"))(store, marker, b"")


def test_a_folder_with_markers_becomes_its_files(store, url, tmp_path):
    store.pipe_file(f"{url}/span-1/a.csv", b"a")
    mark(store, url, "", "span-1/", "span-2/")
    download(url, tmp_path / "in")
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["a.csv"]


def test_markers_alone_are_nothing(store, url, tmp_path):
    mark(store, url, "", "span-1/")
    with pytest.raises(StoreError, match="nothing is there"):
        download(url, tmp_path / "in")


def test_changes_go_back_and_markers_stay(store, url, tmp_path):
    store.pipe_file(f"{url}/old.txt", b"old")
    mark(store, url, "", "1/")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "new.txt").write_text("new")
    staging.upload_changes(tmp_path, url)
    assert find_sizes(store, url) == {f"{store._strip_protocol(url)}/1/new.txt": 3}
    assert f"{store._strip_protocol(url)}/1/" in store.store


def test_a_store_that_cannot_be_reached_is_explained(url, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("connection reset")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "put_file", fail)
    (tmp_path / "a").write_text("a")
    with pytest.raises(StoreError, match=r"Received: memory://.*connection reset"):
        staging.upload(tmp_path / "a", f"{url}/a")


def test_parameters_of_google_cloud_storage_are_staged_and_what_was_written_goes_back():
    with gcs_server() as buckets:
        buckets["bucket"].update(
            {"in/span-1/a.csv": b"a", "eval.csv": b"b", "fixes.csv": b"c", "accepted/1/card.json": b"{}"}
        )
        values = {
            "location": "gs://bucket/in/span-{SPAN}/*.csv",
            "eval_location": "gs://bucket/eval.csv",
            "label_fixes": "gs://bucket/fixes.csv",
            "accepted_dir": "gs://bucket/accepted",
            "epochs": 2,
        }
        with staging.staged_parameters(values) as staged:
            assert staged["epochs"] == 2
            assert staged["location"].endswith("/location/span-{SPAN}/*.csv")
            assert Path(staged["location"]).parents[1].joinpath("span-1", "a.csv").read_bytes() == b"a"
            assert Path(staged["eval_location"]).read_bytes() == b"b"
            assert Path(staged["label_fixes"]).read_bytes() == b"c"
            accepted = Path(staged["accepted_dir"])
            (accepted / "1" / "card.json").unlink()
            (accepted / "2").mkdir()
            (accepted / "2" / "card.json").write_text("[]")
        assert buckets["bucket"]["accepted/2/card.json"] == b"[]"
        assert "accepted/1/card.json" not in buckets["bucket"]
