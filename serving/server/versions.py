"""The folder of versions: what is in it, which of it is wanted, and whether a version's files have changed."""

from __future__ import annotations

import re
from pathlib import Path

from serving.server.config import Policy

_VERSION = re.compile(r"\+?[0-9]{1,19}")
_MAX_INT64 = 2**63 - 1

Contents = tuple[tuple[str, int, int], ...]
"""Of a version's files: names, sizes and times in nanoseconds."""


def list_versions(base_path: Path) -> dict[int, Path]:
    """Every child whose name is a number, as TF Serving takes them: by the name alone.

    Raises:
      OSError: the folder is not there or cannot be read.
    """
    found = {}
    for child in sorted(base_path.iterdir()):
        if _VERSION.fullmatch(child.name) and int(child.name) <= _MAX_INT64:
            found[int(child.name)] = child
    return found


def choose_versions(policy: Policy, present: dict[int, Path]) -> set[int]:
    """The versions that the policy asks for and that are there."""
    if policy.everything:
        return set(present)
    if policy.specific is not None:
        return set(policy.specific) & set(present)
    return set(sorted(present)[-policy.latest :])


def contents_of(path: Path) -> Contents | None:
    """The names, sizes and times of a version's files: differs once anything was written. None where unreadable."""
    try:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        stats = [(str(file), file.stat()) for file in sorted(files)]
    except OSError:
        return None
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
