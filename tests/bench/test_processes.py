"""A process is measured with what it starts, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.processes import run_module


def test_what_it_prints_and_what_it_ends_with():
    ended = run_module(["timeit", "-n", "1", "-r", "1", "import os; print(os.environ['TOLD'])"], {"TOLD": "there"})
    assert (ended.code, ended.log) == (0, "")
    assert "there" in ended.printed
    assert min(ended.wall, ended.cpu, ended.peak_kib) > 0
    failed = run_module(["no_such_module"])
    assert failed.code == 1 and "no_such_module" in failed.log


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_count_and_end_with_it():
    child = [sys.executable, "-c", "import time; x = bytearray(b'x') * 2**28; time.sleep(60)"]
    sleeper = f"import subprocess, time; print(subprocess.Popen({child}).pid, flush=True); time.sleep(1)"
    ended = run_module(["timeit", "-n", "1", "-r", "1", sleeper], counts_children=True)
    assert ended.code == 0, ended.log
    assert ended.peak_kib > 150_000
    deadline = time.monotonic() + 30
    while _runs(int(ended.printed.split()[0])) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(int(ended.printed.split()[0]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sessions_beside_it_are_watched_for_as_long_as_it_runs():
    busy = "x = bytearray(b'x') * 2**27\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", busy], start_new_session=True) as other:
        try:
            sleeper = ["timeit", "-n", "1", "-r", "1", "import time; time.sleep(2)"]
            beside = {"other": [other.pid], "nobody": []}
            ended = run_module(sleeper, counts_children=True, beside=beside)
            assert other.poll() is None
        finally:
            other.kill()
    assert ended.code == 0, ended.log
    assert 0.1 < ended.beside["other"].cpu <= ended.wall + 0.1
    assert ended.beside["other"].peak_kib > 2**17
    assert ended.beside["nobody"] == (0.0, 0.0)
    assert "own" not in ended.beside


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
