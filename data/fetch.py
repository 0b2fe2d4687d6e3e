"""Gets the Stop Clickbait headlines, checks them against pinned sums, and writes them as one `title,label` CSV."""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from serving.whole_file import write_whole

PUBLIC_SOURCE = "https://raw.githubusercontent.com/bhargaviparanjape/clickbait/master/dataset"
DEFAULT_DESTINATION = Path("data/clickbait.csv")

CLICKBAIT_FILE = "clickbait_data.gz"
NEWS_FILE = "non_clickbait_data.gz"
SHA256 = {
    CLICKBAIT_FILE: "a174ae2a377908ae58a514416c01a19c882de27fa6b1500da3774114e332a546",
    NEWS_FILE: "4baa2a3cf6b28a48b765e4f763b5d5f03535caae1c70a26f680d39b0ca782a05",
}
CSV_SHA256 = "12817ef731dd9d665fbf45e6a8d9a8d5c99545f69e2748ba1bc02b930290acad"
"""Of the CSV that is written of them."""
LABELS = {CLICKBAIT_FILE: 1, NEWS_FILE: 0}

WAY_OUT = f"Use a folder or a web address that holds {CLICKBAIT_FILE} and {NEWS_FILE}: "
WAY_OUT += "clickbait fetch --source FOLDER_OR_URL"


@dataclass(frozen=True)
class Pinned:
    """Files that are one and the same wherever they come from."""

    sha256: Mapping[str, str]
    """By their names."""
    way_out: str
    """Of messages about a source that has them not, or others."""


class DataError(Exception):
    """Data cannot be fetched or read; the command line shows the message without a traceback.

    The message names the rule, what was received and the way out.
    """

    exit_code = 2


@dataclass(frozen=True)
class FetchResult:
    """The CSV that was written: its path, its rows, how many of them are clickbait, its sha256, and its source."""

    path: Path
    rows: int
    clickbait_rows: int
    sha256: str
    source: str


def fetch(source: str | Path | None = None, destination: str | Path = DEFAULT_DESTINATION) -> FetchResult:
    """Writes the Stop Clickbait headlines to a CSV with the columns `title` and `label` (1 clickbait, 0 news).

    Files from the web are kept in `downloads/` beside the CSV; those that exist with the right checksum are not
    fetched again. Files get their names once they are whole and checked.

    Args:
        source: a folder (absolute, relative, `~` or `file://`) or the http(s) address of one that holds the two .gz
            files; by default the authors' public repository.
        destination: the CSV to write; its folder is made where it is missing.

    Returns:
        The path and the facts of the CSV.

    Raises:
        DataError: a file is missing, unreachable or not the pinned one, or the destination cannot be written.
    """
    destination = Path(destination).expanduser()
    if destination.is_dir():
        raise DataError(f"The destination must be a CSV file. Received: the folder {destination}. Add a file name.")
    location = PUBLIC_SOURCE if source is None else str(source).strip()
    packed, shown = read_pinned(location, Pinned(SHA256, WAY_OUT), destination.parent / "downloads")

    rows = [(title, LABELS[name]) for name, content in packed.items() for title in _titles(content)]
    rows.sort(key=_shuffling_key)
    content = csv_bytes(rows)
    write_file(destination, content)
    return FetchResult(
        path=destination,
        rows=len(rows),
        clickbait_rows=sum(label for _, label in rows),
        sha256=hashlib.sha256(content).hexdigest(),
        source=shown,
    )


def read_pinned(location: str, pinned: Pinned, downloads: Path) -> tuple[dict[str, bytes], str]:
    """Returns the content of files, and where they came from, for people.

    Args:
        location: a folder, or the http(s) address of one.
        pinned: the files.
        downloads: the folder where files from the web are kept.

    Raises:
        DataError: a file is missing, unreachable or not the pinned one, or cannot be kept.
    """
    if location.lower().startswith(("http://", "https://")):
        return {name: _download(location, name, pinned, downloads) for name in pinned.sha256}, _without_secrets(
            location
        )
    folder = local_folder(location, pinned.way_out)
    return {name: _read_local(folder, name, pinned) for name in pinned.sha256}, str(folder)


def local_folder(location: str, way_out: str) -> Path:
    """Returns the folder that a source names.

    Raises:
        DataError: it is none.
    """
    if location.startswith(("file:///", "file://localhost/")):
        folder = Path(unquote(urlsplit(location).path))
    elif "://" in location or not location:
        raise DataError(f"The source must be a folder or an http(s) address. Received: {location!r}. {way_out}")
    else:
        folder = Path(location).expanduser()
    if not folder.is_dir():
        kind = "a file" if folder.exists() else "nothing there"
        raise DataError(f"The source must be a folder that exists. Received: {folder} ({kind}). {way_out}")
    return folder.resolve()


def _read_local(folder: Path, name: str, pinned: Pinned) -> bytes:
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"The source must hold {name}. Received: {folder}, which does not. {pinned.way_out}") from None
    except OSError as error:
        raise DataError(f"{path} must be readable. Received: {error.strerror or error}. {pinned.way_out}") from error
    _check_sum(name, hashlib.sha256(content).hexdigest(), str(path), pinned)
    return content


def _download(base: str, name: str, pinned: Pinned, folder: Path) -> bytes:
    from data.download import DownloadError, download

    way_out = pinned.way_out
    try:
        parts = urlsplit(base)
    except ValueError as error:
        raise DataError(f"The source must be a folder or an http(s) address. Received: {base!r}. {way_out}") from error
    url = parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()
    shown = _without_secrets(url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check = functools.partial(_check_sum, name, where=shown, pinned=pinned)
        return download(url, pinned.sha256[name], folder / name, check)
    except DownloadError as error:
        raise DataError(f"The source must be reachable. Received: {shown}, which {error} {way_out}") from error
    except OSError as error:
        raise _cannot_write(folder / name, error) from error


def _check_sum(name: str, got: str, where: str, pinned: Pinned) -> None:
    expected = pinned.sha256[name]
    if got != expected:
        raise DataError(
            f"{name} must be the pinned file, sha256 {expected}. Received: sha256 {got} from {where}. {pinned.way_out}"
        )


def _without_secrets(url: str) -> str:
    """Returns the address without user, password and query, which may hold a token: it is printed and recorded."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _titles(packed: bytes) -> list[str]:
    # split, not splitlines: a title may hold one of Unicode's other line separators.
    lines = (line.strip() for line in gzip.decompress(packed).decode("utf-8").split("\n"))
    return [line for line in lines if line]


def _shuffling_key(row: tuple[str, int]) -> tuple[str, str]:
    # The salt keeps the order independent of any split by the plain hash of the title: the head of the file then
    # holds rows of both splits, as it does of both classes.
    title = row[0]
    return hashlib.sha256(f"row order:{title}".encode()).hexdigest(), title


def csv_bytes(rows: Iterable[tuple[str, int]]) -> bytes:
    """Returns a CSV with the columns `title` and `label`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("title", "label"))
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"{path} must be writable. Received: {reason}. Give a destination in a folder that is writable.")
