"""One process that has imported TensorFlow and TFX, which takes 15 s; all tests fork from it.

TensorFlow allows that as long as the process that forks has run none of its ops.
"""

from __future__ import annotations

import functools
import multiprocessing
import multiprocessing.forkserver

from kubeflow.rehearsal import processes
from tests.helpers.forked_program import IMPORTED


@functools.cache
def forkserver() -> multiprocessing.context.BaseContext:
    """Its context. A rehearsal forks from the same process, if this is called before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*processes._IMPORTED, *IMPORTED])
    multiprocessing.forkserver.ensure_running()
    return context
