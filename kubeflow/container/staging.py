"""Stages parameters that are URLs of an object store, for executors that read and write folders.

The launcher stages artifacts; of a parameter it knows only the text.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from kubeflow.spec.messages import Json
from serving.versions.stores import download, explained, find_names, is_url, open_store, split_pattern

logger = logging.getLogger("kubeflow")

#: Parameters of executors that are read from a store, and of those that are written to, too.
_READ, _WRITTEN = ("location", "eval_location", "label_fixes", "accepted_dir"), ("accepted_dir",)
_LAST = "card.json"  # without which an entry of accepted data is none


@contextlib.contextmanager
def staged_parameters(values: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """Yields the parameters with local folders in place of URLs; uploads what was written there at a good end.

    Raises:
      StoreError: the store has nothing there, or cannot be reached.
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


def upload(source: Path, url: str) -> None:
    """Copies a file or the files below a folder to a URL."""
    with explained(url):
        files, root = open_store(url)
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                inside = path.relative_to(source).as_posix()
                files.put_file(str(path), root if path == source else f"{root}/{inside}")


def upload_changes(folder: Path, url: str) -> None:
    """Makes the store have the files of a folder that it has not, and lose those that the folder lost."""
    with explained(url):
        files, root = open_store(url)
        files.invalidate_cache()
        there = {*find_names(files, root)}
        here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for name in sorted(here - there, key=lambda name: (name.endswith(_LAST), name)):
            files.put_file(str(folder / name), f"{root}/{name}")
        for name in sorted(there - here, key=lambda name: (not name.endswith(_LAST), name)):
            files.rm_file(f"{root}/{name}")
