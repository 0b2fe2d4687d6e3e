"""Giving an unloaded model's memory back to the machine."""

from __future__ import annotations

import ctypes
import gc


def release_memory() -> None:
    """Frees what nobody refers to any more, and lets the C library return it.

    A TensorFlow graph is full of cycles, which only the collector frees; and glibc keeps freed memory, so that a server
    would stay as large as two models for ever after its first swap.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; macOS and musl do without
    if trim is not None:
        trim(0)
