"""No archive writes outside its folder, or fills the memory or the disk, whatever its headers say."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from types import SimpleNamespace

import pytest

from trainer.encoders import archives
from trainer.encoders.archives import is_archive, unpack
from trainer.encoders.errors import EncoderError


def refused(archive, target) -> str:
    with pytest.raises(EncoderError) as raised:
        unpack(archive, target)
    assert [path for path in target.parent.iterdir() if path != archive] == []
    return str(raised.value)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [1 << 35, 1 << 60])
def test_a_file_of_terabytes_is_refused_before_it_is_written(tmp_path, size):
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(header("saved_model.pb", size) + bytes(1 << 20)))
    assert "must hold at most 17,179,869,184 bytes" in refused(tmp_path / "bomb.tar.gz", tmp_path / "model")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_without_end_is_not_read_to_it(tmp_path, kind):
    content = header("x", 1 << 34, kind) + bytes(40 << 20)
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(content))
    with pytest.raises(EncoderError, match="must have 1,048,576 bytes at most between its files"):
        is_archive(tmp_path / "bomb.tar.gz")
    assert "between its files" in refused(tmp_path / "bomb.tar.gz", tmp_path / "model")


def test_what_follows_the_end_is_not_read_to_its_end(tmp_path):
    content = header("saved_model.pb", 0) + bytes(1024) + bytes(40 << 20)
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(content))
    assert "between its files" in refused(tmp_path / "bomb.tar.gz", tmp_path / "model")


def test_a_million_files_are_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 20)
    (tmp_path / "bomb.tar").write_bytes(b"".join(header(f"a{number}", 0) for number in range(21)) + bytes(1024))
    assert "at most 20 files and folders" in refused(tmp_path / "bomb.tar", tmp_path / "model")


def test_the_last_gigabyte_of_the_disk_stays_free(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 29))
    (tmp_path / "model.tar").write_bytes(header("saved_model.pb", 0) + bytes(1024))
    assert "must keep 1,073,741,824 bytes free" in refused(tmp_path / "model.tar", tmp_path / "model")


def test_a_file_that_the_disk_has_no_room_for_is_refused_before_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 30))
    (tmp_path / "model.tar").write_bytes(header("saved_model.pb", (2 << 30) + 1) + bytes(1024))
    assert "and 2,147,483,649 that come next" in refused(tmp_path / "model.tar", tmp_path / "model")


def test_a_name_of_a_file_and_of_a_folder_is_damage(tmp_path):
    (tmp_path / "clash.tar").write_bytes(header("a", 0) + header("a/b", 0) + bytes(1024))
    assert "damaged" in refused(tmp_path / "clash.tar", tmp_path / "model")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_no_link_and_no_device_is_made(tmp_path, kind):
    (tmp_path / "evil.tar").write_bytes(header("variables", 0, kind) + bytes(1024))
    assert "below its own root only" in refused(tmp_path / "evil.tar", tmp_path / "model")


def test_a_sparse_file_is_refused(tmp_path):
    member = tarfile.TarInfo("a")
    member.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1"}
    member.pax_headers["GNU.sparse.size"] = str(1 << 40)
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as members:
        members.addfile(member, io.BytesIO())
    assert "below its own root only" in refused(tmp_path / "sparse.tar", tmp_path / "model")


def test_a_large_file_comes_whole(tmp_path):
    content = bytes(range(256)) * 20_000
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as members:
        for name in ("a", "b/c"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    unpack(tmp_path / "model.tar.gz", tmp_path / "model")
    assert [(tmp_path / "model" / name).read_bytes() == content for name in ("a", "b/c")] == [True, True]
