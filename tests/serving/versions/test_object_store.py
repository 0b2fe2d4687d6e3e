"""In an object store a version is never to be seen without its model, and is pushed as into a folder otherwise."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid

import fsspec
import pytest

from serving.versions import version_folder
from serving.versions.object_store import fetch_version, newest_blessed, push_to_store, read_versions
from serving.versions.push import PUSHED, ROLLED_BACK, UNCHANGED
from serving.versions.stores import StoreError
from serving.versions.version_folder import PushError, VersionCard
from tests.helpers.object_stores import NOT_ALLOWED, gcs_server, s3_server

GRAPH, WEIGHTS = "saved_model.pb", "variables/variables.data-00000-of-00001"


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/serving/clickbait"


@pytest.fixture
def store():
    return fsspec.filesystem("memory")


@pytest.fixture
def push(model, url):
    def push(weights: str, keep: int = 5):
        return push_to_store(model(weights), url, run_id=f"run-{weights}", fingerprint="f1", keep_versions=keep)

    return push


@pytest.fixture
def names(store, url):
    """Returns a function that lists all files below the serving folder."""

    def names() -> list[str]:
        root = store._strip_protocol(url)
        return sorted(place.removeprefix(f"{root}/") for place in store.find(root))

    return names


def read_card(store, url, version) -> VersionCard:
    return version_folder.parse_card(store.cat_file(f"{url}/{version}/assets.extra/clickbait.json"))


def test_a_model_becomes_a_whole_version_with_a_card(push, store, url, names):
    outcome, version = push("one")
    assert outcome == PUSHED
    assert store.cat_file(f"{url}/{version}/{WEIGHTS}") == b"one"
    assert read_card(store, url, version).run_id == "run-one"
    assert {name.split("/")[0] for name in names()} == {str(version)}


def test_the_same_model_is_pushed_once_and_another_becomes_a_higher_version(push):
    first = push("one")
    assert push("one") == (UNCHANGED, first.version)
    second = push("two")
    assert second.outcome == PUSHED
    assert second.version > first.version
    assert push("one").version > second.version


def test_a_damaged_newest_version_is_pushed_anew(push, store, url):
    first = push("one")
    store.rm_file(f"{url}/{first.version}/{WEIGHTS}")
    assert push("one").outcome == PUSHED


@pytest.mark.parametrize("name", [WEIGHTS, "variables/variables.index"])
def test_a_version_that_lost_its_variables_is_marked_is_no_baseline_and_is_not_fetched(
    push, store, url, tmp_path, name
):
    first, second = push("one").version, push("two").version
    store.rm_file(f"{url}/{second}/{name}")
    cards, faults = read_versions(url)
    assert [card.run_id for card in cards.values()] == ["run-one", "run-two"]
    assert faults[first] is None and "variables/variables." in faults[second]
    assert newest_blessed(url) == first
    with pytest.raises(StoreError, match=f"whole. Received: {url}/{second}: .*variables/variables"):
        fetch_version(url, str(second), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_without_its_variables_becomes_no_version(push, model, names):
    (model("one") / WEIGHTS).unlink()
    with pytest.raises(PushError, match="it has 0 of 1 files"):
        push("one")
    assert names() == []


def test_the_graph_comes_last_and_no_number_is_seen_before_all_is_uploaded(push, store, names, monkeypatch):
    seen = []
    copy = type(store).cp_file

    def watch(self, source, destination, **options):
        copy(self, source, destination, **options)
        seen.append((destination, names()))

    monkeypatch.setattr(type(store), "cp_file", watch)
    version = push("one").version
    assert seen[-1][0].endswith(f"{version}/{GRAPH}")
    assert not any(f"{version}/{GRAPH}" in there for _, there in seen[:-1])
    assert f"{version}/{WEIGHTS}" in seen[-2][1]
    staged = {name.split("/", 1)[1] for name in seen[0][1] if name.startswith(".pushing-")}
    assert staged == {name.split("/", 1)[1] for name in names()}


def test_a_push_that_breaks_off_leaves_no_version_and_nothing_behind(push, store, names, monkeypatch):
    first = push("one").version
    before = names()
    copy = type(store).cp_file

    def fail(self, source, destination, **options):
        if destination.endswith(GRAPH):
            raise OSError("connection reset")
        copy(self, source, destination, **options)

    monkeypatch.setattr(type(store), "cp_file", fail)
    with pytest.raises(PushError, match=r"Received: memory://.*connection reset.*untouched") as raised:
        push("two")
    assert raised.value.exit_code == 1
    assert names() == before
    assert push("one") == (UNCHANGED, first)


def test_bytes_that_did_not_arrive_are_found_out(push, store, names, monkeypatch):
    monkeypatch.setattr(type(store), "put_file", lambda self, source, place, **_: self.pipe_file(place, b""))
    with pytest.raises(PushError, match=r"which differs in saved_model.pb, variables/"):
        push("one")
    assert names() == []


def test_what_a_killed_push_left_is_removed_an_hour_later_and_not_before(push, store, url, names):
    now = int(time.time())
    for number in (now - 10, now - 4000):
        store.pipe_file(f"{url}/.pushing-{number}/{WEIGHTS}", b"half")
        store.pipe_file(f"{url}/{number}/{WEIGHTS}", b"half")
    version = push("one").version
    assert {name.split("/")[0] for name in names()} == {f".pushing-{now - 10}", str(now - 10), str(version)}


def test_markers_of_folders_are_neither_of_a_version_nor_fetched(push, store, url, tmp_path):
    version = push("one").version
    root = store._strip_protocol(url)
    for marker in (f"{root}/", f"{root}/{version}/", f"{root}/{version}/variables/"):
        store.store[marker] = type(store.store[f"{root}/{version}/{GRAPH}"])(store, marker, b"")
    assert push("one") == (UNCHANGED, version)
    assert newest_blessed(url) == version
    fetch_version(url, str(version), tmp_path / "fetched")
    assert (tmp_path / "fetched" / WEIGHTS).read_bytes() == b"one"


def test_the_oldest_versions_go_their_graphs_first(push, store, names, monkeypatch):
    graphs = {}
    remove = type(store).rm

    def watch(self, path, **options):
        graphs[path.rpartition("/")[2]] = self.exists(f"{path}/{GRAPH}")
        remove(self, path, **options)

    pushed = [push(f"{number}", keep=2).version for number in range(2)]
    monkeypatch.setattr(type(store), "rm", watch)
    pushed += [push(f"{number}", keep=2).version for number in range(2, 4)]
    assert {name.split("/")[0] for name in names()} == {*map(str, pushed[-2:])}
    assert [graphs[str(version)] for version in pushed[:2]] == [False, False]


def test_versions_of_strangers_are_left(push, store, url, names):
    store.pipe_file(f"{url}/3/{GRAPH}", b"a stranger's")
    for number in range(4):
        push(f"{number}", keep=2)
    assert f"3/{GRAPH}" in names()


def test_a_model_that_was_rolled_back_is_not_pushed(push, store, url):
    bad = push("bad")
    card = read_card(store, url, bad.version)
    good = dataclasses.asdict(VersionCard("sha256:good", "r", "f", "now", withdrawn=(card.digest,)))
    store.pipe_file(f"{url}/{bad.version + 1}/{GRAPH}", b"good")
    store.pipe_file(f"{url}/{bad.version + 1}/assets.extra/clickbait.json", json.dumps(good).encode())
    assert push("bad") == (ROLLED_BACK, bad.version)
    newest = push("other").version
    assert read_card(store, url, newest).withdrawn == (card.digest,)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PermissionError("Access Denied"), 2, "The store must allow it"),
        (FileNotFoundError("The specified bucket does not exist"), 2, "Check the names of bucket and path"),
        (OSError("connection reset"), 1, "The served versions are untouched: run again"),
        (ImportError("Install s3fs to access S3"), 2, "fsspec's package for memory:// must be installed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_store_that_cannot_be_used_is_explained(push, store, monkeypatch, error, code, said):
    def fail(self, *_, **__):
        raise error

    monkeypatch.setattr(type(store), "put_file", fail)
    with pytest.raises(PushError, match=r"Received: memory://") as raised:
        push("one")
    assert raised.value.exit_code == code
    assert said in str(raised.value)


def test_a_store_that_nobody_knows_is_explained(model):
    with pytest.raises(PushError, match="Received: nowhere://bucket/clickbait") as raised:
        push_to_store(model("one"), "nowhere://bucket/clickbait", run_id="r", fingerprint="f", keep_versions=5)
    assert raised.value.exit_code == 2


def test_the_newest_blessed_version_is_fetched_whole(push, url, tmp_path):
    push("one")
    _, newest = push("two")
    assert newest_blessed(url) == newest
    fetch_version(url, str(newest), tmp_path / "model")
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == b"two"
    assert (tmp_path / "model" / GRAPH).is_file()


def test_a_version_by_its_number_is_fetched(push, url, tmp_path):
    _, first = push("one")
    push("two")
    fetch_version(url, str(first), tmp_path / "model")
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == b"one"


def test_neither_a_stranger_nor_a_withdrawn_model_is_a_baseline(push, store, url):
    _, first = push("one")
    _, second = push("two")
    card = read_card(store, url, second)
    withdrawn = dataclasses.replace(card, withdrawn=(card.digest,))
    store.pipe_file(f"{url}/{second}/assets.extra/clickbait.json", json.dumps(dataclasses.asdict(withdrawn)).encode())
    store.pipe_file(f"{url}/{second + 1}/{GRAPH}", b"a stranger's")
    assert newest_blessed(url) == first


def test_where_there_is_no_version_none_is_the_newest(url):
    assert newest_blessed(url) is None


def test_a_version_that_is_gone_is_an_error(push, url, tmp_path):
    push("one")
    with pytest.raises(StoreError, match="no version 7"):
        fetch_version(url, "7", tmp_path / "model")


# ---- By the packages of S3 and of Google Cloud Storage, against servers


@pytest.fixture(scope="module")
def bucket_on_s3():
    with s3_server():
        yield "s3://bucket"


@pytest.fixture(scope="module")
def bucket_on_gcs():
    with gcs_server():
        yield "gs://bucket"


@pytest.fixture
def bucket(request):
    return request.getfixturevalue(request.param)


real = pytest.mark.parametrize("bucket", ["bucket_on_s3", "bucket_on_gcs"], indirect=True)


def push_at(url, folder, keep=2):
    return push_to_store(folder, url, run_id="r", fingerprint="f", keep_versions=keep)


@real
def test_versions_are_pushed_kept_removed_and_fetched(model, bucket, tmp_path):
    url = f"{bucket}/{uuid.uuid4().hex}/clickbait"
    store, root = fsspec.core.url_to_fs(url)
    large = model("large")
    (large / WEIGHTS).write_bytes(bytes(range(256)) * (6 << 12))  # in parts, where a store uploads so
    pushed = [push_at(url, folder) for folder in (model("one"), large, model("two"))]
    assert [outcome for outcome, _ in pushed] == [PUSHED, PUSHED, PUSHED]
    assert push_at(url, model("two")) == (UNCHANGED, pushed[-1].version)
    store.invalidate_cache()
    there = {name.removeprefix(f"{root}/").partition("/")[0] for name in store.find(root)}
    assert there == {str(version) for _, version in pushed[1:]}
    assert newest_blessed(url) == pushed[-1].version
    fetch_version(url, str(pushed[-1].version), tmp_path / "latest")
    assert (tmp_path / "latest" / WEIGHTS).read_bytes() == b"two"
    fetch_version(url, str(pushed[1].version), tmp_path / "large")
    assert (tmp_path / "large" / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()


@real
def test_a_push_that_breaks_off_on_a_server_leaves_what_was_there(model, bucket, monkeypatch):
    url = f"{bucket}/{uuid.uuid4().hex}/clickbait"
    store, root = fsspec.core.url_to_fs(url)
    first = push_at(url, model("one")).version
    copy = store.cp_file

    def fail(source, destination, **options):
        if destination.endswith(GRAPH):
            raise OSError("connection reset")
        copy(source, destination, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store, "cp_file", fail)  # fsspec keeps one for all
        with pytest.raises(PushError, match="connection reset"):
            push_at(url, model("two"))
    store.invalidate_cache()
    assert {name.removeprefix(f"{root}/").partition("/")[0] for name in store.find(root)} == {str(first)}
    assert push_at(url, model("one")) == (UNCHANGED, first)


def test_a_bucket_that_may_not_be_read_is_explained(model, bucket_on_gcs, tmp_path):
    url = f"gs://{NOT_ALLOWED}/clickbait"
    with pytest.raises(PushError, match=r"The store must allow it. Received: gs://.*untouched") as raised:
        push_at(url, model("one"))
    assert raised.value.exit_code == 2
    with pytest.raises(StoreError, match="The store must allow it"):
        newest_blessed(url)


def test_a_copy_that_the_store_makes_in_steps_is_waited_for(model, bucket_on_gcs):
    store = fsspec.filesystem("gs")
    store.pipe_file("bucket/steps/a", b"a")
    store.cp_file("bucket/steps/a", "bucket/steps/b")
    assert store.cat_file("bucket/steps/b") == b"a"
