"""A file, a folder or a glob of CSV files, as TFX's pair of an input base and a pattern below it."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path
from typing import NamedTuple

from components.errors import InputError

_ENDINGS = (".csv", ".csv.gz")


class CsvInput(NamedTuple):
    """What FileBasedExampleGen takes: a folder, a pattern relative to it, and the files that it matches now."""

    base: str
    pattern: str
    paths: tuple[str, ...]


def find_csv_files(path: str) -> CsvInput:
    """Resolves `--data`.

    Args:
      path: a file of any name, a folder that holds .csv or .csv.gz files, or a glob.

    Raises:
      InputError: nothing is there, or a folder holds no CSV or a mixture of plain and compressed ones.
    """
    try:
        return _find(path)
    except (OSError, RuntimeError) as error:  # no permission, a name too long, no such home
        raise InputError(
            f"The data must be there. Received: {path}: {getattr(error, 'strerror', None) or error}."
        ) from error


def _find(path: str) -> CsvInput:
    place = Path(path).expanduser()
    if place.is_file():
        return CsvInput(str(place.parent.resolve()), glob.escape(place.name), (str(place.resolve()),))
    if place.is_dir():
        base = place.resolve()
        next(base.iterdir(), None)  # glob would take a folder that may not be listed for an empty one
        found = {f"*{ending}": _files(f"{glob.escape(str(base))}/*{ending}") for ending in _ENDINGS}
        found = {pattern: paths for pattern, paths in found.items() if paths}
        if len(found) != 1:
            holds = "files of both kinds" if found else "neither"
            raise InputError(
                f"A data folder holds either .csv or .csv.gz files. Received: {path}, which holds {holds}."
            )
        return CsvInput(str(base), *found.popitem())
    if "**" in path:
        raise InputError(f"The data is a file, a folder or a glob of one level. Received: {path}. Leave out the **.")
    if glob.has_magic(str(place)):
        fixed = next(parent for parent in place.parents if not glob.has_magic(str(parent)))
        if paths := _files(str(place.absolute())):
            return CsvInput(str(fixed.absolute()), str(place.relative_to(fixed)), paths)
        raise InputError(f"The data must be there. Received: {path}, a pattern that matches no file.")
    raise InputError(f"The data must be there. Received: {path}, where there is nothing. Give --data FILE-or-folder.")


def _files(pattern: str) -> tuple[str, ...]:
    # As glob, and so TFX, matches: no hidden files such as the `._a.csv` of macOS.
    return tuple(sorted(file for file in glob.glob(pattern) if Path(file).is_file()))


def data_digest(paths: tuple[str, ...]) -> str:
    """sha256 over the files' bytes, in the order of `paths`; of one file it is the file's own."""
    digest = hashlib.sha256()
    for path in paths:
        with Path(path).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"
