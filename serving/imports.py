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
    """What is imported inside is left out by the collector for good; does nothing where it was imported before.

    TensorFlow is 400,000 objects that live as long as the process, TFX as many again. While they are made the collector
    looks through all that there are again and again, a sixth of the time; and later each full collection would, for a
    third of a second in which a server answers nobody.

    Args:
      library: what is imported.
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
    """Keeps off stderr what is written there inside; an import that fails shows it.

    The file descriptor itself is redirected: TensorFlow's C++ writes to it before it reads any of its settings.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            kept.seek(0)
            with open(original, "wb", closefd=False) as stderr:
                stderr.write(kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
