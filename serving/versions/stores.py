"""The one door to object stores: opens URLs, and evens out the differences of the packages behind fsspec."""

from __future__ import annotations

import contextlib
import glob
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import fsspec

#: The schemes of object stores, and the extra of this project that brings the package behind each.
EXTRAS = {"minio": "s3", "s3": "s3", "gs": "gcs"}

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS, or a service account of Google Cloud",
}
#: The variable that holds the address of a store that is not the provider's own, by the extra.
ENDPOINTS = {"s3": "AWS_ENDPOINT_URL", "gcs": "STORAGE_EMULATOR_HOST"}

# By module, because only the packages that are in use are imported.
_ERRORS = {
    "botocore.exceptions": ("BotoCoreError",),
    "gcsfs.retry": ("HttpError", "ChecksumError", "NonRetryableError"),
    "google.auth.exceptions": ("GoogleAuthError",),
    "google.api_core.exceptions": ("GoogleAPIError",),
    "aiohttp": ("ClientError",),
}
_NO_CREDENTIALS = {
    "botocore.exceptions": ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"),
    "google.auth.exceptions": ("GoogleAuthError",),
}
_UNREACHABLE = {
    "botocore.exceptions": ("ConnectionError", "HTTPClientError"),
    "requests.exceptions": ("ConnectionError", "Timeout"),
    "aiohttp": ("ClientConnectionError",),
}


logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs what it raises, with the traceback


class StoreError(Exception):
    """A store cannot be read or written as its URL says."""

    exit_code = 2


def is_url(location: str) -> bool:
    """Returns whether a location is in an object store."""
    return location.startswith(tuple(f"{scheme}://" for scheme in EXTRAS))


def open_store(url: str, **options: object) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the filesystem of a URL, and the path in it. minio:// is S3 at the address in the environment.

    Args:
      url: of a bucket, or of what is in it.
      **options: of fsspec's filesystem; left out, the environment's.

    Raises:
      ImportError: the package behind it is not installed.
      ValueError: there is no such scheme, or no bucket.
    """
    if not url.partition("://")[2].strip("/"):
        raise ValueError("it names no bucket")
    files, path = fsspec.core.url_to_fs(url.replace("minio://", "s3://", 1), **options)
    return files, path


def split_pattern(url: str) -> tuple[str, str]:
    """Returns the part of a URL that is no pattern, and what is left; a file is one of its folder.

    Example:
        >>> split_pattern("s3://bucket/spans/{SPAN}/*.csv")
        ('s3://bucket/spans', '{SPAN}/*.csv')
    """
    scheme, _, path = url.partition("://")
    parts = path.rstrip("/").split("/")
    plain = next((number for number, part in enumerate(parts) if glob.has_magic(part) or "{" in part), len(parts))
    return f"{scheme}://{'/'.join(parts[:plain])}", "/".join(parts[plain:])


def find_sizes(files: fsspec.AbstractFileSystem, path: str) -> dict[str, int]:
    """Returns the sizes of the files below a path, in bytes, by their names; empty where there are none.

    Consoles, FUSE mounts and the like mark a folder by an object of no bytes whose name ends in a slash. It is no file.
    """
    try:
        details = files.find(path, detail=True)
    except FileNotFoundError:
        return {}
    return {
        name: facts["size"] or 0
        for name, facts in details.items()
        if facts["type"] == "file" and not facts["name"].endswith("/") and not name.endswith("/")
    }


def find_names(files: fsspec.AbstractFileSystem, path: str) -> dict[str, str]:
    """Returns the files below a path by their names relative to it; one that is at the path itself by an empty name.

    Raises:
      ValueError: a name leads out of any folder that it is copied to.
    """
    names = {}
    for name in find_sizes(files, path):
        inside = "" if name == path else name.removeprefix(f"{path.rstrip('/')}/")
        if inside.startswith("/") or ".." in inside.split("/") or str(PurePosixPath(inside or ".")) != (inside or "."):
            raise ValueError(f"it holds the name {name}, which no folder can hold")
        names[inside] = name
    return names


def download(url: str, target: Path, *, must_exist: bool = True) -> None:
    """Copies a file or the files below a folder to `target`; a file becomes itself.

    Raises:
      StoreError: the store cannot be read, or has nothing there.
    """
    with explained(url):
        files, root = open_store(url)
        names = find_names(files, root)
        if not names and must_exist:
            raise FileNotFoundError("nothing is there")
        for inside, name in names.items():
            local = target / inside if inside else target
            local.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(name, str(local))


def store_errors() -> tuple[type[Exception], ...]:
    """Returns the exceptions of stores, of which many are no OSErrors."""
    return (OSError, *_imported(_ERRORS))


def url_errors() -> tuple[type[Exception], ...]:
    """Returns those of stores, and of URLs that lead to none: there is no such scheme, or its package is missing."""
    return (ImportError, ValueError, *store_errors())


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Makes the exceptions of a store a StoreError with a message for the user.

    Raises:
      StoreError: for any of them, and for a package that is not installed.
    """
    try:
        yield
    except url_errors() as error:
        raise StoreError(explain(url, error)) from error


def explain(url: str, error: Exception) -> str:
    """Returns what must be so that a store can be used, what was received instead, and the way out."""
    scheme = url.partition("://")[0]
    extra = EXTRAS.get(scheme, "")
    reason = " ".join(str(error).split()) or type(error).__name__
    received = f"Received: {url}: {reason}."
    if isinstance(error, ImportError):
        way_out = f"Give: pip install 'clickbait-tfx[{extra}]'." if extra else "Install it."
        return f"fsspec's package for {scheme}:// must be installed. {received} {way_out}"
    if _is_refusal(error):
        variables = f": set {_CREDENTIALS[extra]}" if extra else ""
        return f"The store must allow it. {received} Give credentials that have the right{variables}."
    if isinstance(error, FileNotFoundError):
        return f"The store must hold what the URL names. {received} Check the names of bucket and path."
    address = f" and {ENDPOINTS[extra]}, its address where it is not the provider's own" if extra else ""
    if isinstance(error, (ConnectionError, TimeoutError, *_imported(_UNREACHABLE))):
        return f"The store must be reachable. {received} Check the network{address}."
    return f"The store must be readable and writable. {received} Check the URL, the permissions{address}."


def is_lasting(error: Exception) -> bool:
    """Returns whether an error of a store is there again, however often the same thing is tried."""
    return _is_refusal(error) or isinstance(error, (ImportError, ValueError, FileNotFoundError))


def _is_refusal(error: Exception) -> bool:
    refused = getattr(error, "code", None) in (401, 403, "401", "403") or str(error).startswith("Forbidden")  # gcsfs's
    return refused or isinstance(error, (PermissionError, *_imported(_NO_CREDENTIALS)))


def _imported(names: Mapping[str, tuple[str, ...]]) -> tuple[type[Exception], ...]:
    modules = {module: sys.modules[module] for module in names if module in sys.modules}
    return tuple(getattr(modules[module], name) for module in modules for name in names[module])
