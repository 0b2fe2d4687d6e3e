"""Data in an object store: only what a run takes is copied, and the rules are those for files of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import fsspec
import pytest

from components.errors import InputError
from components.headline_example_gen.files import data_digest
from pipeline.config.pipeline_config import load_config
from pipeline.inputs import choose_data
from pipeline.results.run_folders import OutputError
from serving.versions.stores import StoreError
from tests.helpers.object_stores import gcs_server, s3_server

CSV = b"title,label\nOne,1\nTwo,0\n"


@pytest.fixture(scope="module")
def s3():
    with s3_server():
        yield fsspec.filesystem("s3")


@pytest.fixture
def put(s3):
    """Returns a function that puts CSV files into the bucket, below `in/`, which is empty before."""
    s3.invalidate_cache()
    if s3.exists("bucket/in"):
        s3.rm("bucket/in", recursive=True)

    def put(*names: str, content: bytes = CSV) -> None:
        for name in names:
            s3.pipe_file(f"bucket/in/{name}", content)

    return put


@pytest.fixture
def choose(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def choose(url: str, *overrides: str):
        fsspec.filesystem("s3").invalidate_cache()
        return choose_data(load_config(overrides=(f"data.path={url}", *overrides), environ={}))

    return choose


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_a_file_is_copied_once_for_each_content(put, choose, tmp_path, scheme):
    url = f"{scheme}://bucket/in/a.csv"
    put("a.csv", "b.csv")
    first = choose(url)
    (path,) = first.csv.paths
    assert Path(path).read_bytes() == CSV
    assert path.startswith(f"{tmp_path}/output/inputs/")
    assert (first.origin, first.url, first.digest) == ("given", url, data_digest([path]))
    assert first.description == f"{url} · by --data"
    assert choose(url) == first
    put("a.csv", content=CSV + b"Three,1\n")
    second = choose(url)
    assert second.csv.paths != first.csv.paths
    assert second.digest != first.digest
    assert Path(path).read_bytes() == CSV, "a run may be reading it"
    assert sum(1 for copy in (tmp_path / "output" / "inputs").iterdir()) == 2


def test_data_to_evaluate_by_is_copied_as_the_data_is(put, choose, tmp_path):
    put("a.csv")
    put("b.csv", content=CSV + "三,1\n".encode())
    source = choose("s3://bucket/in/a.csv", "data.eval_data=s3://bucket/in/b.csv")
    train, held_out = source.paths
    assert all(path.startswith(f"{tmp_path}/output/inputs/") for path in source.paths)
    assert source.digest == data_digest([train], [held_out])
    assert source.eval_csv and source.eval_csv.location == held_out
    put("b.csv")
    with pytest.raises(InputError, match="--eval-data must be no part of --data"):
        choose("s3://bucket/in/a.csv", "data.eval_data=s3://bucket/in/b.csv")


def test_answers_to_labels_are_copied_as_the_data_is(put, choose, tmp_path):
    put("a.csv")
    put("fixes.csv", content=b"title,answer\nOne,0\n")
    source = choose("s3://bucket/in/a.csv", "data.label_fixes=s3://bucket/in/fixes.csv")
    assert source.label_fixes
    (copy,) = source.label_fixes.paths
    assert copy.startswith(f"{tmp_path}/output/inputs/")
    assert source.digest == data_digest(source.csv.paths, fix_paths=[copy])


def test_google_cloud_storage_is_read_in_the_same_way(choose):
    with gcs_server() as buckets:
        buckets["bucket"]["in/a.csv"] = CSV
        source = choose("gs://bucket/in/a.csv")
    assert source.digest == data_digest(source.csv.paths)


def test_of_a_folder_the_csv_files_are_copied(put, choose, tmp_path):
    put("a.csv", "b.csv.gz", "notes.txt", "deeper/c.csv", content=CSV)
    put("b.csv.gz", content=subprocess.run(["gzip", "-c"], input=CSV, capture_output=True, check=True).stdout)
    source = choose("s3://bucket/in/")
    assert [path.rpartition("/")[2] for path in source.csv.paths] == ["a.csv", "b.csv.gz"]
    assert source.description == "2 files in s3://bucket/in/ · by --data"
    copied = {path.name for path in (tmp_path / "output" / "inputs").rglob("*") if path.is_file()}
    assert copied == {"a.csv", "b.csv.gz"}


def test_of_spans_those_are_copied_that_are_taken(put, choose, tmp_path):
    put("2026-11-01/a.csv", "2026-11-02/a.csv", "2026-11-02/b.csv", "2026-11-03/a.csv", "latest/a.csv")
    source = choose("s3://bucket/in/{DATE}/*.csv", "data.window_spans=2")
    assert [path.split("/")[-2:] for path in source.csv.paths] == [
        ["2026-11-02", "a.csv"],
        ["2026-11-02", "b.csv"],
        ["2026-11-03", "a.csv"],
    ]
    assert source.description == "3 files in s3://bucket/in/{DATE}/*.csv · spans 2026-11-02, 2026-11-03 · by --data"
    assert len([*(tmp_path / "output" / "inputs").rglob("*.csv")]) == 3
    earlier = choose("s3://bucket/in/{DATE}/*.csv", "data.last_span=2026-11-01")
    assert [path.split("/")[-2:] for path in earlier.csv.paths] == [["2026-11-01", "a.csv"]]


@pytest.mark.parametrize(
    ("url", "overrides", "error", "message"),
    [
        ("s3://bucket/in/gone.csv", (), StoreError, "Received: s3://bucket/in/gone.csv: nothing is there"),
        ("s3://gone/a.csv", (), StoreError, "Received: s3://gone/a.csv: "),
        ("s3://bucket/in/x*.csv", (), InputError, "Received: s3://bucket/in/x*.csv, a pattern that matches no file"),
        ("s3://bucket/in/{DAY}.csv", (), InputError, "Received: {DAY} in s3://bucket/in/{DAY}.csv"),
        ("s3://bucket/in/folder", (), InputError, "Received: s3://bucket/in/folder, which holds neither"),
        ("s3://bucket/in/a.csv", ("data.window_spans=2",), InputError, "for s3://bucket/in/a.csv, which has none"),
        ("s3://bucket/in/{SPAN}.csv", ("data.last_span=9",), InputError, "Received: 9 for s3://bucket/in/{SPAN}.csv"),
        ("s3://", (), StoreError, "Received: s3://: it names no bucket"),
    ],
)
def test_what_is_not_there_leaves_no_output(put, choose, tmp_path, url, overrides, error, message):
    put("a.csv", "1.csv", "folder/notes.txt")
    with pytest.raises(error) as raised:
        choose(url, *overrides)
    assert raised.value.exit_code == 2
    assert message in str(raised.value)
    assert not (tmp_path / "output").exists()


def test_a_file_without_the_columns_is_named(put, choose):
    put("a.csv", content=b"headline,label\nOne,1\n")
    with pytest.raises(InputError, match=r"/a\.csv:1: the first line must have .* 'title' and 'label'"):
        choose("s3://bucket/in/a.csv")


def test_an_output_that_cannot_be_written_is_the_output_s_error(put, choose, tmp_path):
    put("a.csv")
    (tmp_path / "output").write_text("in the way")
    with pytest.raises(OutputError, match="The output must be a folder that can be written"):
        choose("s3://bucket/in/a.csv")


def test_a_run_of_data_that_is_not_there_ends_with_2_and_a_sentence(s3, answer):
    ended = answer("run", "--data", "s3://bucket/gone.csv")
    assert ended.returncode == 2
    assert "The store must hold what the URL names. Received: s3://bucket/gone.csv" in ended.stderr
    assert "Traceback" not in ended.stderr
