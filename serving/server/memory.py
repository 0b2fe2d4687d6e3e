"""Giving an unloaded model's memory back to the machine."""

from __future__ import annotations

import ctypes
import gc


def release_memory() -> None:
    """Frees what nobody refers to any more, and lets the C library return it.

    A TensorFlow graph is full of cycles, which only the collector frees; and glibc keeps freed memory. What stays is
    one model's size from the first swap on, when two are loaded at once: oneDNN's pool keeps the variables' buffers for
    the next version. TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1 turns the pool off, which makes large batches slower.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; macOS and musl do without
    if trim is not None:
        trim(0)
