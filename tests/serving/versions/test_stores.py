"""What stores hold besides files, and how they fail."""

from __future__ import annotations

import uuid

import fsspec
import pytest

from serving.versions.stores import find_sizes, store_errors


@pytest.fixture
def place():
    """A folder of a store with a file and the markers that a console leaves."""
    store, place = fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"
    store.pipe_file(f"{place}/sub/file.csv", b"abc")
    for marker in (f"{place}/", f"{place}/sub/"):
        store.store[marker] = type(store.store[f"{place}/sub/file.csv"])(store, marker, b"")
    return store, place


def test_a_marker_of_a_folder_is_no_file(place):
    store, folder = place
    assert {*store.find(folder)} > {f"{folder}/sub/file.csv"}, "this store hides its markers"
    assert find_sizes(store, folder) == {f"{folder}/sub/file.csv": 3}


def test_a_file_is_its_own_and_nothing_is_nothing(place):
    store, folder = place
    assert find_sizes(store, f"{folder}/sub/file.csv") == {f"{folder}/sub/file.csv": 3}
    assert find_sizes(store, f"{folder}/gone") == {}


def test_an_endpoint_that_is_not_there_is_an_error_of_the_store():
    exceptions = pytest.importorskip("botocore.exceptions")
    with pytest.raises(store_errors()):
        raise exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
