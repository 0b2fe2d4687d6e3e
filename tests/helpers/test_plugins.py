"""The cost of tests, and which need no TensorFlow: pytest as the Makefile calls it, on files made for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.cpu_by_folder import folder_of, table

ROOT = Path(__file__).parents[2]
BUSY = """
import subprocess, sys

def test_busy():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 1: pass"], check=True)
"""
FILES = {
    "busy/child/deeper/test_busy.py": BUSY,
    "idle/test_idle.py": "def test_one(): pass\n\ndef test_two(): pass",
    "heavy/test_module.py": "import tensorflow\n\ndef test_never(): assert False",
    "heavy/test_function.py": """
def test_tries():
    try:
        import tensorflow
    except Exception:
        pass
    assert False
""",
}


@pytest.fixture
def run(tmp_path):
    """Runs pytest on `FILES`, and returns what it prints."""
    for name, text in FILES.items():
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "pytest.ini").touch()

    def run(plugin: str, *arguments: str) -> str:
        call = [sys.executable, "-m", "pytest", "-p", f"tests.helpers.{plugin}", "--rootdir", tmp_path, *arguments]
        done = subprocess.run([*call, tmp_path / "tests"], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param([], id="alone"),
        pytest.param(["--numprocesses=2", "--dist=loadfile"], id="with workers", marks=pytest.mark.slow),
    ],
)
def test_a_folder_costs_what_its_processes_use(run, tmp_path, workers):
    said = run("cpu_by_folder", "--cpu-by-folder", f"--ignore={tmp_path / 'tests' / 'heavy'}", *workers)
    assert "3 passed" in said
    rows = {
        name: (float(cost), tests)
        for cost, tests, name in re.findall(r"^ +([\d.]+) +[\d.]+% +(\d*) +(.+)$", said, re.M)
    }
    assert {name: tests for name, (_, tests) in rows.items()} == {
        "busy/child": "1",
        "idle": "2",
        "imports and collection": "",
    }
    assert rows["busy/child"][0] >= 1
    assert rows["idle"][0] < 1


def test_what_imports_tensorflow_is_left_out_and_nothing_takes_it_for_missing(run):
    said = run("without_tensorflow", "--without-tensorflow", "-rs")
    assert "3 passed, 2 skipped" in said
    assert said.count("needs TensorFlow") >= 1
    assert "2 failed" not in said


def test_a_folder_has_two_names_at_most():
    assert folder_of(Path("/r/tests/trainer/test_model.py"), Path("/r")) == "trainer"
    assert folder_of(Path("/r/tests/test_all.py"), Path("/r")) == "."


def test_the_dearest_comes_first():
    assert table({"a": 1.0, "b": 3.0}, {"a": 2, "b": 1})[1:] == [
        "     3.0  75.0%      1 b",
        "     1.0  25.0%      2 a",
        "     4.0             3 in all",
    ]
