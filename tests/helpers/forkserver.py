"""One process that has imported TensorFlow and TFX, which takes 10 s; what the tests of a worker start forks from it.

TensorFlow allows that as long as the process that forks has run none of its ops.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.forkserver
import os
from multiprocessing import util
from pathlib import Path
from unittest import mock

from kubeflow.rehearsal import processes
from tests.helpers.forked_program import IMPORTED


@functools.cache
def forkserver() -> multiprocessing.context.BaseContext:
    """Its context. A rehearsal forks from the same process, if this is called before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*processes._IMPORTED, *IMPORTED])
    multiprocessing.forkserver.ensure_running()
    return context


def fork_forkserver() -> None:
    """Makes it a fork of this process, which has imported everything and has not yet run any op."""
    spawn = util.spawnv_passfds

    def fork(path: str, arguments: list[str], inherited: list[int]) -> int:
        *_, code = arguments
        if "forkserver" not in code:
            return spawn(path, arguments, inherited)
        process = os.fork()
        if process == 0:
            try:
                # It ends when nobody else has the other end of a pipe, so it must not have that itself.
                for number in {int(file.name) for file in Path("/dev/fd").iterdir()} - {0, 1, 2, *inherited}:
                    with contextlib.suppress(OSError):
                        os.close(number)
                exec(code, {})
            finally:
                os._exit(0)
        return process

    with mock.patch.object(util, "spawnv_passfds", fork):
        forkserver()
