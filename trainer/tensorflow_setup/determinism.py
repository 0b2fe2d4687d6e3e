"""Makes trainings repeatable bit for bit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.framework import config  # the way back is not public


@contextlib.contextmanager
def deterministic_ops(wanted: bool) -> Iterator[None]:
    """Makes TensorFlow use deterministic ops inside, and fail where it has none.

    Without `tf.random.set_seed`, which clears the kernel cache and with it the SentencePiece resource of every model
    already loaded in the process; each random draw of this project has a seed of its own.
    """
    if not wanted or config.is_op_determinism_enabled():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        # The other components of a run share the process, and need not pay for it.
        config.disable_op_determinism()
