"""Matrix products in bfloat16 on processors that have instructions for it; weights and all else stay float32."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

logger = logging.getLogger("trainer")

_REWRITE = "auto_mixed_precision_onednn_bfloat16"
_NATIVE = {"avx512_bf16", "amx_bf16"}


@contextlib.contextmanager
def matrix_products(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[None]:
    """Whatever graph is first run inside multiplies matrices so, whichever module it comes from.

    TensorFlow rewrites the graph and casts what goes into a product; what is exported is not rewritten. Graphs on a GPU
    are left alone.

    Args:
      precision: `float32`; `bfloat16`; or `auto`, which is `bfloat16` where the processor multiplies it natively, for
        elsewhere it is emulated and slower.
      cpuinfo: what the processor can do, as Linux says it.
    """
    use = precision == "bfloat16" or (precision == "auto" and multiplies_bfloat16(cpuinfo))
    if use:
        logger.info("matrix products on the CPU are computed in bfloat16")
    before = tf.config.optimizer.get_experimental_options().get(_REWRITE, False)
    tf.config.optimizer.set_experimental_options({_REWRITE: use})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_REWRITE: before})


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor, an x86 under Linux, has instructions for products of bfloat16."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _NATIVE.isdisjoint(flags)
