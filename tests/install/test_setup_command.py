"""Which uv `make setup` runs, and what it tells it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path) -> Path:
    (tmp_path / "install").mkdir()
    for name in ("Makefile", "pyproject.toml", "setup.py", "uv.lock", "install/find-python"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(clone: Path, *arguments: str) -> str:
    """What make says, called by nobody's make, with the clone's own bin first on PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["PATH"] = f"{clone / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", *arguments], cwd=clone, env=environment, capture_output=True, text=True, check=True
    ).stdout


def steps(clone: Path) -> str:
    """What `make setup` would run."""
    return make(clone, "-n", "setup")


def put_uv(clone: Path, code: int) -> Path:
    uv = clone / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f"#!/bin/sh\nexit {code}\n")
    uv.chmod(0o755)
    return uv


def test_a_uv_that_the_project_admits_is_used(clone):
    uv = put_uv(clone, 0)
    said = steps(clone)
    assert f"{uv} sync --quiet --frozen" in said
    assert "pip install" not in said


def test_a_uv_that_is_too_old_is_not_and_a_pinned_one_comes_from_pypi(clone):
    put_uv(clone, 2)
    said = steps(clone)
    assert ".uv/bin/uv sync --quiet --frozen" in said
    assert "/bin/pip install --quiet --disable-pip-version-check uv==" in said


def test_the_modules_are_fitted_after_the_lock_is_installed_and_before_anything_else_runs(clone):
    lines = steps(clone).splitlines()
    assert lines[-1] == ".venv/bin/python -m install fit"
    assert any(" sync --quiet" in line for line in lines[:-1])


def test_a_lock_that_is_installed_is_not_installed_again_but_the_modules_are_looked_at(clone):
    put_uv(clone, 0)
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".synced").touch()
    assert steps(clone).splitlines() == [".venv/bin/python -m install fit"]


def test_no_interpreter_is_ever_downloaded(clone):
    (clone / "Makefile").open("a").write("\nsay:\n\t@echo $$UV_PYTHON_DOWNLOADS\n")
    assert make(clone, "say") == "never\n"
