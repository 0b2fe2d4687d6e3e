"""Gets labelled texts from elsewhere, two public sets under the MIT license, as challenges for a model."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import pickletools
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.fetch import DEFAULT_DESTINATION, FetchResult, Pinned, csv_bytes, local_folder, read_pinned, write_file

DEFAULT_FOLDER = DEFAULT_DESTINATION.parent / "challenge"

_YOUTUBE = "https://raw.githubusercontent.com/alessiovierti/youtube-clickbait-detector"
_TA1C = "https://raw.githubusercontent.com/gmordecki/TA1C"
_TARBALL = "TA1C_dataset_minimal.tar.gz"
_TABLES = tuple(f"TA1C_dataset_{split}_minimal.csv" for split in ("train", "validation", "test"))
_VIDEO_ID = re.compile(r"[\w-]{11}")
_STRINGS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_MEMOS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET", "FRAME"}
_MIT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True)
class ChallengeSet:
    """A public set of labelled texts."""

    name: str
    address: str
    """Of the folder that holds its files."""
    sha256: Mapping[str, str]
    """Of its files, by their names."""
    read: Callable[[Mapping[str, bytes]], Iterator[tuple[str, int]]]
    """Returns the rows of the files' contents."""
    ready_sha256: str
    """Of `NAME.csv.gz`, as somebody else made it of these files."""
    license_file: str
    holder: str
    """Of the copyright."""


def video_titles(pickled: bytes) -> list[str]:
    """Returns the titles in a pickled table of videos, which is read and never unpickled: that would run its code.

    They follow the ids of the videos in one list, as pandas lays a table's columns of texts.
    """
    texts = max(_lists_of_texts(pickled), key=len, default=[])
    is_id = [bool(_VIDEO_ID.fullmatch(text)) for text in texts]
    ends = itertools.accumulate(is_id, lambda length, more: length + 1 if more else 0)
    _, last = max(((length, place) for place, length in enumerate(ends)), default=(0, -1))
    return texts[last + 1 :]


def _lists_of_texts(pickled: bytes) -> Iterator[list[str]]:
    """Yields the texts of each list; a list is written in batches, each between a mark and an order to append it."""
    texts: list[str] = []
    batch: list[str] = []
    for op, value, _ in pickletools.genops(pickled):
        if op.name in _STRINGS:
            batch.append(str(value))
        elif op.name in ("APPEND", "APPENDS"):
            texts += batch
            batch = []
        elif op.name == "MARK":
            batch = []
        elif op.name not in _MEMOS:
            yield texts
            texts, batch = [], []


def _youtube_rows(files: Mapping[str, bytes]) -> Iterator[tuple[str, int]]:
    for name, label in (("clickbait-df", 1), ("non-clickbait-df", 0)):
        yield from ((title, label) for title in video_titles(files[name]))


def _spanish_rows(files: Mapping[str, bytes]) -> Iterator[tuple[str, int]]:
    with tarfile.open(fileobj=io.BytesIO(files[_TARBALL]), mode="r:gz") as tarball:
        for name in _TABLES:
            member = tarball.extractfile(name)
            assert member is not None  # a file of the pinned archive
            table = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))
            yield from ((row["Preprocessed Teaser Text"], int(row["Tag Value"] == "Clickbait")) for row in table)


SETS = (
    ChallengeSet(
        "youtube",
        f"{_YOUTUBE}/7a68a558881f8c4e7bc340444dc6527dbd81e6fb",
        {
            "clickbait-df": "c4dfa526c27a3d64d10f66f94dd0e3aabcdbb2ff972560575e9b5d01eac35d20",
            "non-clickbait-df": "38ea42c47a979de2c4feaa5dda5f9a1ed1b424e7f67676b4d1f168847cc88cd5",
        },
        _youtube_rows,
        "73084e46aeed1265f8a38b816b0d8135d3bfe2c8639100c88740019b7d6c04c6",
        "LICENSE.youtube",
        "2018 Alessio Vierti",
    ),
    ChallengeSet(
        "ta1c-spanish",
        f"{_TA1C}/87caad920219a634af1e24874b7e61d81f362e17",
        {_TARBALL: "55fcdad185a8a10ebf73a576d76ad4c6a805a5b46082d5da3dda53f8efe1cb05"},
        _spanish_rows,
        "5640f4317b493aa1349ebf3883feac8e0e2256ed618ad811d1c9efe7e4f4eb97",
        "LICENSE.ta1c",
        "2023 Gabriel Mordecki",
    ),
)


def fetch_challenges(source: str | Path | None = None, folder: str | Path = DEFAULT_FOLDER) -> list[FetchResult]:
    """Writes each set to `NAME.csv.gz` with the columns `title` and `label` (1 clickbait), and its license beside it.

    Titles that differ in casing alone are written once. Files from the web are kept in `downloads/` beside the folder.

    Args:
        source: a folder that holds the authors' files or the `NAME.csv.gz` made of them, or the http(s) address of one
            with the authors' files; by default their public repositories.
        folder: where the sets are written.

    Returns:
        The facts of each file.

    Raises:
        DataError: a file is missing, unreachable or not the pinned one, or the folder cannot be written.
    """
    folder = Path(folder).expanduser()
    results = []
    for challenge in SETS:
        content, shown = _read_set(challenge, source, folder.parent / "downloads")
        rows = [*csv.reader(io.StringIO(gzip.decompress(content).decode(), newline=""))][1:]
        path = folder / f"{challenge.name}.csv.gz"
        write_file(path, content)
        write_file(folder / challenge.license_file, _MIT.format(holder=challenge.holder).encode())
        positive = sum(label == "1" for _, label in rows)
        results.append(FetchResult(path, len(rows), positive, hashlib.sha256(content).hexdigest(), shown))
    return results


def find_fetched(folder: Path = DEFAULT_FOLDER) -> list[tuple[str, Path]]:
    """Returns the sets that are there, by name, each with its file."""
    files = [*folder.glob("*.csv"), *folder.glob("*.csv.gz")]
    return sorted((path.name.removesuffix(".gz").removesuffix(".csv"), path) for path in files)


def _read_set(challenge: ChallengeSet, source: str | Path | None, downloads: Path) -> tuple[bytes, str]:
    """Returns the gzipped CSV of a set, and where it came from, for people."""
    location = challenge.address if source is None else str(source).strip()
    ready = f"{challenge.name}.csv.gz"
    way_out = f"Use a folder or a web address that holds {', '.join(challenge.sha256)}, or a folder with {ready}: "
    way_out += "clickbait fetch --challenges --source FOLDER_OR_URL"
    if not location.lower().startswith(("http://", "https://")) and (local_folder(location, way_out) / ready).is_file():
        files, shown = read_pinned(location, Pinned({ready: challenge.ready_sha256}, way_out), downloads)
        return files[ready], shown
    files, shown = read_pinned(location, Pinned(challenge.sha256, way_out), downloads)
    return gzip.compress(csv_bytes(_distinct(challenge.read(files))), mtime=0), shown


def _distinct(rows: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yields the first row of each title, whatever its casing and white space."""
    known: set[str] = set()
    for title, label in rows:
        key = " ".join(title.casefold().split())
        if key not in known:
            known.add(key)
            yield title, label
