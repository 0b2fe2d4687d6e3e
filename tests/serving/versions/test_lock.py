"""A folder that cannot be written is one message; one writer at a time works there."""

import os
import threading
import time

import pytest

from serving.versions.lock import claim_folder
from serving.versions.push import PUSHED, push_model
from serving.versions.rollback import restore_version
from serving.versions.version_folder import PushError, list_versions, read_card
from tests.serving.versions.killed_pushes import push_child
from trainer import saved_model


def names(folder):
    return sorted(place.name for place in folder.iterdir())


def enlarge(model, size):
    (model / "variables" / "variables.data-00000-of-00001").write_bytes(os.urandom(size))
    return model


def test_a_full_disk_is_one_message_and_leaves_what_was_served(small_disk, model):
    disk = small_disk(1 << 20)
    serving = disk / "clickbait"
    push_model(model("small"), serving, run_id="r1", fingerprint="f1", keep_versions=5)
    (served,) = list_versions(serving)
    large = enlarge(model("large"), 2 << 20)
    with pytest.raises(PushError, match="No space left on device") as raised:
        push_model(large, serving, run_id="r2", fingerprint="f1", keep_versions=5)
    assert raised.value.exit_code == 1
    assert "must have room for a whole new version. Received: " in str(raised.value)
    assert "untouched: free some space" in str(raised.value)
    assert names(serving) == [str(served)]
    assert read_card(serving, served).digest == saved_model.digest(serving / str(served))
    fits = enlarge(model("fits"), 1 << 18)
    assert push_model(fits, serving, run_id="r3", fingerprint="f1", keep_versions=5).outcome == PUSHED


def test_a_file_too_large_for_the_system_is_the_same(push, model, serving):
    served = push("one").version
    code, said = push_child(enlarge(model("large"), 1 << 20), serving, file_bytes=1 << 16)
    assert (code, names(serving)) == (1, [str(served)])
    assert "File too large" in said


def test_a_read_only_folder_is_the_caller_s_mistake(small_disk, model):
    serving = small_disk(1 << 20, "ro") / "clickbait"
    with pytest.raises(PushError, match="Read-only file system") as raised:
        push_model(model("one"), serving, run_id="r1", fingerprint="f1", keep_versions=5)
    assert raised.value.exit_code == 2
    assert "make it writable" in str(raised.value)


def test_a_folder_that_became_read_only_still_serves_and_rolls_nothing_back(small_disk, model):
    disk = small_disk(1 << 20)
    for name in ("one", "two"):
        push_model(model(name), disk / "m", run_id="r1", fingerprint="f1", keep_versions=5)
    before = names(disk / "m")
    assert os.system(f"mount -o remount,ro {disk}") == 0
    with pytest.raises(PushError, match="Read-only") as raised:
        restore_version(disk / "m")
    assert raised.value.exit_code == 2
    assert names(disk / "m") == before


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_where_the_folder_should_be_is_the_caller_s_mistake(tmp_path, model, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PushError) as raised:
        push_model(model("one"), tmp_path / place, run_id="r1", fingerprint="f1", keep_versions=5)
    assert raised.value.exit_code == 2


def test_an_object_store_is_refused_with_what_to_do(model):
    with pytest.raises(
        PushError, match=r"must be on a filesystem, which has locks. Received: gs://bucket/m.*saved_model.pb last"
    ) as raised:
        push_model(model("one"), "gs://bucket/m", run_id="r1", fingerprint="f1", keep_versions=5)
    assert raised.value.exit_code == 2


def test_a_second_writer_waits_for_the_first(push, serving):
    push("one")
    finished = []
    with claim_folder(serving):
        second = threading.Thread(target=lambda: (push("two"), finished.append(time.monotonic())))
        second.start()
        time.sleep(0.3)
        released = time.monotonic()
        assert finished == []
    second.join()
    assert finished[0] >= released
    assert len(list_versions(serving)) == 2


def test_a_second_writer_gives_up_in_the_end(serving):
    with (
        claim_folder(serving),
        pytest.raises(PushError, match="by one push or rollback at a time"),
        claim_folder(serving, patience=0.2),
    ):
        pass


def test_the_lock_leaves_nothing_in_the_folder(serving):
    with claim_folder(serving):
        assert names(serving) == []
    assert names(serving) == []
