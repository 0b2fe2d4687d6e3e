"""What the packages behind fsspec do not do alike: markers of folders, and errors."""

from __future__ import annotations

import sys

import fsspec


def find_sizes(files: fsspec.AbstractFileSystem, place: str) -> dict[str, int]:
    """The sizes of the files below a place, by their names there; empty where nothing is.

    Consoles, FUSE mounts and the like mark a folder by an object of no bytes whose name ends in a slash. It is no file.
    """
    try:
        found = files.find(place, detail=True)
    except FileNotFoundError:
        return {}
    return {
        name: facts["size"] or 0
        for name, facts in found.items()
        if facts["type"] == "file" and not facts["name"].endswith("/") and not name.endswith("/")
    }


def store_errors() -> tuple[type[Exception], ...]:
    """What goes wrong with a store; botocore's errors of connections and credentials are no OSErrors."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError, botocore.BotoCoreError) if botocore else (OSError,)
