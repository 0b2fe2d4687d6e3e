"""What a machine lacks for `make test-flink` is said; nothing is downloaded here."""

from __future__ import annotations

import pytest

from tests.flink import downloads


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKBAIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Sets the version of the Java in JAVA_HOME."""

    def install(version: str) -> None:
        program = tmp_path / "bin" / "java"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    return install


def test_nothing_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(downloads, "_pip", list)
    java, maven, pip = downloads.missing_tools()
    assert java == "Java 11 or 17 (here: none; JAVA_HOME names another)"
    assert maven == "Maven (mvn)" and pip.startswith("pip ")


@pytest.mark.parametrize("version", ["11.0.2", "17.0.15"])
def test_a_java_that_flink_runs_on(java, version):
    java(version)
    assert not any(tool.startswith("Java") for tool in downloads.missing_tools())


def test_another_java_is_named(java):
    java("25.0.1")
    assert downloads.missing_tools()[0].startswith("Java 11 or 17 (here: 25;")


def test_what_was_downloaded_needs_no_tool(java, monkeypatch):
    java("17.0.15")
    monkeypatch.setattr(downloads.shutil, "which", lambda name: name if name.endswith("java") else None)
    monkeypatch.setattr(downloads, "_pip", list)
    for folder in (downloads._flink_folder(), downloads._beam_folder()):
        folder.mkdir(parents=True)
    assert downloads.missing_tools() == []


def test_a_download_that_fails_leaves_nothing(tmp_path):
    def fail(folder, scratch):
        (folder / "half.jar").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        downloads._fill(tmp_path / "jars", fail)
    assert not (tmp_path / "jars").exists()
