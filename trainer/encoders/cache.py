"""Where encoders are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Returns the folder that holds downloaded, unpacked and built encoders; it may not exist yet.

    `CLICKBAIT_CACHE` names it outright. Otherwise it is `clickbait-tfx` in the user's cache folder:
    `XDG_CACHE_HOME` (https://specifications.freedesktop.org/basedir-spec/latest/), else `~/.cache`.
    """
    named = os.environ.get("CLICKBAIT_CACHE", "").strip()
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path.
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "clickbait-tfx"
