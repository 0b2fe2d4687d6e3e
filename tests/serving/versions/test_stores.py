"""What stores hold besides files, how they fail, and what a person reads then."""

from __future__ import annotations

import sys
import uuid

import fsspec
import pytest

from serving.versions import stores
from serving.versions.stores import StoreError, download, find_names, find_sizes, open_store, store_errors
from tests.helpers.object_stores import NOT_ALLOWED, UNKNOWN_CALLER, gcs_server, s3_server


@pytest.fixture
def place():
    """A folder of a store with a file and the markers that a console leaves."""
    store, place = fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"
    store.pipe_file(f"{place}/sub/file.csv", b"abc")
    for marker in (f"{place}/", f"{place}/sub/"):
        store.store[marker] = type(store.store[f"{place}/sub/file.csv"])(store, marker, b"")
    return store, place


@pytest.fixture(scope="module")
def s3():
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def gcs():
    with gcs_server() as buckets:
        yield buckets


def test_a_marker_of_a_folder_is_no_file(place):
    store, folder = place
    assert {*store.find(folder)} > {f"{folder}/sub/file.csv"}, "this store hides its markers"
    assert find_sizes(store, folder) == {f"{folder}/sub/file.csv": 3}


def test_a_file_is_its_own_and_nothing_is_nothing(place):
    store, folder = place
    assert find_sizes(store, f"{folder}/sub/file.csv") == {f"{folder}/sub/file.csv": 3}
    assert find_sizes(store, f"{folder}/gone") == {}
    assert find_names(store, folder) == {"sub/file.csv": f"{folder}/sub/file.csv"}
    assert find_names(store, f"{folder}/sub/file.csv") == {"": f"{folder}/sub/file.csv"}


@pytest.mark.parametrize("name", ["../out.csv", "a//b.csv", "a/../../out.csv", "./a.csv"])
def test_a_name_that_leads_out_of_a_folder_is_refused(gcs, tmp_path, name):
    gcs["bucket"][f"odd/{name}"] = b""
    try:
        with pytest.raises(StoreError, match="which no folder can hold"):
            download("gs://bucket/odd", tmp_path / "in")
    finally:
        del gcs["bucket"][f"odd/{name}"]
    assert not (tmp_path / "in").exists()


def test_files_of_google_cloud_storage_are_downloaded(gcs, tmp_path):
    gcs["bucket"].update({"in/": b"", "in/a.csv": b"a", "in/deep/b.csv": b"b", "in-other/c.csv": b"c"})
    download("gs://bucket/in", tmp_path / "in")
    assert {path.name for path in (tmp_path / "in").rglob("*.csv")} == {"a.csv", "b.csv"}
    download("gs://bucket/in/a.csv", tmp_path / "file.csv")
    assert (tmp_path / "file.csv").read_bytes() == b"a"


def test_minio_is_s3_at_the_address_in_the_environment(s3, tmp_path):
    fsspec.filesystem("s3").pipe_file("bucket/a.csv", b"a")
    download("minio://bucket/a.csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("url", "module", "extra"), [("s3", "s3fs", "s3"), ("minio", "s3fs", "s3"), ("gs", "gcsfs", "gcs")]
)
def test_a_package_that_is_not_installed_is_named_by_its_extra(monkeypatch, url, module, extra):
    registry = sys.modules["fsspec.registry"]  # fsspec.registry is its mapping
    for protocol in ("s3", "gs"):
        monkeypatch.delitem(registry._registry, protocol, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError) as raised, stores.explained(f"{url}://bucket/a"):
        open_store(f"{url}://bucket/a")
    assert raised.value.exit_code == 2
    assert f"fsspec's package for {url}:// must be installed. Received: {url}://bucket/a" in str(raised.value)
    assert str(raised.value).endswith(f"Give: pip install 'clickbait-tfx[{extra}]'.")


@pytest.mark.parametrize("url", ["s3://", "gs:///", "nowhere://bucket/a"])
def test_a_url_that_leads_to_no_store(url):
    with pytest.raises(StoreError, match=f"Received: {url}"), stores.explained(url):
        open_store(url)


@pytest.mark.parametrize(
    ("bucket", "reason", "way_out"),
    [
        (UNKNOWN_CALLER, "Anonymous caller does not have", "Give credentials .* set GOOGLE_APPLICATION_CREDENTIALS"),
        (NOT_ALLOWED, "does not have storage.objects.list access", "Give credentials that have the right"),
        ("gone", "nothing is there", "Check the names of bucket and path"),
    ],
)
def test_what_google_cloud_storage_refuses_is_explained(gcs, tmp_path, bucket, reason, way_out):
    with pytest.raises(StoreError, match=f"Received: gs://{bucket}/a.csv: .*{reason}.*{way_out}"):
        download(f"gs://{bucket}/a.csv", tmp_path / "a.csv")


@pytest.fixture
def aws(s3, monkeypatch):
    """Returns a function that sets variables of the environment, or removes them, before S3 is connected."""
    files = fsspec.get_filesystem_class("s3")

    def change(**variables: str | None) -> None:
        for name, value in variables.items():
            monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
        files.clear_instance_cache()

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield change
    files.clear_instance_cache()


@pytest.mark.parametrize(
    ("variables", "way_out"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Check the network and AWS_ENDPOINT_URL"),
        ({}, "Check the names of bucket and path"),
    ],
    ids=["no credentials", "wrong endpoint", "not there"],
)
def test_what_s3_refuses_is_explained(aws, tmp_path, variables, way_out):
    aws(**variables)
    with pytest.raises(StoreError, match=f"Received: s3://bucket/gone.csv: .*{way_out}"):
        download("s3://bucket/gone.csv", tmp_path / "a.csv")


def test_an_endpoint_that_is_not_there_is_an_error_of_the_store():
    exceptions = pytest.importorskip("botocore.exceptions")
    with pytest.raises(store_errors()):
        raise exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
