"""The file that people answer: a CSV of texts, with an empty column for the answer.

Its text and label columns have the names of the data, so that `data.label_fixes` reads its answers, and it is data
itself. What a spreadsheet would run has an apostrophe in front, which both take off.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from components.errors import InputError
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import ANSWER, REVIEW_NOTES
from serving.untrusted import inert_cell
from serving.whole_file import write_whole

_DIGITS = 4


class ReviewRow(NamedTuple):
    """A text to look at."""

    text: str
    label: str
    """As the data calls it; empty where there is none."""
    score: float
    """Probability of class 1."""
    is_suspect: bool = False
    contradictions: str = ""
    """Rows of the same title with another label, for people."""


def check_target(path: Path, settings: DataConfig, *, force: bool) -> None:
    """Checks that a review file can be written, before anything is scored.

    Args:
      path: of the file.
      settings: the section `data`, whose columns it gets.
      force: whether a file that is there may be replaced, whatever it holds.

    Raises:
      InputError: the file is there and is no review file without answers, it cannot be written, or a column of the
        data is called as one that it adds.
    """
    clash = next((name for name in (settings.text_column, settings.label_column) if name in REVIEW_NOTES), None)
    if clash:
        raise InputError(
            f"The columns of text and label must not be called {', '.join(REVIEW_NOTES)}, which the review file adds. "
            f"Received: {clash!r}. Rename it."
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        received = "a folder" if path.is_dir() else "in a folder that is not there"
        raise InputError(f"--out must be a file in a folder that exists. Received: {path}, {received}. Give another.")
    if force or not path.exists():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            is_review = {*REVIEW_NOTES} <= {*(rows.fieldnames or ())}
            answers = sum(bool((row[ANSWER] or "").strip()) for row in rows) if is_review else 0
    except (OSError, UnicodeDecodeError, csv.Error):
        is_review, answers = False, 0
    if answers or not is_review:
        held = f"{answers:,} answers" if is_review else "no review file"
        raise InputError(
            f"--out must be a new file, or a review file without answers. Received: {path}, which "
            f"{'has' if is_review else 'is'} {held}. Give another --out, or --force to replace it."
        )


def write_review(path: Path, rows: Iterable[ReviewRow], settings: DataConfig) -> None:
    """Writes a review file, whole or not at all.

    Raises:
      InputError: it cannot be written.
    """
    text = io.StringIO()
    sink = csv.writer(text, lineterminator="\n")
    sink.writerow((settings.text_column, settings.label_column, *REVIEW_NOTES))
    for row in rows:
        cells = (row.text, row.label, f"{row.score:.{_DIGITS}f}", str(int(row.is_suspect)), row.contradictions, "")
        sink.writerow(map(inert_cell, cells))
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise InputError(f"--out must be writable. Received: {path}: {error.strerror}. Give another.") from error
