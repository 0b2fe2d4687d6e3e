"""The cache of encoders between runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_KINDS = ("embedded", "archives", "hub")
_SEAL = ".sealed"


class StoredEncoder(NamedTuple):
    """An encoder in the cache."""

    folder: Path
    digest: str
    """The digest of its content when it was stored."""


def seal_of(folder: Path) -> Path:
    """Returns the path of the file with the digest of an encoder's folder, written when it was stored whole."""
    return folder.with_name(f"{folder.name}{_SEAL}")


def stored_encoders(cache: Path) -> Iterator[StoredEncoder]:
    """Yields the encoders in a cache that were stored whole."""
    for seal in (seal for kind in _KINDS for seal in sorted((cache / kind).glob(f"*{_SEAL}"))):
        yield StoredEncoder(seal.with_name(seal.name.removesuffix(_SEAL)), seal.read_text(encoding="utf-8"))


def cache_dir() -> Path:
    """Returns the folder that holds downloaded, unpacked and built encoders; it may not exist yet.

    `CLICKBAIT_CACHE` sets it. Otherwise it is `clickbait-tfx` in the user's cache folder:
    `XDG_CACHE_HOME` (https://specifications.freedesktop.org/basedir-spec/latest/), else `~/.cache`.
    """
    named = os.environ.get("CLICKBAIT_CACHE", "").strip()
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path.
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "clickbait-tfx"
