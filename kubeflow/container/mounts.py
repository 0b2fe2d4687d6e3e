"""Translates between URIs of object stores and the paths at which the launcher mounts them in a container."""

from __future__ import annotations

import os
from pathlib import Path

#: Stands before /minio, /s3 and /gcs; empty in a container.
MOUNT_ROOT = "CLICKBAIT_MOUNT_ROOT"

_MOUNTS = {"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"}


def mount_root() -> str:
    """Returns the root of this process's mounts."""
    return os.environ.get(MOUNT_ROOT, "")


def local_path(uri: str, root: str | Path = "") -> str:
    """Returns the path of a URI; anything else is itself.

    Example:
        >>> local_path("minio://bucket/a/b")
        '/minio/bucket/a/b'
    """
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return f"{root}{mount}{uri.removeprefix(scheme)}"
    return uri


def uri_of(path: str, root: str | Path = "") -> str:
    """Returns the URI of a path that is mounted; anything else is itself.

    Example:
        >>> uri_of("/gcs/bucket/a/b")
        'gs://bucket/a/b'
    """
    for scheme, mount in _MOUNTS.items():
        if path.startswith(f"{root}{mount}"):
            return scheme + path.removeprefix(f"{root}{mount}")
    return path
