"""Sets TensorFlow's optimizations of training graphs: of matrix products, and of lookups in large tables."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

logger = logging.getLogger("trainer")

_BFLOAT16 = "auto_mixed_precision_onednn_bfloat16"

# Among much that gains nothing here it has a lookup of distinct rows (`tf.nn.embedding_lookup_sparse`) read the whole
# table; and once a scatter has updated some of its rows, each read is a copy: 1 GB a step for a table of USE 4's size.
_ARITHMETIC = "arithmetic_optimization"

_NATIVE = {"avx512_bf16", "amx_bf16"}


@contextlib.contextmanager
def training_graphs(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[None]:
    """Optimizes the graphs that are first run inside for training, whichever module they come from.

    Lookups read only the rows that they look up. Matrix products are in bfloat16 where `precision` says so: TensorFlow
    casts their inputs, while weights and all else stay float32, and exports are not rewritten. Products on a GPU are
    not changed.

    Args:
      precision: `float32`; `bfloat16`; or `auto`, which is `bfloat16` where the processor multiplies it natively, for
        elsewhere it is emulated and slower.
      cpuinfo: Linux's file with the features of the processor.
    """
    in_bfloat16 = precision == "bfloat16" or (precision == "auto" and multiplies_bfloat16(cpuinfo))
    inside = {_BFLOAT16: in_bfloat16, _ARITHMETIC: False}
    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(inside)
    try:
        if in_bfloat16:
            _log_whether_in_bfloat16()
        yield
    finally:
        # None for unset options. TensorFlow's default would do the same, but stay in models that are saved later.
        tf.config.optimizer.set_experimental_options({name: options.get(name) for name in inside})


def _log_whether_in_bfloat16() -> None:
    """Logs whether products are in bfloat16, by trying one: TensorFlow ignores the option where oneDNN is off."""
    number = tf.constant([[1 + 2.0**-9]])  # 1 in bfloat16
    with tf.device("CPU:0"):
        product = tf.function(lambda x: tf.nn.relu(tf.matmul(x, x)), autograph=False)(number)
    if product == 1:
        logger.info("matrix products on the CPU are computed in bfloat16")
    else:
        logger.warning(
            "training.precision: matrix products stay in float32, because oneDNN, by which TensorFlow computes them in "
            "bfloat16, is off on this processor. TF_ENABLE_ONEDNN_OPTS=1 turns it on; where bfloat16 is emulated, that "
            "is slower.",
            extra={"notice": True},
        )


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Returns whether the processor, an x86 under Linux, has instructions for products of bfloat16."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _NATIVE.isdisjoint(flags)
