"""What a worker of an engine sees, for `clickbait doctor --beam`. Workers import this module, so it is light."""

from __future__ import annotations

import json
import platform
import socket
import uuid
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

TOKEN_FILE = "driver.txt"
_DISTRIBUTIONS = ("apache-beam", "tfx", "tensorflow", "clickbait-tfx")


class Versions(NamedTuple):
    """What must be the same for driver and workers: what the one pickles the others unpickle."""

    python: str
    packages: dict[str, str]

    def differences(self, other: Versions) -> list[str]:
        """Returns what another has otherwise, in words."""
        pairs = {"Python": (self.python, other.python)}
        pairs |= {name: (version, other.packages[name]) for name, version in self.packages.items()}
        return [f"{name} {theirs} (here {ours})" for name, (ours, theirs) in pairs.items() if ours != theirs]


def installed_versions() -> Versions:
    """Returns the versions of this process."""
    return Versions(".".join(platform.python_version_tuple()[:2]), {name: _version(name) for name in _DISTRIBUTIONS})


def look_around(_: int, folder: str, token: str, paths: list[str]) -> None:
    """Writes into a folder that the driver made what this worker sees.

    Args:
      folder: holds `TOKEN_FILE`.
      token: the content of that file.
      paths: which of these are here is reported.

    Raises:
      RuntimeError: the folder is another one here, or cannot be written.
    """
    versions, host = installed_versions(), socket.gethostname()
    try:
        seen = Path(folder, TOKEN_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise RuntimeError(f"{folder} must be the same folder for the worker on {host}. Received: {error}") from error
    if seen != token:
        raise RuntimeError(f"{folder} must be the same folder for the worker on {host}. Received: another one")
    result = {"host": host, "versions": versions, "missing": [path for path in paths if not Path(path).exists()]}
    Path(folder, f"worker-{uuid.uuid4().hex}.json").write_text(json.dumps(result), encoding="utf-8")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
