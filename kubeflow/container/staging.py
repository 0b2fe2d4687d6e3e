"""Parameters that name a place in an object store, for executors that read and write folders.

The launcher stages artifacts; of a parameter it knows only the text.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from components.errors import InputError
from kubeflow.container.places import is_url
from serving.versions.stores import find_sizes, store_errors

logger = logging.getLogger("kubeflow")

#: Parameters of executors that are read from a store, and of those that are written to, too.
_READ, _WRITTEN = ("location", "accepted_dir"), ("accepted_dir",)
_LAST = "card.json"  # without which an entry of accepted data is none


@contextlib.contextmanager
def staged_parameters(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parameters with folders of this machine in place of URLs; what was written there is uploaded at a good end.

    Raises:
      InputError: the store has nothing there, or cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        told, folders = dict(values), {}
        for name in _READ:
            if isinstance(values.get(name), str) and is_url(values[name]):
                base, inside = split_pattern(values[name])
                folders[name] = (base, Path(folder, name))
                download(base, folders[name][1], must_exist=name not in _WRITTEN)
                told[name] = str(folders[name][1] / inside) if inside else str(folders[name][1])
        yield told
        for name in _WRITTEN:
            if name in folders:
                upload_changes(folders[name][1], folders[name][0])


def split_pattern(url: str) -> tuple[str, str]:
    """The part of a URL that is no pattern, and what is left; a file is one of its folder.

    Example:
        >>> split_pattern("s3://bucket/spans/{SPAN}/*.csv")
        ('s3://bucket/spans', '{SPAN}/*.csv')
    """
    scheme, _, place = url.partition("://")
    parts = place.rstrip("/").split("/")
    plain = next((number for number, part in enumerate(parts) if glob.has_magic(part) or "{" in part), len(parts))
    return f"{scheme}://{'/'.join(parts[:plain])}", "/".join(parts[plain:])


def open_store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem of a URL, and the path in it. minio:// is S3 at another address, which the environment says."""
    return fsspec.core.url_to_fs(url.replace("minio://", "s3://", 1))


def check(url: str) -> None:
    """Raises where a URL's package is not installed.

    Raises:
      InputError: it is not.
    """
    with _explained(url):
        open_store(url)


def download(url: str, target: Path, *, must_exist: bool = True) -> None:
    """Lays a file or the files below a folder to `target`; a file becomes itself."""
    with _explained(url):
        files, place = open_store(url)
        found = find_sizes(files, place)
        if not found and must_exist:
            raise FileNotFoundError("nothing is there")
        for one in found:
            local = target if one == place else target / posixpath.relpath(one, place)
            local.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(one, str(local))


def upload(source: Path, url: str) -> None:
    """Lays a file or the files below a folder to a URL."""
    with _explained(url):
        files, place = open_store(url)
        for one in [source] if source.is_file() else sorted(source.rglob("*")):
            if one.is_file():
                inside = one.relative_to(source).as_posix()
                files.put_file(str(one), place if one == source else f"{place}/{inside}")


def upload_changes(folder: Path, url: str) -> None:
    """Makes the store have the files of a folder that it has not, and lose those that the folder lost."""
    with _explained(url):
        files, place = open_store(url)
        files.invalidate_cache()
        there = {posixpath.relpath(one, place) for one in find_sizes(files, place)}
        here = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}
        for name in sorted(here - there, key=lambda name: (name.endswith(_LAST), name)):
            files.put_file(str(folder / name), f"{place}/{name}")
        for name in sorted(there - here, key=lambda name: (not name.endswith(_LAST), name)):
            files.rm_file(f"{place}/{name}")


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except _errors() as error:
        raise InputError(
            f"The store must be there. Received: {url}: {error}. See that the place is right, that this may read and "
            "write it, and that fsspec's package for it is installed (s3fs, gcsfs)."
        ) from error


def _errors() -> tuple[type[Exception], ...]:
    return (ImportError, ValueError, *store_errors())
