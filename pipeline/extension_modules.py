"""The two extension modules that are built for newer systems than some that the project runs on.

TensorFlow Data Validation's and ML Metadata's wheels are for glibc 2.39; on older systems `make setup` fits a module
of each (install/). Only the standard library is imported, since the fitting comes before all else.
"""

from __future__ import annotations

import base64
import hashlib
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

#: The way out where what is installed is damaged.
ANEW = "`rm -rf .venv && make setup` installs the lock anew."

_FILES = {
    "tensorflow-data-validation": "tensorflow_data_validation_extension.so",
    "ml-metadata": "metadata_store_extension.so",
}
#: sha256 of the locked wheels' files for Linux, and of what the fitting makes of each.
FITTED = {
    # tensorflow-data-validation 1.21.0, cp311
    "9d167827edb20f0c9219f196cc882265f1d2ceb8eb71f3d7ce3f2a0cd1be56a7":
        "dc88d75ad015bb6cd9fcb163f159a9c6936b39641de6f844d02b37e2d098f56e",
    # tensorflow-data-validation 1.21.0, cp312
    "82995ecc292461d53f935dc55af3441a46c382bed0f36e580b31ae22159936d9":
        "baf7d0ba8405699241119a24f613100e8068d92a6457574ec1b8930d0514b28f",
    # tensorflow-data-validation 1.21.0, cp313
    "1d98fa0b6c0e9c54ee70174d193bc5f9c46d3390ab0e74adbb8d398ae321893a":
        "edecdbb51da4f2c3a1ca70e9fcf9fb8a61701d2d95c6a2a7506296304ceb2e27",
    # ml-metadata 1.21.0, cp311
    "9817a2524d3cad1b3136e118aea97f24e269767c04d86aaa3be8aa71d8593c9c":
        "3c66c6f19cd446fcb0ab7f32bfbf132af6de53d60b7c3c7fc85675f8b06b4a74",
    # ml-metadata 1.21.0, cp312
    "29fe5dde36f0f26a3852981bf23af7dc8f686430d021ded6f41ecb31e7da06ea":
        "76378b6d1ccbd5cd4555c132d7f42092480c977f123af3b4b4b360ffcec82c19",
    # ml-metadata 1.21.0, cp313
    "8595fe993edb0dd7afeeff28e83f0257f5b145a38b3c36d2d794939a005f7348":
        "e8f56ba581ea8e4c23236aafc615eb2c4ec4723751658da87e46c6e6ff556201",
}  # fmt: skip

# The module alone, without its package, which would import TensorFlow and Beam.
_LOAD = """
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
path = sys.argv[1]
name = path.rpartition("/")[2].partition(".")[0]
spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
spec.loader.exec_module(module_from_spec(spec))
"""


class ExtensionModule(NamedTuple):
    """A module as its wheel installed it: the distribution, the file, and the published file's sha256."""

    distribution: str
    path: Path
    published: str


def installed_modules() -> list[ExtensionModule]:
    """Returns the modules of the distributions that are installed, by their RECORD."""
    modules = []
    for name, file in _FILES.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for line in (distribution.read_text("RECORD") or "").splitlines():
            path, digest, _ = line.rsplit(",", 2)
            if path.endswith(f"/{file}"):
                published = base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=").hex()
                modules.append(ExtensionModule(name, Path(str(distribution.locate_file(path))), published))
    return modules


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def origin(module: ExtensionModule) -> Literal["published", "fitted", "unknown"]:
    """Returns whether the file is the wheel's, the one that the fitting makes of it, or another."""
    if not module.path.is_file():
        return "unknown"
    found = sha256(module.path.read_bytes())
    if found == module.published:
        return "published"
    return "fitted" if found == FITTED.get(module.published) else "unknown"


def load_error(path: Path) -> str | None:
    """Loads the module in a process of its own, and returns the error; None where it loads."""
    return failure(_LOAD, str(path))


def failure(program: str, *arguments: str) -> str | None:
    """Runs a program with this Python; returns the last line of what went wrong, or None."""
    command = [sys.executable, "-c", program, *arguments]
    probe = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if probe.returncode == 0:
        return None
    if probe.returncode < 0:
        return f"the process was ended by {signal.Signals(-probe.returncode).name}"
    return (probe.stderr.strip().splitlines() or [f"the process ended with {probe.returncode}"])[-1]
