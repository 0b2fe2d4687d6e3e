"""The image's base where no registry is: Debian and its own Python, made by debootstrap from Debian's packages.

The official image is the same Debian with a Python compiled into /usr/local. A root that was made is kept as a tarball
in the cache; only the first one takes a minute or two.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.kubeflow.image.dockerfile import assignments

#: What the official image has and Debian's smallest system has not; there, Python's headers are in /usr/local.
_PACKAGES = "ca-certificates,netbase,python{0}-dev,python{0}-venv,tzdata"

#: Copied, so that the root finds what the machine finds, also behind a proxy with a certificate of its own.
_OF_THE_MACHINE = ("etc/hosts", "etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt")

_PROXIES = {"http_proxy": "Acquire::http::Proxy", "https_proxy": "Acquire::https::Proxy"}


class NoDebianError(Exception):
    """debootstrap failed; the message has its reason."""


def cache_folder() -> Path:
    """Where this user's programs keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def unpack(image: str, folder: Path) -> None:
    """Fills a folder with a root like that of an official image of Python.

    Args:
      image: its name, such as docker.io/library/python:3.13-slim-trixie.
      folder: is not there or is empty.

    Raises:
      NoDebianError: there is no such root here and none can be made.
    """
    named = re.search(r"python:(\d+\.\d+)-slim-(\w+)", image)
    assert named, f"The base must be an official slim image of Python. Received: {image}."
    python, suite = named.groups()
    packages = _PACKAGES.format(python)
    kept = cache_folder() / "clickbait-tfx" / f"{suite}-{hashlib.sha256(packages.encode()).hexdigest()[:8]}.tar"
    folder.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        subprocess.run(["tar", "--extract", "--preserve-permissions", "--file", kept], cwd=folder, check=True)
    else:
        _bootstrap(suite, packages, folder)
        _keep(folder, kept)
    (folder / "usr" / "local" / "bin" / f"python{python}").symlink_to(f"/usr/bin/python{python}")
    for path in (path for path in _OF_THE_MACHINE if Path("/", path).exists()):
        shutil.copyfile(f"/{path}", folder / path)
    (folder / "etc" / "apt" / "apt.conf.d" / "machine").write_text(_apt("apt-config", "dump", *_PROXIES.values()))


def _bootstrap(suite: str, packages: str, folder: Path) -> None:
    """By the mirror and the proxies of this machine's apt; where it has none, by debootstrap's own mirror."""
    mirrors = _apt("apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian", "Component: main").split()
    proxies = _apt("apt-config", "shell", *(word for pair in _PROXIES.items() for word in pair))
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "--force-check-gpg", f"--include={packages}", suite, folder, *mirrors[:1]],
        env={**os.environ, **assignments(proxies)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout.splitlines() or [f"nothing but its exit code, {done.returncode}"]
        raise NoDebianError(f"debootstrap must make a {suite}. Received: {said[-1]}")


def _keep(folder: Path, kept: Path) -> None:
    """Leaves out what apt can fetch again and what a mount hides; another process finds the whole tarball or none."""
    left_out = ("dev/*", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*")
    kept.parent.mkdir(parents=True, exist_ok=True)
    written = kept.with_suffix(f".{os.getpid()}")
    excluded = [f"--exclude=./{pattern}" for pattern in left_out]
    try:
        subprocess.run(["tar", "--create", "--file", written, *excluded, "."], cwd=folder, check=True)
        written.replace(kept)
    finally:
        written.unlink(missing_ok=True)


def _apt(*command: str) -> str:
    """What apt of this machine says; nothing where there is none."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
