"""Imports of large libraries without the garbage collector, then and later."""

from __future__ import annotations

import contextlib
import gc
import sys
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
