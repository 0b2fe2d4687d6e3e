"""Flink and Beam's job server, from PyPI and a Maven registry, once, into the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from trainer.encoders.cache import cache_dir

HERE = Path(__file__).parent
_REQUIREMENTS, _POM = HERE / "requirements.txt", HERE / "pom.xml"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_JAVAS = ("11", "17")


class Jars(NamedTuple):
    """Folders of jars: Flink's, which has its own log4j, and Beam's job server with all that it needs."""

    flink: Path
    beam: Path


def find_java() -> str:
    """Returns the program of JAVA_HOME, or the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def missing_tools() -> list[str]:
    """Returns what this machine lacks to bring up a Flink, in words."""
    missing = []
    java = shutil.which(find_java())
    printed = subprocess.run([java, "-version"], capture_output=True, text=True).stderr if java else ""
    version = re.search(r'version "(\d+)', printed)
    if not version or version[1] not in _JAVAS:
        missing.append(
            f"Java {' or '.join(_JAVAS)} (here: {version[1] if version else 'none'}; JAVA_HOME names another)"
        )
    if not (_is_complete(_beam_folder()) or shutil.which("mvn")):
        missing.append("Maven (mvn)")
    if not (_is_complete(_flink_folder()) or _pip()):
        missing.append("pip (a Python on the PATH that has it)")
    return missing


def fetch_jars() -> Jars:
    """Returns the jars, downloaded where they are not there yet: 390 MB, some minutes."""
    flink, beam = _flink_folder(), _beam_folder()
    if not _is_complete(flink):
        print("downloading Flink from PyPI (230 MB, once)", flush=True)
        _fill(flink, _download_flink)
    if not _is_complete(beam):
        print("downloading Beam's job server from the Maven registry (160 MB, once)", flush=True)
        _fill(beam, _download_beam)
    return Jars(flink, beam)


def _download_flink(folder: Path, scratch: Path) -> None:
    call = ["download", "--quiet", "--no-deps", "--no-binary=:all:", "--require-hashes", f"--dest={scratch}"]
    subprocess.run([*_pip(), *call, f"--requirement={_REQUIREMENTS}"], check=True, stdout=sys.stderr)
    (archive,) = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        for member in members:
            if re.search(r"/deps/lib/(flink-dist|log4j)[^/]*\.jar$", member.name) and (
                source := members.extractfile(member)
            ):
                with Path(folder, Path(member.name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def _download_beam(folder: Path, scratch: Path) -> None:
    # Maven checks each file by the sum that the registry has of it.
    call = ["mvn", "--batch-mode", "-Dstyle.color=never", "--quiet", "--strict-checksums", f"--file={_POM}", _COPY]
    subprocess.run([*call, "-DincludeScope=runtime", f"-DoutputDirectory={folder}"], check=True, stdout=sys.stderr)


def _fill(folder: Path, download) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        filled, scratch = Path(unfinished, "jars"), Path(unfinished, "scratch")
        filled.mkdir()
        scratch.mkdir()
        download(filled, scratch)
        shutil.rmtree(folder, ignore_errors=True)
        filled.replace(folder)


def _is_complete(folder: Path) -> bool:
    return folder.is_dir()


def _flink_folder() -> Path:
    return _named("flink", _REQUIREMENTS)


def _beam_folder() -> Path:
    return _named("beam-flink", _POM)


def _named(name: str, pinned_by: Path) -> Path:
    return cache_dir() / f"{name}-{hashlib.sha256(pinned_by.read_bytes()).hexdigest()[:8]}"


def _pip() -> list[str]:
    for python in (sys.executable, "python3", "python"):
        call = [python, "-m", "pip"]
        if shutil.which(python) and subprocess.run([*call, "--version"], capture_output=True).returncode == 0:
            return call
    return ["pip"] if shutil.which("pip") else []
