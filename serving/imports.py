"""Imports of large libraries: without the garbage collector, then and later, and without their chatter."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected_imports(library: str) -> Iterator[None]:
    """Keeps imports inside out of the garbage collector for good; does nothing where the library was imported before.

    TensorFlow is 400,000 objects that live as long as the process, TFX as many again. While they are made the collector
    looks through all that there are again and again, a sixth of the time; and later each full collection would, for a
    third of a second in which a server answers nobody.

    Args:
      library: the name of the module that is imported.
    """
    if library in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Hides what is written to stderr inside; shows it where an import fails."""
    open_closed(2)
    with tempfile.TemporaryFile() as kept, redirected(kept.fileno(), 2) as (original,):
        try:
            yield
        except BaseException:
            _flush()
            kept.seek(0)
            with open(original, "wb", closefd=False) as stderr:
                stderr.write(kept.read())
            raise


@contextlib.contextmanager
def redirected(sink: int, *descriptors: int) -> Iterator[list[int]]:
    """Redirects file descriptors to `sink` inside, and yields duplicates of the original ones.

    The descriptors themselves are redirected: TensorFlow, Beam and gRPC write to them from C++, TensorFlow before it
    reads any of its settings.
    """
    _flush()
    originals = [os.dup(descriptor) for descriptor in descriptors]
    for descriptor in descriptors:
        os.dup2(sink, descriptor)
    try:
        yield originals
    finally:
        _flush()
        for descriptor, original in zip(descriptors, originals, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    """Flushes Python's buffers of stdout and stderr."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where the caller closed it
        stream.flush()


def open_closed(*descriptors: int) -> None:
    """Opens closed descriptors on the null device, as after `clickbait run >&-`, so that no file gets their number."""
    for descriptor in descriptors:
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
