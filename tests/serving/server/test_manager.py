"""The life of versions, with models that need no TensorFlow."""

from __future__ import annotations

import logging
import shutil
import threading

import grpc
import pytest

from serving.server.config import ModelConfig, Policy
from serving.server.errors import ServingError, StartError, invalid_argument
from serving.server.manager import LoadRetry, VersionManager
from serving.server.states import State


class FakeModel:
    """Loads when its folder holds `model`; what that says is its error."""

    def __init__(self, version, path):
        if not (path / "model").exists():
            raise invalid_argument(f"nothing in {path.name}")
        if (path / "model").read_text():
            raise ValueError((path / "model").read_text())
        self.version, self.closed = version, False

    def close(self):
        assert not self.closed
        self.closed = True


class Folder:
    """A folder of versions and the manager that follows it."""

    def __init__(self, path, policy=Policy(), **retry):  # noqa: B008
        self.path = path / "m"
        self.path.mkdir()
        self.config = ModelConfig("m", self.path, policy)
        self.loads = []
        self.manager = VersionManager(self.config, self._load, LoadRetry(**retry))

    def _load(self, version, path):
        self.loads.append(version)
        return FakeModel(version, path)

    def put(self, version, error=""):
        (self.path / str(version)).mkdir()
        (self.path / str(version) / "model").write_text(error)
        return self

    def remove(self, version):
        shutil.rmtree(self.path / str(version))
        return self

    def poll(self):
        self.manager.poll()
        return self

    @property
    def states(self):
        return {status.version: status.state.name for status in self.manager.statuses("m")}

    def serves(self, version=None, label=None):
        with self.manager.acquire("m", version, label) as model:
            return model.version


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_the_latest_version_serves(folder):
    folder.put(1).put(3).put(2).poll()
    assert folder.states == {3: "AVAILABLE"} and folder.serves() == folder.serves(3) == 3


def test_a_new_version_takes_over(folder):
    folder.put(1).poll().put(2).poll()
    assert folder.states == {2: "AVAILABLE", 1: "END"} and folder.serves() == 2
    with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(m, 1\)"):
        folder.serves(1)


def test_the_states_are_told_newest_first_and_by_name(folder):
    folder.put(1).poll().put(2).poll()
    assert [status.version for status in folder.manager.statuses("m")] == [2, 1]
    assert folder.manager.statuses("x") == []


def test_a_version_starts_while_another_is_loaded(tmp_path):
    folder = Folder(tmp_path, Policy(everything=True)).put(1).put(2)
    seen = []
    original = folder.manager._load_version
    folder.manager._load_version = lambda *call: (seen.append(folder.states), original(*call))[1]
    folder.poll()
    assert seen == [{2: "LOADING", 1: "START"}, {2: "AVAILABLE", 1: "LOADING"}]


def test_a_failing_version_leaves_the_older_one(folder, caplog):
    folder.put(1).poll().put(2, "broken weights").poll().poll()
    assert folder.states == {2: "LOADING", 1: "AVAILABLE"} and folder.serves() == 1
    (status, _) = folder.manager.statuses("m")
    assert status.error.code is grpc.StatusCode.INTERNAL and "broken weights" in status.error.message
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_a_failed_load_is_tried_again_and_given_up(tmp_path):
    folder = Folder(tmp_path, times=2, seconds=0).put(1, "broken")
    for _ in range(6):
        folder.poll()
    assert folder.loads == [1, 1, 1] and folder.states == {1: "END"}


def test_a_failed_load_waits_before_it_is_tried_again(tmp_path):
    folder = Folder(tmp_path, times=5, seconds=60).put(1, "broken").poll().poll()
    assert folder.loads == [1] and folder.states == {1: "LOADING"}


def test_a_version_whose_files_change_is_tried_at_once(tmp_path, caplog):
    folder = Folder(tmp_path, times=0, seconds=60)
    (folder.path / "1").mkdir()
    folder.poll().poll()
    assert folder.states == {1: "END"} and folder.loads == [1]
    (folder.path / "1" / "model").write_text("")
    folder.poll()
    assert folder.states == {1: "AVAILABLE"}


def test_a_newer_version_overtakes_a_failed_one(folder):
    folder.put(1).poll().put(2, "broken").poll().put(3).poll()
    assert folder.serves() == 3 and folder.states == {3: "AVAILABLE", 2: "END", 1: "END"}


def test_a_deleted_version_makes_room_for_the_one_before(folder):
    folder.put(1).put(2).poll().remove(2).poll()
    assert folder.serves() == 1 and folder.states == {2: "END", 1: "AVAILABLE"}


def test_a_deleted_version_goes_on_while_the_one_before_is_broken(folder):
    folder.put(1, "broken").put(2).poll().remove(2).poll()
    assert folder.serves() == 2


def test_without_any_version_nothing_serves(folder, caplog):
    folder.put(1).poll().remove(1).poll()
    assert folder.states == {1: "END"}
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        folder.serves()
    assert "waiting for one" in caplog.text


def test_a_folder_that_is_away_keeps_what_is_loaded(folder, caplog):
    folder.put(1).poll()
    folder.path.rename(folder.path.with_name("elsewhere"))
    folder.poll().poll()
    assert folder.serves() == 1
    assert caplog.text.count("cannot be read") == 1
    folder.path.with_name("elsewhere").rename(folder.path)
    folder.put(2).poll()
    assert folder.serves() == 2


def test_a_version_that_comes_back_is_loaded_anew(folder):
    folder.put(1).put(2).poll().remove(2).poll().put(2).poll()
    assert folder.serves() == 2 and folder.loads == [2, 1, 2]


def test_nothing_is_unloaded_while_it_is_used(folder):
    folder.put(1).poll()
    with folder.manager.acquire("m") as model:
        folder.put(2).poll().poll()
        assert folder.states == {2: "AVAILABLE", 1: "UNLOADING"} and not model.closed
        assert folder.serves() == 2
    folder.poll()
    assert folder.states[1] == "END" and model.closed


def test_a_version_that_is_wanted_again_while_it_is_unloaded(folder):
    folder.put(1).poll()
    with folder.manager.acquire("m"):
        folder.put(2).poll().remove(2).poll()
        assert folder.serves() == 2
    folder.poll().poll()
    assert folder.serves() == 1 and folder.states == {2: "END", 1: "AVAILABLE"}


def test_all_and_specific_policies(tmp_path):
    folder = Folder(tmp_path, Policy(everything=True)).put(1).put(2).put(3).poll()
    assert set(folder.states.values()) == {"AVAILABLE"} and (folder.serves(), folder.serves(1)) == (3, 1)
    folder.manager.reconfigure(ModelConfig("m", folder.path, Policy(specific=(1,))))
    folder.poll()
    assert folder.states == {3: "END", 2: "END", 1: "AVAILABLE"} and folder.serves() == 1


def test_a_rollback_by_policy_never_leaves_a_gap(folder):
    folder.put(1).put(2).poll()
    seen = []
    original = folder.manager._load_version
    folder.manager._load_version = lambda *call: (seen.append(folder.serves()), original(*call))[1]
    folder.manager.reconfigure(ModelConfig("m", folder.path, Policy(specific=(1,))))
    folder.poll()
    assert seen == [2] and folder.serves() == 1


def test_labels(tmp_path):
    folder = Folder(tmp_path, Policy(latest=2)).put(1).put(2).poll()
    labelled = ModelConfig("m", folder.path, Policy(latest=2), {"stable": 1, "canary": 2})
    folder.manager.reconfigure(labelled)
    assert (folder.serves(label="stable"), folder.serves(label="canary")) == (1, 2)
    with pytest.raises(ServingError, match="Unrecognized servable version label: x"):
        folder.serves(label="x")
    folder.manager.reconfigure(ModelConfig("m", folder.path, Policy(latest=2), {"stable": 2}))
    assert folder.serves(label="stable") == 2


def test_a_label_needs_a_version_that_serves(folder):
    folder.put(1).poll()
    unknown = ModelConfig("m", folder.path, Policy(), {"canary": 2})
    with pytest.raises(ServingError, match="Request to assign label to version 2 of model m, which is not currently"):
        folder.manager.reconfigure(unknown)
    folder.manager.reconfigure(unknown, unavailable_labels=True)
    with pytest.raises(ServingError, match=r"Specific\(m, 2\)"):
        folder.serves(label="canary")
    with pytest.raises(ServingError, match="version 3"):  # a label that is in use is not moved into the void
        folder.manager.reconfigure(ModelConfig("m", folder.path, Policy(), {"canary": 3}), unavailable_labels=True)


def test_another_model_is_refused(folder):
    with pytest.raises(ServingError, match="must keep its model"):
        folder.manager.reconfigure(ModelConfig("other", folder.path))


def test_waiting_for_the_first_version(folder):
    threading.Timer(0.3, lambda: folder.put(1).poll()).start()
    assert folder.manager.wait_until_available(threading.Event()) is True


def test_waiting_ends_when_the_server_is_stopped(folder):
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    assert folder.manager.wait_until_available(stopping) is False


def test_waiting_ends_when_the_first_version_is_given_up(tmp_path):
    folder = Folder(tmp_path, times=0).put(1, "broken").poll()
    with pytest.raises(StartError, match="version 1: .*broken") as caught:
        folder.manager.wait_until_available(threading.Event())
    assert caught.value.exit_code == 1


def test_many_threads_see_no_gap(folder):
    folder.put(1).poll()
    stopping, trouble = threading.Event(), []

    def use():
        while not stopping.is_set():
            try:
                with folder.manager.acquire("m") as model:
                    assert not model.closed
            except Exception as error:
                trouble.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 60):
        folder.put(number).remove(number - 1).poll()
    stopping.set()
    for thread in threads:
        thread.join()
    folder.poll()
    assert not trouble and folder.serves() == 59
    assert [status.state for status in folder.manager.statuses("m")].count(State.AVAILABLE) == 1


@pytest.fixture(autouse=True)
def logged(caplog):
    caplog.set_level(logging.INFO, "clickbait.server")
