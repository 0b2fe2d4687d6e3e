"""A file is written whole or stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.whole_file import write_whole


@pytest.mark.parametrize("content", ["ü\n", "ü\n".encode()])
@pytest.mark.parametrize("flush", [False, True])
def test_text_and_bytes(tmp_path, content, flush):
    write_whole(tmp_path / "file", content, flush=flush)
    assert (tmp_path / "file").read_bytes() == "ü\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    file = tmp_path / "file"
    file.write_text("before")
    file.chmod(0o640)
    write_whole(file, "after")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("after", 0o640)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "after")
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "gone" / "file", "text")
