"""Data in an object store: the files that a run takes are copied into its output."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, Unpack

from components.errors import InputError
from components.headline_example_gen.files import CsvInput, find_csv_files, resolve_pattern
from components.labelled_csv.digests import file_digest
from pipeline.results.run_folders import unwritable
from serving.versions import stores


class Spans(TypedDict):
    """The spans to take, as `find_csv_files` has them."""

    window_spans: int
    last_span: int | str | None


def copy_csv_files(url: str, folder: Path, **spans: Unpack[Spans]) -> CsvInput:
    """Copies the files that `--data` names in an object store, of spans only those that are taken.

    Args:
      url: of a file, a folder or a pattern, as `find_csv_files` takes a path.
      folder: gets a folder for each URL and content, so that a later run of the same data finds the same path, and
        a run at work keeps its files.
      **spans: the spans to take.

    Returns:
      As `find_csv_files`, of the copies.

    Raises:
      StoreError: the store cannot be read, or has nothing there.
      InputError: as `find_csv_files`, naming the URL.
      OutputError: `folder` cannot be written.
    """
    base_url, pattern = stores.split_pattern(url)
    with stores.explained(url):
        files, root = stores.open_store(base_url)
        names = stores.find_names(files, root)
        if not names:
            raise FileNotFoundError("nothing is there")
    if "" in names:
        names, pattern = {Path(root).name: root}, Path(root).name
    with tempfile.TemporaryDirectory(prefix="clickbait-") as temporary:
        with stores.explained(url):
            listing = _make_listing(Path(temporary), names)
        try:
            chosen = find_csv_files(str(listing / pattern), **spans)
        except InputError as error:
            raise InputError(str(error).replace(str(listing / pattern), url).replace(str(listing), base_url)) from None
        base = Path(chosen.base).relative_to(listing)
        taken = [Path(path).relative_to(listing) for path in chosen.paths]
    with _temporary(folder) as copy:
        digest = hashlib.sha256(url.encode())
        for inside in taken:
            target = copy / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with stores.explained(url):
                files.get_file(names[inside.as_posix()], str(target))
            digest.update(f"\n{inside} {file_digest(str(target))}".encode())
        kept = folder / digest.hexdigest()[:16]
        try:
            copy.rename(kept)
        except OSError as error:  # a folder that has files is not replaced
            if not kept.is_dir():
                raise unwritable(folder.parent, error) from error
    return resolve_pattern(str(kept / base), chosen.pattern, **spans)


def _make_listing(folder: Path, names: dict[str, str]) -> Path:
    """Makes an empty file of each name, for the rules by which files are chosen to be one and the same everywhere."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder.resolve()


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    try:
        yield temporary / "copy"
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
