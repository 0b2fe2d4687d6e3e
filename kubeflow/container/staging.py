"""Stages parameters that are URLs of an object store, for executors that read and write folders.

The launcher stages artifacts; of a parameter it knows only the text.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import posixpath
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import fsspec

from components.errors import InputError
from kubeflow.container.mounts import is_url
from kubeflow.spec.messages import Json
from serving.versions.stores import find_sizes, store_errors

logger = logging.getLogger("kubeflow")

#: Parameters of executors that are read from a store, and of those that are written to, too.
_READ, _WRITTEN = ("location", "accepted_dir"), ("accepted_dir",)
_LAST = "card.json"  # without which an entry of accepted data is none


@contextlib.contextmanager
def staged_parameters(values: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """Yields the parameters with local folders in place of URLs; uploads what was written there at a good end.

    Raises:
      InputError: the store has nothing there, or cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        staged, urls = dict(values), {}
        for name in _READ:
            value = values.get(name)
            if isinstance(value, str) and is_url(value):
                urls[name], pattern = split_pattern(value)
                download(urls[name], Path(folder, name), must_exist=name not in _WRITTEN)
                staged[name] = str(Path(folder, name, pattern))
        yield staged
        for name in _WRITTEN:
            if name in urls:
                upload_changes(Path(folder, name), urls[name])


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


def open_store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the filesystem of a URL, and the path in it. minio:// is S3 at the address in the environment."""
    files, path = fsspec.core.url_to_fs(url.replace("minio://", "s3://", 1))
    return files, path


def check(url: str) -> None:
    """Raises where a URL's package is not installed.

    Raises:
      InputError: it is not.
    """
    with _explained(url):
        open_store(url)


def download(url: str, target: Path, *, must_exist: bool = True) -> None:
    """Copies a file or the files below a folder to `target`; a file becomes itself."""
    with _explained(url):
        files, root = open_store(url)
        names = find_sizes(files, root)
        if not names and must_exist:
            raise FileNotFoundError("nothing is there")
        for name in names:
            local = target if name == root else target / posixpath.relpath(name, root)
            local.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(name, str(local))


def upload(source: Path, url: str) -> None:
    """Copies a file or the files below a folder to a URL."""
    with _explained(url):
        files, root = open_store(url)
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                inside = path.relative_to(source).as_posix()
                files.put_file(str(path), root if path == source else f"{root}/{inside}")


def upload_changes(folder: Path, url: str) -> None:
    """Makes the store have the files of a folder that it has not, and lose those that the folder lost."""
    with _explained(url):
        files, root = open_store(url)
        files.invalidate_cache()
        there = {posixpath.relpath(name, root) for name in find_sizes(files, root)}
        here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for name in sorted(here - there, key=lambda name: (name.endswith(_LAST), name)):
            files.put_file(str(folder / name), f"{root}/{name}")
        for name in sorted(there - here, key=lambda name: (not name.endswith(_LAST), name)):
            files.rm_file(f"{root}/{name}")


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except _errors() as error:
        raise InputError(
            f"The store must be readable and writable. Received: {url}: {error}. Check the URL, the permissions, and "
            "that fsspec's package for it is installed (s3fs, gcsfs)."
        ) from error


def _errors() -> tuple[type[Exception], ...]:
    return (ImportError, ValueError, *store_errors())
