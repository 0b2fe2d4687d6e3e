"""Shell models and a serving folder, for tests that need no TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.versions.push import push_model
from tests.helpers.encoders import write_shell


@pytest.fixture
def serving(tmp_path) -> Path:
    return tmp_path / "serving" / "clickbait"


@pytest.fixture
def model(tmp_path):
    """Returns a function that makes a model which differs by its weights."""

    def model(weights: str) -> Path:
        folder = tmp_path / "models" / weights
        if not folder.exists():
            write_shell(folder)
            (folder / "variables" / "variables.data-00000-of-00001").write_text(weights)
        return folder

    return model


@pytest.fixture
def push(model, serving):
    """Returns a function that pushes a model, by its weights."""

    def push(weights: str, keep: int = 5):
        return push_model(model(weights), serving, run_id=f"run-{weights}", fingerprint="f1", keep_versions=keep)

    return push


@pytest.fixture
def small_disk(tmp_path):
    """Returns a function that mounts a tmpfs of so many bytes, with further mount options."""
    mounted = []

    def mount(size: int, options: str = "rw") -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        if not shutil.which("mount") or _run("mount", "-t", "tmpfs", "-o", f"size={size},{options}", "tmpfs", place):
            pytest.skip("no tmpfs can be mounted here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        _run("umount", place)


def _run(*command) -> int:
    import subprocess

    return subprocess.run([*map(str, command)], capture_output=True).returncode
