"""Forked tasks, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kubeflow.rehearsal import processes
from tests.helpers.forkserver import forkserver


@pytest.mark.slow
def test_each_of_many_that_run_at_once_has_its_own_exit_code():
    forkserver()

    def run(code: int) -> int:
        child, receiver = processes._start(processes._call, "os._exit", (code,))
        receiver.close()
        return processes._end(child)

    codes = [*range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(run, codes)] == codes
