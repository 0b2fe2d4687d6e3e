"""Reading labelled headlines from CSV (RFC 4180), with every fault named by file and line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import heapq
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from components.errors import DataRefused, InputError

_SHOWN_FAULTS = 5
_MIN_ROWS = 10
_MAX_TITLE_CHARACTERS = 10_000
_LABELS = {"0": 0, "1": 1}
_UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error)

# A headline is no book, and an unbalanced quote must not swallow a file of any size.
csv.field_size_limit(1 << 20)


class Row(NamedTuple):
    """One accepted row: its text, and 1 for the positive class or 0."""

    title: str
    label: int


class Fault(NamedTuple):
    """One row that is refused: the file, its line as an editor counts, and the rule that it breaks."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


def read_header(path: str, text_column: str, label_column: str) -> list[str]:
    """Checks that a file is a CSV with both columns, and returns all its columns.

    Raises:
      InputError: the file cannot be opened, is empty or no text, or lacks a column.
    """
    try:
        with _open(path) as stream:
            return _header(path, csv.reader(stream, strict=True), text_column, label_column)
    except _UNREADABLE as error:
        raise InputError(_unreadable(path, error)) from error


def read_rows(path: str, text_column: str, label_column: str) -> Iterator[Row | Fault]:
    """Streams a file's rows, in order; a row that breaks a rule comes as a `Fault`.

    Raises:
      InputError: as `read_header`, or the file stops being a CSV on the way.
    """
    line = 1
    try:
        with _open(path) as stream:
            reader = csv.reader(stream, strict=True)
            header = _header(path, reader, text_column, label_column)
            text_at, label_at = header.index(text_column), header.index(label_column)
            line = reader.line_num + 1
            for fields in reader:
                if fields:  # a blank line separates nothing and labels nothing
                    yield _row(path, line, fields, header, text_at, label_at)
                line = reader.line_num + 1
    except _UNREADABLE as error:
        raise InputError(_unreadable(path, error, line)) from error


def check_rows(paths: Sequence[str], text_column: str, label_column: str, limit: int | None = None) -> int | None:
    """Reads everything once and refuses the data if a row is bad, a class is missing or there is next to nothing.

    Args:
      paths: the CSV files.
      text_column: its column of texts.
      label_column: its column of 0 and 1.
      limit: how many rows are wanted, at the most.

    Returns:
      The smallest `sampling_key` that is left out, or None when all rows are wanted. A sample is the rows with smaller
      keys: it does not depend on the order of the rows, and equal titles go in or stay out together.

    Raises:
      InputError: a file cannot be read.
      DataRefused: the rows are not fit for training.
    """
    faults: list[Fault] = []
    refused = 0
    labels: Counter[int] = Counter()
    sample: list[tuple[int, int]] = []  # a heap of negated keys and labels: the largest key is the first to leave
    left_out: int | None = None
    for path in paths:
        for row in read_rows(path, text_column, label_column):
            if isinstance(row, Fault):
                refused += 1
                if len(faults) < _SHOWN_FAULTS:
                    faults.append(row)
                continue
            labels[row.label] += 1
            if limit is not None:
                entry = (-sampling_key(row.title), row.label)
                if len(sample) < limit:
                    heapq.heappush(sample, entry)
                else:
                    key = -heapq.heappushpop(sample, entry)[0]
                    left_out = key if left_out is None else min(left_out, key)
    accepted = labels.total()
    if refused:
        shown = "\n".join(f"  {fault}" for fault in faults)
        more = f"\n  and {refused - len(faults):,} more" if refused > len(faults) else ""
        raise DataRefused(
            f"Every row needs a title and a label 0 or 1. Received: {refused:,} bad of {refused + accepted:,} rows.\n"
            f"{shown}{more}\nMend or remove these rows and run again."
        )
    if accepted < _MIN_ROWS:
        raise DataRefused(
            f"The data needs at least {_MIN_ROWS} rows. Received: {accepted} in {', '.join(paths)}. "
            "Give more rows with --data."
        )
    if len(labels) < 2:
        raise DataRefused(
            f"The data needs rows of both classes. Received: {accepted:,} rows, all labelled {next(iter(labels))}. "
            "Give data with both labels, 0 and 1, with --data."
        )
    if left_out is not None and len({label for key, label in sample if -key < left_out}) < 2:
        raise DataRefused(
            f"The data needs rows of both classes. Received: a sample of {limit} of {accepted:,} rows, which holds not "
            "both labels. Give a larger --limit."
        )
    return left_out


def sampling_key(title: str) -> int:
    """A title's place in a sample: sha256 as a number, salted so that it is independent of the split's hash."""
    return int.from_bytes(hashlib.sha256(b"sample:" + title.encode()).digest()[:8], "big")


def _row(path: str, line: int, fields: list[str], header: list[str], text_at: int, label_at: int) -> Row | Fault:
    if len(fields) != len(header):
        return Fault(path, line, f"expected {len(header)} fields, found {len(fields)}")
    title, label = fields[text_at], fields[label_at].strip()
    if not title.strip():
        return Fault(path, line, f"the {header[text_at]} is blank")
    if len(title) > _MAX_TITLE_CHARACTERS:
        return Fault(
            path,
            line,
            f"the {header[text_at]} has {len(title):,} characters, expected at most {_MAX_TITLE_CHARACTERS:,}",
        )
    if label not in _LABELS:
        found = f"is {label!r}" if label else "is blank"
        return Fault(path, line, f"the {header[label_at]} {found}, expected 0 or 1")
    return Row(title, _LABELS[label])


def _header(path: str, reader, text_column: str, label_column: str) -> list[str]:
    header = next(reader, None)
    if not header:
        raise InputError(f"A CSV begins with a line of column names. Received: {path}, which is empty.")
    for column, option in ((text_column, "--text-column"), (label_column, "--label-column")):
        if header.count(column) != 1:
            problem = "is not there" if column not in header else "is there more than once"
            raise InputError(
                f"{path}: the column {column!r} {problem}. The file's columns: {', '.join(header)}. "
                f"Name the right one with {option}."
            )
    return header


def _open(path: str) -> io.TextIOBase:
    stream = gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb")  # noqa: SIM115  closed by its wrapper
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _unreadable(path: str, error: Exception, line: int = 1) -> str:
    if isinstance(error, UnicodeDecodeError):
        found = f"bytes that are not UTF-8 ({error.object[error.start : error.start + 4]!r})"
    elif isinstance(error, csv.Error):
        # "line contains NUL" is the csv module's word for binary or UTF-16.
        hint = "the file is binary or UTF-16" if "NUL" in str(error) else "look for an unbalanced quote"
        found = f"in the row from line {line}, {error}; {hint}"
    else:
        found = getattr(error, "strerror", None) or str(error)
    return f"The data must be CSV files in UTF-8, plain or .gz. Received: {path}: {found}."
