"""Object stores, which the launcher downloads from and uploads to. As in a store, there are no empty folders."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path
from typing import Protocol

from kubeflow.container import staging
from serving.versions import stores


class Store(Protocol):
    """Holds the artifacts of a rehearsal by their URIs."""

    pipeline_root: str

    def with_prefix(self, uri: str) -> list[str]:
        """Returns the URIs beside a URI that begin with it, its own among them; none where nothing is."""

    def download(self, uri: str, target: Path) -> None:
        """Copies what is at a URI to a path, a file or the files of a folder; nothing where nothing is."""

    def upload(self, source: Path, uri: str) -> None:
        """Copies a file or the files of a folder to a URI; nothing where the path is not there."""


class FolderStore:
    """Plain files under a folder, under URIs as a cluster's own store has them."""

    pipeline_root = "minio://mlpipeline/v2/artifacts"

    def __init__(self, folder: Path):
        self._folder = folder

    def with_prefix(self, uri: str) -> list[str]:
        path = self._path(uri)
        return [_beside(uri, found.name) for found in sorted(path.parent.glob(f"{glob.escape(path.name)}*"))]

    def download(self, uri: str, target: Path) -> None:
        _link(self._path(uri), target)

    def upload(self, source: Path, uri: str) -> None:
        _link(source, self._path(uri))

    def _path(self, uri: str) -> Path:
        return self._folder / uri.replace("://", "/", 1)


class UrlStore:
    """A bucket, by its own protocol.

    Args:
      url: where in it, e.g. s3://bucket/artifacts.
    """

    def __init__(self, url: str):
        self.pipeline_root = url.rstrip("/")

    def with_prefix(self, uri: str) -> list[str]:
        with stores.explained(uri):
            files, path = stores.open_store(uri)
            return [_beside(uri, Path(found).name) for found in files.glob(f"{glob.escape(path)}*")]

    def download(self, uri: str, target: Path) -> None:
        stores.download(uri, target, must_exist=False)

    def upload(self, source: Path, uri: str) -> None:
        staging.upload(source, uri)


def _beside(uri: str, name: str) -> str:
    return f"{uri.rpartition('/')[0]}/{name}"


def _link(source: Path, target: Path) -> None:
    """Hard links: what a task has written or was handed, nobody changes in place."""
    for file in [source] if source.is_file() else sorted(source.rglob("*")):
        if file.is_file():
            link = target / file.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            try:
                os.link(file, link)
            except OSError:
                shutil.copy2(file, link)
