"""KFP's binaries, where the environment names them, and why they cannot be run here."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

VARIABLES = ("KFP_DRIVER", "KFP_LAUNCHER", "KFP_ARGO_COMPILER")
RELEASE = "KFP_RELEASE"


class Binaries(NamedTuple):
    """Of one release."""

    release: str
    driver: Path
    launcher: Path
    compiler: Path


def why_not() -> str:
    """Returns what must be otherwise, in one line; empty where all is there."""
    if missing := [name for name in VARIABLES if not Path(os.environ.get(name, "")).is_file()]:
        return f"{', '.join(missing)} must be KFP's binaries (tests/kubeflow/real/README.md)"
    if not _release():
        return f"{RELEASE} must be the release of KFP's binaries, e.g. 2.17.0"
    if os.geteuid():
        return "must run as root, for namespaces of the network and of mounts"
    if missing := [name for name in ("unshare", "nsenter", "chroot", "mount") if not shutil.which(name)]:
        return f"{', '.join(missing)} must be there (Debian's util-linux and coreutils)"
    return ""


def binaries() -> Binaries:
    """Returns the environment's; `why_not` must be empty."""
    return Binaries(_release(), *(Path(os.environ[name]).resolve() for name in VARIABLES))


def _release() -> str:
    """Returns the release that the environment names, or else the driver's folder: no binary knows its own."""
    folders = Path(os.environ["KFP_DRIVER"]).resolve().parts[::-1]
    return os.environ.get(RELEASE) or next((name for name in folders if re.fullmatch(r"\d+\.\d+\.\d+", name)), "")
