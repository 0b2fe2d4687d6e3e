"""Evens out the differences of the packages behind fsspec: markers of folders, and errors."""

from __future__ import annotations

import sys

import fsspec


def find_sizes(files: fsspec.AbstractFileSystem, path: str) -> dict[str, int]:
    """Returns the sizes of the files below a path, in bytes, by their names; empty where there are none.

    Consoles, FUSE mounts and the like mark a folder by an object of no bytes whose name ends in a slash. It is no file.
    """
    try:
        details = files.find(path, detail=True)
    except FileNotFoundError:
        return {}
    return {
        name: facts["size"] or 0
        for name, facts in details.items()
        if facts["type"] == "file" and not facts["name"].endswith("/") and not name.endswith("/")
    }


def store_errors() -> tuple[type[Exception], ...]:
    """Returns the exceptions of stores; botocore's of connections and credentials are no OSErrors."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError, botocore.BotoCoreError) if botocore else (OSError,)
