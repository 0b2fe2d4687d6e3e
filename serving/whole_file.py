"""Writes files atomically."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, flush: bool = False) -> None:
    """Writes a file atomically: no reader sees a part of it. An existing file keeps its mode.

    Args:
      path: in a folder that exists.
      content: text as UTF-8.
      flush: whether to return only when the content is on the disk, and survives a crash of the machine.

    Raises:
      OSError: it cannot be written; the file is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if flush:
                stream.flush()
                os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
