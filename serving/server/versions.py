"""Lists the folder of versions, chooses those to serve, and detects changed files of a version."""

from __future__ import annotations

import re
from pathlib import Path

from serving.server.config import Policy

_VERSION = re.compile(r"\+?[0-9]{1,19}")
_MAX_INT64 = 2**63 - 1

Contents = tuple[tuple[str, int, int], ...]
"""Of a version's files: names, sizes and times in nanoseconds."""


def list_versions(base_path: Path) -> dict[int, Path]:
    """Returns the children whose names are numbers, by number; like TF Serving, by the name alone.

    Raises:
      OSError: the folder is missing or cannot be read.
    """
    versions = {}
    for child in sorted(base_path.iterdir()):
        if _VERSION.fullmatch(child.name) and int(child.name) <= _MAX_INT64:
            versions[int(child.name)] = child
    return versions


def choose_versions(policy: Policy, present: dict[int, Path]) -> set[int]:
    """Returns the versions that the policy names and that are present."""
    if policy.everything:
        return set(present)
    if policy.specific is not None:
        return set(policy.specific) & set(present)
    return set(sorted(present)[-policy.latest :])


def contents_of(path: Path) -> Contents | None:
    """Returns the names, sizes and times of a version's files, which change when one is written; None if unreadable."""
    try:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        stats = [(str(file), file.stat()) for file in sorted(files)]
    except OSError:
        return None
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
