"""Ctrl-C, on a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from tests.kubeflow.submit.conftest import SAID, SMALL


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_go_on(api):
    api.states = ["RUNNING"]
    command = [sys.executable, "-m", "pipeline", "kubeflow", "submit", "--spec", str(SMALL), "--host", api.url]
    process = subprocess.Popen(
        [*command, *(f"--parameter={one}" for one in SAID)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not api.looks and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)  # into the pause between two looks
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    (run,) = api.things["runs"]
    assert f"--follow {run['run_id']}" in output
    assert "Traceback" not in output
    assert not any(":terminate" in one for one in api.calls)
